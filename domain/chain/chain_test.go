package chain_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"sandglass/domain/address"
	"sandglass/domain/chain"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/watch"
	"sandglass/testutil/storetest"
)

func TestDepositIsSeenConfirmedAndCredited(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.start()
		a := h.pays("addr-1", 500, 700)
		b := h.pays("addr-1", 900)
		c := h.pays("change", 4000)
		h.want(a, payment.StatusSeen, payment.StatusSeen)
		h.want(c, payment.StatusNone)
		if key, ok := h.Pending("vm-1"); !ok || key == "" {
			t.Error("nothing is on its way to vm-1")
		}
		h.change(func() { h.wallet.mine() })
		h.want(a, payment.StatusConfirmed, payment.StatusConfirmed)
		h.blocks(1)
		h.credited("vm-1", 0)
		h.blocks(1)
		h.want(a, payment.StatusCredited, payment.StatusCredited)
		h.want(b, payment.StatusCredited)
		h.want(c, payment.StatusNone)
		h.credited("vm-1", 2100)
		if _, ok := h.Pending("vm-1"); ok {
			t.Error("something is still on its way")
		}
		h.blocks(6)
		if h.state(a, 0).Final {
			t.Error("final at 9 confirmations")
		}
		h.blocks(1)
		if s := h.state(a, 0); !s.Final || s.Node != node || s.Via != "onchain" {
			t.Errorf("it is %+v", s)
		}
		if h.found != 0 {
			t.Errorf("%d found by the timer's sweep", h.found)
		}
	})
}

func TestAPlanAsksForMoreConfirmations(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.start()
		a := h.pays("addr-deep", 500)
		h.change(func() { h.wallet.mine() })
		h.blocks(4)
		h.want(a, payment.StatusConfirmed)
		h.blocks(1)
		h.want(a, payment.StatusCredited)
	})
}

func TestACreditWhoseBlockLeftTheChainIsReversed(t *testing.T) {
	for _, believes := range []bool{false, true} {
		t.Run(fmt.Sprintf("the wallet believes in the block: %t", believes), func(t *testing.T) {
			onChain(t, func(t *testing.T, h *harness) {
				h.start()
				a := h.pays("addr-1", 500)
				h.change(func() { h.wallet.mine() })
				h.blocks(2)
				h.credited("vm-1", 500)
				h.change(func() { // 3 blocks go, 4 come, none of which has it
					h.wallet.cut(3, believes)
					for range 4 {
						h.wallet.mineEmpty()
					}
				})
				h.want(a, payment.StatusReorged)
				h.credited("vm-1", 0)
				if h.signs(watch.SignReorg) != 1 {
					t.Errorf("%d alarms", h.signs(watch.SignReorg))
				}
				h.change(func() { h.wallet.mine() })
				h.want(a, payment.StatusConfirmed)
				h.blocks(2)
				h.want(a, payment.StatusCredited)
				h.credited("vm-1", 500)
				key := payment.ChainKey(a.id, 0)
				if n := h.count(key, "payment.credited.v1"); n != 2 {
					t.Errorf("credited %d times", n)
				}
				h.blocks(10)
				if !h.state(a, 0).Final {
					t.Error("it is not final")
				}
			})
		})
	}
}

// Straight from one block into another, as one reorg brings it.
func TestMinedAgainInTheSameReorg(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.start()
		a := h.pays("addr-1", 500)
		h.change(func() { h.wallet.mine() })
		h.blocks(3)
		h.change(func() {
			h.wallet.cut(4, true)
			for range 2 {
				h.wallet.mineEmpty()
			}
			h.wallet.mine()
			for range 3 {
				h.wallet.mineEmpty()
			}
		})
		h.want(a, payment.StatusCredited)
		h.credited("vm-1", 500)
		if n := h.count(payment.ChainKey(a.id, 0), "payment.reorged.v1"); n != 1 {
			t.Errorf("reorged %d times", n)
		}
	})
}

// The chain is shorter for a while: its node was told to forget blocks, or reads them
// anew. Nothing is reversed until other blocks stand there.
func TestAShortChainReversesNothing(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.start()
		a := h.pays("addr-1", 500)
		h.change(func() { h.wallet.mine() })
		h.blocks(2)
		h.change(func() { h.wallet.cut(3, false) })
		h.want(a, payment.StatusCredited)
		h.change(func() { h.wallet.mineEmpty() })
		h.want(a, payment.StatusReorged)
		h.credited("vm-1", 0)
	})
}

