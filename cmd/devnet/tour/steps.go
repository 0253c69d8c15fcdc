package tour

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
)

// The tour's figures. small costs 1 sat a second, and so does short.
const (
	ordered    = 2 * instant.Hour
	topUp      = 30 * instant.Minute
	gift       = 600 * money.Sat // by keysend
	giftTime   = 10 * instant.Minute
	missedTime = 15 * instant.Minute // paid while the daemon is dead
	shortTime  = 3 * instant.Second
	lateTime   = 5 * instant.Minute
)

// cost is what a time costs at the tour's prices.
func cost(d instant.Millis) money.Msat { return money.Msat(d) }

func (t *Tour) tourSteps() []step {
	return []step{
		{"a newcomer orders two hours", t.order},
		{"bob pays the invoice, and it runs", t.pay},
		{"a stranger tops it up by an invoice", t.topUp},
		{"a stranger tops it up by keysend", t.keysend},
		{"somebody tops it up on its page, in a browser", t.openPage},
		{"the holder pauses and resumes it", t.pause},
		{"a server is ordered, paid, and answers", t.rentServer},
		{"a program buys a server in one line: it answers", t.buyServer},
		{"three seconds are ordered, paid, and run out", t.exhaust},
		{"a late payment resumes it", t.payLate},
		{"the time of the server is over: it is refused", t.serverEnds},
		{"a top-up brings it back", t.serverReturns},
		{"it is killed, and can't be started", t.crash},
		{"a stranger pays its address on the chain", t.deposit},
		{"the third block on it makes it count", t.confirm},
		{"a reorg replaces these blocks", t.reorg},
		{"it is mined again, three blocks deep", t.mineAgain},
		{"kill -9 of the daemon: a server ends on time", t.dies},
		{"a payment meanwhile, restart", t.restart},
		{"the server is repaired: its outage is not billed", t.repair},
		{"what can't start gives the payer his money back", t.refund},
		{"the credits are the invoices that lnd settled", t.compare},
		{"audit replay: every figure follows from the log", t.replay},
		{"audit reconcile: the log is what the wallet has", t.reconcile},
		{"a receipt proves a payment, by the log's key", t.prove},
		{"audit verify: a byte changed in a copy is named", t.verify},
		{"the daemon stops, and the audit needs it no more", t.offline},
	}
}

func (t *Tour) order(ctx context.Context) (string, error) {
	o := &t.long
	if err := t.daemon.Ask(ctx, o, "order", "small", "--time", "2h"); err != nil {
		return "", err
	}
	if o.Payment == nil {
		return "", errors.New("the order has no invoice")
	}
	inv, err := t.net.Decode(ctx, o.Payment.Request)
	if err != nil {
		return "", err
	}
	return "7,200 sat, " + o.Resource.ID, checks(
		is("status", o.Resource.Status, "awaiting"),
		is("asked", o.Payment.Asked, cost(ordered)),
		is("the invoice's amount", inv.Amount, cost(ordered)),
		is("the invoice's destination", inv.Payee, t.net.Payee()),
		is("the payment's key", payment.Key(o.Payment.Key), payment.LightningKey(inv.Hash)),
		holds("a holder key is shown", len(o.HolderKey) >= 20),
	)
}

// funded follows a resource, has somebody pay, and waits until credited is in and it runs. States that come fast may be
// shown as one: what has a few seconds may be suspended by then.
func (t *Tour) funded(
	ctx context.Context, id string, credited money.Msat, pay func(context.Context) error,
) (r wire.Resource, err error) {
	v, err := t.daemon.Follow(ctx, id)
	if err != nil {
		return r, err
	}
	defer v.End()
	if err := pay(ctx); err != nil {
		return r, err
	}
	return v.Until("it was paid", func(r *wire.Resource) bool { return r.Credited >= credited && runsOut(r) != 0 })
}

// runsOut returns when the time of what runs is over, or was; 0 of what has not run.
func runsOut(r *wire.Resource) instant.Time {
	if r.Status == "suspended" {
		return r.Since
	}
	return r.PaidUntil
}

func (t *Tour) bobPays(p *wire.Payment) func(context.Context) error {
	return func(ctx context.Context) error { return t.net.Pay(ctx, p.Request) }
}

