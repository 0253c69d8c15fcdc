// Package store has the commands for the event log as a whole: init, which makes it, and
// store backup, check, copy and restore.
package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sandglass/adapters/eventstoredb"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/config"
	"sandglass/cmd/sandglass/show"
	"sandglass/cmd/sandglass/storeurl"
	"sandglass/domain/logcopy"
	"sandglass/domain/stream"

	"github.com/spf13/cobra"
)

// Cmd returns store, with its subcommands.
func Cmd(e *cli.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "What is done with the event log as a whole",
		Example: `  sandglass store backup /mnt/backup/sandglass-$(date +%F).db
  sandglass store check
  sandglass store restore /mnt/backup/sandglass-2026-01-02.db
  sandglass store copy --from sqlite:/var/lib/sandglass/sandglass.db --to esdb://sandglass@db.example.org:2113`,
	}
	cmd.AddCommand(backupCmd(e), checkCmd(e), copyCmd(e), restoreCmd(e))
	return cmd
}

// copyFlags say from where to where.
type copyFlags struct{ from, to copySide }

type copySide struct{ url, namespace, passwordFile string }

func copyCmd(e *cli.Env) *cobra.Command {
	var f copyFlags
	cmd := &cobra.Command{
		Use:   "copy",
		Short: "Copy the event log from one store to another, and verify the copy",
		Long: `Copy the event log from one store to another, byte for byte: streams, revisions, ids,
times, data and metadata. Positions are each store's own. What was copied is read back and
compared, and the digest of both logs is printed, which must be the same. What was asked for
and nobody has paid is kept beside the log (requests.db, or two streams of the cluster), and
is copied after it, but where both logs are in one folder.

The destination must be there: "sandglass init" makes it. What it holds already must be
the beginning of the source: it is compared, and the rest is copied. So a copy that was
broken off goes on when the same command is run again, and a copy that is whole is
verified. A difference is named, and the exit status is 1; nothing is ever overwritten.

No daemon may write to the destination. One that writes to the source does no harm: what
it had written when the copy began is copied, and what has come since is told. To move a
daemon, stop it, copy, and start it on the other store.

A path of sqlite: is in the working folder. The password of a user in an esdb:// URL comes
from a file, so that it stands in no argument, which every user of the machine can see.`,
		Example: `  sandglass store copy --from sqlite:/var/lib/sandglass/sandglass.db --to sqlite:/mnt/backup/sandglass.db
  sandglass store copy --from sqlite:/var/lib/sandglass/sandglass.db ` +
			`--to esdb://sandglass@db.example.org:2113 --to-password-file store.password`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return copyStore(cmd.Context(), e, &f) },
	}
	for _, side := range []struct {
		*copySide
		name, what string
	}{{&f.from, "from", "the store to copy"}, {&f.to, "to", "the store to copy to"}} {
		cmd.Flags().StringVar(&side.url, side.name, "", "`URL` of "+side.what+", such as sqlite:PATH or esdb://USER@HOST:2113")
		cmd.Flags().StringVar(&side.namespace, side.name+"-namespace", "",
			"what its streams begin with in an esdb:// store; $"+config.Prefix+"_STORE_NAMESPACE")
		cmd.Flags().StringVar(&side.passwordFile, side.name+"-password-file", "",
			"`file` with the password of the user in its URL; $"+config.Prefix+"_STORE_PASSWORD_FILE")
		_ = cmd.MarkFlagRequired(side.name) // it is there
	}
	return cmd
}

// place returns where a side is.
func (s *copySide) place(flag string, c *config.Config) (storeurl.Place, error) {
	p := c.LogAt(s.url)
	if s.namespace != "" {
		p.Namespace = s.namespace
	}
	if s.passwordFile != "" {
		p.PasswordFile, p.PasswordFrom = s.passwordFile, flag+"-password-file"
	}
	if err := eventstoredb.CheckNamespace(p.Namespace); err != nil {
		return p, cli.Usage("%s-namespace: %w", flag, err)
	}
	if err := storeurl.CheckFlag(s.url); err != nil {
		return p, cli.Usage("%s %w", flag, err)
	}
	return p, nil
}

