package lightning

import (
	"cmp"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/wallet"
	"sandglass/domain/watch"
)

// attempts is how often a booking is tried before the next sweep takes it up.
const attempts = 5

// lacking is an arrival that the log lacks.
type lacking struct {
	Arrival
	key   payment.Key // that the log has it under, or is to have it under
	among string      // what it must keep its place among: a resource's payments, else it is alone
	index *pendingIndex
}

// pendingIndex is a settle_index that is handled when the last of its arrivals is: the HTLCs
// of a keysend share one.
type pendingIndex struct {
	settleIndex int64        // 0: it does not count
	left        atomic.Int64 // arrivals that are not booked
	known       bool         // the log knew one of them
}

// missingFromLog compares an entry with the log, and returns what the log lacks. It moves the
// cursor, and ends the session when an index up to it comes with a payment that the log does
// not know: the indices began again.
func (s *session) missingFromLog(ctx context.Context, e Entry) ([]lacking, error) {
	if e.Fault != "" || e.Status == EntrySettled && len(e.Arrivals) == 0 {
		s.noticeEmpty(e, "")
		return nil, nil
	}
	handledTo := s.cursor.handledTo() // before the log is read: up to it the log holds all
	var all []lacking
	indices := map[int64]*pendingIndex{}
	for _, a := range e.Arrivals {
		l := lacking{Arrival: a}
		v, err := s.compareWithLog(ctx, &l, e.Description)
		if err != nil {
			return nil, err
		}
		l.index = s.indexOf(indices, &a.Settle, v)
		switch {
		case a.Settle.Amount == 0:
			s.noticeEmpty(e, a.Key)
			l.index.left.Add(1) // it is never handled
		case v.lacks:
			l.index.left.Add(1)
			all = append(all, l)
		}
	}
	for i, index := range indices {
		if i > 0 && i <= handledTo && !index.known {
			s.end(errRebuilt)
		}
		if index.left.Load() == 0 {
			s.cursor.addHandled(i)
		}
	}
	return all, nil
}

// indexOf returns the settle_index of an arrival, and tells the cursor of it.
func (s *session) indexOf(indices map[int64]*pendingIndex, c *payment.Settle, v logged) *pendingIndex {
	i := c.Index
	if !counts(&s.known, c, v) {
		i = 0
	}
	if indices[i] == nil {
		s.cursor.addTold(i)
		indices[i] = &pendingIndex{settleIndex: i}
	}
	indices[i].known = indices[i].known || !v.isNew
	return indices[i]
}

// counts reports whether the settle_index of an arrival is one of this epoch. After a
// rebuild old rows may keep the indices that new ones get again; what came to its end
// before is old.
func counts(s *wallet.State, c *payment.Settle, v logged) bool {
	at := c.At
	if !v.lacks {
		at = v.handled
	}
	return c.Index > 0 && (s.Epoch == 1 || at >= s.Began || v.lacks && at == 0)
}

// noticeEmpty tells of an entry that does not say what came by it, and asks for a sweep.
func (s *session) noticeEmpty(e Entry, key payment.Key) {
	text := e.Fault
	if text == "" {
		text = "it is settled, but no amount is told"
	}
	if key == "" && e.Hash != "" {
		key = payment.LightningKey(e.Hash)
	}
	s.w.Observer.Notice(watch.Notice{
		Sign: watch.SignEmpty, Key: key, Text: fmt.Sprintf("invoice with add_index %d: %s", e.AddIndex, text),
	})
	watch.Signal(s.soon)
}

// logged is what the log says of an arrival.
type logged struct {
	lacks   bool         // the log lacks it, or its end
	isNew   bool         // the log lacks all of it
	handled instant.Time // when it came to its end; 0 if it has none, or is history
}

