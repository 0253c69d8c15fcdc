package chain_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"sandglass/domain/payment"
	"sandglass/testutil/storetest"

	"pgregory.net/rapid"
)

// Whatever happens on the chain, however often the watcher dies or the store fails, and
// however late the projections are:
// at the end the credits less the reversals are what the chain says.
func TestRandomChains(t *testing.T) {
	for seed := range 40 {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			onChain(t, func(t *testing.T, h *harness) {
				rapid.Custom(func(r *rapid.T) int { randomChain(t, r, h, uint64(seed)); return 0 }).Example(seed)
			})
		})
	}
}

// Two daemons that watch one wallet for one log do no harm.
func TestRandomChainsWithTwoWatchers(t *testing.T) {
	for seed := range 10 {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			onChain(t, func(t *testing.T, h *harness) {
				h.twoWatchers = true
				rapid.Custom(func(r *rapid.T) int { randomChain(t, r, h, uint64(seed)); return 0 }).Example(seed)
			})
		})
	}
}

func randomChain(t *testing.T, r *rapid.T, h *harness, seed uint64) {
	n := func(most int) int { return rapid.IntRange(0, most).Draw(r, "n") }
	addresses := []string{"addr-1", "addr-2", "addr-deep", "change"}
	h.store.OnAppend = storetest.RandomFaults(seed, 10)
	var mu sync.Mutex // guards what follows
	var inTime bool
	var before []payment.State
	random := rand.New(rand.NewPCG(seed, 1))
	h.late = func(list []payment.State) []payment.State {
		mu.Lock()
		defer mu.Unlock()
		if !inTime && random.IntN(3) == 0 {
			return before // once more what an earlier sweep was told
		}
		before = list
		return list
	}
	h.start()
	var sent []tx
	for range 20 + n(40) {
		switch n(9) {
		case 0, 1, 2:
			var pays []pay
			for range 1 + n(2) {
				pays = append(pays, pay{addresses[n(3)], int64(1 + n(1000))})
			}
			h.wallet.do(func() { sent = append(sent, h.wallet.add(tx{pays: pays})) })
		case 3, 4:
			h.wallet.do(func() { h.wallet.mine() })
		case 5:
			depth := 1 + n(5)
			h.wallet.do(func() {
				h.wallet.cut(depth, n(1) == 0)
				for i := range depth + 1 {
					if i == n(6) {
						h.wallet.mine()
					} else {
						h.wallet.mineEmpty()
					}
				}
			})
		case 6:
			if len(sent) > 0 {
				old := sent[n(len(sent)-1)]
				h.wallet.do(func() {
					if _, ok := h.wallet.mempool[old.id]; ok {
						sent = append(sent, h.wallet.add(tx{spends: old.spends, pays: []pay{{addresses[n(3)], int64(1 + n(1000))}}}))
					}
				})
			}
		case 7:
			h.stop()
			h.start()
		case 8:
			h.wallet.do(func() { h.wallet.mute = !h.wallet.mute; h.wallet.unlistable[int64(20+n(20))] = true })
		case 9: // a double spend, mined by a reorg
			depth := 1 + n(5)
			h.wallet.do(func() {
				h.wallet.cut(depth, n(1) == 0)
				for _, id := range slices.Sorted(maps.Keys(h.wallet.mempool)) {
					if n(1) == 0 {
						old := h.wallet.mempool[id]
						h.wallet.made++
						h.wallet.mine(tx{id: fmt.Sprint("thief-", h.wallet.made), spends: old.spends})
						break
					}
				}
				for range depth {
					h.wallet.mineEmpty()
				}
			})
		}
		h.pass(time.Duration(n(60)) * time.Second)
	}
	h.store.OnAppend = nil
	mu.Lock()
	inTime = true
	mu.Unlock()
	h.wallet.do(func() {
		for range 12 {
			h.wallet.mine()
		}
	})
	h.pass(10 * time.Minute)
	if got, want := h.sum(), h.wallet.truth(1); got != want {
		for _, old := range sent {
			for i := range old.pays {
				s := h.state(old, uint32(i))
				t.Logf("%s-%d %s %s %s in %s at %d", old.id[56:], i, s.Amount, s.Status, s.Reason, s.Block, s.Height)
			}
		}
		t.Errorf("the resources have %s, the chain says %s", got, want)
	}
}
