package auditor

import (
	"context"
	"io"
	"math"
	"time"

	"sandglass/cmd/sandglass/auditor/proving"
	"sandglass/cmd/sandglass/auditor/source"
	"sandglass/cmd/sandglass/auditor/statement"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/show"
	"sandglass/domain/audit"
	"sandglass/domain/instant"
	"sandglass/domain/stream"
	"sandglass/projections/books"

	"github.com/spf13/cobra"
)

// summaryFlags say what a statement is of, and which checks are made for it.
type summaryFlags struct {
	source.Flags
	periodFlags
	proving.Against
	format, out       string
	replay, reconcile bool
}

func reportCmd(c commands) *cobra.Command {
	var f summaryFlags
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Say on one page what came in, what was earned and what is owed",
		Long: `Say on one page what the books have of a period: what came in by which way, what was earned,
what is owed to the resources of each plan, in money and in time, and what is unallocated, was
reversed, given back or granted. The figures are those of the read models at the end of the
period, which is when the events were written (see "audit export --help").

The page says which checks were made, and what none can prove; of one that was not, how to. That
the log keeps its rules, up to the end of the period, is always checked. With --replay each figure
of the running daemon is compared with the log, with --reconcile the log with the wallet, both as
they are now: see "audit replay --help" and "audit reconcile --help". With --checkpoint or
--invoice the log is held against what was kept of it elsewhere, with --policy too it is asked who
cosigned that: see "audit verify --help". If a check fails, the exit status is 1.

Of a period that is not over the page says so, and of a file that may end before it does.

The log comes from the daemon, from its store with --store, or from NDJSON with --log. What is
held in memory grows with the payments, since each is looked at once more.`,
		Example: `  sandglass audit report --from 2026-01-01 --to 2026-02-01
  sandglass audit report --from 2026-01-01 --to 2026-02-01 --replay --reconcile --format html --out 2026-01.html
  sandglass audit report --from 2026-01-01 --to 2026-02-01 --checkpoint friday.note --policy policy.txt
  sandglass audit report --store sqlite:/var/lib/sandglass/sandglass.db --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.summary(cmd.Context(), &f) },
	}
	f.Flags.Add(cmd)
	f.periodFlags.add(cmd)
	f.Against.Add(cmd)
	cmd.Flags().StringVar(&f.format, "format", "text", "`text`, html or json")
	cmd.Flags().StringVar(&f.out, "out", "", "write to this `file`")
	cmd.Flags().BoolVar(&f.replay, "replay", false, "compare each figure of the daemon with the log too")
	cmd.Flags().BoolVar(&f.reconcile, "reconcile", false, "compare the log with the wallet too")
	return cmd
}

// writer returns what writes a statement in the format that is asked for.
func (c commands) writer(format string) (func(*statement.Statement, io.Writer) error, error) {
	if c.JSON {
		format = "json"
	}
	switch format {
	case "text":
		return (*statement.Statement).Text, nil
	case "html":
		return (*statement.Statement).HTML, nil
	case "json":
		return func(s *statement.Statement, w io.Writer) error { return show.JSON(w, s) }, nil
	}
	return nil, cli.Usage("--format %q: want text, html or json", format)
}

func (c commands) summary(ctx context.Context, f *summaryFlags) error {
	write, err := c.writer(f.format)
	if err == nil {
		err = f.Flags.Check()
	}
	if err == nil {
		err = f.Against.Check()
	}
	if err != nil {
		return err
	}
	p, err := f.period()
	if err != nil {
		return err
	}
	sums, err := c.sums(ctx, f, p)
	if err != nil {
		return err
	}
	checks, err := c.checks(ctx, f, sums)
	if err != nil {
		return err
	}
	s := statement.New(sums.books, instant.Of(time.Now()), sums.ends, checks)
	if f.out == "" {
		err = write(s, c.Stdout)
	} else {
		err = whole(f.out, func(w io.Writer) error { return write(s, w) })
	}
	if err == nil && s.Failed() {
		err = cli.ErrDifference
	}
	return err
}

// sums is a log that was read up to the end of a period.
type sums struct {
	books *books.Statement
	rules *audit.Checker // of the events up to there
	ends  bool           // the log goes on after the period, or is all that there is
}

// sums reads the log up to the end of a period, and checks its rules on the way.
func (c commands) sums(ctx context.Context, f *summaryFlags, p books.Period) (*sums, error) {
	log, err := source.Grow(ctx, c.Env, &f.Flags)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s, progress := &sums{rules: audit.New(math.MaxUint64), ends: !log.Still}, show.NewProgress(c.Stderr)
	defer progress.Done()
	read := int64(0)
	records := func(yield func(stream.Record, error) bool) {
		for r, err := range log.After(ctx, 0) {
			read++
			if !yield(r, err) {
				return
			}
		}
	}
	s.books, err = books.State(records, p, func(r *stream.Record) {
		s.rules.Record(r)
		if s.rules.Events%tellEvery == 0 {
			progress.Draw("%s events, position %d", show.Group(s.rules.Events), r.Position)
		}
	})
	s.ends = s.ends || read > s.rules.Events
	return s, err
}
