package hold

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/lightning"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/watch"
)

// lost is after what time held money goes back whose request is not to be found: another daemon may
// have it, and be late.
const lost = 15 * instant.Minute

// accept says to the log that the wallet holds the money of an invoice.
func (l *Loop) accept(ctx context.Context, node, hash string) error {
	key := payment.LightningKey(hash)
	p, err := l.Booker.Payments.Load(ctx, key)
	if err != nil || p.State.Status != payment.StatusNone {
		return err // it is carried on, or at its end
	}
	inv, err := l.Wallet.Held(ctx, hash)
	if errors.Is(err, lightning.ErrNoInvoice) || err == nil && inv.Status != lightning.EntryAccepted {
		return nil
	}
	if err != nil {
		return err
	}
	r, ok := l.Requests.Find(key)
	switch {
	case !ok:
		return l.giveBackLost(ctx, key, hash, inv)
	case r.Order == nil || !r.Order.Terms.Hold || r.Node != node:
		return nil
	}
	if why, err := l.refused(ctx, r); err != nil {
		return err
	} else if why != "" {
		l.notice(key, "it goes back at once: "+why)
		return l.giveBack(ctx, hash)
	}
	asked := r.Request
	now := l.Now()
	_, err = l.Booker.Payments.Execute(ctx, key, watch.Meta, payment.Accept{
		At: now, Amount: inv.Amount, Node: node, Request: &asked,
	})
	if err != nil {
		return err
	}
	l.began = append(l.began, now)
	_, err = l.carryOn(ctx, key)
	return err
}

// giveBackLost gives back money that is held for an invoice of ours of which nothing is known.
func (l *Loop) giveBackLost(ctx context.Context, key payment.Key, hash string, inv Invoice) error {
	if _, ours := l.Signer.Read(inv.Description); !ours || l.Now() < inv.Since.Add(lost) {
		return nil
	}
	l.notice(key, "it goes back: what it was for is not known")
	return l.giveBack(ctx, hash)
}

// refused says why the money of a request goes back at once, without a word in the log.
func (l *Loop) refused(ctx context.Context, r *request.Record) (why string, err error) {
	of, err := l.Booker.Resources.Load(ctx, r.Resource)
	s := &of.State
	switch {
	case err != nil:
		return "", err
	case s.Status == resource.StatusReleased:
		return "its resource is released", nil
	case s.Status != resource.StatusNone && !s.OpenedBy(r.Order):
		return "the id is another order's", nil
	case !l.hasRoom(l.Now()):
		return "more is held already than may be, at once or in an hour", nil
	case s.Status != resource.StatusNone || l.Booker.Refuses == nil:
		return "", nil
	}
	reason, err := l.Booker.Refuses(ctx, &payment.State{Key: r.Key, Resource: r.Resource, Order: r.Order, Requested: r.At})
	return string(reason), err
}

// hasRoom reports whether another payment may be held.
func (l *Loop) hasRoom(now instant.Time) bool {
	for len(l.began) > 0 && l.began[0].Add(instant.Hour) <= now {
		l.began = l.began[1:]
	}
	return len(l.began) < l.PerHour && len(l.watched) < l.AtOnce
}

// carryOn does what a payment that is held needs next. It returns how long the next look at it may
// wait.
func (l *Loop) carryOn(ctx context.Context, key payment.Key) (wait time.Duration, err error) {
	out, err := l.Booker.Payments.Load(ctx, key)
	p := &out.State
	hash, ok := key.Hash()
	if err != nil {
		return l.LookEvery, err
	}
	if p.Status != payment.StatusAccepted || !ok {
		l.unwatch(key)
		return l.LookEvery, nil
	}
	if l.watched[key] == nil {
		l.watched[key] = l.Watch(p.Resource, l.woken)
	}
	inv, err := l.Wallet.Held(ctx, hash)
	switch {
	case errors.Is(err, lightning.ErrNoInvoice):
		return l.LookEvery, l.end(ctx, p, payment.ReasonCanceled)
	case err != nil:
		return l.LookEvery, err
	case inv.Status == lightning.EntrySettled:
		return l.LookEvery, nil // the watcher of the wallet books it
	case inv.Status == lightning.EntryCanceled:
		return l.LookEvery, l.end(ctx, p, payment.ReasonCanceled)
	}
	r, refused, err := l.openFor(ctx, p, out)
	switch {
	case err != nil:
		return l.LookEvery, err
	case refused != "":
		return l.LookEvery, l.refuse(ctx, hash, p, refused)
	case delivered(r):
		return l.LookEvery, l.take(ctx, hash, p, inv.Description)
	}
	return l.await(ctx, hash, p, inv)
}

// openFor opens the resource of a payment, if that was not done. refused says why that can't be.
func (l *Loop) openFor(ctx context.Context, p *payment.State, out payment.Outcome) (
	r *resource.State, refused payment.Reason, err error,
) {
	if p.Order == nil {
		return nil, payment.ReasonUnknownRequest, nil // which no build of ours lets be held
	}
	when := l.Booker.Gap
	when.At = l.Now()
	meta := watch.Meta.CausedBy(out.Last)
	opened, err := l.Booker.Resources.Execute(ctx, p.Resource, meta, resource.Accept{When: when, Order: *p.Order})
	switch {
	case errors.Is(err, resource.ErrReleased):
		return nil, payment.ReasonReleased, nil
	case errors.Is(err, resource.ErrOtherOrder):
		return nil, payment.ReasonOtherOrder, nil
	}
	if err != nil {
		return nil, "", err
	}
	l.Requests.Done(ctx, string(p.Key), opened.Position)
	return &opened.State, "", nil
}

