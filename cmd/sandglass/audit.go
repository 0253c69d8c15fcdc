package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"sandglass/domain/audit"
	"sandglass/domain/stream"
	"sandglass/projections"

	"github.com/spf13/cobra"
)

func auditCmd(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Prove the figures from the log",
		Example: `  sandglass audit replay
  sandglass audit reconcile
  sandglass audit dump > figures.ndjson`,
	}
	cmd.AddCommand(auditReplayCmd(c), auditReconcileCmd(c), auditDumpCmd(c))
	return cmd
}

func auditDumpCmd(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "dump",
		Short:   "Write every figure of the running daemon, as NDJSON",
		Example: "  sandglass audit dump > figures.ndjson",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client(auditor)
			if err != nil {
				return err
			}
			return cl.Dump(cmd.Context(), c.stdout)
		},
	}
}

// replayFlags say where the log and the figures come from; the daemon, if not said.
type replayFlags struct {
	logFlags
	dump string
}

func auditReplayCmd(c *cli) *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Fold the log from nothing, and compare each figure with the daemon's",
		Long: `Fold the log from nothing and compare the outcome with the figures of the running daemon,
field by field. On the way it checks what must hold in any log: revisions without a gap,
positions and recording times that never run backwards, ids that follow from the content,
credits that bought what their price says, one credit for each payment, the sums of each
resource, and books that balance. What does not hold is listed, and the exit status is 1.

The log comes from the daemon, from its store with --store, or from NDJSON with --log; the
figures come from the daemon, or from what "audit dump" wrote with --dump. With both given
nothing is asked of the daemon.`,
		Example: `  sandglass audit replay
  sandglass audit replay --store sqlite:/var/lib/sandglass/sandglass.db
  sandglass audit replay --log log.ndjson --dump figures.ndjson --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.replay(cmd.Context(), &f) },
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.dump, "dump", "", "take the figures from a `file`, as \"audit dump\" writes it")
	return cmd
}

// replay takes the figures first, and then the log up to where the figures stand.
func (c *cli) replay(ctx context.Context, f *replayFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	dump, err := c.figures(ctx, f.dump)
	if err != nil {
		return err
	}
	defer dump.Close()
	first, err := bufio.NewReader(dump).ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("reading the dump's first line: %w", err)
	}
	head, err := projections.DumpHead(first)
	if err != nil {
		return err
	}
	check, p := audit.New(head.Position), progress{c.stderr, isTerminal(c.stderr)}
	store, err := c.openLog(ctx, &f.logFlags, head.Position, func(r *stream.Record) {
		if check.Record(r) {
			p.tellAudit(check.Events, r.Position, head.Position)
		}
	})
	if err != nil {
		return err
	}
	defer store.Close()
	views := projections.New(head.SettleEvery)
	if err := projections.Replay(ctx, store, views, head.Position); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		p.done()
		v := newVerdict(head.Position, check, 0, nil)
		v.Error = "the log can't be folded: " + message(err)
		return c.printVerdict(v)
	}
	p.done()
	figures, diffs, err := compareDump(views, dump)
	if err != nil {
		return fmt.Errorf("comparing: %w", err)
	}
	check.Compare(auditedViews{views})
	return c.printVerdict(newVerdict(head.Position, check, figures, diffs))
}

// figures returns a file that holds a dump: the daemon's own is fetched into one that is
// gone when it is closed.
func (c *cli) figures(ctx context.Context, name string) (*os.File, error) {
	if name != "" {
		return os.Open(name)
	}
	cl, err := c.client(auditor)
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp("", "sandglass-dump-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	if err := cl.Dump(ctx, f); err != nil {
		f.Close()
		return nil, err
	}
	_, err = f.Seek(0, io.SeekStart)
	return f, err
}

// printVerdict prints what an audit found. That something does not hold, or that the log
// can't be folded, is an error.
func (c *cli) printVerdict(v verdict) error {
	bad := v.Count
	if v.Error != "" {
		bad++
	}
	if c.json {
		if err := c.printJSON(v); err != nil {
			return err
		}
	} else if err := c.printTables(&v); err != nil {
		return err
	}
	if bad > 0 {
		return errDifference
	}
	return nil
}

func (c *cli) printTables(v *verdict) error {
	rows := make([]string, len(v.Differences))
	for i, d := range v.Differences {
		rows[i] = cells(d.Stream, d.Field, shorten(d.Log), shorten(d.Daemon))
	}
	if err := c.printFindings("WHAT\tFIELD\tLOG SAYS\tDAEMON SAYS", rows); err != nil {
		return err
	}
	rows = make([]string, len(v.Broken))
	for i, b := range v.Broken {
		rows[i] = cells(b.Where, b.Rule, shorten(b.Is), shorten(b.Want))
	}
	if err := c.printFindings("WHERE\tWHAT MUST HOLD\tIS\tSHOULD BE", rows); err != nil {
		return err
	}
	if v.Error != "" {
		fmt.Fprintln(c.stdout, v.Error)
	}
	_, err := fmt.Fprintf(c.stdout, "%s, %s, %s\n", plural(v.Events, "event"), plural(v.Figures, "figure"), plural(v.Count, "difference"))
	return err
}

func (c *cli) printFindings(header string, rows []string) error {
	if len(rows) == 0 {
		return nil
	}
	err := table(c.stdout, header, rows)
	fmt.Fprintln(c.stdout)
	return err
}

func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return group(n) + " " + noun + "s"
}

// shorten keeps a value within a table.
func shorten(s string) string {
	const most = 60
	s = strings.ReplaceAll(s, "\t", " ")
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
