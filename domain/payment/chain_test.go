package payment_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/testutil/storetest"
)

func TestDepositIsSeenConfirmedAndCredited(t *testing.T) {
	onChain(t, func(t *testing.T, v *vigil) {
		v.start()
		a := v.pays("addr-1", 500, 700)
		b := v.pays("addr-1", 900)
		c := v.pays("change", 4000)
		v.want(a, payment.StatusSeen, payment.StatusSeen)
		v.want(c, payment.StatusNone)
		if key, ok := v.Pending("vm-1"); !ok || key == "" {
			t.Error("nothing is on its way to vm-1")
		}
		v.change(func() { v.chain.mine() })
		v.want(a, payment.StatusConfirmed, payment.StatusConfirmed)
		v.blocks(1)
		v.credited("vm-1", 0)
		v.blocks(1)
		v.want(a, payment.StatusCredited, payment.StatusCredited)
		v.want(b, payment.StatusCredited)
		v.want(c, payment.StatusNone)
		v.credited("vm-1", 2100)
		if _, ok := v.Pending("vm-1"); ok {
			t.Error("something is still on its way")
		}
		v.blocks(6)
		if v.state(a, 0).Final {
			t.Error("final at 9 confirmations")
		}
		v.blocks(1)
		if s := v.state(a, 0); !s.Final || s.Node != node || s.Via != "onchain" {
			t.Errorf("it is %+v", s)
		}
		if v.found != 0 {
			t.Errorf("%d found by the timer's sweep", v.found)
		}
	})
}

func TestAPlanAsksForMoreConfirmations(t *testing.T) {
	onChain(t, func(t *testing.T, v *vigil) {
		v.start()
		a := v.pays("addr-deep", 500)
		v.change(func() { v.chain.mine() })
		v.blocks(4)
		v.want(a, payment.StatusConfirmed)
		v.blocks(1)
		v.want(a, payment.StatusCredited)
	})
}

func TestACreditWhoseBlockLeftTheChainIsReversed(t *testing.T) {
	for _, believes := range []bool{false, true} {
		t.Run(fmt.Sprintf("the wallet believes in the block: %t", believes), func(t *testing.T) {
			onChain(t, func(t *testing.T, v *vigil) {
				v.start()
				a := v.pays("addr-1", 500)
				v.change(func() { v.chain.mine() })
				v.blocks(2)
				v.credited("vm-1", 500)
				v.change(func() { // 3 blocks go, 4 come, none of which has it
					v.chain.cut(3, believes)
					for range 4 {
						v.chain.mineEmpty()
					}
				})
				v.want(a, payment.StatusReorged)
				v.credited("vm-1", 0)
				if v.signs(payment.SignReorg) != 1 {
					t.Errorf("%d alarms", v.signs(payment.SignReorg))
				}
				v.change(func() { v.chain.mine() })
				v.want(a, payment.StatusConfirmed)
				v.blocks(2)
				v.want(a, payment.StatusCredited)
				v.credited("vm-1", 500)
				key := payment.ChainKey(a.id, 0)
				if n := v.count(key, "payment.credited.v1"); n != 2 {
					t.Errorf("credited %d times", n)
				}
				v.blocks(10)
				if !v.state(a, 0).Final {
					t.Error("it is not final")
				}
			})
		})
	}
}

// Straight from one block into another, as one reorg brings it.
func TestMinedAgainInTheSameReorg(t *testing.T) {
	onChain(t, func(t *testing.T, v *vigil) {
		v.start()
		a := v.pays("addr-1", 500)
		v.change(func() { v.chain.mine() })
		v.blocks(3)
		v.change(func() {
			v.chain.cut(4, true)
			for range 2 {
				v.chain.mineEmpty()
			}
			v.chain.mine()
			for range 3 {
				v.chain.mineEmpty()
			}
		})
		v.want(a, payment.StatusCredited)
		v.credited("vm-1", 500)
		if n := v.count(payment.ChainKey(a.id, 0), "payment.reorged.v1"); n != 1 {
			t.Errorf("reorged %d times", n)
		}
	})
}

// The chain is shorter for a while: its node was told to forget blocks, or reads them
// anew. Nothing is reversed until other blocks stand there.
func TestAShortChainReversesNothing(t *testing.T) {
	onChain(t, func(t *testing.T, v *vigil) {
		v.start()
		a := v.pays("addr-1", 500)
		v.change(func() { v.chain.mine() })
		v.blocks(2)
		v.change(func() { v.chain.cut(3, false) })
		v.want(a, payment.StatusCredited)
		v.change(func() { v.chain.mineEmpty() })
		v.want(a, payment.StatusReorged)
		v.credited("vm-1", 0)
	})
}