func TestDoubleSpentAfterCreditIsDebt(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.start()
		a := h.pays("addr-1", 500)
		h.change(func() { h.wallet.mine() })
		h.blocks(2)
		h.credited("vm-1", 500)
		h.pass(200 * time.Second) // all but 180 s are used up
		h.executeOnResource("vm-1", resource.Settle{When: resource.When{At: now()}, Swept: now()})
		thief := tx{id: "thief", spends: a.spends, pays: []pay{{"thief", 400}}}
		h.change(func() {
			h.wallet.cut(3, true)
			h.wallet.mine(thief)
			for range 3 {
				h.wallet.mineEmpty()
			}
		})
		s := h.resource("vm-1")
		if s.Debt == 0 || s.Status != resource.StatusSuspended {
			t.Errorf("it is %s with a debt of %s", s.Status, s.Debt)
		}
		h.want(a, payment.StatusReplaced)
		if got := h.state(a, 0); got.Reason != "conflict" {
			t.Errorf("replaced for %q", got.Reason)
		}
		debt := s.Debt
		b := h.pays("addr-1", 1000)
		h.change(func() { h.wallet.mine() })
		h.blocks(2)
		h.want(b, payment.StatusCredited)
		if s := h.resource("vm-1"); s.Debt != 0 || s.Balance()+debt+s.Debited-debt > 1_000_000 {
			t.Errorf("the debt is %s, it holds %s", s.Debt, s.Balance())
		}
		h.credited("vm-1", 1000)
		// The thief's block leaves the chain too, and the first payment is mined after all.
		h.change(func() {
			h.wallet.cut(20, false)
			h.wallet.mine(a)
			h.wallet.mine(b)
			for range 20 {
				h.wallet.mineEmpty()
			}
		})
		h.credited("vm-1", 1500)
	})
}

func TestReplacedByFee(t *testing.T) {
	for name, pays := range map[string][]pay{
		"less": {{"addr-1", 300}}, "more": {{"addr-1", 900}}, "nothing": {{"change", 500}}, "another": {{"addr-2", 500}},
	} {
		t.Run(name, func(t *testing.T) {
			onChain(t, func(t *testing.T, h *harness) {
				h.start()
				a := h.pays("addr-1", 500)
				var b tx
				h.change(func() { b = h.wallet.add(tx{spends: a.spends, pays: pays}) })
				if name == "nothing" {
					h.want(a, payment.StatusSeen) // nobody told of it
				} else {
					h.want(a, payment.StatusReplaced)
					h.want(b, payment.StatusSeen)
				}
				h.change(func() { h.wallet.mine() })
				h.blocks(2)
				h.want(a, payment.StatusReplaced)
				var want int64
				if pays[0].to == "addr-1" {
					want = pays[0].sat
				}
				h.credited("vm-1", want)
				if _, ok := h.Pending("vm-1"); ok {
					t.Error("something is still on its way")
				}
			})
		})
	}
}

// The replaced one was mined after all.
func TestReplacedIsCreditedIfTheChainHoldsIt(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.start()
		a := h.pays("addr-1", 500)
		var b tx
		h.change(func() { b = h.wallet.add(tx{spends: a.spends, pays: []pay{{"addr-1", 800}}}) })
		h.want(a, payment.StatusReplaced)
		h.change(func() { h.wallet.mine(a) })
		h.blocks(2)
		h.want(a, payment.StatusCredited)
		h.want(b, payment.StatusReplaced)
		h.credited("vm-1", 500)
	})
}

func TestForgottenAndStale(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.start()
		gone, slow, old := h.pays("addr-1", 500), h.pays("addr-2", 600), h.pays("addr-deep", 700)
		h.change(func() { h.wallet.forgotten[gone.id], h.wallet.forgotten[slow.id] = true, true })
		h.blocks(5)
		h.want(gone, payment.StatusSeen)
		h.change(func() { delete(h.wallet.forgotten, slow.id) })
		h.blocks(2)
		h.want(gone, payment.StatusReplaced)
		h.want(slow, payment.StatusSeen)
		h.change(func() { h.wallet.forgotten[slow.id] = true })
		h.pass(23 * time.Hour)
		h.want(slow, payment.StatusSeen)
		h.pass(2 * time.Hour)
		h.want(slow, payment.StatusReplaced)
		h.pass(12 * 24 * time.Hour)
		h.want(old, payment.StatusSeen)
		h.pass(2 * 24 * time.Hour)
		if s := h.state(old, 0); s.Status != payment.StatusReplaced || s.Reason != "stale" {
			t.Errorf("it is %s for %q", s.Status, s.Reason)
		}
		h.change(func() { h.wallet.mine() })
		h.blocks(5)
		h.want(gone, payment.StatusCredited)
		h.want(slow, payment.StatusCredited)
		h.want(old, payment.StatusCredited)
	})
}

