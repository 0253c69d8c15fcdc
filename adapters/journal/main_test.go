package journal_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sandglass/adapters/journal"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/pieces"
	"sandglass/domain/stream"
	"sandglass/projections"
	"sandglass/projections/books"
	"sandglass/projections/ledger"
	"sandglass/testutil/histories"
	"sandglass/testutil/storetest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// each returns a log of records, in pieces.
func each(records []stream.Record) pieces.Log { return breaking(records, nil) }

// breaking returns a log that ends with an error after records, unless that is nil.
func breaking(records []stream.Record, err error) pieces.Log {
	return func(yield func(pieces.Piece, error) bool) {
		for run := range slices.Chunk(records, 100) {
			if !yield(pieces.Whole(run), nil) {
				return
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// random returns a log with enough in it that every kind of entry is.
func random(seed uint64) []stream.Record { return histories.Recorded(seed, 12, 700) }

// upTo returns the records that were written before an instant, 0 for all.
func upTo(records []stream.Record, to instant.Time) []stream.Record {
	if i := slices.IndexFunc(records, func(r stream.Record) bool { return r.RecordedAt >= to }); i >= 0 && to != 0 {
		return records[:i]
	}
	return records
}

// trial returns the trial balance of the read models of records.
func trial(t *testing.T, records []stream.Record) ledger.Accounts {
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
	return v.TrialBalance()
}

// trialOf sums up the balances of accounts by the names that they have in files.
func trialOf(t *testing.T, balances map[string]money.Msat) (sum ledger.Accounts) {
	t.Helper()
	for name, m := range balances {
		switch {
		case strings.HasPrefix(name, "assets:wallet:"):
			sum.Wallet += m
		case strings.HasPrefix(name, "assets:receivable:"):
			sum.Receivable += m
		case strings.HasPrefix(name, "liabilities:prepaid:"):
			sum.Prepaid -= m
		case strings.HasPrefix(name, "income:"), strings.HasPrefix(name, "equity:retained:"):
			sum.Income -= m
		case name == "liabilities:unallocated":
			sum.Unallocated -= m
		default:
			t.Errorf("there is an account %q with %d", name, m)
		}
	}
	return sum
}

// write returns what is written of records.
func write(t *testing.T, records []stream.Record, o journal.Options) string {
	t.Helper()
	var b strings.Builder
	if err := journal.Write(t.Context(), &b, each(records), o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// periods returns all of a log, its later part, and a part in its middle.
func periods(records []stream.Record) []books.Period {
	a, b := records[len(records)/3].RecordedAt, records[2*len(records)/3].RecordedAt
	return []books.Period{{}, {From: a}, {From: a, To: b}, {To: b}}
}
