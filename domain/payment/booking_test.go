package payment_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
	"sandglass/testutil/wholelog"

	"github.com/google/go-cmp/cmp"
)

// booker returns a booker on a store, whose clock stands at 1 s.
func booker(store stream.EventStore) *payment.Booker {
	return &payment.Booker{
		Payments:  &payment.Handler{Aggregate: payment.Aggregate(), Store: store},
		Resources: &resource.Handler{Aggregate: resource.Aggregate(), Store: store},
		Now:       func() instant.Time { return epoch + 1_000 },
	}
}

func when(ms instant.Time) resource.When { return resource.When{At: epoch + ms} }

// openAll opens resources at 1 msat a second, a thousandth of the quote.
func openAll(t *testing.T, b *payment.Booker, ids ...resource.ID) {
	t.Helper()
	for _, id := range ids {
		execute(t, b, id, resource.Open{
			When: when(0),
			Order: resource.Order{
				Plan: "small",
				Terms: resource.Terms{
					Price: money.Price{Msat: 1, Per: 1000}, Grace: instant.Day},
				Request: [16]byte{1},
			},
		})
	}
}

func execute(t *testing.T, b *payment.Booker, id resource.ID, c resource.Command) {
	t.Helper()
	if _, err := b.Resources.Execute(t.Context(), id, stream.Meta{}, c); err != nil {
		t.Fatal(err)
	}
}

// order requests a payment for a resource.
func order(t *testing.T, b *payment.Booker, key payment.Key, id resource.ID) {
	t.Helper()
	c := request(0)
	c.Resource = id
	if _, err := b.Payments.Execute(t.Context(), key, stream.Meta{}, c); err != nil {
		t.Fatal(err)
	}
}

// vm and ln name a resource and a payment.
func vm(i int) resource.ID { return resource.ID(fmt.Sprintf("vm-%d", i)) }
func ln(i int) payment.Key { return payment.Key(fmt.Sprintf("ln-%d", i)) }

func load(t *testing.T, b *payment.Booker, id resource.ID) resource.State {
	t.Helper()
	out, err := b.Resources.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return out.State
}

func TestBook(t *testing.T) {
	store, _ := storetest.SQLite(t)
	b := booker(store)
	openAll(t, b, "vm-1")
	order(t, b, "ln-00", "vm-1")
	for range 3 {
		out, err := b.Book(t.Context(), stream.Meta{}, "ln-00", settle(10, 500))
		if s := &out.State; err != nil || s.Status != payment.StatusCredited || s.Resource != "vm-1" {
			t.Fatalf("%s for %s, %v", s.Status, s.Resource, err)
		}
	}
	want := []string{
		"resource-vm-1 resource.opened.v1",
		"payment-ln-00 payment.requested.v2",
		"payment-ln-00 payment.settled.v2",
		"resource-vm-1 resource.credited.v2", "resource-vm-1 resource.started.v1",
		"payment-ln-00 payment.credited.v1",
	}
	if diff := cmp.Diff(want, wholelog.Types(t, store)); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	if s := load(t, b, "vm-1"); s.Remaining(epoch+1_000) != 500 {
		t.Errorf("the quoted price gives %d ms, want 500", s.Remaining(epoch+1_000))
	}
	if _, err := b.Book(t.Context(), stream.Meta{}, "ln-00", settle(10, 501)); !errors.Is(err, payment.ErrConflict) {
		t.Errorf("booked with another amount: %v", err)
	}
}

func TestBookReturnsTheLastPositionThatItWrote(t *testing.T) {
	store, _ := storetest.SQLite(t)
	b := booker(store)
	openAll(t, b, "vm-1")
	order(t, b, "ln-00", "vm-1")
	first, err := b.Book(t.Context(), stream.Meta{}, "ln-00", settle(10, 500))
	head, _ := store.Head(t.Context())
	if err != nil || first.Position != head {
		t.Errorf("position %d, %v; the head is %d", first.Position, err, head)
	}
	if again, err := b.Book(t.Context(), stream.Meta{}, "ln-00", settle(10, 500)); err != nil || again.Position != 0 {
		t.Errorf("again: position %d, %v", again.Position, err)
	}
}