// It was double spent while the daemon was away, and the wallet still lists it.
func TestDoubleSpentWhileAway(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.start()
		a := h.pays("addr-1", 500)
		h.stop()
		h.change(func() { h.wallet.mine(tx{id: "thief", spends: a.spends}) })
		for range 30 {
			h.change(h.wallet.mineEmpty)
		}
		h.start()
		h.want(a, payment.StatusReplaced)
	})
}

func TestABadHeightHidesNothing(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		a := tx{pays: []pay{{"addr-1", 500}}}
		h.wallet.do(func() { a = h.wallet.add(a); h.wallet.mine() })
		b := tx{pays: []pay{{"addr-2", 700}}}
		h.wallet.do(func() {
			b = h.wallet.add(b)
			h.wallet.mine()
			h.wallet.unlistable[21], h.wallet.unlistable[22] = true, true
		})
		h.start()
		h.blocks(3)
		h.want(a, payment.StatusCredited)
		h.want(b, payment.StatusCredited)
		if h.signs(watch.SignHeight) == 0 || !h.isSwept() {
			t.Errorf("%d signs, swept: %t", h.signs(watch.SignHeight), h.isSwept())
		}
	})
}

func TestListedTwiceIsCreditedOnce(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.start()
		a := h.pays("addr-1", 500)
		h.change(func() { h.wallet.mine() })
		h.change(func() {
			h.wallet.cut(1, true)
			h.wallet.mineEmpty()
			h.wallet.mine()
		})
		h.blocks(3)
		h.credited("vm-1", 500)
		if n := h.count(payment.ChainKey(a.id, 0), "payment.credited.v1"); n != 1 {
			t.Errorf("credited %d times", n)
		}
	})
}

// The wallet believes in a block that left the chain, and lists the payment there alone,
// where the active chain's block at the height holds it too. Nobody watched until so many
// blocks stood on it that it is not looked for there as what is new is.
func TestListedInALostBlockAlone(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		a := tx{id: "late", spends: []string{"coin:0"}, pays: []pay{{"addr-1", 500}}}
		h.wallet.do(func() {
			h.wallet.mine(a)
			h.wallet.mineEmpty()
			h.wallet.cut(2, true)
			h.wallet.mine(a)
			for range 20 {
				h.wallet.mineEmpty()
			}
		})
		h.start()
		h.want(a, payment.StatusCredited)
		h.credited("vm-1", 500)
	})
}

// Whatever came while nobody watched is found by the first sweep; and what the streams
// don't tell, by the timer's.
func TestTheSweepFindsAll(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		var a tx
		h.wallet.do(func() { a = h.wallet.add(tx{pays: []pay{{"addr-1", 500}}}); h.wallet.mine() })
		for range 60 {
			h.wallet.do(h.wallet.mineEmpty)
		}
		h.start()
		if s := h.state(a, 0); s.Status != payment.StatusCredited || !s.Final {
			t.Errorf("it is %s, final: %t", s.Status, s.Final)
		}
		if h.found != 0 {
			t.Error("what came while nobody watched counts as found")
		}
		h.wallet.mute = true
		h.Nudge()
		h.pass(0)
		var b tx
		h.wallet.do(func() {
			b = h.wallet.add(tx{pays: []pay{{"addr-2", 700}}})
			h.wallet.mine()
			h.wallet.mineEmpty()
			h.wallet.mineEmpty()
		})
		h.pass(time.Second)
		h.want(b, payment.StatusNone)
		h.pass(2 * time.Minute)
		h.want(b, payment.StatusCredited)
		if h.found != 1 {
			t.Errorf("%d found", h.found)
		}
	})
}

func TestNothingIsSweptBeforeTheWalletIsInStep(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.wallet.unsynced = true
		h.start()
		if health := h.Health(); h.isSwept() || health.Condition != watch.Syncing {
			t.Errorf("swept: %t, health %+v", h.isSwept(), health)
		}
		h.wallet.do(func() { h.wallet.unsynced = false })
		h.pass(10 * time.Second)
		if health := h.Health(); !h.isSwept() || health.Condition != watch.Ready || health.Height != 20 || health.Node != node {
			t.Errorf("swept: %t, health %+v", h.isSwept(), health)
		}
	})
}

