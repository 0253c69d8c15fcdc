package books

import (
	"iter"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/stream"
	"sandglass/projections/ledger"
)

// Flow sums up entries of one kind.
type Flow struct {
	Entries int64
	Amount  money.Msat
	Time    instant.Millis
}

func (f *Flow) add(e *Entry) {
	f.Entries++
	f.Time += e.Time
	for _, m := range e.Moves() {
		f.Amount += m.Amount
	}
}

// Statement is what happened in a period, and how the books stand at its end.
type Statement struct {
	Period   Period
	Position stream.Position // of the last event of the period, or before it
	Written  instant.Time    // when that was written
	// Opening and Closing are the trial balances at both ends. Closing is that of the read models
	// at Position.
	Opening, Closing ledger.Accounts
	Flows            map[Kind]Flow
	Rails            map[payment.Via]Flow // what was received, by the way it came
	Plans            map[string]*Plan
}

// Plan is what a statement says of the resources of one plan.
type Plan struct {
	Flows map[Kind]Flow
	// Owed is what its resources that are not released have left at the end, and how many have
	// any; Kept, what released ones had left.
	Owed, Kept Flow
	Receivable money.Msat
}

// State makes the statement of a period from the records of a log. Each record is shown to see
// first, unless that is nil.
func State(records iter.Seq2[stream.Record, error], p Period, see func(*stream.Record)) (*Statement, error) {
	b, s := New(), &Statement{Period: p, Flows: map[Kind]Flow{}, Rails: map[payment.Via]Flow{}, Plans: map[string]*Plan{}}
	shown := func(yield func(*Fact, error) bool) {
		for r, err := range records {
			if err == nil && see != nil && !p.Over(b.Booked(&r)) {
				see(&r)
			}
			f := Read(&r)
			if !yield(&f, err) {
				return
			}
		}
	}
	before := func(*Entry) error {
		s.Opening = b.Accounts
		return nil
	}
	if err := b.Read(shown, p, before, s.add); err != nil {
		return nil, err
	}
	s.Position, s.Written, s.Closing = b.Position(), b.Last(), b.Accounts
	for _, row := range b.Resources {
		s.rest(row)
	}
	return s, nil
}

// add adds an entry of the period.
func (s *Statement) add(e *Entry) error {
	sum(s.Flows, e.Kind, e)
	if e.Kind == Received {
		sum(s.Rails, e.Via, e)
	}
	if e.Resource != "" {
		sum(s.plan(e.Plan).Flows, e.Kind, e)
	}
	return nil
}

func sum[K comparable](flows map[K]Flow, k K, e *Entry) {
	f := flows[k]
	f.add(e)
	flows[k] = f
}

func (s *Statement) plan(name string) *Plan {
	p := s.Plans[name]
	if p == nil {
		p = &Plan{Flows: map[Kind]Flow{}}
		s.Plans[name] = p
	}
	return p
}

// rest adds what a resource has at the end.
func (s *Statement) rest(row *Row) {
	p := s.plan(row.Plan)
	p.Receivable += row.Receivable
	f := &p.Owed
	if row.Released {
		f = &p.Kept
	}
	if row.Prepaid != 0 || row.Time != 0 {
		f.Entries++
	}
	f.Amount += row.Prepaid
	f.Time += row.Time
}
