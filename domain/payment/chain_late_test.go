package payment_test

import (
	"errors"
	"slices"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
)

// lags makes the projection show a payment as it was, in this state of its life, for as
// long as the watcher runs.
func (v *vigil) lags(old payment.State) {
	v.late = func(list []payment.State) []payment.State {
		list = slices.DeleteFunc(list, func(p payment.State) bool { return p.Key == old.Key })
		return append(list, old)
	}
}

// was returns a payment as it was when it first had a status.
func (v *vigil) was(t tx, status payment.Status) (s payment.State) {
	v.t.Helper()
	key := payment.ChainKey(t.id, 0)
	s = payment.New(key)
	for rec, err := range v.store.Read(v.t.Context(), payment.Prefix+key, 0) {
		if err != nil {
			v.t.Fatal(err)
		}
		e, err := payment.Decode(&rec)
		if err != nil {
			v.t.Fatal(err)
		}
		if s = payment.Evolve(s, e); s.Status == status {
			return s
		}
	}
	v.t.Fatalf("it was never %s", status)
	return s
}

// The projection may show what a payment was a while ago. What is done is decided on the
// log: a credit that stands on the active chain is never taken back.
func TestALateProjectionTakesNothingBack(t *testing.T) {
	for _, status := range []payment.Status{
		payment.StatusSeen, payment.StatusConfirmed, payment.StatusSettled, payment.StatusCredited, payment.StatusReorged,
	} {
		t.Run(status.String(), func(t *testing.T) {
			onChain(t, func(t *testing.T, v *vigil) {
				v.start()
				a := v.pays("addr-1", 500)
				v.change(func() { v.chain.mine() })
				v.blocks(2)
				v.change(func() { // into another block, with 3 confirmations
					v.chain.cut(3, true)
					v.chain.mineEmpty()
					v.chain.mine()
					v.chain.mineEmpty()
					v.chain.mineEmpty()
				})
				v.want(a, payment.StatusCredited)
				v.stop()
				v.lags(v.was(a, status))
				v.start()
				v.want(a, payment.StatusCredited)
				v.credited("vm-1", 500)
				if n := v.count(payment.ChainKey(a.id, 0), "payment.reorged.v1"); n != 1 {
					t.Errorf("reorged %d times, and the chain did so once", n)
				}
			})
		})
	}
}

// An operator allocates a payment while its block leaves the chain, and it is double
// spent: the resource does not keep what it was given in the meantime.
func TestAllocatedWhileItIsReorged(t *testing.T) {
	onChain(t, func(t *testing.T, v *vigil) {
		v.start()
		a := v.pays("addr-unknown", 500)
		v.change(func() { v.chain.mine() })
		v.blocks(2)
		v.want(a, payment.StatusUnallocated)
		appends := 0
		v.store.OnAppend = func() storetest.Fault {
			if appends++; appends != 2 { // the credit of the resource, after the allocation
				return storetest.None
			}
			v.store.OnAppend = nil
			key := payment.ChainKey(a.id, 0)
			for _, c := range []payment.Command{
				payment.Reorg{Reorged: payment.Reorged{At: payment.At{At: now()}, Block: v.state(a, 0).Block}},
				payment.Replace{Replaced: payment.Replaced{At: payment.At{At: now()}, Reason: "conflict"}},
			} {
				if _, err := v.booker.Payments.Execute(t.Context(), key, stream.Meta{}, c); err != nil {
					t.Error(err)
				}
			}
			return storetest.None
		}
		if _, _, err := v.booker.Give(t.Context(), stream.Meta{}, payment.ChainKey(a.id, 0), "vm-1"); err == nil {
			t.Error("it was given")
		}
		v.credited("vm-1", 0)
	})
}

// another returns the booker of another watcher of the log, whose writes do not fail.
func (v *vigil) another() *payment.Booker {
	b := booker(v.store.EventStore)
	b.Now = now
	return b
}

// execute tells a payment's first output something, and returns it.
func (v *vigil) execute(b *payment.Booker, a tx, c payment.Command) payment.State {
	v.t.Helper()
	out, err := b.Payments.Execute(v.t.Context(), payment.ChainKey(a.id, 0), stream.Meta{}, c)
	if err != nil {
		v.t.Error(err)
	}
	return out.State
}

