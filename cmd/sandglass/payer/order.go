package payer

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/show"
	"sandglass/domain/payment"

	"github.com/spf13/cobra"
)

// buyFlags say how much is bought, and how the invoice is shown.
type buyFlags struct {
	time     cli.TimeFlag
	amount   cli.AmountFlag
	qr, wait bool
}

func (b *buyFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Var(&b.time, "time", "the time to buy: 2h, 90m, 7d")
	f.Var(&b.amount, "amount", "or the amount to pay: msat, or with a unit: 7200sat, 0.0001btc")
	f.BoolVar(&b.qr, "qr", false, "draw what is to be paid as a QR code even where stdout is no terminal")
	f.BoolVar(&b.wait, "wait", false, "wait until it is paid")
	cmd.MarkFlagsOneRequired("time", "amount")
	cmd.MarkFlagsMutuallyExclusive("time", "amount")
}

// OrderCmd returns order.
func OrderCmd(e *cli.Env) *cobra.Command {
	c := commands{e}
	var buy buyFlags
	var id, host, keyFile string
	var onChain bool
	var set []string
	cmd := &cobra.Command{
		Use:   "order PLAN",
		Short: "Order a resource: it runs once it is paid",
		Long: `Order a resource. It runs once the invoice is paid; an order that nobody pays is forgotten.
With --address there is an address on the chain too, and the link and the QR code have both:
a payment to it counts once it has its confirmations.
The holder key, which pauses, resumes and releases it, is shown once: keep it.

With --idempotency-key-file the same command, run again after a lost answer, gives the
same order and the same key: the file is read, or made with a random key. Without it the
order can't be asked for again.

With --set it says what its plan declares. ` + cli.ParamsHelp,
		Example: `  sandglass order small --time 2h
  sandglass order small --amount 0.0001btc --id web-1 --wait
  sandglass order small --time 2h --idempotency-key-file order.key --json
  sandglass order small --time 2h --set ssh_key=@id.pub --set image=debian`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.CompletePlans,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := c.idempotencyKey(keyFile)
			if err != nil {
				return err
			}
			said, err := c.Params(set)
			if err != nil {
				return err
			}
			r := wire.OrderRequest{Plan: args[0], Time: buy.time.Millis, Amount: buy.amount.Msat, ID: id, Host: host, Params: said}
			return c.order(cmd.Context(), r, key, onChain, &buy)
		},
	}
	buy.add(cmd)
	cmd.Flags().BoolVar(&onChain, "address", false, "have an address on the chain too")
	cmd.Flags().StringVar(&id, "id", "", "the id that the resource shall have, instead of a random one")
	cmd.Flags().StringVar(&host, "host", "", "the host that it shall be on, of those of the plan, instead of any")
	cmd.Flags().StringArrayVar(&set, "set", nil, "a parameter of the plan, `NAME=VALUE`: ssh_key=@id.pub; may be given again")
	cmd.Flags().StringVar(&keyFile, "idempotency-key-file", "auto",
		"`file` with a secret that names this order, made if it is missing; auto is a random one that is not kept")
	return cmd
}

// idempotencyKey returns the key in a file, which it makes if it is missing: durable
// before the order is sent, so that the order can be sent again.
func (c commands) idempotencyKey(file string) (string, error) {
	key := rand.Text()
	if file == "auto" {
		return key, nil
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return c.ReadSecret(file, "idempotency key")
	}
	if err != nil {
		return "", fmt.Errorf("keeping the idempotency key: %w", err)
	}
	_, err = fmt.Fprintln(f, key)
	return key, errors.Join(err, f.Sync(), f.Close())
}

func (c commands) order(ctx context.Context, r wire.OrderRequest, key string, onChain bool, buy *buyFlags) error {
	cl, err := c.Client(cli.Anyone)
	if err != nil {
		return err
	}
	order := cl.Order
	if onChain {
		order = cl.OrderOnChain
	}
	o, err := order(ctx, r, key)
	if err != nil {
		return err
	}
	if c.JSON {
		err = show.JSON(c.Stdout, o)
	} else {
		err = c.printOrder(&o, buy.qr)
	}
	if err != nil || !buy.wait || o.Payment == nil {
		return err
	}
	return c.wait(ctx, cl, o.Resource.ID, o.Payment.Key)
}

