package main

import (
	"context"
	"strconv"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"

	"github.com/spf13/cobra"
)

func paymentCmd(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "payment",
		Short:   "What pays for resources",
		Example: "  sandglass payment show ln-5f3d...\n  sandglass payment show btc-5f3d...-0",
	}
	cmd.AddCommand(&cobra.Command{
		Use:     "show KEY",
		Short:   "Show the life of a payment so far",
		Example: "  sandglass payment show ln-5f3d...",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client(anyone)
			if err != nil {
				return err
			}
			p, err := cl.Payment(cmd.Context(), args[0])
			return c.printPayment(p, err)
		},
	})
	return cmd
}

func unallocatedCmd(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "unallocated",
		Short: "Money that found no resource, which an operator can give to one",
		Example: `  sandglass unallocated list
  sandglass unallocated allocate ln-5f3d... --to web-1`,
	}
	cmd.AddCommand(unallocatedListCmd(c), allocateCmd(c))
	return cmd
}

func unallocatedListCmd(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List payments that no resource has",
		Example: "  sandglass unallocated list --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client(operator)
			if err != nil {
				return err
			}
			found, err := unallocated(cmd.Context(), cl)
			switch {
			case err != nil:
				return err
			case c.json:
				return c.printJSON(found)
			}
			rows := make([]string, len(found))
			for i, p := range found {
				rows[i] = cells(showAmount(p.Amount), p.Via, showInstant(p.SettledAt), p.Reason, p.Resource, p.Key)
			}
			return table(c.stdout, "AMOUNT\tVIA\tSETTLED\tREASON\tMEANT FOR\tPAYMENT", rows)
		},
	}
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

func allocateCmd(c *cli) *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:               "allocate KEY",
		Short:             "Give a payment that no resource has to one",
		Example:           "  sandglass unallocated allocate ln-5f3d... --to web-1",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.completeUnallocated,
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client(operator)
			if err != nil {
				return err
			}
			p, err := cl.Allocate(cmd.Context(), args[0], to)
			return c.printPayment(p, err)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "the id of the resource")
	_ = cmd.MarkFlagRequired("to")
	_ = cmd.RegisterFlagCompletionFunc("to", func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return c.completeResources(cmd, nil, typed)
	})
	return cmd
}

func (c *cli) printPayment(p wire.Payment, err error) error {
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(p)
	}
	quoted, vout, final, expected := "", "", "", ""
	if p.Price != nil {
		quoted = price(*p.Price)
	}
	if p.Vout != nil {
		vout = strconv.FormatUint(uint64(*p.Vout), 10)
	}
	if p.Final {
		final = "yes, it is not watched any more"
	}
	if p.ExpectedTime > 0 {
		expected = "about " + showLeft(p.ExpectedTime) + " when it counts"
	}
	return facts(c.stdout,
		"payment", p.Key,
		"status", p.Status,
		"resource", p.Resource,
		"asked", showSome(p.Asked),
		arrived(&p), showSome(p.Amount),
		"buys", expected,
		"price", quoted,
		"via", p.Via,
		"reason", p.Reason,
		"requested", showInstant(p.RequestedAt),
		"expires", showInstant(p.ExpiresAt),
		"settled", showInstant(p.SettledAt),
		"changed", showInstant(p.ChangedAt),
		"txid", p.TxID,
		"output", vout,
		"address", p.Address,
		"confirmed", depth(&p),
		"height", height(p.Height),
		"block", p.Block,
		"final", final,
		"invoice", p.Request,
		"link", p.URI)
}

// arrived names the amount of a payment: what is only seen may still not come.
func arrived(p *wire.Payment) string {
	if onItsWay(p) || p.Status == "replaced" {
		return "seen"
	}
	return "arrived"
}

func height(n int64) string {
	if n < 1 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}
