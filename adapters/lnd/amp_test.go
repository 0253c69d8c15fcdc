package lnd_test

import (
	"context"
	"encoding/hex"
	"iter"
	"testing"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/lightning"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/reconcile"
	"sandglass/domain/resource"
	"sandglass/domain/watch"
)

// raw returns a hash as the wallet has it.
func raw(t *testing.T, hash string) []byte {
	t.Helper()
	return must(hex.DecodeString(hash))(t)
}

// reconcile compares the log with the wallet.
func (d *daemon) reconcile() *reconcile.Report {
	d.t.Helper()
	l := reconcile.NewLog()
	for _, r := range d.records() {
		check(d.t, l.Add(&r))
	}
	w := must((&reconcile.Reader{Invoices: d.client, Chain: d.client}).Read(d.t.Context(), l, 0))(d.t)
	return reconcile.Compare(l, w, reconcile.Options{Known: l.Position, Required: l.Required(3)})
}

// agrees holds the log against the wallet: so many payments, of so much.
func (d *daemon) agrees(payments int, amount money.Msat) {
	d.t.Helper()
	r := d.reconcile()
	want := reconcile.Sum{Payments: payments, Amount: amount}
	if !r.Clean() || r.Lightning.Wallet != want || r.Lightning.Log != want {
		d.t.Errorf("the wallet has %+v, the log %+v, want %+v in both: %+v", r.Lightning.Wallet, r.Lightning.Log, want, r.Differences)
	}
}

// A stranger knows the payment_hash of somebody's invoice, and pays 1 msat, or as much as is
// asked, by AMP with that as set_id: the payments don't meet, in whichever order they come,
// and whether the stream tells of them or a sweep.
func TestAMPWithTheHashOfAnInvoice(t *testing.T) {
	for name, x := range map[string]struct {
		amount int64
		down   bool // while they come
		late   bool // after the invoice was paid
	}{
		"told":                      {amount: 1},
		"told, as much":             {amount: 1_000_000},
		"told, after the payment":   {amount: 1, late: true},
		"listed":                    {amount: 1, down: true},
		"listed, as much":           {amount: 1_000_000, down: true},
		"listed, after the payment": {amount: 1, down: true, late: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			d := newDaemon(t, configOf(f)).ready()
			d.open("vm-1")
			inv := d.order("vm-1", 1_000_000)
			steps := []func(){
				func() { f.SpontaneousAMPOf(raw(t, inv.Hash), nil, x.amount) },
				func() { check(t, f.Pay(inv.Hash, 1_000_000)) },
			}
			if x.late {
				steps[0], steps[1] = steps[1], steps[0]
			}
			if x.down {
				d.stop()
			}
			for i, step := range steps {
				step()
				if !x.down {
					d.awaitBooked(i + 1)
				}
			}
			if x.down {
				d.ready()
			}
			stranger := money.Msat(x.amount)
			for range 2 {
				d.expect(2, 1_000_000, stranger)
				d.agrees(2, 1_000_000+stranger)
				if n := d.signs(watch.SignConflict); n != 0 {
					t.Errorf("%d conflicts", n)
				}
				if s := d.payment(inv.Key); s.Status != payment.StatusCredited || s.Via != payment.ViaBOLT11 {
					t.Errorf("the customer's payment is %+v", s)
				}
				if s := d.payment(payment.AMPKey(inv.Hash)); s.Status != payment.StatusUnallocated || s.Amount != stranger {
					t.Errorf("the stranger's payment is %+v", s)
				}
				d.stop()
				d.ready()
			}
		})
	}
}

// earlier is a wallet as an earlier build read it: set ids among the payment_hashes.
type earlier struct{ lightning.Wallet }

func (w earlier) rename(e lightning.Entry) lightning.Entry {
	for i := range e.Arrivals {
		if former, ok := e.Arrivals[i].Key.Former(); ok {
			e.Arrivals[i].Key = former
		}
	}
	return e
}

func (w earlier) Settlements(ctx context.Context, after int64) iter.Seq2[lightning.Entry, error] {
	return func(yield func(lightning.Entry, error) bool) {
		for e, err := range w.Wallet.Settlements(ctx, after) {
			if !yield(w.rename(e), err) {
				return
			}
		}
	}
}

