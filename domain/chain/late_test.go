package chain_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/domain/watch"
	"sandglass/testutil/storetest"
)

// lags makes the projection show a payment as it was, in this state of its life, for as
// long as the watcher runs.
func (h *harness) lags(old payment.State) {
	h.late = func(list []payment.State) []payment.State {
		list = slices.DeleteFunc(list, func(p payment.State) bool { return p.Key == old.Key })
		return append(list, old)
	}
}

// was returns a payment as it was when it first had a status.
func (h *harness) was(t tx, status payment.Status) (s payment.State) {
	h.t.Helper()
	key := payment.ChainKey(t.id, 0)
	s = payment.New(key)
	for rec, err := range h.store.Read(h.t.Context(), payment.Prefix+string(key), 0) {
		if err != nil {
			h.t.Fatal(err)
		}
		e, err := payment.Decode(&rec)
		if err != nil {
			h.t.Fatal(err)
		}
		if s = payment.Evolve(s, e); s.Status == status {
			return s
		}
	}
	h.t.Fatalf("it was never %s", status)
	return s
}

// The projection may show what a payment was a while ago. What is done is decided on the
// log: a credit that stands on the active chain is never taken back.
func TestALateProjectionTakesNothingBack(t *testing.T) {
	for _, status := range []payment.Status{
		payment.StatusSeen, payment.StatusConfirmed, payment.StatusSettled, payment.StatusCredited, payment.StatusReorged,
	} {
		t.Run(status.String(), func(t *testing.T) {
			onChain(t, func(t *testing.T, h *harness) {
				h.start()
				a := h.pays("addr-1", 500)
				h.change(func() { h.wallet.mine() })
				h.blocks(2)
				h.change(func() { // into another block, with 3 confirmations
					h.wallet.cut(3, true)
					h.wallet.mineEmpty()
					h.wallet.mine()
					h.wallet.mineEmpty()
					h.wallet.mineEmpty()
				})
				h.want(a, payment.StatusCredited)
				h.stop()
				h.lags(h.was(a, status))
				h.start()
				h.want(a, payment.StatusCredited)
				h.credited("vm-1", 500)
				if n := h.count(payment.ChainKey(a.id, 0), "payment.reorged.v1"); n != 1 {
					t.Errorf("reorged %d times, and the chain did so once", n)
				}
			})
		})
	}
}

// An operator allocates a payment while its block leaves the chain, and it is double
// spent: the resource does not keep what it was given in the meantime.
func TestAllocatedWhileItIsReorged(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.start()
		a := h.pays("addr-unknown", 500)
		h.change(func() { h.wallet.mine() })
		h.blocks(2)
		h.want(a, payment.StatusUnallocated)
		appends := 0
		h.store.OnAppend = func() storetest.Fault {
			if appends++; appends != 2 { // the credit of the resource, after the allocation
				return storetest.None
			}
			h.store.OnAppend = nil
			key := payment.ChainKey(a.id, 0)
			for _, c := range []payment.Command{
				payment.Reorg{At: now(), Block: h.state(a, 0).Block},
				payment.Replace{At: now(), Reason: payment.ReasonConflict},
			} {
				if _, err := h.booker.Payments.Execute(t.Context(), key, stream.Meta{}, c); err != nil {
					t.Error(err)
				}
			}
			return storetest.None
		}
		if _, err := h.booker.Allocate(t.Context(), stream.Meta{}, payment.ChainKey(a.id, 0), "vm-1"); err == nil {
			t.Error("it was given")
		}
		h.credited("vm-1", 0)
	})
}

// another returns the booker of another watcher of the log, whose writes do not fail.
func (h *harness) another() *payment.Booker {
	return newBooker(h.store.EventStore)
}

// executeOnPayment executes a command on a transaction's first output.
func (h *harness) executeOnPayment(b *payment.Booker, a tx, c payment.Command) {
	h.t.Helper()
	if _, err := b.Payments.Execute(h.t.Context(), payment.ChainKey(a.id, 0), stream.Meta{}, c); err != nil {
		h.t.Error(err)
	}
}

// inBlock returns the settlement of a payment that has its confirmations in a block.
func inBlock(block string) payment.Settle {
	return payment.Settle{At: now(), Amount: 500 * money.Sat, Via: payment.ViaOnChain, Node: node, Block: block}
}

// Another watcher credits a payment anew, in a block that holds it again, while one is
// about to take its lost credit back: the new credit is not the one that is meant.
func TestCreditedAnewWhileItIsTakenBack(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		a := h.pays("addr-1", 500)
		key := payment.ChainKey(a.id, 0)
		other := h.another()
		h.booker.Now = func() instant.Time { return now() + 1 } // or it would write the same event
		do := func(c payment.Command) { h.executeOnPayment(other, a, c) }
		credit := func(block string) {
			do(payment.Confirm{Height: 20, Block: block})
			if _, err := other.Book(t.Context(), stream.Meta{}, key, inBlock(block)); err != nil {
				t.Error(err)
			}
		}
		do(payment.See{Resource: "vm-1", Address: "addr-1", Amount: 500 * money.Sat})
		credit("lost")
		do(payment.Reorg{Block: "lost"})
		h.store.OnAppend = func() storetest.Fault {
			h.store.OnAppend = nil
			if _, err := other.TakeBack(t.Context(), stream.Meta{}, key); err != nil {
				t.Error(err)
			}
			credit("active")
			return storetest.None
		}
		if _, err := h.booker.TakeBack(t.Context(), stream.Meta{}, key); err != nil {
			t.Error(err)
		}
		h.want(a, payment.StatusCredited)
		h.credited("vm-1", 500)
	})
}

