package lnd_test

import (
	"testing"
	"time"

	"sandglass/domain/billing"
	"sandglass/domain/instant"
	"sandglass/domain/lightning"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/domain/watch"
	"sandglass/testutil/storetest"
)

// The statements are those of a list of what a correct watcher must pass.

func TestStatement01_SettledWhileDown(t *testing.T) {
	onBoth(t, func(t *testing.T, n node) {
		d := newDaemon(t, n.config()).ready()
		d.open("vm-1")
		inv := d.order("vm-1", 60_000)
		d.stop()
		n.pay(t, inv, 60_000) // on the fake: settle_index 1, and the cursor is 0
		d.ready()
		if got := d.credited("vm-1"); got != 60_000 {
			t.Errorf("after the first sweep the resource has %s, want 60000", got)
		}
		d.stop()
		d.ready().expect(1, 60_000, 0)
	})
}

func TestStatement02_DeliveredThreeTimes(t *testing.T) {
	onBoth(t, func(t *testing.T, n node) {
		if f, ok := n.(fakeNode); ok {
			f.Repeat(3)
		}
		d := newDaemon(t, n.config()).ready()
		d.open("vm-1")
		n.pay(t, d.order("vm-1", 60_000), 60_000)
		d.awaitBooked(1)
		d.expect(1, 60_000, 0) // by the stream, and by a sweep
		d.stop()
		d.ready().expect(1, 60_000, 0) // by the first sweep
	})
}

func TestStatement03_BacklogOutOfOrder(t *testing.T) {
	f := newFake(t)
	f.NativeSQL()
	d := newDaemon(t, configOf(f)).ready()
	d.open("vm-1")
	first, third, fourth, second := d.order("vm-1", 1_000), d.order("vm-1", 3_000), d.order("vm-1", 4_000), d.order("vm-1", 2_000)
	check(t, f.Pay(first.Hash, 1_000))
	d.awaitBooked(1)
	d.sweep()
	d.stop()
	for _, inv := range []billing.Invoice{second, third, fourth} { // the invoices are in another order
		check(t, f.Pay(inv.Hash, int64(inv.Amount)))
	}
	// It crashes when 3 and 4 are booked, and 2 is not.
	d.refuse(payment.Prefix + string(second.Key))
	d.start()
	d.awaitBooked(3)
	d.awaitSign(watch.SignRetry)
	d.stop()
	d.refuse("")
	d.ready()
	if got := d.wallet(f.Identity()); got.Settle > 1 && d.payment(second.Key).Status != payment.StatusCredited {
		t.Errorf("the cursor is at %d, and payment 2 not credited", got.Settle)
	}
	d.expect(4, 10_000, 0)
	if got := d.wallet(f.Identity()).Settle; got != 4 {
		t.Errorf("the cursor is at %d, want 4", got)
	}
}

func TestStatement04_FailureHoldsTheCursor(t *testing.T) {
	onBoth(t, func(t *testing.T, n node) {
		d := newDaemon(t, n.config()).ready()
		d.open("vm-1")
		d.open("vm-2")
		before := d.wallet(n.identity()).Settle
		bad, good := d.order("vm-1", 1_000), d.order("vm-2", 2_000)
		d.refuse(payment.Prefix + string(bad.Key))
		n.pay(t, bad, 1_000)
		n.pay(t, good, 2_000)
		d.awaitBooked(1)
		d.awaitSign(watch.SignRetry)
		if got := d.watcher.Health().Cursor; got != before {
			t.Errorf("the cursor is at %d with index %d not booked", got, before+1)
		}
		if got := d.credited("vm-2"); got != 2_000 {
			t.Errorf("the other resource has %s, want 2000 msat", got)
		}
		d.stop()
		d.start()
		d.awaitSign(watch.SignSweep) // and nobody is suspended for want of it
		if got := d.wallet(n.identity()).Settle; got != before {
			t.Errorf("the cursor in the log is at %d", got)
		}
		d.refuse("")
		d.awaitBooked(2)
		d.expect(2, 3_000, 0)
		if got := d.wallet(n.identity()).Settle; got != before+2 {
			t.Errorf("the cursor in the log is at %d, want %d", got, before+2)
		}
	})
}