func (c commands) printOrder(o *wire.Order, qr bool) error {
	err := show.Facts(c.Stdout,
		"resource", o.Resource.ID,
		"host", o.Resource.Host,
		"status", o.Resource.Status,
		"page", c.page(&o.Resource),
		"holder key", o.HolderKey,
		" ", "keep it, it is not shown again: it pauses, resumes and releases the resource")
	if err != nil {
		return err
	}
	fmt.Fprintln(c.Stdout)
	if o.Payment == nil {
		_, err := fmt.Fprintf(c.Stdout, "there is nothing to pay: sandglass resource show %s\n", o.Resource.ID)
		return err
	}
	return c.printInvoice(o.Payment, qr)
}

// printInvoice shows what is to be paid, as text, as a link and as a QR code.
func (c commands) printInvoice(p *wire.Payment, qr bool) error {
	err := show.Facts(c.Stdout,
		"to pay", show.Amount(p.Asked),
		"before", show.Instant(p.ExpiresAt),
		"held", onlyIfUp(p),
		"payment", p.Key,
		"invoice", p.Request,
		"address", p.Address,
		"link", p.URI)
	if err != nil || !qr && !show.IsTerminal(c.Stdout) {
		return err
	}
	fmt.Fprintln(c.Stdout)
	return show.QR(c.Stdout, codes(p))
}

// wait follows a resource until the payment has come to its end, or one to the address
// of the resource counts instead.
func (c commands) wait(ctx context.Context, cl *client.Client, id, key string) error {
	if !c.JSON {
		fmt.Fprintln(c.Stdout, "\nwaiting for the payment")
	}
	var paid wire.Payment
	var first *wire.Resource
	now := &wire.Resource{}
	err := c.follow(ctx, cl, id, func(r *wire.Resource) (done bool, err error) {
		if !c.JSON {
			c.printLines(r, depositNews(now, r))
		}
		if now = r; first == nil {
			first = r
		}
		if l := deposited(first, r); l != nil {
			paid = wire.Payment{Status: "credited", Amount: l.Amount}
			return true, nil
		}
		paid, err = cl.Payment(ctx, key)
		return paid.Status == "credited" || paid.Status == "unallocated" || paid.Status == "canceled", err
	})
	if err == nil && paid.Status == "credited" { // which may be younger than what was shown
		var fresh wire.Resource
		fresh, err = cl.Resource(ctx, id)
		now = &fresh
	}
	switch {
	case err != nil:
		return err
	case paid.Status == "canceled":
		return fmt.Errorf("%s did not start (%s): the payment went back to its payer", id, paid.Reason)
	case paid.Status != "credited":
		return fmt.Errorf("payment %s is %s, resource %s is %s", key, paid.Status, id, now.Status)
	case c.JSON:
		return show.JSON(c.Stdout, now)
	}
	_, err = fmt.Fprintf(c.Stdout, "%s arrived: %s is %s, %s left\n",
		show.Amount(paid.Amount), id, now.Status, show.Left(now.Remaining))
	return err
}

// deposited returns a lot that r has and before has not, and that was paid on the chain.
func deposited(before, r *wire.Resource) *wire.Lot {
	for i := range r.Lots {
		if l := &r.Lots[i]; payment.Key(l.Payment).OnChain() && !has(before.Lots, l) {
			return l
		}
	}
	return nil
}

// codes returns the texts of which a code may be drawn, the best first. An invoice is in
// capitals, of which a code holds more.
func codes(p *wire.Payment) (texts []string) {
	if p.Address != "" {
		texts = append(texts, p.URI)
	}
	return append(texts, strings.ToUpper(p.Request))
}
