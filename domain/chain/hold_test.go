package chain_test

import (
	"fmt"
	"testing"
	"time"

	"sandglass/domain/chain"
	"sandglass/domain/instant"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/testutil/storetest"
)

// A hold stays as long as its deposit is on its way, whatever else the chain brings.
func TestAHoldStaysWithItsDeposit(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.start()
		a := h.pays("addr-1", 500)
		h.hold("vm-1", a)
		for n := range 3 {
			h.change(func() { h.wallet.mine(tx{id: fmt.Sprint("unrelated-", n)}) })
			h.want(a, payment.StatusSeen)
			if r := h.resource("vm-1"); r.HeldUntil() <= now() {
				t.Fatalf("it is held until %s", r.HeldUntil())
			}
		}
	})
}

// A hold ends with its deposit also where the watcher died, or could not write it.
func TestAHoldEndsAlsoAfterARestart(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.start()
		a := h.pays("addr-1", 500)
		h.hold("vm-1", a)
		h.stop()
		h.change(func() { h.wallet.mine(tx{id: "thief", spends: a.spends}) })
		h.start()
		h.want(a, payment.StatusReplaced)
		if r := h.resource("vm-1"); r.HeldUntil() > now() {
			t.Errorf("it is held until %s", r.HeldUntil())
		}
	})
}

func (h *harness) hold(id resource.ID, t tx) {
	h.t.Helper()
	h.executeOnResource(id, resource.Hold{
		When: resource.When{At: now()}, Payment: string(payment.ChainKey(t.id, 0)), Until: now().Add(6 * instant.Day),
	})
	if r := h.resource(id); r.HeldUntil() <= now() {
		h.t.Fatal("it is not held")
	}
}

// Every write of a deposit that is held for, and then double spent, fails both ways: the
// hold ends all the same, and so does one whose money is unallocated.
func TestEveryWriteOfADoubleSpentDepositFailsBothWays(t *testing.T) {
	for _, fault := range []storetest.Fault{storetest.Lost, storetest.AnswerLost} {
		for n := range 12 {
			onChain(t, func(t *testing.T, h *harness) {
				a, home := h.pays("addr-1", 500), h.pays("addr-nowhere", 700)
				h.start()
				h.hold("vm-1", a)
				faults := append(make([]storetest.Fault, n), fault)
				h.store.OnAppend = storetest.Faults(faults...)
				h.change(func() { h.wallet.mine(home) })
				h.blocks(2)
				h.change(func() { h.wallet.mine(tx{id: "thief", spends: a.spends}) })
				h.blocks(8)
				h.want(a, payment.StatusReplaced)
				if s := h.state(home, 0); s.Status != payment.StatusUnallocated || !s.Final {
					t.Errorf("fault %d at write %d: it is %s, final: %t", fault, n, s.Status, s.Final)
				}
				if r := h.resource("vm-1"); r.HeldUntil() > now() {
					t.Errorf("fault %d at write %d: it is held until %s", fault, n, r.HeldUntil())
				}
			})
		}
	}
}

// The address was issued at a height that a reorg then took back: its payment is lower.
func TestAPaymentBelowTheHeightOfItsAddress(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.height = 20
		h.wallet.do(func() {
			h.wallet.cut(2, false)
			h.wallet.mine(tx{id: "early", pays: []pay{{"addr-1", 500}}})
			h.wallet.mineEmpty()
			h.wallet.mineEmpty()
		})
		h.start()
		h.want(tx{id: "early"}, payment.StatusCredited)
	})
}

// A block that the wallet tells of while the timer's sweep runs was not lost.
func TestWhatIsToldDuringASweepIsNotFound(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.start()
		a := h.pays("addr-1", 500)
		h.wallet.do(func() {
			h.wallet.mute = true
			h.wallet.mine()
			h.wallet.mineEmpty()
			h.wallet.mineEmpty()
			h.wallet.onList = func() {
				h.wallet.onList = nil
				h.wallet.wake(chain.News{Block: true})
			}
		})
		h.pass(10 * time.Minute)
		h.want(a, payment.StatusCredited)
		if h.found != 0 {
			t.Errorf("%d found", h.found)
		}
	})
}

// A payment is watched to one block less than the final depth, and no further.
func TestFinalDepthIsABoundary(t *testing.T) {
	for confirmations, want := range map[int]int{9: 1, 10: 0} { // how often it is reorged
		onChain(t, func(t *testing.T, h *harness) {
			h.start()
			a := h.pays("addr-1", 500)
			h.change(func() { h.wallet.mine() })
			h.blocks(confirmations - 1)
			h.change(func() {
				h.wallet.cut(confirmations, false)
				h.wallet.mineEmpty()
				for range confirmations {
					h.wallet.mine()
				}
			})
			h.want(a, payment.StatusCredited)
			h.credited("vm-1", 500)
			if n := h.count(payment.ChainKey(a.id, 0), "payment.reorged.v1"); n != want {
				t.Errorf("with %d confirmations it is reorged %d times, want %d", confirmations, n, want)
			}
		})
	}
}
