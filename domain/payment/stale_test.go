package payment_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"

	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
	"sandglass/testutil/wholelog"
)

// late is a store that shows payments without their last events, as a copy does that lags,
// while it is told to.
type late struct {
	stream.EventStore
	by int
}

func (l *late) Read(ctx context.Context, name string, from stream.Revision) iter.Seq2[stream.Record, error] {
	if !strings.HasPrefix(name, payment.Prefix) || l.by == 0 {
		return l.EventStore.Read(ctx, name, from)
	}
	return func(yield func(stream.Record, error) bool) {
		var all []stream.Record
		for rec, err := range l.EventStore.Read(ctx, name, from) {
			if err != nil {
				yield(rec, err)
				return
			}
			all = append(all, rec)
		}
		for _, rec := range all[:max(0, len(all)-l.by)] {
			if !yield(rec, nil) {
				return
			}
		}
	}
}

// forgetful returns a booker whose handlers keep nothing of what they saw.
func forgetful(store stream.EventStore) *payment.Booker {
	b := booker(store)
	b.Payments.Copy = func(s payment.State) (payment.State, int) { return s, 1 << 30 }
	b.Resources.Copy = func(s resource.State) (resource.State, int) { return s.Clone(), 1 << 30 }
	return b
}

// reversals returns how often a credit was taken back.
func reversals(t *testing.T, store stream.EventStore) (n int) {
	t.Helper()
	for _, kind := range wholelog.Types(t, store) {
		if strings.Contains(kind, "resource.reversed") {
			n++
		}
	}
	return n
}

// No read of the past takes a Lightning payment back, also of one who knows nothing of what it
// saw before: the next try finds that all is well.
func TestALightningPaymentIsNeverReorged(t *testing.T) {
	for by := range 4 {
		for name, make := range map[string]func(stream.EventStore) *payment.Booker{"forgetful": forgetful, "as it is": booker} {
			store, _ := storetest.SQLite(t)
			appends := 0
			l := &late{}
			l.EventStore = &storetest.Faulty{EventStore: store, OnAppend: func() storetest.Fault {
				if appends++; appends == 4 { // the credit of the resource: it is settled
					l.by = by
				}
				return storetest.None
			}}
			b := make(l)
			openAll(t, b, "vm-1")
			order(t, b, "ln-00", "vm-1")
			_, err := b.Book(t.Context(), stream.Meta{}, "ln-00", settle(10, 500))
			if err == nil && by > 0 && name == "forgetful" {
				t.Errorf("%s, late by %d: the past was taken for the present", name, by)
			}
			if err != nil && (by == 0 || name == "as it is") {
				t.Errorf("%s, late by %d: %v", name, by, err)
			}
			for range 2 { // a sweep, and what may be half done
				_, _ = b.Book(t.Context(), stream.Meta{}, "ln-00", settle(10, 500)) // it fails where the past is shown
				_, _ = b.TakeBack(t.Context(), stream.Meta{}, "ln-00")
			}
			if n := reversals(t, store); n > 0 {
				t.Errorf("%s, late by %d: taken back %d times", name, by, n)
			}
			l.by = 0
			if _, err := b.Book(t.Context(), stream.Meta{}, "ln-00", settle(10, 500)); err != nil {
				t.Errorf("%s, late by %d, and not late any more: %v", name, by, err)
			}
			wholelog.CheckCredits(t, store, 500, 500)
		}
	}
}

// What this process has seen of a payment on the chain is not taken back by a read of the past,
// in which its block had left the chain.
func TestWhatWasSeenIsNotTakenBack(t *testing.T) {
	store, _ := storetest.SQLite(t)
	l := &late{EventStore: store}
	b := booker(l)
	openAll(t, b, "vm-1")
	const key = "btc-00-0"
	do := func(c payment.Command) {
		t.Helper()
		if _, err := b.Payments.Execute(t.Context(), key, stream.Meta{}, c); err != nil {
			t.Fatal(err)
		}
	}
	do(payment.See{At: epoch + 10, Resource: "vm-1", Address: "bcrt1q", Amount: 500})
	for _, block := range []string{"aa", "bb"} {
		do(payment.Confirm{At: epoch + 10, Height: 7, Block: block})
		c := payment.Settle{At: epoch + 10, Amount: 500, Via: payment.ViaOnChain, Block: block}
		if _, err := b.Book(t.Context(), stream.Meta{}, key, c); err != nil {
			t.Fatal(err)
		}
		if block == "aa" {
			do(payment.Reorg{At: epoch + 20, Block: block})
			if _, err := b.TakeBack(t.Context(), stream.Meta{}, key); err != nil {
				t.Fatal(err)
			}
		}
	}
	for l.by = range 8 { // of which some show it as reorged
		if l.by == 0 {
			continue
		}
		if _, err := b.TakeBack(t.Context(), stream.Meta{}, key); !errors.Is(err, stream.ErrBehind) {
			t.Errorf("late by %d: %v, want %v", l.by, err, stream.ErrBehind)
		}
	}
	if n := reversals(t, store); n != 1 {
		t.Errorf("taken back %d times, and reorged once", n)
	}
}

// Money that an operator allocates to another resource while its credit is being given is
// taken back from the first, which is said.
func TestAllocatedElsewhereMeanwhile(t *testing.T) {
	store, _ := storetest.SQLite(t)
	other := booker(store)
	openAll(t, other, "vm-1", "vm-2")
	order(t, other, "ln-00", "vm-1")
	appends := 0
	b := booker(&storetest.Faulty{EventStore: store, OnAppend: func() storetest.Fault {
		if appends++; appends == 2 { // the credit of vm-1, which another booker saw refused
			_, err := other.Payments.Execute(t.Context(), "ln-00", stream.Meta{}, payment.Unallocate{
				At: epoch + 1_000, Resource: "vm-1", Reason: payment.ReasonTooMuch,
			})
			if _, err2 := other.Allocate(t.Context(), stream.Meta{}, "ln-00", "vm-2"); err != nil || err2 != nil {
				t.Error(err, err2)
			}
		}
		return storetest.None
	}})
	if _, err := b.Book(t.Context(), stream.Meta{}, "ln-00", settle(10, 500)); !errors.Is(err, payment.ErrState) {
		t.Errorf("booked: %v, want %v", err, payment.ErrState)
	}
	if one, two := load(t, b, "vm-1"), load(t, b, "vm-2"); len(one.Lots) != 0 || len(two.Lots) != 1 {
		t.Errorf("vm-1 has %d lots, vm-2 %d; want 0 and 1", len(one.Lots), len(two.Lots))
	}
	if n := reversals(t, store); n != 1 {
		t.Errorf("taken back %d times, want once", n)
	}
}
