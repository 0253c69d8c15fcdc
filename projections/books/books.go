// Package books tells the double-entry books entry by entry: what each event moved from which
// account to which, when, and of which resource.
//
// What moves, package ledger says; here it gets its sub-accounts: the wallet by rail, what is owed
// by plan and resource, what was earned by plan. An entry is booked when its event was written,
// and bears the instant at which it took effect: so the entries of a period are a stretch of the
// log, no later event changes a period that is over, and the balances at its end are what the read
// models said then. [Statement] sums a period up. How books are written for the programs of
// bookkeepers is left to the adapter journal.
package books

import (
	"errors"
	"fmt"
	"strings"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections/ledger"
)

// Kind is what an entry is about.
type Kind string

// The kinds. What is opened, granted or released moves no money.
const (
	Received Kind = "received" // money arrived, or has its confirmations
	Credited Kind = "credited" // it bought time for a resource, and paid off its debt before
	Used     Kind = "used"     // time passed: it is earned
	Returned Kind = "returned" // and was given back, for an outage
	Reversed Kind = "reversed" // a credit was taken back
	Reorged  Kind = "reorged"  // its money is gone with its block
	Granted  Kind = "granted"  // time was given for nothing
	Opened   Kind = "opened"
	Released Kind = "released"
)

// Kinds are all kinds that move money, in the order of their lives.
var Kinds = []Kind{Received, Credited, Used, Returned, Reversed, Reorged}

// Entry is what one event moved. It refers to the bytes of its record.
type Entry struct {
	Record   stream.Record
	Kind     Kind
	On       instant.Time // when it was booked: when its event was written, never before the entry before it
	Resource resource.ID  // empty where money has no home yet
	Plan     string       // of the resource
	Payment  payment.Key  // that came, or whose credit it is; empty for use
	Via      payment.Via  // by which it came, where this tells of it
	Reason   resource.Reason
	Time     instant.Millis // that was bought, used, returned, reversed or granted
	moves    [3]Move
	n        int
}

// Moves returns what moved: none, or one or two of them. Their amounts are above 0.
func (e *Entry) Moves() []Move { return e.moves[:e.n] }

// Move is money that is debited to one account and credited to another.
type Move struct {
	Debit, Credit Account
	Amount        money.Msat
}

// Row is what the books say of one resource.
type Row struct {
	Plan       string
	Prepaid    money.Msat     // that its lots hold
	Receivable money.Msat     // its debt
	Time       instant.Millis // that its lots have left, as of its last event
	Released   bool
}

// Book folds a log into entries. What it holds grows with the resources and with the deposits
// whose block may still leave the chain, not with the events.
type Book struct {
	Accounts  ledger.Accounts
	Resources map[resource.ID]*Row

	last     stream.Position
	on       instant.Time
	entry    Entry
	deposits map[payment.Key]money.Msat // that are settled and not final
	plans    map[string]string          // each name once
}

// New returns the books of an empty log.
func New() *Book {
	return &Book{Resources: map[resource.ID]*Row{}, deposits: map[payment.Key]money.Msat{}, plans: map[string]string{}}
}

// Position returns the position of the last record that was posted, 0 for none.
func (b *Book) Position() stream.Position { return b.last }

// Last returns when that was booked, 0 for none.
func (b *Book) Last() instant.Time { return b.on }

// Booked returns when a record is booked that comes next: see [Entry].
func (b *Book) Booked(r *stream.Record) instant.Time { return max(b.on, r.RecordedAt) }

// Fact is a record with what the books read of it.
type Fact struct {
	stream.Record
	resource resource.Event // of a resource's stream
	payment  payment.Event  // of a payment's
	err      error          // why it can't be read
}

// Read reads a record for [Book.Post], which tells what is wrong with it. It may be called by many at once.
func Read(r *stream.Record) (f Fact) {
	f.Record = *r
	switch {
	case strings.HasPrefix(r.Stream, resource.Prefix):
		f.resource, f.err = resource.Decode(r)
	case strings.HasPrefix(r.Stream, payment.Prefix):
		f.payment, f.err = payment.Decode(r)
	}
	return f
}

