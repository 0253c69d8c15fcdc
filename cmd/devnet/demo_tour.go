package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lightningnetwork/lnd/lnrpc"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/money"
)

// tour is what the steps of the tour know of each other.
type tour struct {
	long  wire.Order // two hours of small
	short wire.Order // three seconds of short
	late  wire.Payment
	paid  money.Msat   // for long, in all
	until instant.Time // long's paid_until
	txid  string       // that pays long on the chain
}

// The tour's figures. small costs 1 sat a second, and so does short.
const (
	ordered   = 2 * instant.Hour
	topUp     = 30 * instant.Minute
	gift      = 600 * money.Sat // by keysend
	giftTime  = 10 * instant.Minute
	missed    = 15 * instant.Minute // paid while the daemon is dead
	shortTime = 3 * instant.Second
	lateTime  = 5 * instant.Minute
)

// cost is what a time costs at the tour's prices.
func cost(d instant.Millis) money.Msat { return money.Msat(d) }

func (d *demo) tourSteps() []step {
	return []step{
		{"a newcomer orders two hours", d.order},
		{"bob pays the invoice, and it runs", d.pay},
		{"a stranger tops it up by an invoice", d.topUp},
		{"a stranger tops it up by keysend", d.keysend},
		{"the holder pauses and resumes it", d.pause},
		{"three seconds are ordered, paid, and run out", d.exhaust},
		{"a late payment resumes it", d.payLate},
		{"a stranger pays its address on the chain", d.deposit},
		{"the third block on it makes it count", d.confirm},
		{"a reorg replaces these blocks", d.reorg},
		{"it is mined again, three blocks deep", d.mineAgain},
		{"kill -9, a payment meanwhile, restart", d.restart},
		{"the credits are the invoices that lnd settled", d.compare},
		{"audit replay: every figure follows from the log", d.replay},
		{"audit reconcile: the log is what the wallet has", d.reconcile},
		{"the daemon stops, and the audit needs it no more", d.offline},
	}
}

func (d *demo) order(ctx context.Context) (string, error) {
	o := &d.tour.long
	if err := d.daemon.ask(ctx, o, "order", "small", "--time", "2h"); err != nil {
		return "", err
	}
	if o.Payment == nil {
		return "", errors.New("the order has no invoice")
	}
	inv, err := d.net.Bob.Lightning.DecodePayReq(ctx, &lnrpc.PayReqString{PayReq: o.Payment.Request})
	if err != nil {
		return "", err
	}
	return "7,200 sat, " + o.Resource.ID, checks(
		is("status", o.Resource.Status, "awaiting"),
		is("asked", o.Payment.Asked, cost(ordered)),
		is("the invoice's amount", money.Msat(inv.NumMsat), cost(ordered)),
		is("the invoice's destination", inv.Destination, d.net.Alice.Pubkey),
		is("the payment's key", o.Payment.Key, "ln-"+inv.PaymentHash),
		holds("a holder key is shown", len(o.HolderKey) >= 20),
	)
}

// funded follows a resource, has somebody pay, and waits until credited is in.
func (d *demo) funded(ctx context.Context, id string, credited money.Msat, pay func(context.Context) error) (r wire.Resource, err error) {
	v, err := d.daemon.follow(ctx, id)
	if err != nil {
		return r, err
	}
	defer v.end()
	if err := pay(ctx); err != nil {
		return r, err
	}
	return v.until("it was paid", func(r *wire.Resource) bool { return r.Credited >= credited && r.Status == "running" })
}

func (d *demo) bobPays(p *wire.Payment) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := d.net.Bob.Pay(ctx, p.Request)
		return err
	}
}

func (d *demo) pay(ctx context.Context) (string, error) {
	t := &d.tour
	r, err := d.funded(ctx, t.long.Resource.ID, cost(ordered), d.bobPays(t.long.Payment))
	if err != nil {
		return "", err
	}
	t.paid, t.until = r.Credited, r.PaidUntil
	return "runs, " + left(r.Remaining) + " left", checks(
		is("credited", r.Credited, cost(ordered)),
		is("lots", len(r.Lots), 1),
		is("paid until, since the start", r.PaidUntil.Sub(r.Since), ordered),
		is("remaining", r.Remaining, r.PaidUntil.Sub(r.At)),
	)
}

// topped checks a credit of a running resource: it moves the end by what it bought.
func (d *demo) topped(r *wire.Resource, amount money.Msat, time instant.Millis) error {
	t := &d.tour
	err := checks(
		is("credited", r.Credited, t.paid+amount),
		is("paid until has moved by", r.PaidUntil.Sub(t.until), time),
		is("the last lot's amount", r.Lots[len(r.Lots)-1].Amount, amount),
		is("the last lot's time", r.Lots[len(r.Lots)-1].Time, time),
	)
	t.paid, t.until = r.Credited, r.PaidUntil
	return err
}

func (d *demo) topUp(ctx context.Context) (string, error) {
	id := d.tour.long.Resource.ID
	var p wire.Payment
	if err := d.daemon.ask(ctx, &p, "resource", "pay", id, "--time", "30m"); err != nil {
		return "", err
	}
	r, err := d.funded(ctx, id, d.tour.paid+cost(topUp), d.bobPays(&p))
	if err != nil {
		return "", err
	}
	return "1,800 sat, " + left(r.Remaining) + " left", errors.Join(is("asked", p.Asked, cost(topUp)), d.topped(&r, cost(topUp), topUp))
}