// compareWithLog asks the log for l, and finds the resource that l is for. What only the
// description says of it the money is meant for, and not credited to.
func (s *session) compareWithLog(ctx context.Context, l *lacking, description string) (logged, error) {
	l.Settle.Node = s.id.Node
	if handled, ok := s.w.ended.Find(l.Key, l.Settle.Amount); ok {
		return logged{handled: handled}, nil
	}
	p, err := l.Find(func(key payment.Key) (payment.State, error) {
		out, err := s.w.Booker.Payments.Load(ctx, key)
		return out.State, err
	})
	if err != nil {
		return logged{}, err
	}
	l.key = p.Key
	same := p.Amount == l.Settle.Amount && p.Via == l.Settle.Via
	if (p.Status == payment.StatusCredited || p.Status == payment.StatusUnallocated) && same {
		s.w.ended.Add(l.Key, p.Amount, p.Last)
		return logged{handled: p.Last}, nil
	}
	if p.Status == payment.StatusNone && s.known.Predates(l.Settle.Index, l.Settle.At) {
		s.w.ended.Add(l.Key, l.Settle.Amount, 0)
		return logged{}, nil
	}
	if p.Resource == "" && l.Request != "" {
		request, err := s.w.Booker.Payments.Load(ctx, l.Request)
		if err != nil {
			return logged{}, err
		}
		l.Settle.Resource = cmp.Or(request.State.Resource, l.Settle.Resource)
	}
	if p.Status == payment.StatusNone && l.Settle.Via == payment.ViaBOLT11 {
		l.Settle.Meant, _ = new(request.Signer).Read(description)
	}
	l.among = cmp.Or(string(p.Resource), string(l.Settle.Resource), string(p.Key))
	isNew := p.Status == payment.StatusNone || p.Status == payment.StatusRequested || p.Status == payment.StatusExpired
	return logged{lacks: true, isNew: isNew}, nil
}

// enqueue queues the booking of l, and calls tried when it was tried.
func (s *session) enqueue(
	ctx context.Context, l lacking, heard time.Time, bySweep bool, tried func(wrote bool, err error),
) error {
	return s.w.workers.Put(ctx, l.among, func(ctx context.Context) {
		wrote, err := s.book(ctx, &l)
		if err != nil {
			watch.Signal(s.soon)
		} else {
			s.handled(&l)
		}
		if wrote {
			s.w.Observer.Booked(l.Settle.Via, bySweep, time.Since(heard))
		}
		tried(wrote, err)
	})
}

// handled moves the cursor over an arrival that was booked.
func (s *session) handled(l *lacking) {
	if l.index.left.Add(-1) == 0 {
		s.cursor.addHandled(l.index.settleIndex)
	}
	s.w.UpdateHealth(func(h *watch.Health) {
		if h.Node == s.id.Node && h.Epoch == s.known.Epoch {
			h.Cursor = max(h.Cursor, s.cursor.handledTo())
		}
	})
}

// book books l, and tries again for a while. It reports whether it wrote anything.
func (s *session) book(ctx context.Context, l *lacking) (wrote bool, err error) {
	for n := range attempts {
		c := l.Settle
		if now := s.w.Now(); c.At == 0 || c.At > now {
			c.At = now
		}
		out, err := s.w.Booker.Book(ctx, watch.Meta, l.key, c)
		switch {
		case err == nil:
			s.w.ended.Add(l.Key, c.Amount, s.w.Now())
			return out.Position > 0, nil
		case payment.Contradicts(err):
			s.w.Observer.Notice(watch.Notice{
				Sign: watch.SignConflict, Key: l.key, Text: "the wallet's payment is not the one in the log", Err: err,
			})
			s.w.ended.Add(l.Key, c.Amount, s.w.Now())
			return false, nil
		}
		s.w.Observer.Notice(watch.Notice{Sign: watch.SignRetry, Key: l.key, Text: "booking", Err: err})
		last := n == attempts-1
		if last || !watch.Pause(ctx, watch.Backoff(n, s.w.Retry.Min, min(s.w.Retry.Max, time.Second))) {
			return false, err
		}
	}
	panic("unreachable")
}