// What has its confirmations in one block does not have them in the next.
func TestSettledInABlockThatItLeft(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		a := h.pays("addr-1", 500)
		do := func(c payment.Command) { h.executeOnPayment(h.booker, a, c) }
		do(payment.See{Resource: "vm-1", Address: "addr-1", Amount: 500 * money.Sat})
		do(payment.Confirm{Height: 18, Block: "lost"})
		do(payment.Reorg{Block: "lost"})
		do(payment.Confirm{Height: 20, Block: "active"})
		for _, x := range []struct {
			block string
			want  payment.Status
		}{
			{"lost", payment.StatusConfirmed},
			{"active", payment.StatusCredited},
			{"active", payment.StatusCredited},
			{"lost", payment.StatusCredited},
		} {
			out, err := h.booker.Book(t.Context(), stream.Meta{}, payment.ChainKey(a.id, 0), inBlock(x.block))
			if err != nil || out.State.Status != x.want {
				t.Errorf("booked in block %q: it is %s, want %s: %v", x.block, out.State.Status, x.want, err)
			}
		}
		h.credited("vm-1", 500)
	})
}

// What the projection shows as reorged may be settled in its next block by now, which left
// the chain too: nothing is credited for a block that is not the chain's.
func TestSettledInALostBlockWhileTheProjectionIsLate(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		a := h.pays("addr-1", 500)
		do := func(c payment.Command) { h.executeOnPayment(h.booker, a, c) }
		do(payment.See{Resource: "vm-1", Address: "addr-1", Amount: 500 * money.Sat})
		do(payment.Confirm{Height: 17, Block: "lost1"})
		do(payment.Reorg{Block: "lost1"})
		do(payment.Confirm{Height: 18, Block: "lost2"})
		do(inBlock("lost2")) // and a crash before the credit; lost2 leaves the chain
		h.lags(h.was(a, payment.StatusReorged))
		h.start()
		h.want(a, payment.StatusSettled)
		h.credited("vm-1", 0)
	})
}

// Another watcher finds the credit that one is about to undo, and takes it for that of the
// block which holds the payment now.
func TestCreditedByWhatIsUndone(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		a := h.pays("addr-1", 500)
		key := payment.ChainKey(a.id, 0)
		other := h.another()
		do := func(c payment.Command) { h.executeOnPayment(other, a, c) }
		do(payment.See{Resource: "vm-1", Address: "addr-1", Amount: 500 * money.Sat})
		do(payment.Confirm{Height: 18, Block: "lost"})
		do(inBlock("lost"))
		appends := 0
		h.store.OnAppend = func() storetest.Fault {
			switch appends++; appends {
			case 1: // the credit of the resource, while its block leaves the chain
				do(payment.Reorg{Block: "lost"})
				do(payment.Confirm{Height: 18, Block: "active"})
			case 3: // its reversal, after it was refused to say that the payment is credited
				if _, err := other.Book(t.Context(), stream.Meta{}, key, inBlock("active")); err != nil {
					t.Error(err)
				}
			}
			return storetest.None
		}
		if _, err := h.booker.Resume(t.Context(), stream.Meta{}, key); !errors.Is(err, payment.ErrState) {
			t.Errorf("carried on: %v", err)
		}
		h.want(a, payment.StatusCredited)
		h.credited("vm-1", 500)
	})
}

// A watcher is killed after it took back a credit that another had relied on: the payment
// stands as credited, and its resource has nothing. The next one to start gives it again,
// and so does one that runs, before it looks away for good.
func TestACreditThatACrashLeftTakenBack(t *testing.T) {
	for what, restart := range map[string]bool{"at a start": true, "at the final depth": false} {
		t.Run(what, func(t *testing.T) {
			onChain(t, func(t *testing.T, h *harness) {
				h.start()
				a, stands := h.pays("addr-1", 500), h.pays("addr-1", 700)
				h.change(func() { h.wallet.mine() })
				h.blocks(2)
				h.credited("vm-1", 1200)
				h.executeOnResource("vm-1", resource.Reverse{
					When: resource.When{At: now()}, Payment: string(payment.ChainKey(a.id, 0)), Reason: resource.ReasonReorged,
				})
				h.credited("vm-1", 700)
				if restart {
					h.stop()
					h.start()
				} else {
					h.blocks(7) // the tenth
				}
				h.want(a, payment.StatusCredited)
				h.want(stands, payment.StatusCredited)
				h.credited("vm-1", 1200)
				h.blocks(20)
				h.credited("vm-1", 1200)
			})
		})
	}
}

// A daemon is about to credit a payment while another writes that it was reorged, takes back
// what is not there yet, and finds it double spent. The first gives the credit and dies before
// it can undo that: the next full sweep does.
func TestCreditedAfterItWasReplaced(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.start()
		a := h.pays("addr-1", 500)
		h.change(func() { h.wallet.mine() })
		h.blocks(2)
		h.credited("vm-1", 500)
		thief := tx{id: "thief", spends: a.spends, pays: []pay{{"thief", 400}}}
		h.change(func() {
			h.wallet.cut(3, true)
			h.wallet.mine(thief)
			for range 3 {
				h.wallet.mineEmpty()
			}
		})
		h.want(a, payment.StatusReplaced)
		h.credited("vm-1", 0)
		h.executeOnResource("vm-1", resource.Credit{
			When: resource.When{At: now()}, Payment: string(payment.ChainKey(a.id, 0)), Amount: 500 * money.Sat,
		})
		h.pass(25 * time.Hour)
		h.want(a, payment.StatusReplaced)
		h.credited("vm-1", 0)
		if n := h.signs(watch.SignConflict); n != 0 {
			t.Errorf("%d conflicts", n)
		}
	})
}
