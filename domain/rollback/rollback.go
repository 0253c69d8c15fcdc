// Package rollback says what is lost when a log is taken back to where a copy of it ends.
//
// What the wallet has comes back by itself: a daemon that starts on the older log finds the
// payments, and books them. So does what time does to a resource. What somebody said does
// not: it was only in the log. Those are the losses.
package rollback

import (
	"fmt"
	"iter"
	"strings"

	"sandglass/domain/address"
	"sandglass/domain/instant"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/proof/fork"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/domain/wallet"
)

// MaxLosses is how many losses are listed; all are counted.
const MaxLosses = 100_000

// Loss is an event that does not come back.
type Loss struct {
	Position stream.Position // in the newer log
	At       instant.Time    // when it took effect
	Stream   string
	Type     string
	Event    stream.Fact // nil if this build does not know it
}

// Report is what the newer log has after what both have.
type Report struct {
	Common   stream.Position // of the newer log, up to where it is the older one
	Older    stream.Position // of the older log, up to where it is the newer one
	Events   int64           // that the newer one has after it
	Payments int64           // of them, money that arrived: the wallet still has it
	Lost     int64           // of them, events that don't come back
	Losses   []Loss          // the first of those, in their order
	Forked   bool            // the older one goes on too, with other events
}

// Compare holds a log against an older copy of it. It ends with the first error of either,
// with what was found before.
func Compare(older, newer iter.Seq2[stream.Record, error]) (r Report, err error) {
	next, stop := iter.Pull2(older)
	defer stop()
	same, last := true, stream.Position(0)
	for n, err := range newer {
		if err != nil {
			return r, fmt.Errorf("reading the newer log after position %d: %w", last, err)
		}
		last = n.Position
		if same {
			o, err, more := next()
			if err != nil {
				return r, fmt.Errorf("reading the older log after position %d: %w", r.Older, err)
			}
			if same = more && equal(&o, &n); same {
				r.Common, r.Older = n.Position, o.Position
				continue
			}
			r.Forked = more
		}
		r.add(&n)
	}
	if same {
		_, err, more := next()
		r.Forked = more
		return r, err
	}
	return r, nil
}

// equal reports whether two records are the same event at the same place.
func equal(a, b *stream.Record) bool {
	return a.Stream == b.Stream && a.Revision == b.Revision && a.ID == b.ID && a.RecordedAt == b.RecordedAt
}

// add takes an event that the newer log alone has.
func (r *Report) add(n *stream.Record) {
	r.Events++
	e := decode(n)
	if _, ok := e.(*payment.Settled); ok {
		r.Payments++
	}
	if comesBack(e, n) {
		return
	}
	r.Lost++
	if len(r.Losses) < MaxLosses {
		r.Losses = append(r.Losses, Loss{n.Position, n.At, n.Stream, n.Type, e})
	}
}

// decode returns the event of a record, or nil if this build does not know it.
func decode(n *stream.Record) stream.Fact {
	category, _, _ := strings.Cut(n.Stream, "-")
	var e stream.Fact
	var err error
	switch category + "-" {
	case payment.Prefix:
		e, err = payment.Decode(n)
	case resource.Prefix:
		e, err = resource.Decode(n)
	case address.Prefix:
		e, err = address.Decode(n)
	case plan.Prefix:
		e, err = plan.Decode(n)
	case wallet.Prefix:
		e, err = wallet.Decode(n)
	case fork.Prefix:
		e, err = fork.Decode(n)
	}
	if err != nil {
		return nil
	}
	return e
}

// comesBack reports whether the wallet, the time that passes, or who signs the log brings an event again.
func comesBack(e stream.Fact, n *stream.Record) bool {
	switch e := e.(type) {
	case *resource.Credited, *resource.Reversed, *resource.Debited, *resource.Warned, *resource.Recovered,
		*resource.Exhausted, *resource.Held, *resource.Stopped, *resource.Returned, *fork.Opened:
		return true
	case *resource.Started:
		return e.Reason != resource.ReasonResumed
	case *resource.Starting:
		return e.Reason != resource.ReasonResumed
	case *resource.Released:
		return e.Reason == resource.ReasonGraceOver || e.Reason == resource.ReasonNeverPaid ||
			e.Reason == resource.ReasonNotDelivered
	case *resource.Placed:
		return n.Revision == 1 // written with its opening, and told by that
	case *payment.Allocated, *wallet.Retired, nil:
		return false
	}
	return strings.HasPrefix(n.Stream, payment.Prefix) || strings.HasPrefix(n.Stream, wallet.Prefix)
}
