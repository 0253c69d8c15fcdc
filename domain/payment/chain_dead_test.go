package payment_test

import (
	"errors"
	"testing"
	"time"

	"sandglass/domain/payment"
)

// The one that replaced another is still on its way, for as long as the wallet lists both.
func TestTheReplacementStaysPending(t *testing.T) {
	onChain(t, func(t *testing.T, v *vigil) {
		v.start()
		a := v.pays("addr-1", 500)
		b := tx{spends: a.spends, pays: []pay{{"addr-1", 900}}}
		v.change(func() { b = v.chain.add(b) })
		for _, again := range []func(){func() {}, func() { v.stop(); v.start() }} {
			again()
			v.pass(10 * time.Minute)
			v.blocks(3)
			v.want(a, payment.StatusReplaced)
			v.want(b, payment.StatusSeen)
			if key, _ := v.Pending("vm-1"); key != payment.ChainKey(b.id, 0) {
				t.Errorf("%q is on its way", key)
			}
		}
		c := tx{spends: a.spends, pays: []pay{{"addr-1", 1000}}}
		v.change(func() { c = v.chain.add(c) })
		v.pass(10 * time.Minute)
		v.want(b, payment.StatusReplaced)
		v.want(c, payment.StatusSeen)
	})
}

// A block that can't be read hides what it holds, and no more: the rest is credited, and
// nobody is suspended until it can be read.
func TestAnUnreadableBlockHidesOnlyItself(t *testing.T) {
	onChain(t, func(t *testing.T, v *vigil) {
		var in, out tx
		v.chain.do(func() { in = v.chain.add(tx{pays: []pay{{"addr-1", 500}}}); v.chain.mine() })
		v.chain.do(func() { out = v.chain.add(tx{pays: []pay{{"addr-2", 700}}}); v.chain.mine() })
		var hash string
		v.chain.do(func() { hash = v.chain.active[21]; v.chain.bad[21], v.chain.broken[hash] = true, true })
		v.start()
		floats := v.pays("addr-2", 900) // is looked for in the blocks too
		v.blocks(3)
		v.want(in, payment.StatusNone)
		v.want(out, payment.StatusCredited)
		v.want(floats, payment.StatusSeen)
		if v.isSwept() {
			t.Error("swept, and a block was not read")
		}
		v.change(func() { delete(v.chain.broken, hash) })
		v.want(in, payment.StatusCredited)
		if !v.isSwept() {
			t.Error("it is not swept")
		}
	})
}

// It is the same where the wallet lists a block that left the chain at its height.
func TestAnUnreadableBlockBesideALostOne(t *testing.T) {
	onChain(t, func(t *testing.T, v *vigil) {
		in := tx{id: "in", spends: []string{"coin:0"}, pays: []pay{{"addr-1", 500}}}
		out := tx{id: "out", spends: []string{"coin:1"}, pays: []pay{{"addr-2", 700}}}
		var hash string
		v.chain.do(func() {
			v.chain.mine(in)
			v.chain.cut(1, true)
			v.chain.mine(in)
			hash = v.chain.active[21]
			v.chain.broken[hash] = true
			v.chain.mine(out)
		})
		v.start()
		v.blocks(3)
		v.want(in, payment.StatusSeen)
		v.want(out, payment.StatusCredited)
		if v.isSwept() {
			t.Error("swept, and a block was not read")
		}
		v.change(func() { delete(v.chain.broken, hash) })
		v.want(in, payment.StatusCredited)
		if !v.isSwept() {
			t.Error("it is not swept")
		}
	})
}

// A block that can't be read says nothing of those below it.
func TestAnUnreadableBlockEndsNoLook(t *testing.T) {
	onChain(t, func(t *testing.T, v *vigil) {
		v.start()
		a := v.pays("addr-1", 500)
		v.stop()
		v.change(func() { v.chain.mine(tx{id: "thief", spends: a.spends}) })
		v.change(func() { v.chain.mineEmpty(); v.chain.broken[v.chain.active[22]] = true })
		for range 30 {
			v.change(v.chain.mineEmpty)
		}
		v.start()
		v.want(a, payment.StatusReplaced)
	})
}

// One block confirms a payment, and another left with the block in its place.
func TestOneBlockTakesAndGives(t *testing.T) {
	onChain(t, func(t *testing.T, v *vigil) {
		v.start()
		gone, stays, comes := v.pays("addr-1", 500), v.pays("addr-1", 600), v.pays("addr-2", 700)
		v.change(func() { v.chain.mine(gone, stays) })
		v.blocks(2)
		v.credited("vm-1", 1100)
		v.change(func() {
			v.chain.cut(3, true)
			v.chain.mine(tx{id: "thief", spends: gone.spends}, stays, comes)
			for range 3 {
				v.chain.mineEmpty()
			}
		})
		v.want(gone, payment.StatusReorged) // the wallet can't list the height, nor what gone spends
		v.want(stays, payment.StatusCredited)
		v.want(comes, payment.StatusCredited)
		v.credited("vm-1", 600)
		v.credited("vm-2", 700)
		v.blocks(6)
		v.want(gone, payment.StatusReplaced)
	})
}

// It came and was mined long ago, while the daemon was away or the wallet was, and the
// wallet took no notice of its block.
func TestMinedUnseenWhileAway(t *testing.T) {
	for _, away := range []string{"the daemon", "the wallet"} {
		t.Run(away, func(t *testing.T) {
			onChain(t, func(t *testing.T, v *vigil) {
				v.start()
				if away == "the daemon" {
					v.stop()
				} else {
					v.change(func() { v.chain.refuse = errors.New("away") })
				}
				var a tx
				v.change(func() { a = v.chain.add(tx{pays: []pay{{"addr-1", 500}}}); v.chain.mine(); v.chain.missed[a.id] = a })
				for range 30 {
					v.change(v.chain.mineEmpty)
				}
				if away == "the daemon" {
					v.start()
				} else {
					v.change(func() { v.chain.refuse = nil })
				}
				v.want(a, payment.StatusCredited)
				v.credited("vm-1", 500)
			})
		})
	}
}
