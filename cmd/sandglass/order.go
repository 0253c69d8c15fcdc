package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/payment"

	"github.com/spf13/cobra"
)

// buyFlags say how much is bought, and how the invoice is shown.
type buyFlags struct {
	time     timeFlag
	amount   amountFlag
	qr, wait bool
}

func (b *buyFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Var(&b.time, "time", "the time to buy: 2h, 90m, 7d")
	f.Var(&b.amount, "amount", "or the amount to pay: msat, or with a unit: 7200sat, 0.0001btc")
	f.BoolVar(&b.qr, "qr", false, "draw the link as a QR code even where stdout is no terminal")
	f.BoolVar(&b.wait, "wait", false, "wait until it is paid")
	cmd.MarkFlagsOneRequired("time", "amount")
	cmd.MarkFlagsMutuallyExclusive("time", "amount")
}

func orderCmd(c *cli) *cobra.Command {
	var buy buyFlags
	var id, host, keyFile string
	cmd := &cobra.Command{
		Use:   "order PLAN",
		Short: "Order a resource: it runs once it is paid",
		Long: `Order a resource. It waits for its payment, and runs once the invoice is paid, or a payment
to its address, if there is one, has its confirmations; the link and the QR code have both.
The holder key, which pauses, resumes and releases it, is shown once: keep it.

With --idempotency-key-file the same command, run again after a lost answer, gives the
same order and the same key: the file is read, or made with a random key. Without it the
order can't be asked for again.`,
		Example: `  sandglass order small --time 2h
  sandglass order small --amount 0.0001btc --id web-1 --wait
  sandglass order small --time 2h --idempotency-key-file order.key --json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.completePlans,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := idempotencyKey(keyFile)
			if err != nil {
				return err
			}
			return c.order(cmd.Context(), wire.OrderRequest{Plan: args[0], Time: buy.time.Millis, Amount: buy.amount.Msat, ID: id, Host: host}, key, &buy)
		},
	}
	buy.add(cmd)
	cmd.Flags().StringVar(&id, "id", "", "the id that the resource shall have, instead of a random one")
	cmd.Flags().StringVar(&host, "host", "", "the host that it shall be on, of those of the plan, instead of any")
	cmd.Flags().StringVar(&keyFile, "idempotency-key-file", "auto", "`file` with a secret that names this order, made if it is missing; auto is a random one that is not kept")
	return cmd
}

// idempotencyKey returns the key in a file, which it makes if it is missing: durable
// before the order is sent, so that the order can be sent again.
func idempotencyKey(file string) (string, error) {
	key := rand.Text()
	if file == "auto" {
		return key, nil
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return (&cli{}).readSecret(file, "idempotency key")
	}
	if err != nil {
		return "", fmt.Errorf("keeping the idempotency key: %w", err)
	}
	_, err = fmt.Fprintln(f, key)
	return key, errors.Join(err, f.Sync(), f.Close())
}

func (c *cli) order(ctx context.Context, r wire.OrderRequest, key string, buy *buyFlags) error {
	cl, err := c.client(anyone)
	if err != nil {
		return err
	}
	o, err := cl.Order(ctx, r, key)
	if err != nil {
		return err
	}
	if c.json {
		err = c.printJSON(o)
	} else {
		err = c.printOrder(&o, buy.qr)
	}
	if err != nil || !buy.wait || o.Payment == nil {
		return err
	}
	return c.wait(ctx, cl, o.Resource.ID, o.Payment.Key)
}

func (c *cli) printOrder(o *wire.Order, qr bool) error {
	key, hint := o.HolderKey, "keep it, it is not shown again: it pauses, resumes and releases the resource"
	if key == "" {
		key, hint = "-", "it is known to whoever ordered the resource first"
	}
	if err := facts(c.stdout, "resource", o.Resource.ID, "host", o.Resource.Host, "status", o.Resource.Status, "holder key", key, " ", hint); err != nil {
		return err
	}
	fmt.Fprintln(c.stdout)
	if o.Payment == nil {
		_, err := fmt.Fprintf(c.stdout, "there is nothing to pay: sandglass resource show %s\n", o.Resource.ID)
		return err
	}
	return c.printInvoice(o.Payment, qr)
}

// printInvoice shows what is to be paid, as text, as a link and as a QR code.
func (c *cli) printInvoice(p *wire.Payment, qr bool) error {
	err := facts(c.stdout,
		"to pay", showAmount(p.Asked),
		"before", showInstant(p.ExpiresAt),
		"payment", p.Key,
		"invoice", p.Request,
		"address", p.Address,
		"link", p.URI)
	if err != nil || !qr && !isTerminal(c.stdout) {
		return err
	}
	fmt.Fprintln(c.stdout)
	return printQR(c.stdout, p)
}

// wait follows a resource until the payment has come to its end, or one to the address
// of the resource counts instead.
func (c *cli) wait(ctx context.Context, cl *client.Client, id, key string) error {
	if !c.json {
		fmt.Fprintln(c.stdout, "\nwaiting for the payment")
	}
	var paid wire.Payment
	var first *wire.Resource
	now := &wire.Resource{}
	err := c.follow(ctx, cl, id, func(r *wire.Resource) (done bool, err error) {
		if !c.json {
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
		return paid.Status == "credited" || paid.Status == "unallocated", err
	})
	if err == nil && paid.Status == "credited" { // which may be younger than what was shown
		var fresh wire.Resource
		fresh, err = cl.Resource(ctx, id)
		now = &fresh
	}
	switch {
	case err != nil:
		return err
	case paid.Status != "credited":
		return fmt.Errorf("payment %s is %s, resource %s is %s", key, paid.Status, id, now.Status)
	case c.json:
		return c.printJSON(now)
	}
	_, err = fmt.Fprintf(c.stdout, "%s arrived: %s is %s, %s left\n", showAmount(paid.Amount), id, now.Status, showLeft(now.Remaining))
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
