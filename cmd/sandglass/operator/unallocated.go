package operator

import (
	"context"
	"fmt"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/payer"
	"sandglass/cmd/sandglass/show"

	"github.com/spf13/cobra"
)

// UnallocatedCmd returns unallocated, with its subcommands.
func UnallocatedCmd(e *cli.Env) *cobra.Command {
	c := commands{e}
	cmd := &cobra.Command{
		Use:   "unallocated",
		Short: "Money that found no resource, which an operator can give to one",
		Example: `  sandglass unallocated list
  sandglass unallocated allocate ln-5f3d... --to web-1`,
	}
	cmd.AddCommand(unallocatedListCmd(c), allocateCmd(c))
	return cmd
}

func unallocatedListCmd(c commands) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List payments that no resource has",
		Example: "  sandglass unallocated list --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.Client(cli.Operator)
			if err != nil {
				return err
			}
			found, err := unallocated(cmd.Context(), cl)
			switch {
			case err != nil:
				return err
			case c.JSON:
				return show.JSON(c.Stdout, found)
			}
			rows := make([]string, len(found))
			for i, p := range found {
				rows[i] = show.Cells(show.Amount(p.Amount), p.Via, show.Instant(p.SettledAt), p.Reason, meantFor(&p), p.Key)
			}
			return show.Table(c.Stdout, "AMOUNT\tVIA\tSETTLED\tREASON\tMEANT FOR\tPAYMENT", rows)
		},
	}
}

// meantFor says what a payment is for: also which order, if its id is another's now.
func meantFor(p *wire.Payment) string {
	if p.Order == nil {
		return p.Resource
	}
	return fmt.Sprintf("%s, ordered %s (%s)", p.Resource, show.Instant(p.Order.At), p.Order.Order)
}

func unallocated(ctx context.Context, cl *client.Client) ([]wire.Payment, error) {
	found := []wire.Payment{} // an empty list in JSON
	for after := ""; ; {
		page, err := cl.Unallocated(ctx, after, 0)
		if err != nil {
			return nil, err
		}
		found = append(found, page.Payments...)
		if after = page.Next; after == "" {
			return found, nil
		}
	}
}

func allocateCmd(c commands) *cobra.Command {
	var r wire.AllocateRequest
	cmd := &cobra.Command{
		Use:   "allocate KEY",
		Short: "Give a payment that no resource has to one",
		Long: `Give a payment that no resource has to one. A resource that is only ordered is opened by the
order that the payment is for, as "unallocated list" shows it. Where it is for none of its
orders, or a later one can still be paid, the answer names the orders: choose by --order.`,
		Example: `  sandglass unallocated allocate ln-5f3d... --to web-1
  sandglass unallocated allocate btc-7f3d...-0 --to web-1 --order 3f2a91c0`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.CompleteUnallocated,
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.Client(cli.Operator)
			if err != nil {
				return err
			}
			p, err := cl.Allocate(cmd.Context(), args[0], r)
			return payer.PrintPayment(c.Env, p, err)
		},
	}
	cmd.Flags().StringVar(&r.Resource, "to", "", "the id of the resource")
	cmd.Flags().StringVar(&r.Order, "order", "", "the order that the money opens, if the resource is only ordered")
	_ = cmd.MarkFlagRequired("to")
	_ = cmd.RegisterFlagCompletionFunc("to", cli.CompleteFlag(c.CompleteResources))
	return cmd
}
