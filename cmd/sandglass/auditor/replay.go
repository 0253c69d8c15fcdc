package auditor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"sandglass/cmd/sandglass/auditor/source"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/config"
	"sandglass/cmd/sandglass/show"
	"sandglass/domain/audit"
	"sandglass/domain/stream"
	"sandglass/projections"

	"github.com/spf13/cobra"
)

// replayFlags say where the log and the figures come from; the daemon, if not said.
type replayFlags struct {
	source.Flags
	dump string
}

func replayCmd(c commands) *cobra.Command {
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
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := c.replayed(cmd.Context(), &f)
			if err != nil {
				return err
			}
			return c.printVerdict(v)
		},
	}
	f.Add(cmd)
	cmd.Flags().StringVar(&f.dump, "dump", "", "take the figures from a `file`, as \"audit dump\" writes it")
	return cmd
}

// replayed takes the figures first, and then the log up to where the figures stand.
func (c commands) replayed(ctx context.Context, f *replayFlags) (v verdict, err error) {
	if err := f.Check(); err != nil {
		return v, err
	}
	dump, err := c.figures(ctx, f.dump)
	if err != nil {
		return v, err
	}
	defer dump.Close()
	first, err := bufio.NewReader(dump).ReadBytes('\n')
	if err != nil {
		return v, fmt.Errorf("reading the dump's first line: %w", err)
	}
	head, err := projections.DumpHead(first)
	if err != nil {
		return v, err
	}
	check, p := audit.New(head.Position), show.NewProgress(c.Stderr)
	store, err := source.Open(ctx, c.Env, &f.Flags, head.Position, func(r *stream.Record) {
		if check.Record(r) {
			tell(p, check.Events, r.Position, head.Position)
		}
	})
	if err != nil {
		return v, err
	}
	defer store.Close()
	views := projections.New(head.SettleEvery)
	if err := projections.Replay(ctx, store, views, head.Position); err != nil {
		if ctx.Err() != nil {
			return v, ctx.Err()
		}
		p.Done()
		if errors.Is(err, projections.ErrOtherLog) {
			return v, fmt.Errorf("the figures are of position %d, and %w: see --store and --log, and %s_STORE_NAMESPACE in a cluster",
				head.Position, err, config.Prefix)
		}
		v = newVerdict(head.Position, check, 0, nil)
		v.Error = "the log can't be folded: " + cli.Message(err)
		return v, nil
	}
	p.Done()
	figures, diffs, err := compareDump(views, dump)
	if err != nil {
		return v, fmt.Errorf("comparing: %w", err)
	}
	check.Compare(auditedViews{views})
	return newVerdict(head.Position, check, figures, diffs), nil
}

// figures returns a file that holds a dump: the daemon's own is fetched into one that is
// gone when it is closed.
func (c commands) figures(ctx context.Context, name string) (*os.File, error) {
	if name != "" {
		return os.Open(name)
	}
	cl, err := c.Client(cli.Auditor)
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
func (c commands) printVerdict(v verdict) error {
	if c.JSON {
		if err := show.JSON(c.Stdout, v); err != nil {
			return err
		}
	} else if err := c.printTables(&v); err != nil {
		return err
	}
	if v.bad() {
		return cli.ErrDifference
	}
	return nil
}

func (c commands) printTables(v *verdict) error {
	rows := make([]string, len(v.Differences))
	for i, d := range v.Differences {
		rows[i] = show.Cells(d.Stream, d.Field, show.Short(d.Log), show.Short(d.Daemon))
	}
	if err := c.printFindings("WHAT\tFIELD\tLOG SAYS\tDAEMON SAYS", rows); err != nil {
		return err
	}
	rows = make([]string, len(v.Broken))
	for i, b := range v.Broken {
		rows[i] = show.Cells(b.Where, b.Rule, show.Short(b.Is), show.Short(b.Want))
	}
	if err := c.printFindings("WHERE\tWHAT MUST HOLD\tIS\tSHOULD BE", rows); err != nil {
		return err
	}
	if v.Error != "" {
		fmt.Fprintln(c.Stdout, show.EscapeLines(v.Error))
	}
	_, err := fmt.Fprintf(c.Stdout, "%s, %s, %s\n",
		show.Count(v.Events, "event"), show.Count(v.Figures, "figure"), show.Count(v.Count, "difference"))
	return err
}

func (c commands) printFindings(header string, rows []string) error {
	if len(rows) == 0 {
		return nil
	}
	err := show.Table(c.Stdout, header, rows)
	fmt.Fprintln(c.Stdout)
	return err
}
