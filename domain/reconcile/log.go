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

	payments  map[payment.Key]*paid    // by key
	credits   map[payment.Key][]credit // that stand, by the payment's key
	addresses map[string]address.State // by address
	wallets   map[string]wallet.State  // by node
	bought    map[resource.ID]string   // its plan, by resource
	plans     map[string]plan.State    // by name
}

// paid is a payment.
type paid struct {
	payment.State
	last stream.Position // of its last event
}

// credit is money that a resource has by a payment.
type credit struct {
	resource resource.ID
	amount   money.Msat
}

// NewLog returns a log without records.
func NewLog() *Log {
	return &Log{
		payments: map[payment.Key]*paid{}, credits: map[payment.Key][]credit{}, addresses: map[string]address.State{},
		wallets: map[string]wallet.State{}, bought: map[resource.ID]string{}, plans: map[string]plan.State{},
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
		l.pay(payment.Key(id), e, r.Position)
	case resource.Prefix:
		e, err := resource.Decode(r)
		if err != nil {
			return err
		}
		l.move(resource.ID(id), e)
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
func fold[S, C any, E stream.Fact](states map[string]S, id string, r *stream.Record, a stream.Aggregate[string, S, C, E]) error {
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

func (l *Log) pay(key payment.Key, e payment.Event, at stream.Position) {
	p := l.payments[key]
	if p == nil {
		p = &paid{State: payment.New(key)}
		l.payments[key] = p
	}
	p.State, p.last = payment.Evolve(p.State, e), at
	p.Invoice = "" // long, and of no use here
	if p.Order != nil && p.InBlock() {
		l.learn(&p.State)
	}
}

// learn takes an address from what paid it. That of an order whose id another one opened is not
// issued for the id: the payment alone tells that it is ours.
func (l *Log) learn(p *payment.State) {
	if a, ok := l.addresses[p.Address]; ok && a.Height <= p.Height {
		return
	}
	a := address.Aggregate().New(p.Address)
	a.Resource, a.Node, a.Height = p.Resource, p.Node, p.Height
	l.addresses[p.Address] = a
}

// move keeps which credits of a resource stand.
func (l *Log) move(id resource.ID, e resource.Event) {
	switch e := e.(type) {
	case *resource.Opened:
		l.bought[id] = e.Plan
	case *resource.Credited:
		key := payment.Key(e.Payment)
		l.credits[key] = append(l.credits[key], credit{id, e.Amount})
	case *resource.Reversed:
		key := payment.Key(e.Payment)
		for i, c := range l.credits[key] {
			if c.resource == id {
				all := l.credits[key]
				l.credits[key] = append(all[:i:i], all[i+1:]...)
				return
			}
		}
	}
}

// Required returns how many confirmations a payment needs by the log: base, or what a plan asks
// for above a sum that a reorg can take, if that is more.
func (l *Log) Required(base int) func(plan string, sum money.Msat) int {
	return func(plan string, sum money.Msat) int { return l.plans[plan].Large.Required(sum, max(1, base)) }
}

// planOf returns the plan that a payment for a resource is of: its own order's, or the resource's.
func (l *Log) planOf(p *payment.State, id resource.ID) string {
	if p.Order != nil {
		return p.Order.Plan
	}
	return l.bought[id]
}

// Nodes returns the nodes that the log has watched.
func (l *Log) Nodes() []string { return sorted(l.wallets) }

// state returns a payment, which may have no event.
func (l *Log) state(key payment.Key) *payment.State {
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

// counts reports whether the log counts the payment as money that is here.
func counts(p *payment.State) bool {
	switch p.Status {
	case payment.StatusSettled, payment.StatusCredited, payment.StatusUnallocated:
		return true
	}
	return false
}