func TestStatement05_DroppedEvent(t *testing.T) {
	f := newFake(t)
	d := newDaemon(t, configOf(f)).ready()
	d.open("vm-1")
	a, b, c := d.order("vm-1", 1_000), d.order("vm-1", 2_000), d.order("vm-1", 4_000)
	listens(t, f)
	check(t, f.Pay(a.Hash, 1_000))
	f.Drop(1)
	check(t, f.Pay(b.Hash, 2_000))
	check(t, f.Pay(c.Hash, 4_000))
	d.awaitBooked(3) // without a nudge: the gap brings a sweep
	if d.found == 0 {
		t.Error("no sweep found anything")
	}
	d.expect(3, 7_000, 0)
	if got := d.wallet(f.Identity()).Settle; got != 3 {
		t.Errorf("the cursor is at %d, want 3", got)
	}
}

// The last event of several is dropped: no gap shows it, and the timer must.
func TestStatement05_DroppedLastEvent(t *testing.T) {
	f := newFake(t)
	d := newDaemon(t, configOf(f))
	d.config.SweepEvery = 20 * time.Millisecond
	d.ready()
	d.open("vm-1")
	f.Drop(1)
	check(t, f.Pay(d.order("vm-1", 2_000).Hash, 2_000))
	d.awaitBooked(1)
	d.expect(1, 2_000, 0)
}

func TestStatement09_AmountsAreWhatCame(t *testing.T) {
	onBoth(t, func(t *testing.T, n node) {
		d := newDaemon(t, n.config()).ready()
		d.open("vm-1")
		n.pay(t, d.order("vm-1", 10_000), 20_000)
		n.pay(t, d.order("vm-1", 0), 777_500)
		d.awaitBooked(2)
		d.expect(2, 797_500, 0)
	})
}

func TestStatement09_SettledWithoutAmount(t *testing.T) {
	f := newFake(t)
	d := newDaemon(t, configOf(f)).ready()
	d.open("vm-1")
	inv := d.order("vm-1", 5_000)
	check(t, f.Pay(inv.Hash)) // settled, and no HTLC is told
	d.awaitSign(watch.SignEmpty)
	d.sweep()
	if got := d.wallet(f.Identity()); got.Settle != 0 || got.Add != 0 {
		t.Errorf("the cursor passed it: %+v", got)
	}
	check(t, f.Change(inv.Hash, withHTLC(5_000)))
	d.awaitBooked(1) // without a nudge
	d.expect(1, 5_000, 0)
	if got := d.wallet(f.Identity()); got.Settle != 1 || got.Add != 1 {
		t.Errorf("the cursor did not pass it: %+v", got)
	}
}

// Expired by our clock, and still open to lnd, which looks at blocks.
func TestStatement10_SettledAfterExpiry(t *testing.T) {
	onBoth(t, func(t *testing.T, n node) {
		d := newDaemon(t, n.config())
		d.config.LostAfter = 1
		d.ready()
		d.open("vm-1")
		inv := must(d.client.Invoice(t.Context(), anHour(6_000, "late")))(t)
		d.request("vm-1", inv.Key, inv.Request, 6_000, now().Add(-instant.Hour))
		d.sweep()
		n.pay(t, inv, 6_000)
		d.awaitBooked(1)
		d.expect(1, 6_000, 0)
	})
}

// Ended in the log, and paid nonetheless.
func TestStatement10_SettledAfterItWasGivenUp(t *testing.T) {
	f := newFake(t)
	d := newDaemon(t, configOf(f)).ready()
	d.open("vm-1")
	odd := d.order("vm-1", 7_000)
	_, err := d.payments.Execute(t.Context(), odd.Key, stream.Meta{}, payment.Expire{At: now(), Reason: "canceled"})
	check(t, err)
	check(t, f.Pay(odd.Hash, 7_000))
	d.awaitBooked(1)
	d.expect(1, 7_000, 0)
}

