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

	"github.com/google/go-cmp/cmp"
)

// booker returns a booker on a store, whose clock stands at 1 s.
func booker(store stream.EventStore) *payment.Booker {
	return &payment.Booker{
		Payments:  &payment.Payments{Aggregate: payment.Aggregate(), Store: store},
		Resources: &payment.Resources{Aggregate: resource.Aggregate(), Store: store},
		Now:       func() instant.Time { return epoch + 1_000 },
	}
}

func when(ms instant.Time) resource.When { return resource.When{At: epoch + ms} }

// openAll opens resources at 1 msat a second, a thousandth of the quote.
func openAll(t *testing.T, b *payment.Booker, ids ...string) {
	t.Helper()
	for _, id := range ids {
		tell(t, b, id, resource.Open{When: when(0), Plan: "small", Terms: resource.Terms{
			Price: money.Price{Msat: 1, Per: 1000}, Grace: instant.Day}, Request: [16]byte{1}})
	}
}

func tell(t *testing.T, b *payment.Booker, id string, c resource.Command) {
	t.Helper()
	if _, err := b.Resources.Execute(t.Context(), id, stream.Meta{}, c); err != nil {
		t.Fatal(err)
	}
}

func ask(t *testing.T, b *payment.Booker, key, id string) {
	t.Helper()
	e := *requested(0)
	e.Resource = id
	if _, err := b.Payments.Execute(t.Context(), key, stream.Meta{}, payment.Request{Requested: e}); err != nil {
		t.Fatal(err)
	}
}

// wrote returns the stream and the type of every event in the log.
func wrote(t *testing.T, store stream.EventStore) (lines []string) {
	t.Helper()
	head, err := store.Head(t.Context())
	if err != nil || head == 0 {
		return nil
	}
	for recs, err := range store.Subscribe(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range recs {
			lines = append(lines, r.Stream+" "+r.Type)
			if r.Position == head {
				return lines
			}
		}
	}
	return lines
}

func load(t *testing.T, b *payment.Booker, id string) resource.State {
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
	ask(t, b, "ln-00", "vm-1")
	for range 3 {
		s, _, err := b.Book(t.Context(), stream.Meta{}, "ln-00", *settled(10, 500))
		if err != nil || s.Status != payment.StatusCredited || s.Resource != "vm-1" {
			t.Fatalf("%s for %s, %v", s.Status, s.Resource, err)
		}
	}
	want := []string{
		"resource-vm-1 resource.opened.v1",
		"payment-ln-00 payment.requested.v1",
		"payment-ln-00 payment.settled.v1",
		"resource-vm-1 resource.credited.v1", "resource-vm-1 resource.started.v1",
		"payment-ln-00 payment.credited.v1",
	}
	if diff := cmp.Diff(want, wrote(t, store)); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	if s := load(t, b, "vm-1"); s.Remaining(epoch+1_000) != 500 {
		t.Errorf("the quoted price gives %d ms, want 500", s.Remaining(epoch+1_000))
	}
	if _, _, err := b.Book(t.Context(), stream.Meta{}, "ln-00", *settled(10, 501)); !errors.Is(err, payment.ErrConflict) {
		t.Errorf("booked with another amount: %v", err)
	}
}

func TestBookReturnsTheLastPositionThatItWrote(t *testing.T) {
	store, _ := storetest.SQLite(t)
	b := booker(store)
	openAll(t, b, "vm-1")
	ask(t, b, "ln-00", "vm-1")
	_, first, err := b.Book(t.Context(), stream.Meta{}, "ln-00", *settled(10, 500))
	head, _ := store.Head(t.Context())
	if err != nil || first != head {
		t.Errorf("position %d, %v; the head is %d", first, err, head)
	}
	if _, again, err := b.Book(t.Context(), stream.Meta{}, "ln-00", *settled(10, 500)); err != nil || again != 0 {
		t.Errorf("again: position %d, %v", again, err)
	}
}

// TestPositionOfWhatAnotherFinished lets another booker in after the first append.
func TestPositionOfWhatAnotherFinished(t *testing.T) {
	store, _ := storetest.SQLite(t)
	openAll(t, booker(store), "vm-1")
	ask(t, booker(store), "ln-00", "vm-1")
	var appends int
	var first stream.Position
	slow := booker(&storetest.Faulty{EventStore: store, OnAppend: func() storetest.Fault {
		if appends++; appends == 2 {
			first, _ = store.Head(t.Context())
			if err := book(t, booker(store), "ln-00", ""); err != nil {
				t.Error(err)
			}
		}
		return storetest.None
	}})
	s, position, err := slow.Book(t.Context(), stream.Meta{}, "ln-00", *settled(10, 500))
	if err != nil || s.Status != payment.StatusCredited || position != first {
		t.Errorf("%s at position %d, %v; its own event has %d", s.Status, position, err, first)
	}
	audit(t, store, booker(store), 500)
}

