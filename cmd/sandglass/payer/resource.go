package payer

import (
	"context"
	"fmt"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/show"

	"github.com/spf13/cobra"
)

// ResourceCmd returns resource, with the subcommands of payers and holders.
func ResourceCmd(e *cli.Env) *cobra.Command {
	c := commands{e}
	cmd := &cobra.Command{
		Use:   "resource",
		Short: "What is rented: show, fund, set, pause, release",
		Example: `  sandglass resource show ID
  sandglass resource pay ID --time 1h
  SANDGLASS_HOLDER_KEY=... sandglass resource pause ID`,
	}
	cmd.AddCommand(
		resourceShowCmd(c),
		resourcePayCmd(c),
		resourceAddressCmd(c),
		resourceAccessCmd(c),
		resourceSetCmd(c),
		c.holderCmd("pause", "Stop the clock of a running resource", (*client.Client).Pause),
		c.holderCmd("resume", "Let a paused resource run again", (*client.Client).Resume),
		c.holderCmd("release", "End a resource for good, once no payment of it is held: what it holds is lost to it",
			(*client.Client).Release),
	)
	return cmd
}

func resourcePayCmd(c commands) *cobra.Command {
	var buy buyFlags
	cmd := &cobra.Command{
		Use:   "pay ID",
		Short: "Ask for an invoice that funds a resource: anyone may",
		Long: `Ask for an invoice that funds a resource. Anyone may, here, on its page, or with a wallet that pays its
Lightning address, which ` + "`sandglass resource show`" + ` has. Of many that are open the oldest is canceled
for a newer one; with the holder key ($` + cli.EnvHolder + ` or --holder-key-file) it is the holder's own, which nobody
else's request cancels.`,
		Example: `  sandglass resource pay ID --time 1h
  sandglass resource pay ID --amount 500sat --wait`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.CompleteResources,
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.Client(cli.MaybeHolder)
			if err != nil {
				return err
			}
			p, err := cl.Fund(cmd.Context(), args[0], wire.FundRequest{Time: buy.time.Millis, Amount: buy.amount.Msat})
			if err != nil {
				return err
			}
			if c.JSON {
				err = show.JSON(c.Stdout, p)
			} else {
				err = c.printPaymentOf(cmd.Context(), cl, args[0], &p, buy.qr)
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

// printPaymentOf shows what is to be paid, and where that can be watched.
func (c commands) printPaymentOf(ctx context.Context, cl *client.Client, id string, p *wire.Payment, qr bool) error {
	if r, err := cl.Resource(ctx, id); err == nil { // the invoice is there all the same
		if err := show.Facts(c.Stdout, "page", c.page(&r)); err != nil {
			return err
		}
	}
	return c.printInvoice(p, qr)
}

func resourceAddressCmd(c commands) *cobra.Command {
	return &cobra.Command{
		Use:   "address ID",
		Short: "Ask for the address on the chain of a resource: anyone may",
		Long: `Ask for the address of a resource or an order. It is made when it is first asked for, and stays:
what it receives counts once it has its confirmations, however late it comes.`,
		Example:           `  sandglass resource address ID`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.CompleteResources,
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.Client(cli.Anyone)
			if err != nil {
				return err
			}
			r, err := cl.Address(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if c.JSON {
				return show.JSON(c.Stdout, r)
			}
			return show.Facts(c.Stdout, "address", r.Address, "link", r.URI)
		},
	}
}

// holderCall is a call of the API with the id of a resource.
type holderCall func(*client.Client, context.Context, string) (wire.Resource, error)

// holderCmd is a command that takes the holder key, or the operator's token.
func (c commands) holderCmd(name, short string, do holderCall) *cobra.Command {
	return &cobra.Command{
		Use:   name + " ID",
		Short: short,
		Long:  short + ".\nIt takes the holder key ($" + cli.EnvHolder + " or --holder-key-file) or the operator's token.",
		Example: "  sandglass resource " + name + " ID --holder-key-file web-1.key\n" +
			"  sandglass resource " + name + " ID --holder-key-file - < web-1.key",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.CompleteResources,
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.Client(cli.Holder)
			if err != nil {
				return err
			}
			r, err := do(cl, cmd.Context(), args[0])
			return PrintResult(c.Env, r, err)
		},
	}
}

// PrintResult shows a resource after a command.
func PrintResult(e *cli.Env, r wire.Resource, err error) error {
	if err != nil {
		return err
	}
	if e.JSON {
		return show.JSON(e.Stdout, r)
	}
	_, err = fmt.Fprintf(e.Stdout, "%s is %s, %s left\n", r.ID, r.Status, show.Left(r.Remaining))
	if r.Opened != nil && err == nil {
		_, err = fmt.Fprintf(e.Stdout, "%s was only ordered: opened is %s\n", r.ID, Ordered(r.Opened))
	}
	return err
}