// TestPositionOfWhatAnotherFinished lets another booker in after the first append. That the
// payment is credited is the same fact, whoever tells it.
func TestPositionOfWhatAnotherFinished(t *testing.T) {
	store, _ := storetest.SQLite(t)
	openAll(t, booker(store), "vm-1")
	order(t, booker(store), "ln-00", "vm-1")
	var appends int
	slow := booker(&storetest.Faulty{EventStore: store, OnAppend: func() storetest.Fault {
		if appends++; appends == 2 {
			if err := book(t, booker(store), "ln-00", ""); err != nil {
				t.Error(err)
			}
		}
		return storetest.None
	}})
	out, err := slow.Book(t.Context(), stream.Meta{}, "ln-00", settle(10, 500))
	head, _ := store.Head(t.Context())
	if err != nil || out.State.Status != payment.StatusCredited || out.Position != head {
		t.Errorf("%s at position %d, %v; the event that says so has %d", out.State.Status, out.Position, err, head)
	}
	wholelog.CheckCredits(t, store, 500, 500)
}

func TestLatePaymentBuysAtTheResourcesPrice(t *testing.T) {
	store, _ := storetest.SQLite(t)
	b := booker(store)
	for ms, want := range map[instant.Time]instant.Millis{100: 500, 101: 500_000} { // it expires at 100
		id, key := vm(int(ms)), ln(int(ms))
		openAll(t, b, id)
		order(t, b, key, id)
		if _, err := b.Book(t.Context(), stream.Meta{}, key, settle(ms, 500)); err != nil {
			t.Fatal(err)
		}
		if s := load(t, b, id); s.Remaining(0) != want {
			t.Errorf("paid at %d: %d ms, want %d", ms, s.Remaining(0), want)
		}
	}
}

// An open invoice for an hour, of a resource that is a thousand times as dear by now, is paid with
// the price of a year.
func TestOverpaidAtAnOldPrice(t *testing.T) {
	store, _ := storetest.SQLite(t)
	b := booker(store)
	openAll(t, b, "vm-1") // at 1 msat a second
	order(t, b, "ln-00", "vm-1")
	asked := request(0).Amount
	execute(t, b, "vm-1", resource.Reprice{When: when(1), Price: money.Price{Msat: 1000, Per: 1}})
	if _, err := b.Book(t.Context(), stream.Meta{}, "ln-00", settle(50, 10_000*asked+999)); err != nil {
		t.Fatal(err)
	}
	if s := load(t, b, "vm-1"); s.Remaining(0) != 500+5_000 { // 500 msat at 1 a ms, 5,000,499 at 1,000
		t.Errorf("%s asked for, 10,000 times that paid: %d ms", asked, s.Remaining(0))
	}
}

func TestMoneyThatFindsNoHome(t *testing.T) {
	store, _ := storetest.SQLite(t)
	b := booker(store)
	openAll(t, b, "gone", "full", "rich")
	execute(t, b, "gone", resource.Release{When: when(1), Reason: "holder"})
	execute(t, b, "full", resource.Grant{When: when(1), Key: "g", Time: money.MaxTime})
	execute(t, b, "full", resource.Pause{When: when(1)})
	all := money.Price{Msat: money.MaxMsat, Per: 1000}
	execute(t, b, "rich", resource.Credit{When: when(1), Payment: "p", Amount: money.MaxMsat, Price: all})
	for _, x := range []struct {
		via    payment.Via
		to     resource.ID
		reason payment.Reason
	}{
		{"keysend", "", "no_resource"},
		{"amp", "", "no_resource"},
		{"bolt11", "", "foreign_invoice"},
		{"keysend", "nobody", "unknown_resource"},
		{"keysend", "No Body\xff", "unknown_resource"},
		{"keysend", "gone", "released"},
		{"keysend", "full", "too_long"},
		{"keysend", "rich", "too_much"},
	} {
		key := payment.Key(fmt.Sprintf("ln-%s-%s%d", x.via, x.reason, len(x.to)))
		c := payment.Settle{At: epoch + 10, Amount: 500, Via: x.via, Resource: x.to}
		out, err := b.Book(t.Context(), stream.Meta{}, key, c)
		if s := &out.State; err != nil || s.Status != payment.StatusUnallocated || s.Reason != x.reason || out.Position == 0 {
			t.Errorf("%s to %q: %s, %q, %v; want %q", x.via, x.to, s.Status, s.Reason, err, x.reason)
		}
		if again, err := b.Payments.Load(t.Context(), key); err != nil || again.State.Status != payment.StatusUnallocated {
			t.Errorf("%s to %q: read again as %s, %v", x.via, x.to, again.State.Status, err)
		}
	}
}

