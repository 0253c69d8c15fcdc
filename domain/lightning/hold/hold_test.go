package hold_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/lightning"
	"sandglass/domain/lightning/hold"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/watch"
	"sandglass/testutil/storetest"
	"sandglass/testutil/wholelog"
)

// TestUpItIsTaken holds that the money is taken once what it is for is up, and not before, and that
// the time begins with the credit.
func TestUpItIsTaken(t *testing.T) {
	for _, deaf := range []bool{false, true} {
		inBubble(t, func(t *testing.T, w *world) {
			w.wallet.deaf = deaf
			w.run(immortal())
			hash := w.order("vm-1", 1)
			w.pass(time.Minute)
			w.is(hash, "vm-1", lightning.EntryOpen, payment.StatusNone, resource.StatusNone)
			w.wallet.pay(hash)
			w.pass(30 * time.Second)
			w.is(hash, "vm-1", lightning.EntryAccepted, payment.StatusAccepted, resource.StatusStarting)
			if r := w.resource("vm-1"); !r.Unpaid() || r.Credited != 0 {
				t.Errorf("held it has %s", r.Credited)
			}
			up := now()
			w.report("vm-1", true, up)
			w.pass(30 * time.Second)
			w.is(hash, "vm-1", lightning.EntrySettled, payment.StatusCredited, resource.StatusRunning)
			if r := w.resource("vm-1"); r.Since < up || r.PaidUntil() != r.Since.Add(200_000) {
				t.Errorf("up since %s it runs from %s to %s", up, r.Since, r.PaidUntil())
			}
			wholelog.CheckCredits(t, w.store, 200_000, 200_000)
			if _, ok := w.requests.Find(payment.LightningKey(hash)); ok {
				t.Error("its request is kept on")
			}
		})
	}
}

// TestWhatIsNotDeliveredGoesBack holds that the payer has his money back whenever what it is for
// does not come up: too late is too late, and nothing of it runs on.
func TestWhatIsNotDeliveredGoesBack(t *testing.T) {
	const minute = instant.Minute
	for name, x := range map[string]struct {
		after  instant.Millis // that it was paid
		do     func(w *world, hash string)
		reason payment.Reason
	}{
		"it does not come up": {after: 0, do: func(*world, string) {}, reason: payment.ReasonNotDelivered},
		"it is up a moment too late": {after: 10*minute + 15_000, do: func(w *world, _ string) { w.report("vm-1", true, now()) },
			reason: payment.ReasonNotDelivered},
		"the operator releases it": {after: minute, do: func(w *world, _ string) { w.release() }, reason: payment.ReasonReleased},
		"its channels are about to time out": {after: minute, do: func(w *world, _ string) { w.blocks(hold.Blocks - hold.Margin) },
			reason: payment.ReasonTimingOut},
		"the wallet gives it back by itself": {after: minute, do: func(w *world, hash string) { w.givesBack(hash) },
			reason: payment.ReasonCanceled},
		"the wallet is away until it is too late": {after: minute, do: func(w *world, _ string) { w.away(20 * time.Minute) },
			reason: payment.ReasonNotDelivered},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.run(immortal())
				hash := w.order("vm-1", 1)
				w.wallet.pay(hash)
				w.pass(x.after.Std() + time.Second)
				x.do(w, hash)
				w.pass(11 * time.Minute)
				w.is(hash, "vm-1", lightning.EntryCanceled, payment.StatusCanceled, resource.StatusReleased)
				if p := w.payment(hash); p.Reason != x.reason {
					t.Errorf("it went back since %s, want %s", p.Reason, x.reason)
				}
				wholelog.CheckCredits(t, w.store, 200_000, 0)
			})
		})
	}
}

// release releases vm-1 as the operator does.
func (w *world) release() {
	_, err := booker(w.store).Resources.Execute(w.Context(), "vm-1", watch.Meta, resource.Release{
		When: resource.When{At: now()}, Reason: resource.ReasonOperator,
	})
	if err != nil {
		w.Fatal(err)
	}
	w.touched()
}

func (w *world) givesBack(hash string) {
	if err := w.wallet.GiveBack(w.Context(), hash); err != nil {
		w.Fatal(err)
	}
}

func (w *world) blocks(n int64) {
	w.wallet.mu.Lock()
	defer w.wallet.mu.Unlock()
	w.wallet.height += n
}

func (w *world) away(d time.Duration) {
	w.wallet.mu.Lock()
	w.wallet.down = true
	w.wallet.mu.Unlock()
	w.pass(d)
	w.wallet.mu.Lock()
	w.wallet.down = false
	w.wallet.mu.Unlock()
}

