package chain_test

import (
	"errors"
	"testing"
	"time"

	"sandglass/domain/payment"
)

// The one that replaced another is still on its way, for as long as the wallet lists both.
func TestTheReplacementStaysPending(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.start()
		a := h.pays("addr-1", 500)
		b := tx{spends: a.spends, pays: []pay{{"addr-1", 900}}}
		h.change(func() { b = h.wallet.add(b) })
		for _, again := range []func(){func() {}, func() { h.stop(); h.start() }} {
			again()
			h.pass(10 * time.Minute)
			h.blocks(3)
			h.want(a, payment.StatusReplaced)
			h.want(b, payment.StatusSeen)
			if key, _ := h.Pending("vm-1"); key != payment.ChainKey(b.id, 0) {
				t.Errorf("%q is on its way", key)
			}
		}
		c := tx{spends: a.spends, pays: []pay{{"addr-1", 1000}}}
		h.change(func() { c = h.wallet.add(c) })
		h.pass(10 * time.Minute)
		h.want(b, payment.StatusReplaced)
		h.want(c, payment.StatusSeen)
	})
}

// A block that can't be read hides what it holds, and no more: the rest is credited, and
// nobody is suspended until it can be read.
func TestAnUnreadableBlockHidesOnlyItself(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		var in, out tx
		h.wallet.do(func() { in = h.wallet.add(tx{pays: []pay{{"addr-1", 500}}}); h.wallet.mine() })
		h.wallet.do(func() { out = h.wallet.add(tx{pays: []pay{{"addr-2", 700}}}); h.wallet.mine() })
		var hash string
		h.wallet.do(func() { hash = h.wallet.active[21]; h.wallet.unlistable[21], h.wallet.unreadable[hash] = true, true })
		h.start()
		floats := h.pays("addr-2", 900) // is looked for in the blocks too
		h.blocks(3)
		h.want(in, payment.StatusNone)
		h.want(out, payment.StatusCredited)
		h.want(floats, payment.StatusSeen)
		if h.isSwept() {
			t.Error("swept, and a block was not read")
		}
		h.change(func() { delete(h.wallet.unreadable, hash) })
		h.want(in, payment.StatusCredited)
		if !h.isSwept() {
			t.Error("it is not swept")
		}
	})
}

// It is the same where the wallet lists a block that left the chain at its height.
func TestAnUnreadableBlockBesideALostOne(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		in := tx{id: "in", spends: []string{"coin:0"}, pays: []pay{{"addr-1", 500}}}
		out := tx{id: "out", spends: []string{"coin:1"}, pays: []pay{{"addr-2", 700}}}
		var hash string
		h.wallet.do(func() {
			h.wallet.mine(in)
			h.wallet.cut(1, true)
			h.wallet.mine(in)
			hash = h.wallet.active[21]
			h.wallet.unreadable[hash] = true
			h.wallet.mine(out)
		})
		h.start()
		h.blocks(3)
		h.want(in, payment.StatusSeen)
		h.want(out, payment.StatusCredited)
		if h.isSwept() {
			t.Error("swept, and a block was not read")
		}
		h.change(func() { delete(h.wallet.unreadable, hash) })
		h.want(in, payment.StatusCredited)
		if !h.isSwept() {
			t.Error("it is not swept")
		}
	})
}

// A block that can't be read says nothing of those below it.
func TestAnUnreadableBlockEndsNoLook(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.start()
		a := h.pays("addr-1", 500)
		h.stop()
		h.change(func() { h.wallet.mine(tx{id: "thief", spends: a.spends}) })
		h.change(func() { h.wallet.mineEmpty(); h.wallet.unreadable[h.wallet.active[22]] = true })
		for range 30 {
			h.change(h.wallet.mineEmpty)
		}
		h.start()
		h.want(a, payment.StatusReplaced)
	})
}

// One block confirms a payment, and another left with the block in its place.
func TestOneBlockTakesAndGives(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.start()
		gone, stays, comes := h.pays("addr-1", 500), h.pays("addr-1", 600), h.pays("addr-2", 700)
		h.change(func() { h.wallet.mine(gone, stays) })
		h.blocks(2)
		h.credited("vm-1", 1100)
		h.change(func() {
			h.wallet.cut(3, true)
			h.wallet.mine(tx{id: "thief", spends: gone.spends}, stays, comes)
			for range 3 {
				h.wallet.mineEmpty()
			}
		})
		h.want(gone, payment.StatusReorged) // the wallet can't list the height, nor what gone spends
		h.want(stays, payment.StatusCredited)
		h.want(comes, payment.StatusCredited)
		h.credited("vm-1", 600)
		h.credited("vm-2", 700)
		h.blocks(6)
		h.want(gone, payment.StatusReplaced)
	})
}

// It came and was mined long ago, while the daemon was away or the wallet was, and the
// wallet took no notice of its block.
func TestMinedUnseenWhileAway(t *testing.T) {
	for _, away := range []string{"the daemon", "the wallet"} {
		t.Run(away, func(t *testing.T) {
			onChain(t, func(t *testing.T, h *harness) {
				h.start()
				if away == "the daemon" {
					h.stop()
				} else {
					h.change(func() { h.wallet.refuse = errors.New("away") })
				}
				var a tx
				h.change(func() {
					a = h.wallet.add(tx{pays: []pay{{"addr-1", 500}}})
					h.wallet.mine()
					h.wallet.unnoticed[a.id] = a
				})
				for range 30 {
					h.change(h.wallet.mineEmpty)
				}
				if away == "the daemon" {
					h.start()
				} else {
					h.change(func() { h.wallet.refuse = nil })
				}
				h.want(a, payment.StatusCredited)
				h.credited("vm-1", 500)
			})
		})
	}
}
