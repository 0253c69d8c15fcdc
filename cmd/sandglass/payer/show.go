package payer

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/show"
	"sandglass/domain/instant"
	"sandglass/domain/money"

	"github.com/spf13/cobra"
)

func resourceShowCmd(c commands) *cobra.Command {
	var asOf string
	var follow, qr bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show a resource: what is left, until when, of whose payment",
		Long: `Show a resource. With --follow the time that is left counts down on one line, and what
happens to the resource is told as it comes; where stdout is no terminal, or with --json,
there is a line for each change. A lost connection is made again.

Its page is for people who have no terminal. With --qr that is drawn for a phone to read, or, where the
daemon has no pages, the LNURL by which wallets pay it.`,
		Example: `  sandglass resource show ID
  sandglass resource show ID --follow
  sandglass resource show ID --qr
  sandglass resource show ID --as-of 2026-01-02T03:04:05Z --json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.CompleteResources,
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.Client(cli.Anyone)
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
			case c.JSON:
				return show.JSON(c.Stdout, r)
			}
			if err := c.printResource(&r); err != nil || !qr {
				return err
			}
			return c.drawPage(&r)
		},
	}
	cmd.Flags().StringVar(&asOf, "as-of", "", "as it was at an instant, in RFC 3339: 2026-01-02T03:04:05Z")
	cmd.Flags().BoolVar(&follow, "follow", false, "go on showing it")
	cmd.Flags().BoolVar(&qr, "qr", false, "draw its page, or what wallets pay it by, as a QR code")
	cmd.MarkFlagsMutuallyExclusive("as-of", "follow")
	cmd.MarkFlagsMutuallyExclusive("qr", "follow")
	cmd.MarkFlagsMutuallyExclusive("qr", "as-of")
	return cmd
}

func (c commands) resource(ctx context.Context, cl *client.Client, id, asOf string) (wire.Resource, error) {
	if asOf == "" {
		return cl.Resource(ctx, id)
	}
	at, err := time.Parse(time.RFC3339Nano, asOf)
	if err != nil {
		return wire.Resource{}, cli.Usage("--as-of %q is not an instant such as "+
			"2026-01-02T03:04:05Z or 2026-01-02T04:04:05.678+01:00", asOf)
	}
	return cl.ResourceAsOf(ctx, id, instant.Of(at))
}

func (c commands) printResource(r *wire.Resource) error {
	warned := ""
	if r.Warned {
		warned = ", little is left"
	}
	err := show.Facts(c.Stdout, append([]string{
		"resource", r.ID,
		"plan", r.Plan,
		"host", r.Host,
		"status", r.Status + " since " + show.Instant(r.Since) + warned,
		"as of", show.Instant(r.AsOf),
		"remaining", show.Left(r.Remaining),
		"paid until", show.Instant(r.PaidUntil),
		"released at", show.Instant(r.ReleaseAt),
		"held until", held(r),
		"price", show.Price(money.Price(r.Price)),
		"grace", r.Grace.InUnits(),
		"paid in all", show.Amount(r.Credited),
		"debt", show.Some(r.Debt),
		"page", c.page(r),
		"pay by", r.LightningAddress,
		"lnurl", r.LNURL,
		"address", r.Address,
		"parameters", params(r),
	}, append(found(r.Found), uptime(r.Uptime)...)...)...)
	if err != nil {
		return err
	}
	if err := c.printLots(r.Lots); err != nil {
		return err
	}
	return c.printPending(r.Pending)
}

// params tells which parameters a resource has, and whether they are lost.
func params(r *wire.Resource) string {
	if r.Found != nil && r.Found.ParamsMissing {
		return r.ParamsHash + ", which are not kept on its host: resource set sets them again"
	}
	return r.ParamsHash
}

// found tells what the keeper found.
func found(f *wire.Found) []string {
	if f == nil {
		return nil
	}
	now, last := f.State+" since "+show.Instant(f.Since), ""
	if f.Why != "" {
		now += ", " + show.Short(f.Why)
	}
	if n := len(f.Outages); n > 0 {
		last = "since " + show.Instant(f.Outages[n-1].From)
		if to := f.Outages[n-1].To; to != 0 {
			last = show.Left(to.Sub(f.Outages[n-1].From)) + " until " + show.Instant(to)
		}
	}
	return []string{"found", now, "down last", last}
}

// uptime tells how what is billed by its uptime did.
func uptime(u *wire.Uptime) []string {
	if u == nil {
		return nil
	}
	return []string{
		"to be up by", show.Instant(u.StartBy),
		"down", show.Left(u.Outage) + " in these 30 days, which was not billed",
		"given back", show.Some(u.Returned),
	}
}

func (c commands) printLots(lots []wire.Lot) error {
	if len(lots) == 0 {
		return nil
	}
	rows := make([]string, len(lots))
	for i, l := range lots {
		from := l.Payment
		if l.Grant != "" {
			from = "grant " + l.Grant
		}
		rows[i] = show.Cells(strconv.Itoa(i+1),
			show.Amount(l.Amount), l.Time.InUnits(), show.Left(l.Left), show.Amount(l.Held), from)
	}
	fmt.Fprintln(c.Stdout)
	return show.Table(c.Stdout, "LOT\tPAID\tBOUGHT\tLEFT\tHOLDS\tFROM", rows)
}

// held says until when a deposit holds off the release of a resource.
func held(r *wire.Resource) string {
	if r.HeldUntil == 0 {
		return ""
	}
	return show.Instant(r.HeldUntil) + ", for a deposit"
}

func (c commands) printPending(pending []wire.Payment) error {
	var rows, deposits []string
	for i := range pending {
		if p := &pending[i]; onItsWay(p) {
			deposits = append(deposits, show.Cells(p.Status, depositText(p), p.Key))
		} else {
			asked := max(p.Amount, p.Asked)
			rows = append(rows, show.Cells(p.Status, show.Amount(asked), show.Instant(p.ExpiresAt), p.Key))
		}
	}
	for _, t := range []struct {
		header string
		rows   []string
	}{{"PENDING\tAMOUNT\tBEFORE\tPAYMENT", rows}, {"DEPOSIT\tON THE CHAIN\tPAYMENT", deposits}} {
		if len(t.rows) == 0 {
			continue
		}
		fmt.Fprintln(c.Stdout)
		if err := show.Table(c.Stdout, t.header, t.rows); err != nil {
			return err
		}
	}
	return nil
}

// onItsWay reports whether a payment was seen on the chain and does not count, or no more.
func onItsWay(p *wire.Payment) bool {
	return p.TxID != "" && p.Status != "credited" && p.Status != "unallocated" && p.Status != "replaced"
}

// depositText tells of a payment on the chain what it brings, and what it waits for.
func depositText(p *wire.Payment) string {
	text := fmt.Sprintf("%s BTC (%s msat)", p.Amount.Bitcoin(), show.Group(int64(p.Amount)))
	if n := depth(p); n != "" {
		text += " " + n
	}
	if p.Status == "reorged" {
		text += ", its block has left the chain"
	}
	if p.ExpectedTime > 0 {
		text += ", about " + show.Left(p.ExpectedTime) + " when it counts"
	}
	return text
}

// depth writes the confirmations of a payment, as far as they are known.
func depth(p *wire.Payment) string {
	switch {
	case p.Confirmations != nil && p.Required > 0:
		return fmt.Sprintf("%d/%d confirmations", *p.Confirmations, p.Required)
	case p.Confirmations != nil:
		return show.Count(*p.Confirmations, "confirmation")
	case p.Required > 0:
		return "of " + show.Count(p.Required, "confirmation") + " that it needs"
	}
	return ""
}