func (t *Tour) pay(ctx context.Context) (string, error) {
	r, err := t.funded(ctx, t.long.Resource.ID, cost(ordered), t.bobPays(t.long.Payment))
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
func (t *Tour) topped(r *wire.Resource, amount money.Msat, time instant.Millis) error {
	err := checks(
		is("credited", r.Credited, t.paid+amount),
		is("paid until has moved by", r.PaidUntil.Sub(t.until), time),
		is("the last lot's amount", r.Lots[len(r.Lots)-1].Amount, amount),
		is("the last lot's time", r.Lots[len(r.Lots)-1].Time, time),
	)
	t.paid, t.until = r.Credited, r.PaidUntil
	return err
}

func (t *Tour) topUp(ctx context.Context) (string, error) {
	id := t.long.Resource.ID
	var p wire.Payment
	if err := t.daemon.Ask(ctx, &p, "resource", "pay", id, "--time", "30m"); err != nil {
		return "", err
	}
	r, err := t.funded(ctx, id, t.paid+cost(topUp), t.bobPays(&p))
	if err != nil {
		return "", err
	}
	return "1,800 sat, " + left(r.Remaining) + " left",
		errors.Join(is("asked", p.Asked, cost(topUp)), t.topped(&r, cost(topUp), topUp))
}

func (t *Tour) keysend(ctx context.Context) (string, error) {
	id := t.long.Resource.ID
	r, err := t.funded(ctx, id, t.paid+gift, func(ctx context.Context) error {
		return t.net.Keysend(ctx, id, gift)
	})
	if err != nil {
		return "", err
	}
	return "600 sat, " + left(r.Remaining) + " left", t.topped(&r, gift, giftTime)
}

func (t *Tour) pause(ctx context.Context) (string, error) {
	id, key := t.long.Resource.ID, []string{"SANDGLASS_HOLDER_KEY=" + t.long.HolderKey}
	if _, err := t.daemon.Run(ctx, key, "resource", "pause", id); err != nil {
		return "", err
	}
	var paused, now wire.Resource
	if err := t.daemon.Ask(ctx, &paused, "resource", "show", id); err != nil {
		return "", err
	}
	if _, err := t.daemon.Run(ctx, key, "resource", "resume", id); err != nil {
		return "", err
	}
	if err := t.daemon.Ask(ctx, &now, "resource", "show", id); err != nil {
		return "", err
	}
	t.until = now.PaidUntil
	return left(paused.Remaining) + " stood still", checks(
		is("status", paused.Status, "paused"),
		is("status", now.Status, "running"),
		is("paid until, since the start", now.PaidUntil.Sub(now.Since), paused.Remaining),
	)
}

func (t *Tour) exhaust(ctx context.Context) (string, error) {
	if _, err := t.daemon.Run(ctx, nil, "plan", "publish", "short", "--price", "1sat", "--per", "1s", "--min", "1s", "--max", "1h",
		"--warn", "1s", "--grace", "1h"); err != nil {
		return "", err
	}
	if err := t.daemon.Ask(ctx, &t.short, "order", "short", "--time", "3s"); err != nil {
		return "", err
	}
	id := t.short.Resource.ID
	if err := t.daemon.Ask(ctx, &t.late, "resource", "pay", id, "--time", "5m"); err != nil {
		return "", err
	}
	v, err := t.daemon.Follow(ctx, id)
	if err != nil {
		return "", err
	}
	defer v.End()
	if err := t.bobPays(t.short.Payment)(ctx); err != nil {
		return "", err
	}
	end, err := v.Until("its time runs out", func(r *wire.Resource) bool { return r.Status == "suspended" })
	if err != nil {
		return "", err
	}
	var running wire.Resource
	if err := t.daemon.Ask(ctx, &running, "resource", "show", id, "--as-of", (end.Since - 1).String()); err != nil {
		return "", err
	}
	return "suspended after 3.000 s", checks(
		is("status before its end", running.Status, "running"),
		is("ran for", end.Since.Sub(running.Since), shortTime),
		is("remaining", end.Remaining, 0),
		is("credited", end.Credited, cost(shortTime)),
		is("held by the lot", end.Lots[0].Held, 0),
		holds("it was warned", end.Warned),
	)
}

func (t *Tour) payLate(ctx context.Context) (string, error) {
	r, err := t.funded(ctx, t.short.Resource.ID, cost(shortTime)+cost(lateTime), t.bobPays(&t.late))
	if err != nil {
		return "", err
	}
	return "runs, " + left(r.Remaining) + " left", checks(
		is("credited", r.Credited, cost(shortTime)+cost(lateTime)),
		is("paid until, since the start", r.PaidUntil.Sub(r.Since), lateTime),
	)
}

func (t *Tour) restart(ctx context.Context) (string, error) {
	id := t.long.Resource.ID
	if err := t.bobPays(&t.missed)(ctx); err != nil {
		return "", err
	}
	if err := t.daemon.Start(ctx); err != nil {
		return "", err
	}
	nothing := func(context.Context) error { return nil }
	r, err := t.funded(ctx, id, t.paid+cost(missedTime), nothing)
	if err != nil {
		return "", err
	}
	return "found and credited, " + left(r.Remaining) + " left", t.topped(&r, cost(missedTime), missedTime)
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
