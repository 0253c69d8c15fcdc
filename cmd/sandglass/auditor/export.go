package auditor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"sandglass/adapters/journal"
	"sandglass/cmd/sandglass/auditor/source"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/show"
	"sandglass/domain/stream"

	"github.com/spf13/cobra"
)

// exportFlags say what is written, and where to; stdout, if not said.
type exportFlags struct {
	source.Flags
	periodFlags
	format, by, out, tiles string
}

func exportCmd(c commands) *cobra.Command {
	var f exportFlags
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the log, or the books, for auditors and bookkeepers",
		Long: `Write the log as NDJSON, or the double-entry books that follow from it: as CSV for
spreadsheets, or as a journal that hledger and ledger check. Amounts are whole millisatoshi.

An entry is booked on the day, in UTC, on which its event was written, so that a period that
is over never changes; when it took effect stands beside it. A journal that begins later
begins with the balances of then; one ends with the balance of each account, which both
programs check. The accounts are:

  assets:wallet:lightning, assets:wallet:onchain    what was received, and did not go back
  assets:receivable:PLAN:RESOURCE                   used, and then its payment was reversed
  liabilities:prepaid:PLAN:RESOURCE                 paid, and not used yet
  liabilities:unallocated                           received, and no resource has it
  income:PLAN                                       used, less what was given back
  equity:retained:PLAN                              the same, of before --from

With --by day there is one entry for each kind and plan and day, without the resources.
NDJSON is what "events" writes: "audit replay --log" can check it, if it begins with the log.
With --tiles the tiles of the log's tree are written into a folder, 32 bytes for each event, and
its latest checkpoint beside them. Who has the export, the folder and the public key needs
nothing else of the daemon to name the event that is another later: "audit verify --help".

The log comes from the daemon, from its store with --store, or from NDJSON with --log. With
--out the file is there once it is whole, and takes the place of an older one.

The columns of the CSV:

` + columnsHelp(),
		Example: `  sandglass audit export --format hledger --by day --from 2026-01-01 --to 2026-02-01 --out 2026-01.journal
  sandglass audit export --format csv --out books.csv
  sandglass audit export --format ndjson --store sqlite:/var/lib/sandglass/sandglass.db > log.ndjson
  sandglass audit export --format ndjson --out log.ndjson --tiles kept
  sandglass audit verify --log log.ndjson --tiles kept --checkpoint kept/checkpoint --key "$(cat vkey)"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.export(cmd.Context(), &f) },
	}
	f.Flags.Add(cmd)
	f.periodFlags.add(cmd)
	cmd.Flags().StringVar(&f.format, "format", "", "`ndjson`, csv or hledger (needed)")
	cmd.Flags().StringVar(&f.by, "by", string(journal.ByEvent),
		"`event` or day: one entry for each event, or for each kind and plan in a day")
	cmd.Flags().StringVar(&f.out, "out", "", "write to this `file`")
	cmd.Flags().StringVar(&f.tiles, "tiles", "",
		"write the tiles of the log's tree and its checkpoint into this `folder`, which has none yet; of ndjson")
	return cmd
}

func columnsHelp() string {
	var b strings.Builder
	for _, c := range journal.Columns {
		fmt.Fprintf(&b, "  %-15s %s\n", c[0], c[1])
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// options returns what the flags say.
func (f *exportFlags) options() (o journal.Options, err error) {
	o.Format, o.By = journal.Format(f.format), journal.By(f.by)
	switch {
	case f.format == "":
		return o, cli.Usage("--format says how it is written: ndjson, csv or hledger")
	case o.Format != journal.NDJSON && o.Format != journal.CSV && o.Format != journal.HLedger:
		return o, cli.Usage("--format %q: want ndjson, csv or hledger", f.format)
	case o.By != journal.ByEvent && o.By != journal.ByDay:
		return o, cli.Usage("--by %q: want event or day", f.by)
	case o.By == journal.ByDay && o.Format == journal.NDJSON:
		return o, cli.Usage("--by day is for the books: ndjson has each event as it is")
	case f.tiles != "" && (o.Format != journal.NDJSON || f.from != "" || f.to != ""):
		return o, cli.Usage("--tiles are those of the whole log: they go with --format ndjson, without --from and --to")
	}
	if err := f.Check(); err != nil {
		return o, err
	}
	o.Period, err = f.period()
	return o, err
}

func (c commands) export(ctx context.Context, f *exportFlags) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	log, err := source.Grow(ctx, c.Env, &f.Flags)
	if err != nil {
		return err
	}
	defer log.Close()
	p := show.NewProgress(c.Stderr)
	var n int64
	o.See = func(r *stream.Record) {
		if n++; n%tellEvery == 0 {
			p.Draw("%s events, position %d", show.Group(n), r.Position)
		}
	}
	write := func() error { return c.write(ctx, f, log, o) }
	if f.tiles != "" {
		write = func() error { return c.tiled(ctx, f, log, o) }
	}
	err = write()
	p.Done()
	return err
}

// write writes the log, or its books.
func (c commands) write(ctx context.Context, f *exportFlags, log *source.Growing, o journal.Options) error {
	all, err := log.Log(ctx)
	if err != nil {
		return err
	}
	write := func(w io.Writer) error { return journal.Write(ctx, w, all, o) }
	if f.out == "" {
		return write(c.Stdout)
	}
	return whole(f.out, write)
}

// tiled writes the log, and the tiles of its tree beside it.
func (c commands) tiled(ctx context.Context, f *exportFlags, log *source.Growing, o journal.Options) error {
	t, err := newTiles(f.tiles)
	if err == nil {
		err = t.begin(ctx, log)
	}
	if err != nil {
		return err
	}
	drawn := o.See
	o.See = func(r *stream.Record) {
		drawn(r)
		t.see(r)
	}
	if err := c.write(ctx, f, log, o); err != nil {
		return err
	}
	if err := t.end(); err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.Stderr, t.said())
	return err
}

// whole writes a file, which has its name once all of it is on the disk. Until then, and if that
// fails, what had the name before has it.
func whole(path string, write func(io.Writer) error) error {
	if was, err := os.Stat(path); err == nil && !was.Mode().IsRegular() {
		return cli.Usage("--out %s is no file, and can't be put in the place of what it is", path)
	}
	folder := filepath.Dir(path)
	f, err := os.CreateTemp(folder, "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