// What was too little when the wallet told of it stays so, however the next booker sees it: a
// plan's least may have changed since a crash.
func TestTooLittleIsDecidedOnce(t *testing.T) {
	store, _ := storetest.SQLite(t)
	b := booker(store)
	openAll(t, b, "vm-1")
	const key = payment.Key("ln-little")
	c := payment.Settle{At: epoch + 10, Amount: 5, Via: payment.ViaKeysend, Meant: "vm-1"}
	if _, err := b.Payments.Execute(t.Context(), key, stream.Meta{}, c); err != nil { // and it dies
		t.Fatal(err)
	}
	c.Resource, c.Meant = "vm-1", ""
	out, err := b.Book(t.Context(), stream.Meta{}, key, c)
	s := &out.State
	if err != nil || s.Status != payment.StatusUnallocated || s.Reason != payment.ReasonTooLittle || s.Resource != "vm-1" {
		t.Errorf("it is %s: %s for %q, %v", s.Status, s.Reason, s.Resource, err)
	}
	if out, err = b.Allocate(t.Context(), stream.Meta{}, key, "vm-1"); err != nil || out.State.Status != payment.StatusCredited {
		t.Errorf("allocated it is %s: %v", out.State.Status, err)
	}
}

func TestAllocatedMoney(t *testing.T) {
	store, _ := storetest.SQLite(t)
	b := booker(store)
	openAll(t, b, "gone", "vm-2", "vm-3")
	order(t, b, "ln-00", "gone")
	execute(t, b, "gone", resource.Release{When: when(1), Reason: "holder"})
	allocate := func(key payment.Key, to resource.ID, want error) payment.State {
		t.Helper()
		out, err := b.Allocate(t.Context(), stream.Meta{}, key, to)
		if !errors.Is(err, want) {
			t.Fatalf("allocating %s to %q: %v, want %v", key, to, err, want)
		}
		return out.State
	}
	allocate("ln-00", "vm-2", payment.ErrState) // not paid yet
	if _, err := b.Book(t.Context(), stream.Meta{}, "ln-00", settle(10, 500)); err != nil {
		t.Fatal(err)
	}
	allocate("ln-99", "vm-2", payment.ErrUnknown)
	allocate("ln-00", "nobody", resource.ErrNotOpened)
	allocate("ln-00", "", resource.ErrNotOpened)
	allocate("ln-00", "gone", resource.ErrReleased)
	for range 2 {
		if s := allocate("ln-00", "vm-2", nil); s.Status != payment.StatusCredited || s.Resource != "vm-2" {
			t.Fatalf("allocated: %s for %q", s.Status, s.Resource)
		}
	}
	allocate("ln-00", "vm-3", payment.ErrState)
	if s := load(t, b, "vm-2"); s.Credited != 500 || s.Remaining(0) != 500_000 {
		t.Errorf("vm-2 has %s, which buy %d ms: want its own price", s.Credited, s.Remaining(0))
	}
	if s := load(t, b, "vm-3"); s.Credited != 0 {
		t.Errorf("vm-3 has %s", s.Credited)
	}
}