func copyStore(ctx context.Context, e *cli.Env, f *copyFlags) error {
	conf, err := config.Load()
	if err != nil {
		return err
	}
	from, err1 := f.from.place("--from", &conf)
	to, err2 := f.to.place("--to", &conf)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if from.String() == to.String() {
		return cli.Usage("--from and --to are the same store")
	}
	source, err := from.OpenReadOnly(ctx)
	if err != nil {
		return fmt.Errorf("the source: %w", err)
	}
	defer source.Close()
	target, err := to.Open(ctx)
	if err != nil {
		return fmt.Errorf("the destination: %w", err)
	}
	if source.ID() == target.ID() {
		return errors.Join(cli.Usage("--from and --to are the same log, %s", source.ID()), target.Close())
	}
	signed, _, err := source.Checkpoint(ctx) // before: the copy has all that was signed of it
	if err != nil {
		return errors.Join(fmt.Errorf("the source: %w", err), target.Close())
	}
	p := show.NewProgress(e.Stderr)
	tell := func(did logcopy.Phase, n int64, at, of stream.Position) {
		if n%1000 == 0 {
			p.Draw("%s %s, position %d of %d", show.Group(n), did, at, of)
		}
		if n%1_000_000 == 0 {
			p.Log("%s %s, position %d of %d", show.Count(n, "event"), did, at, of)
		}
	}
	begin := time.Now()
	report, err := (&logcopy.Copier{From: source, To: target, Progress: tell}).Copy(ctx)
	took := time.Since(begin)
	p.Done()
	if err == nil {
		err = carry(ctx, signed, target)
	}
	var orders int64
	if err == nil {
		orders, err = to.CopyRequests(ctx, from, target)
	}
	if errors.Is(err, storeurl.ErrSameRequests) {
		fmt.Fprintf(e.Stderr, "sandglass: orders that nobody has paid were not copied: %v\n", err)
		err = nil
	}
	if err := errors.Join(err, target.Close()); err != nil {
		return brokenOff(ctx, err)
	}
	return printCopied(e, &copied{
		Events: report.Events,
		Before: report.Before,
		Bytes:  report.Bytes,
		Orders: orders,
		Millis: took.Milliseconds(),
		From:   endJSON(from, &report.From),
		To:     endJSON(to, &report.To),
	})
}

// copied is what a copy came to, as JSON.
type copied struct {
	Events int64     `json:"events"`   // of the log
	Before int64     `json:"before"`   // of them were there before
	Bytes  int64     `json:"bytes"`    // of their data and metadata
	Orders int64     `json:"requests"` // invoices and addresses that nobody has paid, kept beside the log
	Millis int64     `json:"time_ms"`
	From   copiedEnd `json:"from"`
	To     copiedEnd `json:"to"`
}

// copiedEnd is where one side of a copy ends.
type copiedEnd struct {
	Store    string          `json:"store"`
	Position stream.Position `json:"position"` // of the last record that was copied
	Head     stream.Position `json:"head"`     // of the log, at the end
	Digest   string          `json:"digest"`
}

func endJSON(p storeurl.Place, e *logcopy.End) copiedEnd {
	return copiedEnd{Store: p.String(), Position: e.Position, Head: e.Head, Digest: e.Digest}
}

// brokenOff says how to go on after an error that is no difference.
func brokenOff(ctx context.Context, err error) error {
	const again = "what was copied is kept, and the same command goes on from there"
	switch {
	case errors.Is(err, logcopy.ErrDiffer), errors.Is(err, logcopy.ErrNotWhole):
		return err
	case ctx.Err() != nil:
		return errors.New("interrupted: " + again)
	}
	return fmt.Errorf("%w\n  %s", err, again)
}

func printCopied(e *cli.Env, r *copied) error {
	if e.JSON {
		return show.JSON(e.Stdout, r)
	}
	side := func(e copiedEnd) string {
		text := fmt.Sprintf("%s, up to position %d", e.Store, e.Position)
		if e.Head != e.Position {
			text += fmt.Sprintf(" of %d", e.Head)
		}
		return text
	}
	events := show.Count(r.Events, "event")
	if r.Before > 0 {
		events += ", of which " + show.Group(r.Before) + " were there"
	}
	err := show.Facts(e.Stdout,
		"copied", events,
		"bytes", show.Group(r.Bytes),
		"unpaid", show.Count(r.Orders, "request")+", beside the log",
		"time", (time.Duration(r.Millis) * time.Millisecond).String(),
		"from", side(r.From),
		"to", side(r.To),
		"digest", r.To.Digest+", of both, read back")
	if r.From.Head > r.From.Position {
		fmt.Fprintln(e.Stdout, "the source has grown since: once nobody writes to it, run the same command again")
	}
	return err
}
