package payment_test

import (
	"testing"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/testutil/storetest"
)

// A hold ends with its deposit also where the watcher died, or could not write it.
func TestAHoldEndsAlsoAfterARestart(t *testing.T) {
	onChain(t, func(t *testing.T, v *vigil) {
		v.start()
		a := v.pays("addr-1", 500)
		v.hold("vm-1", a)
		v.stop()
		v.change(func() { v.chain.mine(tx{id: "thief", spends: a.spends}) })
		v.start()
		v.want(a, payment.StatusReplaced)
		if r := v.resource("vm-1"); r.HeldUntil() > now() {
			t.Errorf("it is held until %s", r.HeldUntil())
		}
	})
}

func (v *vigil) hold(id string, t tx) {
	v.t.Helper()
	tell(v.t, v.booker, id, resource.Hold{When: resource.When{At: now()}, Payment: payment.ChainKey(t.id, 0), Until: now().Add(6 * instant.Day)})
	if r := v.resource(id); r.HeldUntil() <= now() {
		v.t.Fatal("it is not held")
	}
}

// Every write of a deposit that is held for, and then double spent, fails both ways: the
// hold ends all the same, and so does one whose money is unallocated.
func TestEveryWriteOfADeadDepositFailsBothWays(t *testing.T) {
	for _, fault := range []storetest.Fault{storetest.Lost, storetest.AnswerLost} {
		for n := range 12 {
			onChain(t, func(t *testing.T, v *vigil) {
				a, home := v.pays("addr-1", 500), v.pays("addr-nowhere", 700)
				v.start()
				v.hold("vm-1", a)
				faults := append(make([]storetest.Fault, n), fault)
				v.store.OnAppend = storetest.Faults(faults...)
				v.change(func() { v.chain.mine(home) })
				v.blocks(2)
				v.change(func() { v.chain.mine(tx{id: "thief", spends: a.spends}) })
				v.blocks(8)
				v.want(a, payment.StatusReplaced)
				if s := v.state(home, 0); s.Status != payment.StatusUnallocated || !s.Final {
					t.Errorf("fault %d at write %d: it is %s, final: %t", fault, n, s.Status, s.Final)
				}
				if r := v.resource("vm-1"); r.HeldUntil() > now() {
					t.Errorf("fault %d at write %d: it is held until %s", fault, n, r.HeldUntil())
				}
			})
		}
	}
}

// The address was issued at a height that a reorg then took back: its payment is lower.
func TestAPaymentBelowTheHeightOfItsAddress(t *testing.T) {
	onChain(t, func(t *testing.T, v *vigil) {
		v.height = 20
		v.chain.do(func() {
			v.chain.cut(2, false)
			v.chain.mine(tx{id: "early", pays: []pay{{"addr-1", 500}}})
			v.chain.mineEmpty()
			v.chain.mineEmpty()
		})
		v.start()
		v.want(tx{id: "early"}, payment.StatusCredited)
	})
}

// A block that the wallet tells of while the timer's sweep runs was not lost.
func TestWhatIsToldDuringASweepIsNotFound(t *testing.T) {
	onChain(t, func(t *testing.T, v *vigil) {
		v.start()
		a := v.pays("addr-1", 500)
		v.chain.do(func() {
			v.chain.mute = true
			v.chain.mine()
			v.chain.mineEmpty()
			v.chain.mineEmpty()
			v.chain.onList = func() {
				v.chain.onList = nil
				v.chain.wake(payment.News{Block: true})
			}
		})
		v.pass(10 * time.Minute)
		v.want(a, payment.StatusCredited)
		if v.found != 0 {
			t.Errorf("%d found", v.found)
		}
	})
}

// A payment is watched to one block less than the final depth, and no further.
func TestFinalDepthIsABoundary(t *testing.T) {
	for confirmations, want := range map[int]int{9: 1, 10: 0} { // how often it is reorged
		onChain(t, func(t *testing.T, v *vigil) {
			v.start()
			a := v.pays("addr-1", 500)
			v.change(func() { v.chain.mine() })
			v.blocks(confirmations - 1)
			v.change(func() {
				v.chain.cut(confirmations, false)
				v.chain.mineEmpty()
				for range confirmations {
					v.chain.mine()
				}
			})
			v.want(a, payment.StatusCredited)
			v.credited("vm-1", 500)
			if n := v.count(payment.ChainKey(a.id, 0), "payment.reorged.v1"); n != want {
				t.Errorf("with %d confirmations it is reorged %d times, want %d", confirmations, n, want)
			}
		})
	}
}
