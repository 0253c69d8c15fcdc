package payer

import (
	"fmt"
	"strconv"

	"sandglass/adapters/httpapi/wire"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/show"
	"sandglass/domain/money"

	"github.com/spf13/cobra"
)

// PaymentCmd returns payment, with its subcommands.
func PaymentCmd(e *cli.Env) *cobra.Command {
	c := commands{e}
	cmd := &cobra.Command{
		Use:     "payment",
		Short:   "What pays for resources",
		Example: "  sandglass payment show ln-5f3d...\n  sandglass payment show btc-5f3d...-0",
	}
	cmd.AddCommand(c.showPayment())
	return cmd
}

func (c commands) showPayment() *cobra.Command {
	var id string
	cmd := &cobra.Command{
		Use:   "show KEY",
		Short: "Show the life of a payment so far",
		Long: `Show the life of a payment so far. The invoice, the link and what it buys are shown to those
who know its resource: name it, or have a token of the daemon's.`,
		Example: "  sandglass payment show ln-5f3d...\n  sandglass payment show ln-5f3d... --resource web-1",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.Client(cli.Known)
			if err != nil {
				return err
			}
			var p wire.Payment
			if id != "" {
				p, err = cl.PaymentOf(cmd.Context(), id, args[0])
			} else {
				p, err = cl.Payment(cmd.Context(), args[0])
			}
			return PrintPayment(c.Env, p, err)
		},
	}
	cmd.Flags().StringVar(&id, "resource", "", "`id` of its resource")
	return cmd
}

// PrintPayment shows a payment after a command.
func PrintPayment(e *cli.Env, p wire.Payment, err error) error {
	if err != nil {
		return err
	}
	if e.JSON {
		return show.JSON(e.Stdout, p)
	}
	quoted, vout, final, expected := "", "", "", ""
	if p.Price != nil {
		quoted = show.Price(money.Price(*p.Price))
	}
	if p.Vout != nil {
		vout = strconv.FormatUint(uint64(*p.Vout), 10)
	}
	if p.Final {
		final = "yes, it is not watched any more"
	}
	if p.ExpectedTime > 0 {
		expected = "about " + show.Left(p.ExpectedTime) + " when it counts"
	}
	return show.Facts(e.Stdout,
		"payment", p.Key,
		"status", p.Status,
		"resource", p.Resource,
		"opened", Ordered(p.Opened),
		"asked", show.Some(p.Asked),
		arrived(&p), show.Some(p.Amount),
		"buys", expected,
		"price", quoted,
		"via", p.Via,
		"reason", p.Reason,
		"requested", show.Instant(p.RequestedAt),
		"expires", show.Instant(p.ExpiresAt),
		"held", onlyIfUp(&p),
		"settled", show.Instant(p.SettledAt),
		"changed", show.Instant(p.ChangedAt),
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

// onlyIfUp says that a payment is held, or will be, and until when.
func onlyIfUp(p *wire.Payment) string {
	switch {
	case !p.Hold:
		return ""
	case p.HeldUntil == 0:
		return "paid only if it starts"
	}
	return "paid only if it starts, by " + show.Instant(p.HeldUntil)
}

// Ordered says which order it is, nothing where there is none.
func Ordered(o *wire.Ordered) string {
	if o == nil {
		return ""
	}
	return fmt.Sprintf("order %s of plan %s, asked for at %s", o.Order, o.Plan, show.Instant(o.At))
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
