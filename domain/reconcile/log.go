package reconcile

import (
	"fmt"
	"strings"

	"sandglass/domain/address"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/domain/wallet"
)

// Log is what the log says of money: its records go in by [Log.Add], in their order. It
// may be used, and then go on with what is new.
type Log struct {
	Position stream.Position
	Recorded instant.Time // of the last record

	payments  map[string]*paid         // by key
	credits   map[string][]credit      // that stand, by the payment's key
	addresses map[string]address.State // by address
	wallets   map[string]wallet.State  // by node
	planOf    map[string]string        // by resource
	plans     map[string]plan.State    // by name
}

// paid is a payment.
type paid struct {
	payment.State
	last stream.Position // of its last event
}

// credit is money that a resource has by a payment.
type credit struct {
	resource string
	amount   money.Msat
}

// NewLog returns a log without records.
func NewLog() *Log {
	return &Log{
		payments: map[string]*paid{}, credits: map[string][]credit{}, addresses: map[string]address.State{},
		wallets: map[string]wallet.State{}, planOf: map[string]string{}, plans: map[string]plan.State{},
	}
}

// Add folds the next record in. After an error the log is of no use.
func (l *Log) Add(r *stream.Record) error {
	if r.Position <= l.Position {
		return fmt.Errorf("reconcile: position %d comes after %d: audit replay checks the log itself", r.Position, l.Position)
	}
	l.Position, l.Recorded = r.Position, r.RecordedAt
	if err := l.fold(r); err != nil {
		return fmt.Errorf("position %d, %s: %w", r.Position, r.Stream, err)
	}
	return nil
}

func (l *Log) fold(r *stream.Record) error {
	category, _, _ := strings.Cut(r.Stream, "-")
	id := strings.TrimPrefix(r.Stream, category+"-")
	switch category + "-" {
	case payment.Prefix:
		e, err := payment.Decode(r)
		if err != nil {
			return err
		}
		l.pay(id, e, r.Position)
	case resource.Prefix:
		e, err := resource.Decode(r)
		if err != nil {
			return err
		}
		l.move(id, e)
	case address.Prefix:
		return fold(l.addresses, id, r, address.Aggregate())
	case wallet.Prefix:
		return fold(l.wallets, id, r, wallet.Aggregate())
	case plan.Prefix:
		return fold(l.plans, id, r, plan.Aggregate())
	}
	return nil // what else there is holds no money
}

// fold folds a record into the state of its stream.
func fold[S, C, E any](states map[string]S, id string, r *stream.Record, a stream.Aggregate[S, C, E]) error {
	e, err := a.Decode(r)
	if err != nil {
		return err
	}
	s, ok := states[id]
	if !ok {
		s = a.New(id)
	}
	states[id] = a.Evolve(s, e)
	return nil
}

func (l *Log) pay(key string, e payment.Event, at stream.Position) {
	p := l.payments[key]
	if p == nil {
		p = &paid{State: payment.New(key)}
		l.payments[key] = p
	}
	p.State, p.last = payment.Evolve(p.State, e), at
	p.Invoice = "" // long, and of no use here
}

// move keeps which credits of a resource stand.
func (l *Log) move(id string, e resource.Event) {
	switch e := e.(type) {
	case *resource.Opened:
		l.planOf[id] = e.Plan
	case *resource.Credited:
		l.credits[e.Payment] = append(l.credits[e.Payment], credit{id, e.Amount})
	case *resource.Reversed:
		for i, c := range l.credits[e.Payment] {
			if c.resource == id {
				all := l.credits[e.Payment]
				l.credits[e.Payment] = append(all[:i:i], all[i+1:]...)
				return
			}
		}
	}
}

// Required returns how many confirmations a payment to a resource needs by the log: base,
// or what the resource's plan asks for above an amount, if that is more.
func (l *Log) Required(base int64) func(resource string, amount money.Msat) int64 {
	return func(resource string, amount money.Msat) int64 {
		deep := l.plans[l.planOf[resource]].Deep
		if amount > deep.Above {
			return max(1, base, deep.Confirmations)
		}
		return max(1, base)
	}
}

// Nodes returns the nodes that the log has watched.
func (l *Log) Nodes() []string { return sorted(l.wallets) }

// state returns a payment, which may have no event.
func (l *Log) state(key string) *payment.State {
	if p := l.payments[key]; p != nil {
		return &p.State
	}
	s := payment.New(key)
	return &s
}

// lowest returns the lowest height at which an address was issued, or false if none was.
func (l *Log) lowest() (height int64, ok bool) {
	for _, a := range l.addresses {
		if !ok || a.Height < height {
			height, ok = a.Height, true
		}
	}
	return height, ok
}

// counts says whether the log counts the payment as money that is here.
func counts(p *payment.State) bool {
	switch p.Status {
	case payment.StatusSettled, payment.StatusCredited, payment.StatusUnallocated:
		return true
	}
	return false
}
