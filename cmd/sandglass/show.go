package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/money"

	"github.com/spf13/cobra"
)

func resourceShowCmd(c *cli) *cobra.Command {
	var asOf string
	var follow bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show a resource: what is left, until when, of whose payment",
		Long: `Show a resource. With --follow the time that is left counts down on one line, and what
happens to the resource is told as it comes; where stdout is no terminal, or with --json,
there is a line for each change. A lost connection is made again.`,
		Example: `  sandglass resource show ID
  sandglass resource show ID --follow
  sandglass resource show ID --as-of 2026-01-02T03:04:05Z --json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.completeResources,
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client(anyone)
			if err != nil {
				return err
			}
			if follow {
				return c.live(cmd.Context(), cl, args[0])
			}
			r, err := c.resource(cmd.Context(), cl, args[0], asOf)
			switch {
			case err != nil:
				return err
			case c.json:
				return c.printJSON(r)
			}
			return c.printResource(&r)
		},
	}
	cmd.Flags().StringVar(&asOf, "as-of", "", "as it was at an instant, in RFC 3339: 2026-01-02T03:04:05Z")
	cmd.Flags().BoolVar(&follow, "follow", false, "go on showing it")
	cmd.MarkFlagsMutuallyExclusive("as-of", "follow")
	return cmd
}

func (c *cli) resource(ctx context.Context, cl *client.Client, id, asOf string) (wire.Resource, error) {
	if asOf == "" {
		return cl.Resource(ctx, id)
	}
	at, err := time.Parse(time.RFC3339Nano, asOf)
	if err != nil {
		return wire.Resource{}, usage("--as-of %q is not an instant such as 2026-01-02T03:04:05Z or 2026-01-02T04:04:05.678+01:00", asOf)
	}
	return cl.ResourceAsOf(ctx, id, instant.Of(at))
}

func (c *cli) printResource(r *wire.Resource) error {
	warned := ""
	if r.Warned {
		warned = ", little is left"
	}
	err := facts(c.stdout,
		"resource", r.ID,
		"plan", r.Plan,
		"host", r.Host,
		"status", r.Status+" since "+showInstant(r.Since)+warned,
		"as of", showInstant(r.AsOf),
		"remaining", showLeft(r.Remaining),
		"paid until", showInstant(r.PaidUntil),
		"released at", showInstant(r.ReleaseAt),
		"held until", held(r),
		"price", price(r.Price),
		"grace", r.Grace.InUnits(),
		"paid in all", showAmount(r.Credited),
		"debt", showSome(r.Debt),
		"address", r.Address)
	if err != nil {
		return err
	}
	if err := c.printLots(r.Lots); err != nil {
		return err
	}
	return c.printPending(r.Pending)
}

func (c *cli) printLots(lots []wire.Lot) error {
	if len(lots) == 0 {
		return nil
	}
	rows := make([]string, len(lots))
	for i, l := range lots {
		from := l.Payment
		if l.Grant != "" {
			from = "grant " + l.Grant
		}
		rows[i] = cells(strconv.Itoa(i+1), showAmount(l.Amount), l.Time.InUnits(), showLeft(l.Left), showAmount(l.Held), from)
	}
	fmt.Fprintln(c.stdout)
	return table(c.stdout, "LOT\tPAID\tBOUGHT\tLEFT\tHOLDS\tFROM", rows)
}

// held says until when a deposit holds off the release of a resource.
func held(r *wire.Resource) string {
	if r.HeldUntil == 0 {
		return ""
	}
	return showInstant(r.HeldUntil) + ", for a deposit"
}

func (c *cli) printPending(pending []wire.Payment) error {
	var rows, deposits []string
	for i := range pending {
		if p := &pending[i]; onItsWay(p) {
			deposits = append(deposits, cells(p.Status, depositText(p), p.Key))
		} else {
			rows = append(rows, cells(p.Status, showAmount(max(p.Amount, p.Asked)), showInstant(p.ExpiresAt), p.Key))
		}
	}
	for _, t := range []struct {
		header string
		rows   []string
	}{{"PENDING\tAMOUNT\tBEFORE\tPAYMENT", rows}, {"DEPOSIT\tON THE CHAIN\tPAYMENT", deposits}} {
		if len(t.rows) == 0 {
			continue
		}
		fmt.Fprintln(c.stdout)
		if err := table(c.stdout, t.header, t.rows); err != nil {
			return err
		}
	}
	return nil
}

// onItsWay says whether a payment was seen on the chain and does not count, or no more.
func onItsWay(p *wire.Payment) bool {
	return p.TxID != "" && p.Status != "credited" && p.Status != "unallocated" && p.Status != "replaced"
}

// depositText tells of a payment on the chain what it brings, and what it waits for.
func depositText(p *wire.Payment) string {
	text := fmt.Sprintf("%s BTC (%s msat)", p.Amount.Bitcoin(), group(int64(p.Amount)))
	if n := depth(p); n != "" {
		text += " " + n
	}
	if p.Status == "reorged" {
		text += ", its block has left the chain"
	}
	if p.ExpectedTime > 0 {
		text += ", about " + showLeft(p.ExpectedTime) + " when it counts"
	}
	return text
}

// depth writes the confirmations of a payment, as far as they are known.
func depth(p *wire.Payment) string {
	switch {
	case p.Confirmations != nil && p.Required > 0:
		return fmt.Sprintf("%d/%d confirmations", *p.Confirmations, p.Required)
	case p.Confirmations != nil:
		return count(*p.Confirmations, "confirmation")
	case p.Required > 0:
		return "of " + count(p.Required, "confirmation") + " that it needs"
	}
	return ""
}

func count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return group(n) + " " + what + "s"
}

// showInstant writes t for people, in UTC, and nothing for an instant that is not.
func showInstant(t instant.Time) string {
	if t == 0 {
		return ""
	}
	return t.Std().Format("2006-01-02 15:04:05 UTC")
}

func moneyPrice(p wire.Price) money.Price { return money.Price{Msat: p.Msat, Per: p.Per} }
