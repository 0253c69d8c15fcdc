package lnd_test

import (
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/lightning"
	"sandglass/domain/payment"
)

var forVM1 = map[uint64][]byte{lightning.ResourceRecord: []byte("vm-1")}

func TestStatement07_KeysendTwiceWithOneHash(t *testing.T) {
	onBoth(t, func(t *testing.T, n node) {
		d := newDaemon(t, n.config()).ready()
		d.open("vm-1")
		preimage := preimageOf(t)
		n.keysend(t, preimage, 5_000, forVM1)
		d.awaitBooked(1)
		n.keysend(t, preimage, 6_000, forVM1) // nobody is told
		d.sweep()
		d.awaitBooked(2)
		d.expect(2, 11_000, 0)
		// The indices that the second one left behind stop nothing.
		n.pay(t, d.order("vm-1", 1_000), 1_000)
		d.awaitBooked(3)
		d.expect(3, 12_000, 0)
		before := d.watcher.Health().Cursor
		n.pay(t, d.order("vm-1", 2_000), 2_000)
		d.awaitBooked(4)
		d.expect(4, 14_000, 0)
		if got := d.wallet(n.identity()); got.Epoch != 1 || got.Settle != before+1 {
			t.Errorf("the wallet is %+v, want epoch 1 and cursor %d", got, before+1)
		}
		d.stop()
		d.ready().expect(4, 14_000, 0)
	})
}

// The backlog tells a keysend that came three times once for each time, with the sum.
func TestStatement07_CumulativeBacklog(t *testing.T) {
	for name, sql := range map[string]bool{"key-value store": false, "native SQL": true} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			if sql {
				f.NativeSQL()
			}
			d := newDaemon(t, configOf(f)).ready()
			d.open("vm-1")
			d.pays(f, 1_000) // so that the cursor is not 0
			d.stop()
			preimage := preimageOf(t)
			for range 3 {
				f.Keysend(preimage, 1_000, forVM1)
			}
			d.ready()
			d.awaitBooked(4)
			d.expect(4, 4_000, 0)
			f.Keysend(preimage, 1_000, forVM1)
			d.expect(5, 5_000, 0)
			if got := d.wallet(f.Identity()).Epoch; got != 1 {
				t.Errorf("it is in epoch %d", got)
			}
		})
	}
}

func TestStatement08_AMPBySets(t *testing.T) {
	onBoth(t, func(t *testing.T, n node) {
		d := newDaemon(t, n.config()).ready()
		d.open("vm-1")
		inv := n.amp(t)
		d.request("vm-1", inv.Key, inv.Request, 0, now().Add(instant.Hour))
		for i, msat := range []int64{5_000_000, 6_000_000, 7_000_000} {
			n.payAMP(t, inv, msat)
			d.awaitBooked(i + 1)
		}
		d.expect(3, 18_000_000, 0)
		d.stop()
		n.payAMP(t, inv, 8_000_000)
		d.ready().expect(4, 26_000_000, 0)
		if got := d.payment(inv.Key).Status; got != payment.StatusRequested {
			t.Errorf("the request, which can be paid again, is %s", got)
		}
	})
}

func TestStatement08_SpontaneousAMP(t *testing.T) {
	onBoth(t, func(t *testing.T, n node) {
		d := newDaemon(t, n.config()).ready()
		d.open("vm-1")
		n.sendAMP(t, 3_000, forVM1)
		d.awaitBooked(1)
		d.stop()
		n.sendAMP(t, 4_000, forVM1)
		n.sendAMP(t, 5_000, nil)
		d.ready().expect(3, 7_000, 5_000)
	})
}