func TestAllocateToOneThatCannotTakeIt(t *testing.T) {
	store, _ := storetest.SQLite(t)
	b := booker(store)
	openAll(t, b, "full", "vm-2")
	execute(t, b, "full", resource.Grant{When: when(1), Key: "g", Time: money.MaxTime})
	execute(t, b, "full", resource.Pause{When: when(1)})
	c := payment.Settle{At: epoch + 10, Amount: 500, Via: "keysend"}
	if _, err := b.Book(t.Context(), stream.Meta{}, "ln-00", c); err != nil {
		t.Fatal(err)
	}
	out, err := b.Allocate(t.Context(), stream.Meta{}, "ln-00", "full")
	if s := &out.State; err != nil || s.Status != payment.StatusUnallocated || s.Reason != "too_long" || s.Resource != "full" {
		t.Fatalf("%s for %q: %q, %v", s.Status, s.Resource, s.Reason, err)
	}
	if out, err = b.Allocate(t.Context(), stream.Meta{}, "ln-00", "vm-2"); err != nil || out.State.Status != payment.StatusCredited {
		t.Fatalf("%s, %v", out.State.Status, err)
	}
}

// TestAllocateFindsACreditThatWasNotSaid has one booker refused, and another that credits
// after it and dies before it can say so.
func TestAllocateFindsACreditThatWasNotSaid(t *testing.T) {
	store, _ := storetest.SQLite(t)
	b := booker(store)
	openAll(t, b, "vm-2")
	c := payment.Settle{At: epoch + 10, Amount: 500, Via: "keysend", Resource: "vm-1"}
	if out, err := b.Book(t.Context(), stream.Meta{}, "ln-00", c); err != nil || out.State.Reason != "unknown_resource" {
		t.Fatalf("%q, %v", out.State.Reason, err)
	}
	openAll(t, b, "vm-1")
	execute(t, b, "vm-1", resource.Credit{When: when(20), Payment: "ln-00", Amount: 500})
	out, err := b.Allocate(t.Context(), stream.Meta{}, "ln-00", "vm-2")
	if !errors.Is(err, payment.ErrState) || out.State.Status != payment.StatusCredited {
		t.Errorf("allocated: %s, %v", out.State.Status, err)
	}
	if s := load(t, b, "vm-2"); s.Credited != 0 {
		t.Errorf("credited twice")
	}
}

func TestErrorsOfTheStoreAreReturned(t *testing.T) {
	store, _ := storetest.SQLite(t)
	b := booker(store)
	openAll(t, b, "vm-1")
	order(t, b, "ln-00", "vm-1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Book(ctx, stream.Meta{}, "ln-00", settle(10, 500)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	for n := range 6 {
		reads := 0
		broken := booker(&storetest.Faulty{EventStore: store, OnRead: func() bool { reads++; return reads == n+1 }})
		out, err := broken.Book(t.Context(), stream.Meta{}, "ln-00", settle(10, 500))
		if (err == nil) != (reads <= n) || err == nil && out.State.Status != payment.StatusCredited {
			t.Errorf("read %d of %d fails: %s, %v", n+1, reads, out.State.Status, err)
		}
	}
}

// TestTwoBookersOnOneStore book the same payments at the same time.
func TestTwoBookersOnOneStore(t *testing.T) {
	const payments, machines = 200, 8
	store, _ := storetest.SQLite(t)
	b := booker(store)
	for i := range machines {
		openAll(t, b, vm(i))
	}
	for i := range payments {
		order(t, b, ln(i), vm(i%machines))
	}
	var all sync.WaitGroup
	for n := range instant.Time(2) {
		all.Go(func() {
			b := booker(store)
			b.Now = func() instant.Time { return epoch + 1_000 + n }
			for i := range payments {
				for {
					_, err := b.Book(t.Context(), stream.Meta{}, ln(i), settle(10, 500))
					if err == nil {
						break
					}
					if !errors.Is(err, stream.ErrWrongRevision) {
						t.Errorf("payment %d: %v", i, err)
						return
					}
				}
			}
		})
	}
	all.Wait()
	wholelog.CheckCredits(t, store, 500, payments*500)
}