// delivered reports whether what was ordered is up, or has been.
func delivered(r *resource.State) bool { return r.Uptime != nil && (r.Uptime.Ready || r.Uptime.Up) }

// take has the wallet take the money. That it did the watcher of the wallet hears, and books it.
func (l *Loop) take(ctx context.Context, hash string, p *payment.State, description string) error {
	preimage := l.Signer.Preimage(description)
	if sum := sha256.Sum256(preimage[:]); hex.EncodeToString(sum[:]) != hash {
		return l.refuseLate(ctx, hash, p)
	}
	if err := l.Wallet.Take(ctx, preimage); err != nil && !errors.Is(err, ErrEnded) {
		return fmt.Errorf("taking payment %s: %w", p.Key, err)
	}
	return nil
}

// refuseLate gives back what can't be taken, once its time is over: until then another daemon may
// take it.
func (l *Loop) refuseLate(ctx context.Context, hash string, p *payment.State) error {
	if l.Now() < deadline(p) {
		return nil
	}
	l.Observer.Notice(watch.Notice{
		Sign: watch.SignConflict, Key: p.Key, Text: "what it is for is up, and it can't be taken, so that it goes back: its preimage " +
			"follows from another key than description.key of this host, which is to be the same on all hosts of a log",
	})
	return l.refuse(ctx, hash, p, payment.ReasonNotDelivered)
}

// deadline is until when what a payment is for is to be up.
func deadline(p *payment.State) instant.Time { return p.AcceptedAt.Add(p.Order.Terms.HeldFor()) }

// await gives the money back if what it is for did not come up in time, or if the channels that hold
// it are about to time out.
func (l *Loop) await(ctx context.Context, hash string, p *payment.State, inv Invoice) (time.Duration, error) {
	left := deadline(p).Sub(l.Now())
	if left <= 0 {
		return l.LookEvery, l.refuse(ctx, hash, p, payment.ReasonNotDelivered)
	}
	if inv.TimesOut > 0 {
		height, err := l.Wallet.Height(ctx)
		if err != nil {
			return l.LookEvery, err
		}
		if height >= inv.TimesOut-Margin {
			return l.LookEvery, l.refuse(ctx, hash, p, payment.ReasonTimingOut)
		}
	}
	return left.Std(), nil
}

// refuse gives the money back, and ends the payment.
func (l *Loop) refuse(ctx context.Context, hash string, p *payment.State, why payment.Reason) error {
	if err := l.giveBack(ctx, hash); err != nil {
		return err
	}
	switch inv, err := l.Wallet.Held(ctx, hash); {
	case errors.Is(err, lightning.ErrNoInvoice):
	case err != nil:
		return err
	case inv.Status != lightning.EntryCanceled:
		return nil // it was taken before
	}
	return l.end(ctx, p, why)
}

func (l *Loop) giveBack(ctx context.Context, hash string) error {
	if err := l.Wallet.GiveBack(ctx, hash); err != nil && !errors.Is(err, ErrEnded) {
		return fmt.Errorf("giving back the payment of invoice %s: %w", hash, err)
	}
	return nil
}

// end releases what did not come up, and says that the payment went back. Why it did is told by the
// time where nobody knows: who gave it back may have died since.
func (l *Loop) end(ctx context.Context, p *payment.State, why payment.Reason) error {
	if why == payment.ReasonCanceled && p.Order != nil && l.Now() >= deadline(p) {
		why = payment.ReasonNotDelivered
	}
	if err := l.release(ctx, p); err != nil {
		return err
	}
	l.Requests.Done(ctx, string(p.Key), 0)
	_, err := l.Booker.Payments.Execute(ctx, p.Key, watch.Meta, payment.Cancel{At: l.Now(), Reason: why})
	if err == nil {
		l.unwatch(p.Key)
		l.notice(p.Key, "it went back to its payer: "+string(why))
	}
	return err
}

func (l *Loop) unwatch(key payment.Key) {
	if stop := l.watched[key]; stop != nil {
		stop()
		delete(l.watched, key)
	}
}

// release ends the resource that a payment opened, and that never had time, unless another payment
// for it is held.
func (l *Loop) release(ctx context.Context, p *payment.State) error {
	for _, other := range l.Accepted() {
		if other.Resource == p.Resource && other.Key != p.Key {
			return nil
		}
	}
	of, err := l.Booker.Resources.Load(ctx, p.Resource)
	if err != nil || !of.State.OpenedBy(p.Order) {
		return err
	}
	when := l.Booker.Gap
	when.At = l.Now()
	_, err = l.Booker.Resources.Execute(ctx, p.Resource, watch.Meta, resource.Release{
		When: when, Reason: resource.ReasonNotDelivered,
	})
	return err
}

func (l *Loop) notice(key payment.Key, text string) {
	l.Observer.Notice(watch.Notice{Sign: watch.SignHeld, Key: key, Text: text})
}
