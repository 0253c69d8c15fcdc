package auditor

import (
	"context"
	"fmt"
	"io"
	"math"
	"time"

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

The page says which checks were made, and what none can prove. That the log keeps its rules,
up to the end of the period, is always checked. With --replay each figure of the running daemon
is compared with the log, with --reconcile the log with the wallet, both as they are now: see
"audit replay --help" and "audit reconcile --help". If a check fails, the exit status is 1.

The log comes from the daemon, from its store with --store, or from NDJSON with --log. What is
held in memory grows with the payments, since each is looked at once more.`,
		Example: `  sandglass audit report --from 2026-01-01 --to 2026-02-01
  sandglass audit report --from 2026-01-01 --to 2026-02-01 --replay --reconcile --format html --out 2026-01.html
  sandglass audit report --store sqlite:/var/lib/sandglass/sandglass.db --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.summary(cmd.Context(), &f) },
	}
	f.Flags.Add(cmd)
	f.periodFlags.add(cmd)
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
		err = f.Check()
	}
	if err != nil {
		return err
	}
	p, err := f.period()
	if err != nil {
		return err
	}
	sums, rules, err := c.sums(ctx, f, p)
	if err != nil {
		return err
	}
	checks := []statement.Check{rules, booksCheck(sums)}
	for _, check := range []func(context.Context, *summaryFlags) (statement.Check, error){c.replayCheck, c.reconcileCheck} {
		made, err := check(ctx, f)
		if err != nil {
			return err
		}
		checks = append(checks, made)
	}
	s := statement.New(sums, instant.Of(time.Now()), checks)
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

// sums reads the log up to the end of a period, and checks its rules on the way.
func (c commands) sums(ctx context.Context, f *summaryFlags, p books.Period) (*books.Statement, statement.Check, error) {
	check := statement.Check{Name: "log"}
	log, err := source.Grow(ctx, c.Env, &f.Flags)
	if err != nil {
		return nil, check, err
	}
	defer log.Close()
	rules, progress := audit.New(math.MaxUint64), show.NewProgress(c.Stderr)
	defer progress.Done()
	sums, err := books.State(log.After(ctx, 0), p, func(r *stream.Record) {
		rules.Record(r)
		if rules.Events%tellEvery == 0 {
			progress.Draw("%s events, position %d", show.Group(rules.Events), r.Position)
		}
	})
	if err != nil {
		return nil, check, err
	}
	check.Result, check.Detail = statement.Passed, fmt.Sprintf("%s: in order, with ids that follow from their content; "+
		"each payment has one credit, of its amount, at its price", show.Count(rules.Events, "event"))
	if rules.Count > 0 {
		first := rules.Findings[0]
		check.Result = statement.Failed
		check.Detail = fmt.Sprintf("%s in %s, the first at %s: %s; it is %s, and should be %s",
			show.Count(rules.Count, "fault"), show.Count(rules.Events, "event"), first.Where, first.Rule, first.Is, first.Want)
	}
	return sums, check, nil
}

// booksCheck says whether the books balance.
func booksCheck(s *books.Statement) statement.Check {
	c := statement.Check{Name: "books", Result: statement.Passed, Detail: "they balance at both ends, to the millisatoshi"}
	if off := s.Closing.Trial(); off != 0 || s.Opening.Trial() != 0 {
		c.Result, c.Detail = statement.Failed, fmt.Sprintf("they are off by %s at the begin, by %s at the end", s.Opening.Trial(), off)
	}
	return c
}

// replayCheck holds the figures of the daemon against the log, if that is asked for.
func (c commands) replayCheck(ctx context.Context, f *summaryFlags) (statement.Check, error) {
	check := statement.Check{
		Name: "replay", Result: statement.Left, Detail: "--replay compares each figure of the daemon with the log",
	}
	if !f.replay {
		return check, nil
	}
	v, err := c.replayed(ctx, &replayFlags{Flags: f.Flags})
	if err != nil {
		return check, err
	}
	check.Result = statement.Passed
	check.Detail = fmt.Sprintf("%s of the daemon at position %d, and %s: %s",
		show.Count(v.Figures, "figure"), v.Position, show.Count(v.Events, "event"), show.Count(v.Count, "difference"))
	if v.bad() {
		check.Result = statement.Failed
		if v.Error != "" {
			check.Detail = v.Error
		}
	}
	return check, nil
}

// reconcileCheck holds the log against the wallet, if that is asked for.
func (c commands) reconcileCheck(ctx context.Context, f *summaryFlags) (statement.Check, error) {
	check := statement.Check{Name: "reconcile", Result: statement.Left, Detail: "--reconcile compares the log with the wallet"}
	if !f.reconcile {
		return check, nil
	}
	r, _, synced, err := c.reconciled(ctx, &reconcileFlags{Flags: f.Flags})
	if err != nil {
		return check, err
	}
	check.Result = statement.Passed
	if !r.Clean() {
		check.Result = statement.Failed
	}
	check.Detail = fmt.Sprintf("%s by Lightning and %d on the chain at node %s, up to position %d: %s",
		show.Count(int64(r.Lightning.Wallet.Payments), "payment"), r.Chain.Wallet.Payments, r.Node, r.Position,
		show.Count(int64(len(r.Differences)), "difference"))
	if !synced && r.Block != "" {
		check.Detail += "; the wallet has not seen the whole chain"
	}
	return check, nil
}