func TestTheWalletIsAwayOrDeniesUs(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.wallet.refuse = &watch.Trouble{Condition: watch.Denied, Advice: "bake it again"}
		h.start()
		if health := h.Health(); h.isSwept() || health.Condition != watch.Denied || health.Advice != "bake it again" {
			t.Errorf("swept: %t, health %+v", h.isSwept(), health)
		}
		h.wallet.do(func() { h.wallet.refuse = errors.New("away") })
		h.pass(time.Hour)
		if health := h.Health(); health.Condition != watch.Connecting {
			t.Errorf("health %+v", health)
		}
		h.wallet.do(func() { h.wallet.refuse = nil })
		h.pass(time.Minute)
		if health := h.Health(); !h.isSwept() || health.Condition != watch.Ready {
			t.Errorf("swept: %t, health %+v", h.isSwept(), health)
		}
		a := h.pays("addr-1", 500)
		h.want(a, payment.StatusSeen)
	})
}

// A wallet whose stream was just opened need not tell of what comes at once: it is found all the
// same, and not minutes later.
func TestADepositThatComesAtTheStartIsFoundSoon(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.wallet.mute = true
		h.start()
		a := tx{pays: []pay{{"addr-1", 500}}}
		h.wallet.do(func() { a = h.wallet.add(a) })
		h.pass(time.Second)
		h.want(a, payment.StatusNone)
		h.pass(5 * time.Second)
		h.want(a, payment.StatusSeen)
	})
}

func TestWithoutAddressesNobodyWaits(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.wallet.refuse = errors.New("away")
		w, err := chain.New(chain.Config{
			Wallet: h.wallet, Booker: h.booker, Issued: h.issued, Lowest: func() (int64, bool) { return 0, false },
			Waiting: func() []payment.State { return nil }, Required: func(*payment.State, money.Msat) int { return 3 }, Now: now,
			Opening:  h.opening(h.booker, h.requests),
			Requests: h.requests, Addresses: &address.Handler{Aggregate: address.Aggregate(), Store: h.store},
		})
		if err != nil {
			t.Fatal(err)
		}
		h.Watcher = w
		done := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { defer close(done); _ = w.Run(ctx) }()
		h.pass(time.Second)
		if !h.isSwept() {
			t.Error("it waits for a wallet of which nothing can come")
		}
		cancel()
		<-done
	})
	if _, err := chain.New(chain.Config{}); err == nil {
		t.Error("a watcher of nothing")
	}
}

// A resource without time is held for a deposit, and no longer once it came to nothing.
func TestAHoldEndsWithItsDeposit(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.start()
		a := h.pays("addr-1", 500)
		h.hold("vm-1", a)
		h.change(func() { h.wallet.mine(tx{id: "thief", spends: a.spends}) })
		h.want(a, payment.StatusReplaced)
		if r := h.resource("vm-1"); r.HeldUntil() > now() {
			t.Errorf("it is held until %s", r.HeldUntil())
		}
	})
}

// Every write fails both ways, and the watcher dies after it.
func TestEveryWriteFailsBothWays(t *testing.T) {
	for _, fault := range []storetest.Fault{storetest.Lost, storetest.AnswerLost} {
		for n := range 16 {
			onChain(t, func(t *testing.T, h *harness) {
				left := n
				h.store.OnAppend = func() storetest.Fault {
					h.mu.Lock()
					defer h.mu.Unlock()
					if left--; left == -1 {
						return fault
					}
					return storetest.None
				}
				h.start()
				a := h.pays("addr-1", 500)
				restart := func() { h.stop(); h.start() }
				h.change(func() { h.wallet.mine() })
				h.blocks(2)
				restart()
				h.change(func() {
					h.wallet.cut(3, n%2 == 0)
					for range 4 {
						h.wallet.mineEmpty()
					}
				})
				restart()
				h.change(func() { h.wallet.mine() })
				h.blocks(12)
				restart()
				if s := h.state(a, 0); s.Status != payment.StatusCredited || !s.Final {
					t.Errorf("fault %d at write %d: it is %s, final: %t", fault, n, s.Status, s.Final)
				}
				h.credited("vm-1", 500)
			})
		}
	}
}