// TestCausation books, allocates and reverses: what is written to another stream, and what
// follows from that, names the event of the payment that began it.
func TestCausation(t *testing.T) {
	store, _ := storetest.SQLite(t)
	b := booker(store)
	openAll(t, b, "vm-1", "vm-2")
	meta := stream.Meta{Actor: "watcher", Correlation: "c-1", Causation: "of the request"}
	must := func(_ payment.Outcome, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do := func(key payment.Key, c payment.Command) {
		t.Helper()
		must(b.Payments.Execute(t.Context(), key, meta, c))
	}
	order(t, b, "ln-0", "vm-1")
	must(b.Book(t.Context(), meta, "ln-0", settle(10, 500)))
	must(b.Book(t.Context(), meta, "ln-1", payment.Settle{At: epoch + 10, Amount: 500, Via: "keysend"}))
	must(b.Allocate(t.Context(), meta, "ln-1", "vm-2"))
	do("ln-2", payment.Settle{At: epoch + 10, Amount: 500, Via: "keysend", Resource: "vm-2"}) // and then a crash
	must(b.Resume(t.Context(), meta, "ln-2"))
	do("btc-00-0", payment.See{At: epoch + 10, Resource: "vm-1", Address: "bcrt1q", Amount: 500})
	do("btc-00-0", payment.Confirm{At: epoch + 10, Height: 7, Block: "aa"})
	must(b.Book(t.Context(), meta, "btc-00-0", payment.Settle{At: epoch + 10, Amount: 500, Via: "onchain", Block: "aa"}))
	do("btc-00-0", payment.Reorg{At: epoch + 20, Block: "aa"})
	must(b.TakeBack(t.Context(), meta, "btc-00-0"))
	must(b.TakeBack(t.Context(), meta, "btc-00-0")) // which writes nothing

	names := map[string]string{meta.Causation: "the request"} // by id
	var got []string
	for r := range wholelog.Records(t, store) {
		names[r.ID.String()] = r.Stream + " " + r.Type
		m, err := r.Metadata()
		if m.Causation == "" {
			continue // it was here before
		}
		if err != nil || m.Actor != meta.Actor || m.Correlation != meta.Correlation {
			t.Errorf("%s %s: %+v, %v", r.Stream, r.Type, m, err)
		}
		got = append(got, names[r.ID.String()]+" by "+names[m.Causation])
	}
	want := []string{
		"payment-ln-0 payment.settled.v2 by the request",
		"resource-vm-1 resource.credited.v2 by payment-ln-0 payment.settled.v2",
		"resource-vm-1 resource.started.v1 by payment-ln-0 payment.settled.v2",
		"payment-ln-0 payment.credited.v1 by payment-ln-0 payment.settled.v2",
		"payment-ln-1 payment.settled.v2 by the request",
		"payment-ln-1 payment.unallocated.v1 by payment-ln-1 payment.settled.v2",
		"payment-ln-1 payment.allocated.v1 by the request",
		"resource-vm-2 resource.credited.v2 by payment-ln-1 payment.allocated.v1",
		"resource-vm-2 resource.started.v1 by payment-ln-1 payment.allocated.v1",
		"payment-ln-1 payment.credited.v1 by payment-ln-1 payment.allocated.v1",
		"payment-ln-2 payment.settled.v2 by the request",
		"resource-vm-2 resource.credited.v2 by payment-ln-2 payment.settled.v2",
		"payment-ln-2 payment.credited.v1 by payment-ln-2 payment.settled.v2",
		"payment-btc-00-0 payment.seen.v2 by the request",
		"payment-btc-00-0 payment.confirmed.v1 by the request",
		"payment-btc-00-0 payment.settled.v2 by the request",
		"resource-vm-1 resource.credited.v2 by payment-btc-00-0 payment.settled.v2",
		"payment-btc-00-0 payment.credited.v1 by payment-btc-00-0 payment.settled.v2",
		"payment-btc-00-0 payment.reorged.v1 by the request",
		"resource-vm-1 resource.reversed.v1 by payment-btc-00-0 payment.reorged.v1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events and their causes (-want +got):\n%s", diff)
	}
}