func TestStatement11_LookupFindsNothing(t *testing.T) {
	f := newFake(t)
	d := newDaemon(t, configOf(f)).ready()
	d.open("vm-1")
	gone := d.order("vm-1", 1_000)
	lost := f.Add(2_000)
	d.request("vm-1", payment.LightningKey(lost), "lnbcrt1lost", 2_000, now().Add(-2*instant.Hour))
	for _, hash := range []string{gone.Hash, lost} {
		check(t, f.Cancel(hash))
		check(t, f.Delete(hash))
	}
	d.sweep()
	d.awaitSign(watch.SignNotFound)
	if got := d.payment(gone.Key).Status; got != payment.StatusRequested {
		t.Errorf("before its expiry a request that is not found is %s", got)
	}
	if got := d.payment(payment.LightningKey(lost)); got.Status != payment.StatusExpired || got.Reason != "unknown_to_wallet" {
		t.Errorf("long after its expiry it is %s, %q", got.Status, got.Reason)
	}
	check(t, f.Pay(d.order("vm-1", 3_000).Hash, 3_000))
	d.awaitBooked(1)
	d.expect(1, 3_000, 0)
}

func TestStatement12_HeldMoneyIsNotOurs(t *testing.T) {
	onBoth(t, func(t *testing.T, n node) {
		d := newDaemon(t, n.config()).ready()
		d.open("vm-1")
		for _, settles := range []bool{false, true} {
			h := n.hold(t, 2_000_000)
			d.request("vm-1", h.inv.Key, h.inv.Request, 2_000_000, now().Add(instant.Hour))
			d.expect(0, 0, 0)
			if !settles {
				h.cancel()
				d.expect(0, 0, 0)
				if got := d.payment(h.inv.Key); got.Status != payment.StatusExpired || got.Reason != "canceled" {
					t.Errorf("cancelled, it is %s, %q", got.Status, got.Reason)
				}
				continue
			}
			h.settle()
			d.awaitBooked(1)
		}
		d.expect(1, 2_000_000, 0)
	})
}

func TestStatement12_OnlySettledHTLCsCount(t *testing.T) {
	f := newFake(t)
	d := newDaemon(t, configOf(f)).ready()
	d.open("vm-1")
	inv := d.order("vm-1", 1_000_000)
	check(t, f.Shard(inv.Hash, 400_000))
	check(t, f.Pay(inv.Hash, 600_000, 400_000))
	d.awaitBooked(1)
	d.expect(1, 1_000_000, 0)
}

func TestStatement22_NoSuchResource(t *testing.T) {
	onBoth(t, func(t *testing.T, n node) {
		d := newDaemon(t, n.config()).ready()
		d.open("vm-1")
		released := d.order("vm-1", 1_000)
		release := resource.Release{When: resource.When{At: now()}, Reason: "holder"}
		_, err := d.resources.Execute(t.Context(), "vm-1", stream.Meta{}, release)
		check(t, err)
		unknown := d.order("vm-2", 2_000)
		n.pay(t, released, 1_000)
		n.pay(t, unknown, 2_000)
		n.keysend(t, preimageOf(t), 4_000, map[uint64][]byte{lightning.ResourceRecord: []byte("Not A Name")})
		d.awaitBooked(3)
		d.expect(3, 0, 7_000)
		for key, want := range map[payment.Key]payment.Reason{released.Key: "released", unknown.Key: "unknown_resource"} {
			if got := d.payment(key); got.Status != payment.StatusUnallocated || got.Reason != want {
				t.Errorf("it is %s, %q; want unallocated, %q", got.Status, got.Reason, want)
			}
		}
	})
}

// Every append fails now and then, both ways; what was paid is credited once.
func TestFaultyStore(t *testing.T) {
	f := newFake(t)
	d := newDaemon(t, configOf(f)).ready()
	d.open("vm-1")
	var sum money.Msat
	var invoices []billing.Invoice
	for i := range 20 {
		invoices = append(invoices, d.order("vm-1", money.Msat(1_000+i)))
	}
	random := storetest.RandomFaults(7, 30)
	d.note(func() { d.fail = func(string) storetest.Fault { return random() } })
	for _, inv := range invoices {
		check(t, f.Pay(inv.Hash, int64(inv.Amount)))
		sum += inv.Amount
	}
	d.awaitSign(watch.SignRetry)
	d.stop()
	d.refuse("")
	d.ready().expect(20, sum, 0)
}