func TestDoubleSpentAfterCreditIsDebt(t *testing.T) {
	onChain(t, func(t *testing.T, v *vigil) {
		v.start()
		a := v.pays("addr-1", 500)
		v.change(func() { v.chain.mine() })
		v.blocks(2)
		v.credited("vm-1", 500)
		v.pass(200 * time.Second) // all but 180 s are used up
		tell(t, v.booker, "vm-1", resource.Settle{When: resource.When{At: now()}})
		thief := tx{id: "thief", spends: a.spends, pays: []pay{{"thief", 400}}}
		v.change(func() {
			v.chain.cut(3, true)
			v.chain.mine(thief)
			for range 3 {
				v.chain.mineEmpty()
			}
		})
		s := v.resource("vm-1")
		if s.Debt == 0 || s.Status != resource.StatusSuspended {
			t.Errorf("it is %s with a debt of %s", s.Status, s.Debt)
		}
		v.want(a, payment.StatusReplaced)
		if got := v.state(a, 0); got.Reason != "conflict" {
			t.Errorf("replaced for %q", got.Reason)
		}
		debt := s.Debt
		b := v.pays("addr-1", 1000)
		v.change(func() { v.chain.mine() })
		v.blocks(2)
		v.want(b, payment.StatusCredited)
		if s := v.resource("vm-1"); s.Debt != 0 || s.Held()+debt+s.Debited-debt > 1_000_000 {
			t.Errorf("the debt is %s, it holds %s", s.Debt, s.Held())
		}
		v.credited("vm-1", 1000)
		// The thief's block leaves the chain too, and the first payment is mined after all.
		v.change(func() {
			v.chain.cut(20, false)
			v.chain.mine(a)
			v.chain.mine(b)
			for range 20 {
				v.chain.mineEmpty()
			}
		})
		v.credited("vm-1", 1500)
	})
}

func TestReplacedByFee(t *testing.T) {
	for name, pays := range map[string][]pay{
		"less": {{"addr-1", 300}}, "more": {{"addr-1", 900}}, "nothing": {{"change", 500}}, "another": {{"addr-2", 500}},
	} {
		t.Run(name, func(t *testing.T) {
			onChain(t, func(t *testing.T, v *vigil) {
				v.start()
				a := v.pays("addr-1", 500)
				var b tx
				v.change(func() { b = v.chain.add(tx{spends: a.spends, pays: pays}) })
				if name == "nothing" {
					v.want(a, payment.StatusSeen) // nobody told of it
				} else {
					v.want(a, payment.StatusReplaced)
					v.want(b, payment.StatusSeen)
				}
				v.change(func() { v.chain.mine() })
				v.blocks(2)
				v.want(a, payment.StatusReplaced)
				var want int64
				if pays[0].to == "addr-1" {
					want = pays[0].sat
				}
				v.credited("vm-1", want)
				if _, ok := v.Pending("vm-1"); ok {
					t.Error("something is still on its way")
				}
			})
		})
	}
}

// The replaced one was mined after all.
func TestReplacedIsCreditedIfTheChainHoldsIt(t *testing.T) {
	onChain(t, func(t *testing.T, v *vigil) {
		v.start()
		a := v.pays("addr-1", 500)
		var b tx
		v.change(func() { b = v.chain.add(tx{spends: a.spends, pays: []pay{{"addr-1", 800}}}) })
		v.want(a, payment.StatusReplaced)
		v.change(func() { v.chain.mine(a) })
		v.blocks(2)
		v.want(a, payment.StatusCredited)
		v.want(b, payment.StatusReplaced)
		v.credited("vm-1", 500)
	})
}

func TestForgottenAndStale(t *testing.T) {
	onChain(t, func(t *testing.T, v *vigil) {
		v.start()
		gone, slow, old := v.pays("addr-1", 500), v.pays("addr-2", 600), v.pays("addr-deep", 700)
		v.change(func() { v.chain.lost[gone.id], v.chain.lost[slow.id] = true, true })
		v.blocks(5)
		v.want(gone, payment.StatusSeen)
		v.change(func() { delete(v.chain.lost, slow.id) })
		v.blocks(2)
		v.want(gone, payment.StatusReplaced)
		v.want(slow, payment.StatusSeen)
		v.change(func() { v.chain.lost[slow.id] = true })
		v.pass(23 * time.Hour)
		v.want(slow, payment.StatusSeen)
		v.pass(2 * time.Hour)
		v.want(slow, payment.StatusReplaced)
		v.pass(12 * 24 * time.Hour)
		v.want(old, payment.StatusSeen)
		v.pass(2 * 24 * time.Hour)
		if s := v.state(old, 0); s.Status != payment.StatusReplaced || s.Reason != "stale" {
			t.Errorf("it is %s for %q", s.Status, s.Reason)
		}
		v.change(func() { v.chain.mine() })
		v.blocks(5)
		v.want(gone, payment.StatusCredited)
		v.want(slow, payment.StatusCredited)
		v.want(old, payment.StatusCredited)
	})
}