// Another watcher credits a payment anew, in a block that holds it again, while one is
// about to take its lost credit back: the new credit is not the one that is meant.
func TestCreditedAnewWhileItIsTakenBack(t *testing.T) {
	onChain(t, func(t *testing.T, v *vigil) {
		a := v.pays("addr-1", 500)
		other := v.another()
		v.booker.Now = func() instant.Time { return now() + 1 } // or it would write the same event
		do := func(c payment.Command) payment.State { return v.execute(other, a, c) }
		credit := func(block string) {
			s := do(payment.Confirm{Confirmed: payment.Confirmed{Height: 20, Block: block}})
			if _, _, err := other.BookBlock(t.Context(), stream.Meta{}, &s, node); err != nil {
				t.Error(err)
			}
		}
		do(payment.See{Seen: payment.Seen{Resource: "vm-1", Address: "addr-1", Amount: 500 * money.Sat}})
		credit("lost")
		reorged := do(payment.Reorg{Reorged: payment.Reorged{Block: "lost"}})
		v.store.OnAppend = func() storetest.Fault {
			v.store.OnAppend = nil
			if _, _, err := other.Finish(t.Context(), stream.Meta{}, reorged); err != nil {
				t.Error(err)
			}
			credit("active")
			return storetest.None
		}
		if _, _, err := v.booker.Finish(t.Context(), stream.Meta{}, reorged); err != nil {
			t.Error(err)
		}
		v.want(a, payment.StatusCredited)
		v.credited("vm-1", 500)
	})
}

// What has its confirmations in one block does not have them in the next.
func TestSettledInABlockThatItLeft(t *testing.T) {
	onChain(t, func(t *testing.T, v *vigil) {
		a := v.pays("addr-1", 500)
		do := func(c payment.Command) payment.State { return v.execute(v.booker, a, c) }
		do(payment.See{Seen: payment.Seen{Resource: "vm-1", Address: "addr-1", Amount: 500 * money.Sat}})
		deep := do(payment.Confirm{Confirmed: payment.Confirmed{Height: 18, Block: "lost"}})
		do(payment.Reorg{Reorged: payment.Reorged{Block: "lost"}})
		young := do(payment.Confirm{Confirmed: payment.Confirmed{Height: 20, Block: "active"}})
		for _, x := range []struct {
			was  payment.State
			want payment.Status
		}{{deep, payment.StatusConfirmed}, {young, payment.StatusCredited}, {young, payment.StatusCredited}, {deep, payment.StatusCredited}} {
			s, _, err := v.booker.BookBlock(t.Context(), stream.Meta{}, &x.was, node)
			if err != nil || s.Status != x.want {
				t.Errorf("booked in block %q: it is %s, want %s: %v", x.was.Block, s.Status, x.want, err)
			}
		}
		v.credited("vm-1", 500)
	})
}

// Another watcher finds the credit that one is about to undo, and takes it for that of the
// block which holds the payment now.
func TestCreditedByWhatIsUndone(t *testing.T) {
	onChain(t, func(t *testing.T, v *vigil) {
		a := v.pays("addr-1", 500)
		other := v.another()
		var was []payment.State
		for _, c := range []payment.Command{
			payment.See{Seen: payment.Seen{Resource: "vm-1", Address: "addr-1", Amount: 500 * money.Sat}},
			payment.Confirm{Confirmed: payment.Confirmed{Height: 18, Block: "lost"}},
			payment.Settle{Settled: payment.Settled{Amount: 500 * money.Sat, Via: "onchain", Node: node}},
			payment.Reorg{Reorged: payment.Reorged{Block: "lost"}},
			payment.Confirm{Confirmed: payment.Confirmed{Height: 18, Block: "active"}},
		} {
			was = append(was, v.execute(other, a, c))
		}
		settled, again := was[2], was[4]
		appends := 0
		v.store.OnAppend = func() storetest.Fault {
			if appends++; appends == 2 { // the reversal of what was credited with the first
				if _, _, err := other.BookBlock(t.Context(), stream.Meta{}, &again, node); err != nil {
					t.Error(err)
				}
			}
			return storetest.None
		}
		if _, _, err := v.booker.Finish(t.Context(), stream.Meta{}, settled); !errors.Is(err, payment.ErrState) {
			t.Errorf("carried on: %v", err)
		}
		v.want(a, payment.StatusCredited)
		v.credited("vm-1", 500)
	})
}

// A watcher is killed after it took back a credit that another had relied on: the payment
// stands as credited, and its resource has nothing. The next one to start gives it again,
// and so does one that runs, before it looks away for good.
func TestACreditThatACrashLeftTakenBack(t *testing.T) {
	for what, restart := range map[string]bool{"at a start": true, "at the final depth": false} {
		t.Run(what, func(t *testing.T) {
			onChain(t, func(t *testing.T, v *vigil) {
				v.start()
				a, stands := v.pays("addr-1", 500), v.pays("addr-1", 700)
				v.change(func() { v.chain.mine() })
				v.blocks(2)
				v.credited("vm-1", 1200)
				tell(t, v.booker, "vm-1", resource.Reverse{When: resource.When{At: now()}, Payment: payment.ChainKey(a.id, 0), Reason: "reorged"})
				v.credited("vm-1", 700)
				if restart {
					v.stop()
					v.start()
				} else {
					v.blocks(7) // the tenth
				}
				v.want(a, payment.StatusCredited)
				v.want(stands, payment.StatusCredited)
				v.credited("vm-1", 1200)
				v.blocks(20)
				v.credited("vm-1", 1200)
			})
		})
	}
}