// Post takes the next record of the log, and returns its entry, or nil if the books say nothing of
// it; the entry is the caller's until the next call. An event that this build does not know is an
// error, as is one of a resource never opened: they name the record.
func (b *Book) Post(f *Fact) (*Entry, error) {
	b.last, b.on = f.Position, b.Booked(&f.Record)
	b.entry = Entry{Record: f.Record, On: b.on}
	e, err := b.post(f)
	if err != nil {
		return nil, fmt.Errorf("position %d, %s revision %d, %s: %w", f.Position, f.Stream, f.Revision, f.Type, err)
	}
	return e, nil
}

func (b *Book) post(f *Fact) (*Entry, error) {
	switch {
	case f.err != nil:
		return nil, f.err
	case f.resource != nil:
		b.entry.Resource = resource.ID(strings.TrimPrefix(f.Stream, resource.Prefix))
		return b.resource(&b.entry, f.resource)
	case f.payment != nil:
		b.entry.Payment = payment.Key(strings.TrimPrefix(f.Stream, payment.Prefix))
		return b.payment(&b.entry, f.payment), nil
	}
	return nil, nil
}

func (b *Book) resource(e *Entry, fact resource.Event) (*Entry, error) {
	row := b.Resources[e.Resource]
	if o, ok := fact.(*resource.Opened); ok {
		row = &Row{Plan: b.plan(o.Plan)}
		b.Resources[resource.ID(strings.Clone(string(e.Resource)))] = row // what it is cut from is large
		e.Kind = Opened
	} else if row == nil {
		return nil, errors.New("the resource was not opened before: a log is read from its first event on")
	}
	e.Plan = row.Plan
	switch f := fact.(type) {
	case *resource.Credited:
		e.Kind, e.Payment, e.Time = Credited, payment.Key(f.Payment), f.Time
	case *resource.Debited:
		e.Kind, e.Time = Used, f.Time
	case *resource.Returned:
		e.Kind, e.Time = Returned, f.Time
	case *resource.Reversed:
		e.Kind, e.Payment, e.Time, e.Reason = Reversed, payment.Key(f.Payment), f.Time, f.Reason
	case *resource.Granted:
		e.Kind, e.Time = Granted, f.Time
	case *resource.Released:
		e.Kind, e.Reason, row.Released = Released, f.Reason, true
	}
	if e.Kind == "" {
		return nil, nil
	}
	var moved ledger.Accounts
	moved.Resource(fact)
	row.Prepaid += moved.Prepaid
	row.Receivable += moved.Receivable
	switch e.Kind {
	case Credited, Granted, Returned:
		row.Time += e.Time
	case Used, Reversed:
		row.Time -= e.Time
	}
	b.Accounts.Resource(fact)
	e.move(&moved)
	return e, nil
}

func (b *Book) payment(e *Entry, fact payment.Event) *Entry {
	var was payment.State
	switch f := fact.(type) {
	case *payment.Settled:
		e.Kind, e.Via = Received, f.Via
		if f.Via == payment.ViaOnChain {
			b.deposits[payment.Key(strings.Clone(string(e.Payment)))] = f.Amount
		}
	case *payment.Reorged:
		amount, settled := b.deposits[e.Payment]
		if !settled {
			return nil // it did not count yet
		}
		delete(b.deposits, e.Payment)
		e.Kind, e.Via, e.Reason = Reorged, payment.ViaOnChain, resource.ReasonReorged
		was.Amount, was.SettledAt = amount, e.On
	case *payment.Finalized:
		delete(b.deposits, e.Payment)
		return nil
	default:
		return nil
	}
	var moved ledger.Accounts
	moved.Payment(&was, fact)
	b.Accounts.Payment(&was, fact)
	e.move(&moved)
	return e
}

// plan returns a name that is kept once.
func (b *Book) plan(name string) string {
	kept, ok := b.plans[name]
	if !ok {
		kept = strings.Clone(name)
		b.plans[kept] = kept
	}
	return kept
}