func (d *demo) keysend(ctx context.Context) (string, error) {
	id := d.tour.long.Resource.ID
	r, err := d.funded(ctx, id, d.tour.paid+gift, func(ctx context.Context) error {
		_, err := d.net.Bob.Keysend(ctx, d.net.Alice.Pubkey, int64(gift), map[uint64][]byte{resourceRecord: []byte(id)})
		return err
	})
	if err != nil {
		return "", err
	}
	return "600 sat, " + left(r.Remaining) + " left", d.topped(&r, gift, giftTime)
}

func (d *demo) pause(ctx context.Context) (string, error) {
	t := &d.tour
	id, key := t.long.Resource.ID, []string{"SANDGLASS_HOLDER_KEY=" + t.long.HolderKey}
	if _, err := d.daemon.run(ctx, key, "resource", "pause", id); err != nil {
		return "", err
	}
	var paused, now wire.Resource
	if err := d.daemon.ask(ctx, &paused, "resource", "show", id); err != nil {
		return "", err
	}
	if _, err := d.daemon.run(ctx, key, "resource", "resume", id); err != nil {
		return "", err
	}
	if err := d.daemon.ask(ctx, &now, "resource", "show", id); err != nil {
		return "", err
	}
	t.until = now.PaidUntil
	return left(paused.Remaining) + " stood still", checks(
		is("status", paused.Status, "paused"),
		is("status", now.Status, "running"),
		is("paid until, since the start", now.PaidUntil.Sub(now.Since), paused.Remaining),
	)
}

func (d *demo) exhaust(ctx context.Context) (string, error) {
	t := &d.tour
	if _, err := d.daemon.run(ctx, nil, "plan", "publish", "short", "--price", "1sat", "--per", "1s", "--min", "1s", "--max", "1h",
		"--warn", "1s", "--grace", "1h"); err != nil {
		return "", err
	}
	if err := d.daemon.ask(ctx, &t.short, "order", "short", "--time", "3s"); err != nil {
		return "", err
	}
	id := t.short.Resource.ID
	if err := d.daemon.ask(ctx, &t.late, "resource", "pay", id, "--time", "5m"); err != nil {
		return "", err
	}
	v, err := d.daemon.follow(ctx, id)
	if err != nil {
		return "", err
	}
	defer v.end()
	if err := d.bobPays(t.short.Payment)(ctx); err != nil {
		return "", err
	}
	running, err := v.until("it runs", func(r *wire.Resource) bool { return r.Status == "running" })
	if err != nil {
		return "", err
	}
	end, err := v.until("its time runs out", func(r *wire.Resource) bool { return r.Status == "suspended" })
	if err != nil {
		return "", err
	}
	return "suspended after 3.000 s", checks(
		is("ran for", end.Since.Sub(running.Since), shortTime),
		is("remaining", end.Remaining, 0),
		is("credited", end.Credited, cost(shortTime)),
		is("held by the lot", end.Lots[0].Held, 0),
		holds("it was warned", end.Warned),
	)
}

func (d *demo) payLate(ctx context.Context) (string, error) {
	t := &d.tour
	r, err := d.funded(ctx, t.short.Resource.ID, cost(shortTime)+cost(lateTime), d.bobPays(&t.late))
	if err != nil {
		return "", err
	}
	return "runs, " + left(r.Remaining) + " left", checks(
		is("credited", r.Credited, cost(shortTime)+cost(lateTime)),
		is("paid until, since the start", r.PaidUntil.Sub(r.Since), lateTime),
	)
}

func (d *demo) restart(ctx context.Context) (string, error) {
	t := &d.tour
	id := t.long.Resource.ID
	var p wire.Payment
	if err := d.daemon.ask(ctx, &p, "resource", "pay", id, "--time", "15m"); err != nil {
		return "", err
	}
	if err := d.daemon.kill(); err != nil {
		return "", err
	}
	if err := d.bobPays(&p)(ctx); err != nil {
		return "", err
	}
	if err := d.daemon.start(ctx); err != nil {
		return "", err
	}
	nothing := func(context.Context) error { return nil }
	r, err := d.funded(ctx, id, t.paid+cost(missed), nothing)
	if err != nil {
		return "", err
	}
	return "found and credited, " + left(r.Remaining) + " left", d.topped(&r, cost(missed), missed)
}

// left writes a time for people, in whole seconds.
func left(d instant.Millis) string { return (d - d%instant.Second).Std().String() }

// is says that something is what it should be.
func is[T comparable](what string, got, want T) error {
	if got == want {
		return nil
	}
	return fmt.Errorf("%s is %v, and should be %v", what, got, want)
}

func holds(what string, ok bool) error {
	if ok {
		return nil
	}
	return errors.New(what + ": it does not hold")
}

// checks joins what was not as it should be in one line.
func checks(errs ...error) error {
	if err := errors.Join(errs...); err != nil {
		return errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return nil
}