// TestUpAndTheWalletAway holds that what is up is paid once the wallet is back, however late: it is
// the payer's as long as it is held.
func TestUpAndTheWalletAway(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.run(immortal())
		hash := w.order("vm-1", 1)
		w.wallet.pay(hash)
		w.pass(time.Second)
		w.wallet.down = true
		w.report("vm-1", true, now())
		w.away(time.Hour)
		w.pass(30 * time.Second)
		w.is(hash, "vm-1", lightning.EntrySettled, payment.StatusCredited, resource.StatusRunning)
	})
}

// TestPaidTwice holds that two invoices of one order are both held, and both taken or both given
// back: the payer has what he paid for.
func TestPaidTwice(t *testing.T) {
	for _, up := range []bool{true, false} {
		inBubble(t, func(t *testing.T, w *world) {
			w.run(immortal())
			a, b := w.order("vm-1", 1), w.order("vm-1", 1)
			w.wallet.pay(a)
			w.pass(time.Minute)
			w.wallet.pay(b)
			w.pass(time.Minute)
			w.is(a, "vm-1", lightning.EntryAccepted, payment.StatusAccepted, resource.StatusStarting)
			w.is(b, "vm-1", lightning.EntryAccepted, payment.StatusAccepted, resource.StatusStarting)
			if up {
				w.report("vm-1", true, now())
				w.pass(time.Minute)
				w.is(a, "vm-1", lightning.EntrySettled, payment.StatusCredited, resource.StatusRunning)
				w.is(b, "vm-1", lightning.EntrySettled, payment.StatusCredited, resource.StatusRunning)
				wholelog.CheckCredits(t, w.store, 200_000, 400_000)
				return
			}
			w.pass(20 * time.Minute)
			w.is(a, "vm-1", lightning.EntryCanceled, payment.StatusCanceled, resource.StatusReleased)
			w.is(b, "vm-1", lightning.EntryCanceled, payment.StatusCanceled, resource.StatusReleased)
			wholelog.CheckCredits(t, w.store, 200_000, 0)
		})
	}
}

// TestAnotherOrdersId gives back at once what pays for an id that another order has.
func TestAnotherOrdersId(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.run(immortal())
		a, b := w.order("vm-1", 1), w.order("vm-1", 2)
		w.wallet.pay(a)
		w.pass(time.Minute)
		w.wallet.pay(b)
		w.pass(time.Minute)
		w.is(a, "vm-1", lightning.EntryAccepted, payment.StatusAccepted, resource.StatusStarting)
		w.is(b, "vm-1", lightning.EntryCanceled, payment.StatusNone, resource.StatusStarting)
	})
}

// TestBounds holds no more at once, and in an hour, than is set: the rest goes back at once, and the
// log hears nothing of it.
func TestBounds(t *testing.T) {
	for _, x := range []struct{ atOnce, perHour, held int }{{3, 100, 3}, {100, 2, 2}} {
		inBubble(t, func(t *testing.T, w *world) {
			w.limits = [2]int{x.atOnce, x.perHour}
			w.run(immortal())
			var all []string
			for i := range 6 {
				all = append(all, w.order(resource.ID(fmt.Sprintf("vm-%d", i)), 1))
			}
			for _, hash := range all {
				w.wallet.pay(hash)
			}
			w.pass(time.Minute)
			held := 0
			for i, hash := range all {
				p, at := w.payment(hash).Status, w.wallet.status(hash)
				switch {
				case p == payment.StatusAccepted && at == lightning.EntryAccepted:
					held++
				case p != payment.StatusNone || at != lightning.EntryCanceled:
					t.Errorf("the payment for vm-%d is %s, at the wallet %d", i, p, at)
				}
			}
			if held != x.held {
				t.Errorf("%d are held, want %d", held, x.held)
			}
			w.pass(time.Hour + 11*time.Minute)
			late := w.order("vm-late", 1)
			w.wallet.pay(late)
			w.pass(time.Minute)
			w.is(late, "vm-late", lightning.EntryAccepted, payment.StatusAccepted, resource.StatusStarting)
		})
	}
}

