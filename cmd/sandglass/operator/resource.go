package operator

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/payer"
	"sandglass/cmd/sandglass/show"
	"sandglass/domain/money"

	"github.com/spf13/cobra"
)

// ResourceCmds returns the subcommands of resource that are the operator's.
func ResourceCmds(e *cli.Env) []*cobra.Command {
	c := commands{e}
	return []*cobra.Command{listCmd(c), grantCmd(c), repriceCmd(c), moveCmd(c)}
}

// statuses are those that a list can be filtered by.
var statuses = []string{"awaiting", "starting", "running", "paused", "suspended", "released"}

func listCmd(c commands) *cobra.Command {
	var f client.Filter
	var plan string
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List resources by id",
		Example: `  sandglass resource list --status running --plan small
  sandglass resource list --limit 0 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.Status != "" && !slices.Contains(statuses, f.Status) {
				return cli.Usage("--status %q is none of %s", f.Status, strings.Join(statuses, ", "))
			}
			cl, err := c.Client(cli.Operator)
			if err != nil {
				return err
			}
			found, more, err := resources(cmd.Context(), cl, f, plan, limit)
			if err != nil {
				return err
			}
			return c.printResources(found, more)
		},
	}
	cmd.Flags().StringVar(&f.Status, "status", "", "only those that are "+strings.Join(statuses, ", "))
	cmd.Flags().StringVar(&plan, "plan", "", "only those of a plan")
	cmd.Flags().StringVar(&f.Host, "host", "", "only those of a host")
	cmd.Flags().BoolVar(&f.Unplaced, "unplaced", false, "only those of no host, which nobody meters where there are several")
	cmd.MarkFlagsMutuallyExclusive("host", "unplaced")
	cmd.Flags().IntVar(&limit, "limit", 1000, "at most so many; 0 is all")
	_ = cmd.RegisterFlagCompletionFunc("status", cobra.FixedCompletions(statuses, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("plan", cli.CompleteFlag(c.CompletePlans))
	return cmd
}

// resources reads page after page, up to a limit, and reports whether there are more.
func resources(
	ctx context.Context, cl *client.Client, f client.Filter, plan string, limit int,
) (found []wire.Resource, more bool, err error) {
	found = []wire.Resource{} // an empty list in JSON
	for after := ""; ; {
		page, err := cl.Resources(ctx, after, 0, f)
		if err != nil {
			return nil, false, err
		}
		for _, r := range page.Resources {
			if plan != "" && r.Plan != plan {
				continue
			}
			if limit > 0 && len(found) == limit {
				return found, true, nil
			}
			found = append(found, r)
		}
		if after = page.Next; after == "" {
			return found, false, nil
		}
	}
}

func (c commands) printResources(found []wire.Resource, more bool) error {
	if more {
		fmt.Fprintf(c.Stderr, "sandglass: only the first %d: --limit 0 lists all\n", len(found))
	}
	if c.JSON {
		return show.JSON(c.Stdout, found)
	}
	rows := make([]string, len(found))
	for i, r := range found {
		rows[i] = show.Cells(r.ID, r.Plan, r.Host, r.Status,
			show.Instant(r.Since), show.Left(r.Remaining), show.Instant(r.PaidUntil),
			show.Price(money.Price(r.Price)), show.Amount(r.Credited))
	}
	return show.Table(c.Stdout, "ID\tPLAN\tHOST\tSTATUS\tSINCE\tREMAINING\tPAID UNTIL\tPRICE\tCREDITED", rows)
}

func grantCmd(c commands) *cobra.Command {
	var time cli.TimeFlag
	var key, reason string
	cmd := &cobra.Command{
		Use:   "grant ID",
		Short: "Give a resource time for nothing",
		Long: `Give a resource time for nothing, such as after an outage. A grant is given once for each
--key, however often the command is run; without one, each run gives anew.`,
		Example:           "  sandglass resource grant ID --time 1h --reason outage --key outage-2026-01-02",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.CompleteResources,
		RunE: func(cmd *cobra.Command, args []string) error {
			if key == "" {
				key = strings.ToLower(rand.Text())
			}
			cl, err := c.Client(cli.Operator)
			if err != nil {
				return err
			}
			r, err := cl.Grant(cmd.Context(), args[0], wire.GrantRequest{Key: key, Time: time.Millis, Reason: reason})
			return payer.PrintResult(c.Env, r, err)
		},
	}
	cmd.Flags().Var(&time, "time", "how much: 1h, 2d")
	cmd.Flags().StringVar(&key, "key", "", "names the grant; random if not given")
	cmd.Flags().StringVar(&reason, "reason", "", "a word for the log, which keeps it for good")
	_ = cmd.MarkFlagRequired("time")
	return cmd
}

func repriceCmd(c commands) *cobra.Command {
	var msat cli.AmountFlag
	var per cli.TimeFlag
	cmd := &cobra.Command{
		Use:               "reprice ID",
		Short:             "Set the price of later payments; time that was bought is kept",
		Example:           "  sandglass resource reprice ID --price 4000sat --per 1h",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.CompleteResources,
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.Client(cli.Operator)
			if err != nil {
				return err
			}
			r, err := cl.Reprice(cmd.Context(), args[0], wire.Price{Msat: msat.Msat, Per: per.Millis})
			return payer.PrintResult(c.Env, r, err)
		},
	}
	cmd.Flags().Var(&msat, "price", "what --per costs: msat, or with a unit: 3600sat")
	cmd.Flags().Var(&per, "per", "the time that --price buys: 1h, 1d")
	_ = cmd.MarkFlagRequired("price")
	_ = cmd.MarkFlagRequired("per")
	return cmd
}
