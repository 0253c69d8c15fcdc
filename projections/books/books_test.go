package books_test

import (
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections"
	"sandglass/projections/books"
	"sandglass/projections/ledger"
	"sandglass/testutil/histories"
	"sandglass/testutil/storetest"
)

// read returns what the books read of records.
func read(records []stream.Record) iter.Seq2[*books.Fact, error] {
	return func(yield func(*books.Fact, error) bool) {
		for _, r := range records {
			f := books.Read(&r)
			if !yield(&f, nil) {
				return
			}
		}
	}
}

func each(records []stream.Record) iter.Seq2[stream.Record, error] {
	return func(yield func(stream.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// viewsAt returns the read models of records.
func viewsAt(t *testing.T, records []stream.Record) *projections.Views {
	t.Helper()
	s := storetest.SQLiteAt(t, filepath.Join(t.TempDir(), "log"), func() instant.Time { return 0 })
	for run := range slices.Chunk(records, 256) {
		if err := s.Import(t.Context(), run); err != nil {
			t.Fatal(err)
		}
	}
	head, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v := projections.New(instant.Hour)
	if err := projections.Replay(t.Context(), s, v, head); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestFiguresAreThoseOfTheReadModels makes statements of periods of random logs, and holds each
// against the read models at its end.
func TestFiguresAreThoseOfTheReadModels(t *testing.T) {
	kinds := map[books.Kind]int64{}
	for seed := range uint64(6) {
		records := histories.Recorded(seed, 12, 700)
		for _, cut := range [][2]int{{0, len(records) / 4}, {len(records) / 4, len(records) / 2}, {len(records) / 2, len(records)}} {
			p := books.Period{From: records[cut[0]].RecordedAt}
			n := len(records)
			if cut[1] < n {
				p.To = records[cut[1]].RecordedAt
				n = slices.IndexFunc(records, func(r stream.Record) bool { return r.RecordedAt >= p.To })
			}
			s, err := books.State(each(records), p, nil)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, s, viewsAt(t, records[:n]))
			for k, f := range s.Flows {
				kinds[k] += f.Entries
			}
		}
	}
	for _, k := range append(books.Kinds, books.Granted, books.Opened, books.Released) {
		if kinds[k] == 0 {
			t.Errorf("no log had an entry of the kind %s: the test shows nothing of it", k)
		}
	}
}

func compare(t *testing.T, s *books.Statement, v *projections.Views) {
	t.Helper()
	if s.Closing != v.TrialBalance() || s.Closing.Trial() != 0 || s.Opening.Trial() != 0 {
		t.Errorf("the books close with %+v, the read models say %+v", s.Closing, v.TrialBalance())
	}
	if s.Position != v.Position() {
		t.Errorf("the statement stands at position %d, the read models at %d", s.Position, v.Position())
	}
	type sums struct {
		owed, kept, debt money.Msat
		left, keptLeft   instant.Millis
		n                int64
	}
	want, got := map[string]sums{}, map[string]sums{}
	for _, r := range v.Resources("", 1000, nil) {
		w := want[r.Plan]
		w.debt += r.Debt
		if r.Status == resource.StatusReleased {
			w.kept += r.Balance()
			w.keptLeft += r.Left()
		} else {
			w.owed += r.Balance()
			w.left += r.Left()
			if r.Balance() > 0 || r.Left() > 0 {
				w.n++
			}
		}
		want[r.Plan] = w
	}
	for name, p := range s.Plans {
		got[name] = sums{p.Owed.Amount, p.Kept.Amount, p.Receivable, p.Owed.Time, p.Kept.Time, p.Owed.Entries}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the statement owes\n%v, the read models say\n%v", got, want)
	}
	checkFlows(t, s)
}

// checkFlows holds that the flows of a period lead from its opening to its closing.
func checkFlows(t *testing.T, s *books.Statement) {
	t.Helper()
	f := func(k books.Kind) money.Msat { return s.Flows[k].Amount }
	o := s.Opening
	want := ledger.Accounts{
		Wallet:      o.Wallet + f(books.Received) - f(books.Reorged),
		Income:      o.Income + f(books.Used) - f(books.Returned),
		Unallocated: o.Unallocated + f(books.Received) - f(books.Reorged) - f(books.Credited) + f(books.Reversed),
	}
	want.Receivable = s.Closing.Receivable // what of it went to debt, the kinds do not tell
	want.Prepaid = want.Wallet + want.Receivable - want.Income - want.Unallocated
	if s.Closing != want {
		t.Errorf("the flows lead to %+v, the books close with %+v", want, s.Closing)
	}
	var rails, used money.Msat
	for _, r := range s.Rails {
		rails += r.Amount
	}
	for _, p := range s.Plans {
		used += p.Flows[books.Used].Amount - p.Flows[books.Returned].Amount
	}
	if rails != f(books.Received) || used != f(books.Used)-f(books.Returned) {
		t.Errorf("by rail %d of %d came, by plan %d of %d was earned",
			rails, f(books.Received), used, f(books.Used)-f(books.Returned))
	}
}

// TestEntriesSumUp holds that the moves of all entries come to the balances of all accounts.
func TestEntriesSumUp(t *testing.T) {
	for seed := range uint64(8) {
		b, sums := books.New(), map[books.Account]money.Msat{}
		add := func(e *books.Entry) error {
			for _, m := range e.Moves() {
				if m.Amount <= 0 || m.Debit == m.Credit {
					return fmt.Errorf("%s moves %+v", e.Record.Type, m)
				}
				sums[m.Debit] += m.Amount
				sums[m.Credit] -= m.Amount
			}
			return nil
		}
		if err := b.Read(read(histories.Recorded(seed, 12, 700)), books.Period{}, nil, add); err != nil {
			t.Fatal(err)
		}
		var got ledger.Accounts
		for a, m := range sums {
			switch a.Class {
			case books.Wallet:
				got.Wallet += m
			case books.Receivable:
				got.Receivable += m
			case books.Prepaid:
				got.Prepaid -= m
			case books.Income:
				got.Income -= m
			case books.Unallocated:
				got.Unallocated -= m
			}
			if row := b.Resources[a.Resource]; a.Class == books.Prepaid && row.Prepaid != -m ||
				a.Class == books.Receivable && row.Receivable != m {
				t.Errorf("%+v has %d, its row says %+v", a, m, *row)
			}
		}
		if got != b.Accounts {
			t.Errorf("the entries come to %+v, the accounts say %+v", got, b.Accounts)
		}
	}
}

// TestWhatCannotBeBooked: a log that is half understood is not understood.
func TestWhatCannotBeBooked(t *testing.T) {
	at := resource.At{At: histories.Start}
	broken := errors.New("broken")
	never := stream.Record{Event: stream.Encode(&resource.Paused{At: at}), Stream: "resource-web", Position: 7}
	newer := stream.Record{Event: stream.Event{Type: "payment.doubled.v1"}, Stream: "payment-ln-1", Position: 8}
	for want, records := range map[string]iter.Seq2[stream.Record, error]{
		"position 7, resource-web revision 0, resource.paused.v1: the resource was not opened": each([]stream.Record{never}),
		`position 8, payment-ln-1 revision 0, payment.doubled.v1: unknown event type`:          each([]stream.Record{newer}),
		"broken": func(yield func(stream.Record, error) bool) { yield(stream.Record{}, broken) },
	} {
		if _, err := books.State(records, books.Period{}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestAClockThatRunsBack: what is written later is booked no earlier.
func TestAClockThatRunsBack(t *testing.T) {
	settled := func(at instant.Time, pos stream.Position) stream.Record {
		f := &payment.Settled{At: payment.At{At: 1}, Amount: 5, Via: payment.ViaKeysend}
		return stream.Record{Event: stream.Encode(f), Stream: fmt.Sprint("payment-ln-", pos), Position: pos, RecordedAt: at}
	}
	records := []stream.Record{settled(10, 1), settled(20, 2), settled(15, 3), settled(30, 4)}
	s, err := books.State(each(records), books.Period{From: 20, To: 30}, nil)
	if err != nil || s.Opening.Wallet != 5 || s.Closing.Wallet != 15 || s.Flows[books.Received].Entries != 2 || s.Position != 3 {
		t.Errorf("got %+v, %v", s, err)
	}
}