// TestTheHourOutlastsADaemon: what was held before a restart counts, also if it is at its end.
func TestTheHourOutlastsADaemon(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.limits = [2]int{100, 2}
		stop := w.run(immortal())
		for _, id := range []resource.ID{"vm-1", "vm-2"} {
			w.wallet.pay(w.order(id, 1))
			w.pass(20 * time.Minute) // it does not come up, and goes back
		}
		stop()
		w.run(immortal())
		hash := w.order("vm-3", 1)
		w.wallet.pay(hash)
		w.pass(time.Minute)
		w.is(hash, "vm-3", lightning.EntryCanceled, payment.StatusNone, resource.StatusNone)
		w.pass(20 * time.Minute) // the first was an hour ago
		hash = w.order("vm-4", 1)
		w.wallet.pay(hash)
		w.pass(time.Minute)
		w.is(hash, "vm-4", lightning.EntryAccepted, payment.StatusAccepted, resource.StatusStarting)
	})
}

// TestAnotherKey holds that what can't be taken goes back, with an alarm, and is never credited.
func TestAnotherKey(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.signer.Key[0]++
		w.run(immortal())
		hash := w.order("vm-1", 1)
		w.wallet.pay(hash)
		w.pass(time.Second)
		w.report("vm-1", true, now())
		w.pass(11 * time.Minute)
		w.is(hash, "vm-1", lightning.EntryCanceled, payment.StatusCanceled, resource.StatusReleased)
		if !slices.ContainsFunc(w.notices, func(n watch.Notice) bool { return n.Sign == watch.SignConflict }) {
			t.Error("nobody is told")
		}
	})
}

// TestALostRequest gives back what is held for an invoice of ours of which nothing is known, after a
// while, and leaves others' alone.
func TestALostRequest(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		stop := w.run(immortal())
		hash := w.order("vm-1", 1)
		foreign := w.order("vm-2", 1)
		stop()
		w.kept = new(storetest.Memory)
		w.wallet.invoices[foreign].description = "for somebody else"
		w.wallet.pay(hash)
		w.wallet.pay(foreign)
		w.run(immortal())
		w.pass(10 * time.Minute)
		w.is(hash, "vm-1", lightning.EntryAccepted, payment.StatusNone, resource.StatusNone)
		w.pass(10 * time.Minute)
		w.is(hash, "vm-1", lightning.EntryCanceled, payment.StatusNone, resource.StatusNone)
		w.is(foreign, "vm-2", lightning.EntryAccepted, payment.StatusNone, resource.StatusNone)
	})
}

// TestDeaths kills the daemon at each write from the payment to its end, in the log and at the
// wallet, with the last one lost, and kept with its answer lost. Another one finishes: the money is
// taken and credited once, or back at its payer, and which of it is as the keeper said.
func TestDeaths(t *testing.T) {
	const writes = 7 // accepted, opened, taken, settled, credited, credited; or given back, released, canceled
	for after := range writes + 1 {
		for _, fault := range []storetest.Fault{storetest.Lost, storetest.AnswerLost} {
			for _, up := range []bool{true, false} {
				for _, away := range []time.Duration{time.Minute, time.Hour} {
					t.Run(fmt.Sprint(after, fault, up, away), func(t *testing.T) {
						inBubble(t, func(_ *testing.T, w *world) { w.dies(int64(after), fault, up, away) })
					})
				}
			}
		}
	}
}

func (w *world) dies(after int64, fault storetest.Fault, up bool, away time.Duration) {
	f := &fate{fault: fault}
	f.left.Store(1 << 40)
	stop := w.run(f)
	hash := w.order("vm-1", 1)
	w.pass(time.Second)
	f.left.Store(after + 1)
	w.wallet.pay(hash)
	w.pass(time.Minute)
	opened := w.resource("vm-1").Status == resource.StatusStarting
	if up {
		w.report("vm-1", true, now())
	}
	w.pass(20 * time.Minute)
	stop()
	w.pass(away)
	w.run(immortal())
	w.pass(time.Minute)
	if up && !opened { // which begins now; where its time was over before, it went back
		w.report("vm-1", true, now())
	}
	w.pass(20 * time.Minute)
	taken := w.wallet.status(hash) == lightning.EntrySettled
	if taken {
		w.is(hash, "vm-1", lightning.EntrySettled, payment.StatusCredited, w.resource("vm-1").Status)
		wholelog.CheckCredits(w.T, w.store, 200_000, 200_000)
	} else {
		w.is(hash, "vm-1", lightning.EntryCanceled, payment.StatusCanceled, resource.StatusReleased)
		wholelog.CheckCredits(w.T, w.store, 200_000, 0)
	}
	if r := w.resource("vm-1"); taken != (r.Credited > 0) || taken && !up || !taken && up && opened {
		w.Errorf("taken: %t; up: %t, opened before: %t; it was credited %s", taken, up, opened, r.Credited)
	}
}