// It was double spent while the daemon was away, and the wallet still lists it.
func TestDoubleSpentWhileAway(t *testing.T) {
	onChain(t, func(t *testing.T, v *vigil) {
		v.start()
		a := v.pays("addr-1", 500)
		v.stop()
		v.change(func() { v.chain.mine(tx{id: "thief", spends: a.spends}) })
		for range 30 {
			v.change(v.chain.mineEmpty)
		}
		v.start()
		v.want(a, payment.StatusReplaced)
	})
}

func TestABadHeightHidesNothing(t *testing.T) {
	onChain(t, func(t *testing.T, v *vigil) {
		a := tx{pays: []pay{{"addr-1", 500}}}
		v.chain.do(func() { a = v.chain.add(a); v.chain.mine() })
		b := tx{pays: []pay{{"addr-2", 700}}}
		v.chain.do(func() { b = v.chain.add(b); v.chain.mine(); v.chain.bad[21], v.chain.bad[22] = true, true })
		v.start()
		v.blocks(3)
		v.want(a, payment.StatusCredited)
		v.want(b, payment.StatusCredited)
		if v.signs(payment.SignHeight) == 0 || !v.isSwept() {
			t.Errorf("%d signs, swept: %t", v.signs(payment.SignHeight), v.isSwept())
		}
	})
}

func TestListedTwiceIsCreditedOnce(t *testing.T) {
	onChain(t, func(t *testing.T, v *vigil) {
		v.start()
		a := v.pays("addr-1", 500)
		v.change(func() { v.chain.mine() })
		v.change(func() {
			v.chain.cut(1, true)
			v.chain.mineEmpty()
			v.chain.mine()
		})
		v.blocks(3)
		v.credited("vm-1", 500)
		if n := v.count(payment.ChainKey(a.id, 0), "payment.credited.v1"); n != 1 {
			t.Errorf("credited %d times", n)
		}
	})
}

// The wallet believes in a block that left the chain, and lists the payment there alone,
// where the active chain's block at the height holds it too. Nobody watched until so many
// blocks stood on it that it is not looked for there as what is new is.
func TestListedInALostBlockAlone(t *testing.T) {
	onChain(t, func(t *testing.T, v *vigil) {
		a := tx{id: "late", spends: []string{"coin:0"}, pays: []pay{{"addr-1", 500}}}
		v.chain.do(func() {
			v.chain.mine(a)
			v.chain.mineEmpty()
			v.chain.cut(2, true)
			v.chain.mine(a)
			for range 20 {
				v.chain.mineEmpty()
			}
		})
		v.start()
		v.want(a, payment.StatusCredited)
		v.credited("vm-1", 500)
	})
}

// Whatever came while nobody watched is found by the first sweep; and what the streams
// don't tell, by the timer's.
func TestTheSweepFindsAll(t *testing.T) {
	onChain(t, func(t *testing.T, v *vigil) {
		var a tx
		v.chain.do(func() { a = v.chain.add(tx{pays: []pay{{"addr-1", 500}}}); v.chain.mine() })
		for range 60 {
			v.chain.do(v.chain.mineEmpty)
		}
		v.start()
		if s := v.state(a, 0); s.Status != payment.StatusCredited || !s.Final {
			t.Errorf("it is %s, final: %t", s.Status, s.Final)
		}
		if v.found != 0 {
			t.Error("what came while nobody watched counts as found")
		}
		v.chain.mute = true
		v.Nudge()
		v.pass(0)
		var b tx
		v.chain.do(func() {
			b = v.chain.add(tx{pays: []pay{{"addr-2", 700}}})
			v.chain.mine()
			v.chain.mineEmpty()
			v.chain.mineEmpty()
		})
		v.pass(time.Second)
		v.want(b, payment.StatusNone)
		v.pass(2 * time.Minute)
		v.want(b, payment.StatusCredited)
		if v.found != 1 {
			t.Errorf("%d found", v.found)
		}
	})
}