func (w earlier) Lookup(ctx context.Context, hash string) (lightning.Entry, error) {
	e, err := w.Wallet.Lookup(ctx, hash)
	return w.rename(e), err
}

func (w earlier) List(ctx context.Context, from int64, limit int, backward bool) ([]lightning.Entry, error) {
	page, err := w.Wallet.List(ctx, from, limit, backward)
	for i := range page {
		page[i] = w.rename(page[i])
	}
	return page, err
}

// What an earlier build booked by AMP is known for what it is: by the backlog, by the
// listing of a start, and by one of everything.
func TestUpgradeWithAMP(t *testing.T) {
	f := newFake(t)
	d := newDaemon(t, configOf(f))
	d.config.Wallet = earlier{d.client}
	d.ready()
	d.open("vm-1")
	d.open("vm-2")
	hash := f.AddAMP(0)
	request := payment.LightningKey(hash)
	d.request("vm-1", request, "lnbcrt1amp", 0, now().Add(instant.Hour))
	first := must(f.PayAMP(hash, nil, 1_000))(t)
	f.SpontaneousAMP(forVM1, 2_000)
	f.SpontaneousAMP(nil, 3_000)
	d.awaitBooked(3)
	d.refuse(resource.Prefix + "vm-2")
	cut := f.SpontaneousAMP(map[uint64][]byte{lightning.ResourceRecord: []byte("vm-2")}, 4_000)
	d.await("the payment is settled", func() bool {
		return d.payment(payment.LightningKey(cut)).Status == payment.StatusSettled
	})
	if s := d.payment(payment.LightningKey(first)).Status; s != payment.StatusCredited {
		t.Fatalf("the earlier build left the first payment %s", s)
	}
	d.stop()
	d.refuse("")

	d.config.Wallet = d.client
	must(f.PayAMP(hash, nil, 5_000))(t)
	d.ready()
	for range 2 {
		d.expect(5, 12_000, 3_000)
		d.agrees(5, 15_000)
		if n := d.signs(watch.SignConflict); n != 0 || d.credited("vm-2") != 4_000 {
			t.Errorf("%d conflicts, and vm-2 has %s", n, d.credited("vm-2"))
		}
		for _, set := range []string{first, cut} {
			a, b := d.payment(payment.LightningKey(set)).Status, d.payment(payment.AMPKey(set)).Status
			if a != payment.StatusCredited || b != payment.StatusNone {
				t.Errorf("set %s is %s at its former key, and %s at its own", set, a, b)
			}
		}
		if w := d.wallet(f.Identity()); w.Epoch != 1 {
			t.Errorf("it is in epoch %d", w.Epoch)
		}
		d.stop()
		d.config.SweepEvery = time.Millisecond // so that the second sweep lists everything
		d.ready()
	}
}

// The attack that an earlier build let through stays visible: the money of the customer is
// missing in the log, and that is said.
func TestUpgradeAfterAMPTookAnInvoice(t *testing.T) {
	for name, amount := range map[string]int64{"1 msat": 1, "as much": 1_000_000} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			d := newDaemon(t, configOf(f))
			d.config.Wallet = earlier{d.client}
			d.ready()
			d.open("vm-1")
			inv := d.order("vm-1", 1_000_000)
			f.SpontaneousAMPOf(raw(t, inv.Hash), nil, amount)
			d.awaitBooked(1)
			d.stop()
			d.config.Wallet = d.client
			d.ready()
			check(t, f.Pay(inv.Hash, 1_000_000))
			d.awaitSign(watch.SignConflict)
			d.expect(1, money.Msat(amount), 0)
			r := d.reconcile()
			if len(r.Differences) != 1 || r.Differences[0].Kind != reconcile.NotInLog || r.Differences[0].Key != string(inv.Key) {
				t.Errorf("the differences are %+v", r.Differences)
			}
			if got := r.Lightning.Wallet.Payments - r.Lightning.Log.Payments; got != 1 {
				t.Errorf("the log lacks %d payments", got)
			}
		})
	}
}
