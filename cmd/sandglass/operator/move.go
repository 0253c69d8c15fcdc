package operator

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/config"
	"sandglass/cmd/sandglass/payer"
	"sandglass/cmd/sandglass/show"
	"sandglass/domain/plan"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

// moves is how many moves are under way at once: a store that commits in groups needs
// company to be fast.
const moves = 16

func moveCmd(c commands) *cobra.Command {
	var to string
	var from client.Filter
	cmd := &cobra.Command{
		Use:   "move [ID...] --to HOST",
		Short: "Give resources to another host, whose daemon then meters them",
		Long: `Give resources to a host: those of the ids, all of another host, or all that have none.
The daemons of both hosts may run meanwhile: what was used until then is debited first,
once. To empty a host, publish its plans without it first, so that no more come up there.
What is released is left where it is, and so are orders that nobody has paid yet, unless
their ids are given, which opens them; what is there already stays. It can be run again.`,
		Example: `  sandglass resource move web-1 web-2 --to rack-2
  sandglass resource move --from rack-1 --to rack-2
  sandglass resource move --unplaced --to rack-1`,
		ValidArgsFunction: c.CompleteResources,
		RunE: func(cmd *cobra.Command, ids []string) error {
			some := from != (client.Filter{})
			switch {
			case plan.CheckName(to) != nil:
				return cli.Usage("--to %q is no name of a host: want 1 to 64 of a-z, 0-9 and -, no - at the ends", to)
			case some == (len(ids) > 0):
				return cli.Usage("say which resources: ids, --from or --unplaced, one of them")
			case from.Host == to:
				return cli.Usage("--from and --to are the same host")
			}
			cl, err := c.Client(cli.Operator)
			if err == nil {
				err = c.noteNewHost(cmd.Context(), cl, to)
			}
			switch {
			case err != nil:
				return err
			case some:
				from.Opened = true // what is only ordered would be opened by it
				return c.moveAll(cmd.Context(), cl, from, to)
			}
			return c.moveEach(cmd.Context(), cl, ids, to)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "the host that they belong to from now on")
	cmd.Flags().StringVar(&from.Host, "from", "", "all that belong to this host")
	cmd.Flags().BoolVar(&from.Unplaced, "unplaced", false, "all that belong to no host")
	_ = cmd.MarkFlagRequired("to")
	cmd.MarkFlagsMutuallyExclusive("from", "unplaced")
	return cmd
}

// noteNewHost tells of a host that no plan on offer names, and that has no resources: if
// it is misspelt, nobody would meter what is moved there.
func (c commands) noteNewHost(ctx context.Context, cl *client.Client, name string) error {
	page, err := cl.Resources(ctx, "", 1, client.Filter{Host: name})
	if err != nil || len(page.Resources) > 0 {
		return err
	}
	plans, err := cl.Plans(ctx)
	if err != nil || slices.ContainsFunc(plans, func(p wire.Plan) bool { return slices.Contains(p.Hosts, name) }) {
		return err
	}
	_, err = fmt.Fprintf(c.Stderr, "sandglass: host %s is new: "+
		"until a daemon runs with %s_HOST=%s, what is moved there stands still\n", name, config.Prefix, name)
	return err
}

// moveEach moves resources by their ids, and shows those that it moved.
func (c commands) moveEach(ctx context.Context, cl *client.Client, ids []string, to string) error {
	done := make([]wire.Resource, 0, len(ids))
	var failed error
	for _, id := range ids {
		r, err := cl.Move(ctx, id, to)
		if failed = err; err != nil {
			break
		}
		if done = append(done, r); !c.JSON {
			fmt.Fprintf(c.Stdout, "%s is on %s, %s\n", r.ID, r.Host, r.Status)
			if r.Opened != nil {
				fmt.Fprintf(c.Stdout, "%s was only ordered: opened is %s\n", r.ID, payer.Ordered(r.Opened))
			}
		}
	}
	if c.JSON {
		if err := show.JSON(c.Stdout, done); err != nil {
			return err
		}
	}
	return failed
}

// moved is what a move of many did.
type moved struct {
	Moved int64  `json:"moved"`
	Host  string `json:"host"`
}

// moveAll moves page after page of what a filter takes, and says how many, also where it
// could not go on.
func (c commands) moveAll(ctx context.Context, cl *client.Client, from client.Filter, to string) error {
	const size = 500
	var n atomic.Int64
	var failed error
	p := show.NewProgress(c.Stderr)
	for after := ""; ; {
		page, err := cl.Resources(ctx, after, size, from)
		if err == nil {
			err = movePage(ctx, cl, page.Resources, to, &n)
		}
		if failed, after = err, page.Next; failed != nil || after == "" {
			break
		}
		tellMoved(p, n.Load())
	}
	p.Done()
	var err error
	if c.JSON {
		err = show.JSON(c.Stdout, moved{n.Load(), to})
	} else {
		_, err = fmt.Fprintf(c.Stdout, "moved %s to %s\n", show.Count(n.Load(), "resource"), to)
	}
	if failed != nil {
		return failed
	}
	return err
}

// tellMoved shows the progress: on one line of a terminal, and else on some lines.
func tellMoved(p show.Progress, n int64) {
	const line = 5000
	p.Draw("%s moved", show.Count(n, "resource"))
	if n > 0 && n%line == 0 {
		p.Log("%s moved", show.Count(n, "resource"))
	}
}

// movePage moves the resources of a page but those that are released, or come to their
// end meanwhile, and adds to n how many it moved. After an error it begins no more, and
// waits for those under way, so that n is exact.
func movePage(ctx context.Context, cl *client.Client, page []wire.Resource, to string, n *atomic.Int64) error {
	var g errgroup.Group
	var stop atomic.Bool
	g.SetLimit(moves)
	for _, r := range page {
		if r.Status == "released" || stop.Load() {
			continue
		}
		g.Go(func() error {
			_, err := cl.Move(ctx, r.ID, to)
			switch {
			case err == nil:
				n.Add(1)
			case client.Code(err) == "released":
				return nil
			default:
				stop.Store(true)
			}
			return err
		})
	}
	return g.Wait()
}
