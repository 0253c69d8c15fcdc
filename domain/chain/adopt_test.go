package chain_test

import (
	"errors"
	"testing"
	"time"

	"sandglass/domain/chain/find"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
)

// An address that is adopted was paid long before the heights that a sweep looks at.
func TestWhatAnAdoptedAddressReceivedIsCredited(t *testing.T) {
	for name, byHeight := range map[string]bool{"at once": true, "by the next sweep of all heights": false} {
		t.Run(name, func(t *testing.T) {
			onChain(t, func(t *testing.T, h *harness) {
				adopted := 0
				issued := h.issued
				h.issuedBy = func(addr string) (resource.ID, int64, bool) {
					if addr == "lost" && adopted > 0 {
						return "vm-2", 20, true
					}
					return issued(addr)
				}
				if byHeight {
					h.issuedAfter = func(n int) (int64, int) {
						if adopted > 0 && n < 3 {
							return 21, 3
						}
						return 12, 2
					}
				}
				h.start()
				a := h.pays("lost", 500)
				h.change(func() { h.wallet.mine() })
				h.blocks(60)
				h.want(a, payment.StatusNone)
				adopted++
				h.Nudge()
				h.pass(time.Second)
				if byHeight {
					h.want(a, payment.StatusCredited)
					h.credited("vm-2", 500)
				} else {
					h.want(a, payment.StatusNone)
				}
				h.pass(25 * time.Hour)
				h.want(a, payment.StatusCredited)
				b := h.pays("lost", 700)
				h.change(func() { h.wallet.mine() })
				h.blocks(2)
				h.want(b, payment.StatusCredited)
				h.credited("vm-2", 1200)
			})
		})
	}
}

func TestFindingAnAddress(t *testing.T) {
	w := newFakeWallet() // its tip is 20
	w.mine(w.add(tx{pays: []pay{{"twice", 5}}}))
	w.mineEmpty()
	w.mine(w.add(tx{pays: []pay{{"twice", 5}, {"thief", 5}, {"unlistable", 5}}}))
	w.mine(w.add(tx{pays: []pay{{"unreadable", 5}}}))
	w.mineEmpty()
	w.add(tx{pays: []pay{{"waiting", 5}}})
	first := func(addr string) (int64, error) { return find.FirstHeight(t.Context(), w, addr) }
	for addr, want := range map[string]int64{"twice": 21, "nobody": 25, "waiting": 25, "unreadable": 24} {
		if got, err := first(addr); err != nil || got != want {
			t.Errorf("%s: %d, %v, want %d", addr, got, err, want)
		}
	}
	if _, err := first("thief"); !errors.Is(err, find.ErrNotOurs) {
		t.Errorf("another's: %v", err)
	}
	w.unlistable[23], w.unlistable[24] = true, true
	w.unreadable[w.active[24]] = true
	for addr, want := range map[string]int64{"unlistable": 23, "nobody": 24, "twice": 21} {
		if got, err := first(addr); err != nil || got != want {
			t.Errorf("where heights can't be listed, %s: %d, %v, want %d", addr, got, err, want)
		}
	}
	w.refuse = errors.New("away")
	if _, err := first("twice"); !errors.Is(err, w.refuse) {
		t.Errorf("the wallet is away: %v", err)
	}
}