// TestCreditedWithoutMoney has a watcher take back what another gave just then, and die before
// it gives it again: the resource has it again, or the operator's list has the payment.
func TestCreditedWithoutMoney(t *testing.T) {
	for _, x := range []struct {
		what   string
		before []resource.Command // between the reversal and the next sweep
		status payment.Status
		reason payment.Reason
	}{
		{"it runs", nil, payment.StatusCredited, ""},
		{"it was released", []resource.Command{resource.Release{When: when(30), Reason: "operator"}},
			payment.StatusUnallocated, "released"},
		{"it is full", []resource.Command{resource.Grant{When: when(30), Key: "g", Time: money.MaxTime}},
			payment.StatusUnallocated, "too_long"},
	} {
		t.Run(x.what, func(t *testing.T) {
			store, _ := storetest.SQLite(t)
			faulty := &storetest.Faulty{EventStore: store}
			b := booker(faulty)
			key := creditedOnChain(t, b, "vm-1")
			execute(t, b, "vm-1", resource.Reverse{When: when(20), Payment: string(key), Reason: resource.ReasonReorged})
			for _, c := range x.before {
				execute(t, b, "vm-1", c)
			}
			for _, fault := range []storetest.Fault{storetest.Lost, storetest.AnswerLost} {
				faulty.OnAppend = storetest.Faults(fault)
				if err := b.EnsureCredit(t.Context(), stream.Meta{}, key); !errors.Is(err, storetest.ErrFault) {
					t.Errorf("fault %d: %v", fault, err)
				}
			}
			for range 2 {
				if err := b.EnsureCredit(t.Context(), stream.Meta{}, key); err != nil {
					t.Error(err)
				}
			}
			out, err := b.Payments.Load(t.Context(), key)
			if s := &out.State; err != nil || s.Status != x.status || s.Reason != x.reason || s.Resource != "vm-1" {
				t.Errorf("the payment is %s (%s) for %q, %v", s.Status, s.Reason, s.Resource, err)
			}
			if r := load(t, b, "vm-1"); r.Has(string(key)) != (x.status == payment.StatusCredited) {
				t.Errorf("the payment is %s, and its resource has %+v", out.State.Status, r.Lots)
			}
		})
	}
}

// creditedOnChain opens a resource and credits it with an output.
func creditedOnChain(t *testing.T, b *payment.Booker, id resource.ID) payment.Key {
	t.Helper()
	openAll(t, b, id)
	key, at := payment.ChainKey("00aa", 0), epoch+10
	for _, c := range []payment.Command{
		payment.See{At: at, Resource: id, Address: "a", Amount: 500},
		payment.Confirm{At: at, Height: 5, Block: "b"},
	} {
		if _, err := b.Payments.Execute(t.Context(), key, stream.Meta{}, c); err != nil {
			t.Fatal(err)
		}
	}
	c := payment.Settle{At: at, Amount: 500, Via: payment.ViaOnChain, Node: "n", Block: "b"}
	if out, err := b.Book(t.Context(), stream.Meta{}, key, c); err != nil || out.State.Status != payment.StatusCredited {
		t.Fatalf("%s, %v", out.State.Status, err)
	}
	return key
}

// TestTheLogLacksAResource holds that a resource which is not there, as where the past is read,
// is no refusal.
func TestTheLogLacksAResource(t *testing.T) {
	store, _ := storetest.SQLite(t)
	b := booker(store)
	key := creditedOnChain(t, b, "vm-1")
	empty, _ := storetest.SQLite(t)
	b.Resources = booker(empty).Resources
	if err := b.EnsureCredit(t.Context(), stream.Meta{}, key); !errors.Is(err, resource.ErrNotOpened) {
		t.Error(err)
	}
	if out, err := b.Payments.Load(t.Context(), key); err != nil || out.State.Status != payment.StatusCredited {
		t.Errorf("%s, %v", out.State.Status, err)
	}
}