func TestNothingIsSweptBeforeTheWalletIsInStep(t *testing.T) {
	onChain(t, func(t *testing.T, v *vigil) {
		v.chain.unsync = true
		v.start()
		if h := v.Health(); v.isSwept() || h.Condition != payment.Syncing {
			t.Errorf("swept: %t, health %+v", v.isSwept(), h)
		}
		v.chain.do(func() { v.chain.unsync = false })
		v.pass(10 * time.Second)
		if h := v.Health(); !v.isSwept() || h.Condition != payment.Ready || h.Height != 20 || h.Node != node {
			t.Errorf("swept: %t, health %+v", v.isSwept(), h)
		}
	})
}

func TestTheWalletIsAwayOrDeniesUs(t *testing.T) {
	onChain(t, func(t *testing.T, v *vigil) {
		v.chain.refuse = &payment.Trouble{Condition: payment.Denied, Advice: "bake it again"}
		v.start()
		if h := v.Health(); v.isSwept() || h.Condition != payment.Denied || h.Advice != "bake it again" {
			t.Errorf("swept: %t, health %+v", v.isSwept(), h)
		}
		v.chain.do(func() { v.chain.refuse = errors.New("away") })
		v.pass(time.Hour)
		if h := v.Health(); h.Condition != payment.Connecting {
			t.Errorf("health %+v", h)
		}
		v.chain.do(func() { v.chain.refuse = nil })
		v.pass(time.Minute)
		if h := v.Health(); !v.isSwept() || h.Condition != payment.Ready {
			t.Errorf("swept: %t, health %+v", v.isSwept(), h)
		}
		a := v.pays("addr-1", 500)
		v.want(a, payment.StatusSeen)
	})
}

func TestWithoutAddressesNobodyWaits(t *testing.T) {
	onChain(t, func(t *testing.T, v *vigil) {
		v.chain.refuse = errors.New("away")
		w, err := payment.NewChainWatcher(payment.ChainConfig{
			Chain: v.chain, Booker: v.booker, Issued: v.issued, Lowest: func() (int64, bool) { return 0, false },
			Waiting: func() []payment.State { return nil }, Required: func(string, money.Msat) int { return 3 }, Now: now,
		})
		if err != nil {
			t.Fatal(err)
		}
		v.ChainWatcher = w
		done := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { defer close(done); _ = w.Run(ctx) }()
		v.pass(time.Second)
		if !v.isSwept() {
			t.Error("it waits for a wallet of which nothing can come")
		}
		cancel()
		<-done
	})
	if _, err := payment.NewChainWatcher(payment.ChainConfig{}); err == nil {
		t.Error("a watcher of nothing")
	}
}

// A resource without time is held for a deposit, and no longer once it came to nothing.
func TestAHoldEndsWithItsDeposit(t *testing.T) {
	onChain(t, func(t *testing.T, v *vigil) {
		v.start()
		a := v.pays("addr-1", 500)
		tell(t, v.booker, "vm-1", resource.Hold{When: resource.When{At: now()}, Payment: payment.ChainKey(a.id, 0), Until: now().Add(6 * instant.Day)})
		if v := v.resource("vm-1"); v.HeldUntil() <= now() {
			t.Fatal("it is not held")
		}
		v.change(func() { v.chain.mine(tx{id: "thief", spends: a.spends}) })
		v.want(a, payment.StatusReplaced)
		if v := v.resource("vm-1"); v.HeldUntil() > now() {
			t.Errorf("it is held until %s", v.HeldUntil())
		}
	})
}

// Every write fails both ways, and the watcher dies after it.
func TestEveryWriteFailsBothWays(t *testing.T) {
	for _, fault := range []storetest.Fault{storetest.Lost, storetest.AnswerLost} {
		for n := range 16 {
			onChain(t, func(t *testing.T, v *vigil) {
				left := n
				v.store.OnAppend = func() storetest.Fault {
					v.mu.Lock()
					defer v.mu.Unlock()
					if left--; left == -1 {
						return fault
					}
					return storetest.None
				}
				v.start()
				a := v.pays("addr-1", 500)
				restart := func() { v.stop(); v.start() }
				v.change(func() { v.chain.mine() })
				v.blocks(2)
				restart()
				v.change(func() {
					v.chain.cut(3, n%2 == 0)
					for range 4 {
						v.chain.mineEmpty()
					}
				})
				restart()
				v.change(func() { v.chain.mine() })
				v.blocks(12)
				restart()
				if s := v.state(a, 0); s.Status != payment.StatusCredited || !s.Final {
					t.Errorf("fault %d at write %d: it is %s, final: %t", fault, n, s.Status, s.Final)
				}
				v.credited("vm-1", 500)
			})
		}
	}
}