func TestLatePaymentBuysAtTheResourcesPrice(t *testing.T) {
	store, _ := storetest.SQLite(t)
	b := booker(store)
	for ms, want := range map[instant.Time]instant.Millis{100: 500, 101: 500_000} { // it expires at 100
		id := fmt.Sprintf("vm-%d", ms)
		openAll(t, b, id)
		ask(t, b, "ln-"+id, id)
		if _, _, err := b.Book(t.Context(), stream.Meta{}, "ln-"+id, *settled(ms, 500)); err != nil {
			t.Fatal(err)
		}
		if s := load(t, b, id); s.Remaining(0) != want {
			t.Errorf("paid at %d: %d ms, want %d", ms, s.Remaining(0), want)
		}
	}
}

func TestMoneyThatFindsNoHome(t *testing.T) {
	store, _ := storetest.SQLite(t)
	b := booker(store)
	openAll(t, b, "gone", "full", "rich")
	tell(t, b, "gone", resource.Release{When: when(1), Reason: "holder"})
	tell(t, b, "full", resource.Grant{When: when(1), Key: "g", Time: money.MaxTime})
	tell(t, b, "full", resource.Pause{When: when(1)})
	tell(t, b, "rich", resource.Credit{When: when(1), Payment: "p", Amount: money.MaxMsat, Price: money.Price{Msat: money.MaxMsat, Per: 1000}})
	for _, x := range []struct{ via, to, reason string }{
		{"keysend", "", "no_resource"},
		{"amp", "", "no_resource"},
		{"bolt11", "", "foreign_invoice"},
		{"keysend", "nobody", "unknown_resource"},
		{"keysend", "No Body\xff", "unknown_resource"},
		{"keysend", "gone", "released"},
		{"keysend", "full", "too_long"},
		{"keysend", "rich", "too_much"},
	} {
		key := "ln-" + x.via + "-" + x.reason + fmt.Sprint(len(x.to))
		c := payment.Settled{At: at(10), Amount: 500, Via: x.via, Resource: x.to}
		s, position, err := b.Book(t.Context(), stream.Meta{}, key, c)
		if err != nil || s.Status != payment.StatusUnallocated || s.Reason != x.reason || position == 0 {
			t.Errorf("%s to %q: %s, %q, %v; want %q", x.via, x.to, s.Status, s.Reason, err, x.reason)
		}
		if again, err := b.Payments.Load(t.Context(), key); err != nil || again.State.Status != payment.StatusUnallocated {
			t.Errorf("%s to %q: read again as %s, %v", x.via, x.to, again.State.Status, err)
		}
	}
}

func TestGive(t *testing.T) {
	store, _ := storetest.SQLite(t)
	b := booker(store)
	openAll(t, b, "gone", "vm-2", "vm-3")
	ask(t, b, "ln-00", "gone")
	tell(t, b, "gone", resource.Release{When: when(1), Reason: "holder"})
	give := func(key, to string, want error) payment.State {
		t.Helper()
		s, _, err := b.Give(t.Context(), stream.Meta{}, key, to)
		if !errors.Is(err, want) {
			t.Fatalf("giving %s to %q: %v, want %v", key, to, err, want)
		}
		return s
	}
	give("ln-00", "vm-2", payment.ErrState) // not paid yet
	if _, _, err := b.Book(t.Context(), stream.Meta{}, "ln-00", *settled(10, 500)); err != nil {
		t.Fatal(err)
	}
	give("ln-99", "vm-2", payment.ErrUnknown)
	give("ln-00", "nobody", resource.ErrNotOpened)
	give("ln-00", "", resource.ErrNotOpened)
	give("ln-00", "gone", resource.ErrReleased)
	for range 2 {
		if s := give("ln-00", "vm-2", nil); s.Status != payment.StatusCredited || s.Resource != "vm-2" {
			t.Fatalf("given: %s for %q", s.Status, s.Resource)
		}
	}
	give("ln-00", "vm-3", payment.ErrState)
	if s := load(t, b, "vm-2"); s.Credited != 500 || s.Remaining(0) != 500_000 {
		t.Errorf("vm-2 has %s, which buy %d ms: want its own price", s.Credited, s.Remaining(0))
	}
	if s := load(t, b, "vm-3"); s.Credited != 0 {
		t.Errorf("vm-3 has %s", s.Credited)
	}
}

