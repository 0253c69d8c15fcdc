package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"

	"github.com/spf13/cobra"
)

func resourceCmd(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "resource",
		Short: "What is rented: show, fund, pause, release",
		Example: `  sandglass resource show ID
  sandglass resource pay ID --time 1h
  SANDGLASS_HOLDER_KEY=... sandglass resource pause ID`,
	}
	cmd.AddCommand(
		resourceListCmd(c), resourceShowCmd(c), resourcePayCmd(c), resourceGrantCmd(c), resourceRepriceCmd(c), resourceMoveCmd(c),
		c.holderCmd("pause", "Stop the clock of a running resource", (*client.Client).Pause),
		c.holderCmd("resume", "Let a paused resource run again", (*client.Client).Resume),
		c.holderCmd("release", "End a resource for good: what it holds is lost to it", (*client.Client).Release),
	)
	return cmd
}

// statuses are those that a list can be filtered by.
var statuses = []string{"awaiting", "running", "paused", "suspended", "released"}

func resourceListCmd(c *cli) *cobra.Command {
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
				return usage("--status %q is none of %s", f.Status, strings.Join(statuses, ", "))
			}
			cl, err := c.client(operator)
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
	_ = cmd.RegisterFlagCompletionFunc("plan", func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return c.completePlans(cmd, nil, typed)
	})
	return cmd
}

// resources reads page after page, up to a limit, and says whether there are more.
func resources(ctx context.Context, cl *client.Client, f client.Filter, plan string, limit int) (found []wire.Resource, more bool, err error) {
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

func (c *cli) printResources(found []wire.Resource, more bool) error {
	if more {
		fmt.Fprintf(c.stderr, "sandglass: only the first %d: --limit 0 lists all\n", len(found))
	}
	if c.json {
		return c.printJSON(found)
	}
	rows := make([]string, len(found))
	for i, r := range found {
		rows[i] = cells(r.ID, r.Plan, r.Host, r.Status, showInstant(r.Since), showLeft(r.Remaining), showInstant(r.PaidUntil), price(r.Price), showAmount(r.Credited))
	}
	return table(c.stdout, "ID\tPLAN\tHOST\tSTATUS\tSINCE\tREMAINING\tPAID UNTIL\tPRICE\tCREDITED", rows)
}

func resourcePayCmd(c *cli) *cobra.Command {
	var buy buyFlags
	cmd := &cobra.Command{
		Use:   "pay ID",
		Short: "Ask for an invoice that funds a resource: anyone may",
		Example: `  sandglass resource pay ID --time 1h
  sandglass resource pay ID --amount 500sat --wait`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.completeResources,
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client(anyone)
			if err != nil {
				return err
			}
			p, err := cl.Fund(cmd.Context(), args[0], wire.FundRequest{Time: buy.time.Millis, Amount: buy.amount.Msat})
			if err != nil {
				return err
			}
			if c.json {
				err = c.printJSON(p)
			} else {
				err = c.printInvoice(&p, buy.qr)
			}
			if err != nil || !buy.wait {
				return err
			}
			return c.wait(cmd.Context(), cl, args[0], p.Key)
		},
	}
	buy.add(cmd)
	return cmd
}

func resourceGrantCmd(c *cli) *cobra.Command {
	var time timeFlag
	var key, reason string
	cmd := &cobra.Command{
		Use:   "grant ID",
		Short: "Give a resource time for nothing",
		Long: `Give a resource time for nothing, such as after an outage. A grant is given once for each
--key, however often the command is run; without one, each run gives anew.`,
		Example:           "  sandglass resource grant ID --time 1h --reason outage --key outage-2026-01-02",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.completeResources,
		RunE: func(cmd *cobra.Command, args []string) error {
			if key == "" {
				key = strings.ToLower(rand.Text())
			}
			cl, err := c.client(operator)
			if err != nil {
				return err
			}
			r, err := cl.Grant(cmd.Context(), args[0], wire.GrantRequest{Key: key, Time: time.Millis, Reason: reason})
			return c.printResult(r, err)
		},
	}
	cmd.Flags().Var(&time, "time", "how much: 1h, 2d")
	cmd.Flags().StringVar(&key, "key", "", "names the grant; random if not given")
	cmd.Flags().StringVar(&reason, "reason", "", "a word for the log, which keeps it for good")
	_ = cmd.MarkFlagRequired("time")
	return cmd
}

func resourceRepriceCmd(c *cli) *cobra.Command {
	var msat amountFlag
	var per timeFlag
	cmd := &cobra.Command{
		Use:               "reprice ID",
		Short:             "Set the price of later payments; time that was bought is kept",
		Example:           "  sandglass resource reprice ID --price 4000sat --per 1h",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.completeResources,
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client(operator)
			if err != nil {
				return err
			}
			r, err := cl.Reprice(cmd.Context(), args[0], wire.Price{Msat: msat.Msat, Per: per.Millis})
			return c.printResult(r, err)
		},
	}
	cmd.Flags().Var(&msat, "price", "what --per costs: msat, or with a unit: 3600sat")
	cmd.Flags().Var(&per, "per", "the time that --price buys: 1h, 1d")
	_ = cmd.MarkFlagRequired("price")
	_ = cmd.MarkFlagRequired("per")
	return cmd
}

// holderCmd is a command that takes the holder key, or the operator's token.
func (c *cli) holderCmd(name, short string, do func(*client.Client, context.Context, string) (wire.Resource, error)) *cobra.Command {
	return &cobra.Command{
		Use:   name + " ID",
		Short: short,
		Long:  short + ".\nIt takes the holder key ($" + envHolder + " or --holder-key-file) or the operator's token.",
		Example: "  sandglass resource " + name + " ID --holder-key-file web-1.key\n" +
			"  sandglass resource " + name + " ID --holder-key-file - < web-1.key",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.completeResources,
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client(holder)
			if err != nil {
				return err
			}
			r, err := do(cl, cmd.Context(), args[0])
			return c.printResult(r, err)
		},
	}
}

// printResult shows a resource after a command.
func (c *cli) printResult(r wire.Resource, err error) error {
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(r)
	}
	_, err = fmt.Fprintf(c.stdout, "%s is %s, %s left\n", r.ID, r.Status, showLeft(r.Remaining))
	return err
}
