package payment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
)

const (
	attempts  = 5       // at a booking, before the next sweep takes it up
	maxBooked = 1 << 16 // payments that are remembered as booked, to save reading the log
)

// found is an arrival that the log lacks.
type found struct {
	Arrival
	lane   string // what it must keep its place among: a resource, else the payment
	ticket *ticket
}

// ticket is an index that is done when the last of its arrivals is: the HTLCs of a
// keysend share one.
type ticket struct {
	index int64        // 0: does not count
	left  atomic.Int64 // arrivals that are not booked
	old   bool         // the log knew one of them
}

// take compares an entry with the log, and returns what the log lacks. It tells the row
// what the wallet told, and raises the alarm when an index comes a second time.
func (s *session) take(ctx context.Context, e Entry) ([]found, error) {
	if e.Fault != "" || e.Status == EntrySettled && len(e.Arrivals) == 0 {
		s.empty(e, "")
		return nil, nil
	}
	cursor := s.row.cursor() // before the log is read: up to it the log holds all
	var lacking []found
	tickets := map[int64]*ticket{}
	for _, a := range e.Arrivals {
		f := found{Arrival: a}
		v, err := s.judge(ctx, &f)
		if err != nil {
			return nil, err
		}
		t := s.ticket(tickets, &a.Settled, v)
		if a.Settled.Amount == 0 {
			s.empty(e, a.Key)
			t.left.Add(1) // never done
		} else if v.lacks {
			f.ticket = t
			t.left.Add(1)
			lacking = append(lacking, f)
		}
	}
	for i, t := range tickets {
		if i > 0 && i <= cursor && !t.old {
			s.end(errRebuilt)
		}
		if t.left.Load() == 0 {
			s.row.finish(i)
		}
	}
	return lacking, nil
}

// ticket returns the ticket of the arrival's index, and tells the row of it.
func (s *session) ticket(tickets map[int64]*ticket, a *Settled, v verdict) *ticket {
	i := a.Index
	if !counts(&s.state, a, v) {
		i = 0
	}
	if tickets[i] == nil {
		s.row.tell(i)
		tickets[i] = &ticket{index: i}
	}
	tickets[i].old = tickets[i].old || !v.isNew
	return tickets[i]
}

func (s *session) empty(e Entry, key string) {
	text := e.Fault
	if text == "" {
		text = "it is settled, but no amount is told"
	}
	if key == "" && e.Hash != "" {
		key = "ln-" + e.Hash
	}
	s.Observer.Notice(Notice{Sign: SignEmpty, Key: key, Text: fmt.Sprintf("invoice with add_index %d: %s", e.AddIndex, text)})
	s.ask()
}

// verdict is what the log says of an arrival.
type verdict struct {
	lacks   bool         // the log lacks it, or its end
	isNew   bool         // the log lacks all of it
	handled instant.Time // when it came to its end; 0 if it has none, or is history
}

// judge asks the log for f, and finds the resource that f is for.
func (s *session) judge(ctx context.Context, f *found) (verdict, error) {
	f.Settled.Node = s.id.Node
	if handled, ok := s.booked.get(f.Key, f.Settled.Amount); ok {
		return verdict{handled: handled}, nil
	}
	out, err := s.Booker.Payments.Load(ctx, f.Key)
	if err != nil {
		return verdict{}, err
	}
	p := &out.State
	if (p.Status == StatusCredited || p.Status == StatusUnallocated) && p.Amount == f.Settled.Amount {
		s.booked.add(f.Key, p.Amount, p.Last)
		return verdict{handled: p.Last}, nil
	}
	if p.Status == StatusNone && s.state.Predates(f.Settled.Index, f.Settled.At.At) {
		s.booked.add(f.Key, f.Settled.Amount, 0)
		return verdict{}, nil
	}
	if p.Resource == "" && f.Request != "" {
		request, err := s.Booker.Payments.Load(ctx, f.Request)
		if err != nil {
			return verdict{}, err
		}
		f.Settled.Resource = cmp.Or(request.State.Resource, f.Settled.Resource)
	}
	f.lane = cmp.Or(p.Resource, f.Settled.Resource, f.Key)
	isNew := p.Status == StatusNone || p.Status == StatusRequested || p.Status == StatusExpired
	return verdict{lacks: true, isNew: isNew}, nil
}

// put queues the booking of f, and calls done when it was tried.
func (s *session) put(ctx context.Context, f found, heard time.Time, bySweep bool, done func(wrote bool, err error)) error {
	return s.work.put(ctx, f.lane, func(ctx context.Context) {
		wrote, err := s.book(ctx, &f)
		if err == nil {
			if f.ticket.left.Add(-1) == 0 {
				s.row.finish(f.ticket.index)
			}
			s.tell(func(h *Health) {
				if h.Node == s.id.Node && h.Epoch == s.state.Epoch {
					h.Cursor = max(h.Cursor, s.row.cursor())
				}
			})
			if wrote {
				s.Observer.Booked(f.Settled.Via, bySweep, time.Since(heard))
			}
		} else {
			s.ask()
		}
		done(wrote, err)
	})
}

// book books f, and tries again for a while. It says whether it wrote anything.
func (s *session) book(ctx context.Context, f *found) (wrote bool, err error) {
	for n := range attempts {
		c := f.Settled
		if now := s.Now(); c.At.At == 0 || c.At.At > now {
			c.At.At = now
		}
		_, position, err := s.Booker.Book(ctx, watcherMeta, f.Key, c)
		switch {
		case err == nil:
			s.booked.add(f.Key, c.Amount, s.Now())
			return position > 0, nil
		case refused(err):
			// The log has its own story of this payment, for good.
			s.Observer.Notice(Notice{Sign: SignConflict, Key: f.Key, Text: "the wallet's payment is not the one in the log", Err: err})
			s.booked.add(f.Key, c.Amount, s.Now())
			return false, nil
		}
		s.Observer.Notice(Notice{Sign: SignRetry, Key: f.Key, Text: "booking", Err: err})
		if n == attempts-1 || !pause(ctx, backoff(n, s.RetryMin, min(s.RetryMax, time.Second))) {
			return false, err
		}
	}
	panic("unreachable")
}

// refused says whether an error of the booker would be the same again.
func refused(err error) bool {
	for _, e := range []error{ErrConflict, ErrInvalid, ErrState, resource.ErrConflict, resource.ErrInvalid} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// amounts remembers payments that are at their end, with what came and when they ended.
// It forgets all when it is full: the log knows.
type amounts struct {
	mu sync.Mutex // guards m
	m  map[string]ended
}

type ended struct {
	amount money.Msat
	at     instant.Time
}

func (a *amounts) get(key string, amount money.Msat) (instant.Time, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	have, ok := a.m[key]
	return have.at, ok && have.amount == amount
}

func (a *amounts) add(key string, amount money.Msat, at instant.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.m == nil || len(a.m) >= maxBooked {
		a.m = map[string]ended{}
	}
	a.m[key] = ended{amount, at}
}