func TestGiveToOneThatCannotTakeIt(t *testing.T) {
	store, _ := storetest.SQLite(t)
	b := booker(store)
	openAll(t, b, "full", "vm-2")
	tell(t, b, "full", resource.Grant{When: when(1), Key: "g", Time: money.MaxTime})
	tell(t, b, "full", resource.Pause{When: when(1)})
	if _, _, err := b.Book(t.Context(), stream.Meta{}, "ln-00", payment.Settled{At: at(10), Amount: 500, Via: "keysend"}); err != nil {
		t.Fatal(err)
	}
	s, _, err := b.Give(t.Context(), stream.Meta{}, "ln-00", "full")
	if err != nil || s.Status != payment.StatusUnallocated || s.Reason != "too_long" || s.Resource != "full" {
		t.Fatalf("%s for %q: %q, %v", s.Status, s.Resource, s.Reason, err)
	}
	if s, _, err = b.Give(t.Context(), stream.Meta{}, "ln-00", "vm-2"); err != nil || s.Status != payment.StatusCredited {
		t.Fatalf("%s, %v", s.Status, err)
	}
}

// TestGiveFindsACreditThatWasNotSaid has one booker refused, and another that credits
// after it and dies before it can say so.
func TestGiveFindsACreditThatWasNotSaid(t *testing.T) {
	store, _ := storetest.SQLite(t)
	b := booker(store)
	openAll(t, b, "vm-2")
	c := payment.Settled{At: at(10), Amount: 500, Via: "keysend", Resource: "vm-1"}
	if s, _, err := b.Book(t.Context(), stream.Meta{}, "ln-00", c); err != nil || s.Reason != "unknown_resource" {
		t.Fatalf("%q, %v", s.Reason, err)
	}
	openAll(t, b, "vm-1")
	tell(t, b, "vm-1", resource.Credit{When: when(20), Payment: "ln-00", Amount: 500})
	if s, _, err := b.Give(t.Context(), stream.Meta{}, "ln-00", "vm-2"); !errors.Is(err, payment.ErrState) || s.Status != payment.StatusCredited {
		t.Errorf("given away: %s, %v", s.Status, err)
	}
	if s := load(t, b, "vm-2"); s.Credited != 0 {
		t.Errorf("credited twice")
	}
}

func TestErrorsOfTheStoreAreReturned(t *testing.T) {
	store, _ := storetest.SQLite(t)
	b := booker(store)
	openAll(t, b, "vm-1")
	ask(t, b, "ln-00", "vm-1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := b.Book(ctx, stream.Meta{}, "ln-00", *settled(10, 500)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	for n := range 6 {
		reads := 0
		broken := booker(&storetest.Faulty{EventStore: store, OnRead: func() bool { reads++; return reads == n+1 }})
		s, _, err := broken.Book(t.Context(), stream.Meta{}, "ln-00", *settled(10, 500))
		if (err == nil) != (reads <= n) || err == nil && s.Status != payment.StatusCredited {
			t.Errorf("read %d of %d fails: %s, %v", n+1, reads, s.Status, err)
		}
	}
}

// TestTwoBookersOnOneStore book the same payments at the same time.
func TestTwoBookersOnOneStore(t *testing.T) {
	const payments, machines = 200, 8
	store, _ := storetest.SQLite(t)
	b := booker(store)
	for i := range machines {
		openAll(t, b, fmt.Sprintf("vm-%d", i))
	}
	for i := range payments {
		ask(t, b, fmt.Sprintf("ln-%d", i), fmt.Sprintf("vm-%d", i%machines))
	}
	var all sync.WaitGroup
	for n := range instant.Time(2) {
		all.Go(func() {
			b := booker(store)
			b.Now = func() instant.Time { return epoch + 1_000 + n }
			for i := range payments {
				for {
					_, _, err := b.Book(t.Context(), stream.Meta{}, fmt.Sprintf("ln-%d", i), *settled(10, 500))
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
	audit(t, store, b, payments*500)
}

// audit folds the whole log: every payment that settled has one credit, and its end.
func audit(t *testing.T, store stream.EventStore, b *payment.Booker, want money.Msat) {
	t.Helper()
	count := map[string]int{}
	for _, line := range wrote(t, store) {
		count[line]++
	}
	var sum money.Msat
	ids := map[string]bool{}
	for line, n := range count {
		var name, kind string
		if _, err := fmt.Sscan(line, &name, &kind); err != nil {
			t.Fatal(err)
		}
		if kind == "payment.settled.v1" && (n != 1 || count[name+" payment.credited.v1"] != 1) {
			t.Errorf("%s: settled %d times, credited %d times", name, n, count[name+" payment.credited.v1"])
		}
		if id, ok := cut(name); ok && !ids[id] {
			ids[id] = true
			s := load(t, b, id)
			sum += s.Credited
			if money.Msat(len(s.Lots))*500 != s.Credited {
				t.Errorf("%s has %d lots of %s", id, len(s.Lots), s.Credited)
			}
		}
	}
	if sum != want {
		t.Errorf("%s credited in all, want %s", sum, want)
	}
}
