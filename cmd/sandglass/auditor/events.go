package auditor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sandglass/adapters/httpapi/wire"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/show"

	"github.com/spf13/cobra"
)

// eventFlags choose events, on this side.
type eventFlags struct {
	from           uint64
	follow         bool
	stream, prefix string
}

func (f *eventFlags) takes(e *wire.Event) bool {
	return strings.HasPrefix(e.Stream, f.stream) && strings.HasPrefix(e.Type, f.prefix)
}

// EventsCmd returns events.
func EventsCmd(e *cli.Env) *cobra.Command {
	c := commands{e}
	var f eventFlags
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Read the log, and follow it",
		Long: `Read the log after a position, in the order of commits. On a terminal there is a short
line for each event; else, or with --json, NDJSON with every byte as it is kept.`,
		Example: `  sandglass events --from 0 > log.ndjson
  sandglass events --follow --type resource.
  sandglass events --stream resource-web-1 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := c.events(cmd.Context(), &f)
			if ctx := cmd.Context(); f.follow && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
				return nil
			}
			return err
		},
	}
	cmd.Flags().Uint64Var(&f.from, "from", 0, "`position` after which to begin")
	cmd.Flags().BoolVarP(&f.follow, "follow", "f", false, "go on with what is new")
	cmd.Flags().StringVar(&f.stream, "stream", "", "only streams that begin so: resource-, payment-ln-")
	cmd.Flags().StringVar(&f.prefix, "type", "", "only types that begin so: resource.credited")
	return cmd
}

// events prints events, and goes on after the last one where a connection is lost.
func (c commands) events(ctx context.Context, f *eventFlags) error {
	cl, err := c.Client(cli.Auditor)
	if err != nil {
		return err
	}
	short := show.IsTerminal(c.Stdout) && !c.JSON
	for e, err := range cl.Resuming(c.Broken).Events(ctx, f.from, f.follow) {
		if err != nil {
			return err
		}
		if f.takes(&e) {
			if err := c.printEvent(&e, short); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c commands) printEvent(e *wire.Event, short bool) error {
	if !short {
		return show.Line(c.Stdout, e)
	}
	_, err := fmt.Fprintf(c.Stdout, "%6d  %s  %-22s  %s  %s\n", e.Position, e.At, e.Type, e.Stream, show.Escape(string(e.Data)))
	return err
}
