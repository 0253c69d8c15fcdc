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
	"sandglass/domain/resource"
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
	found *request.Record // of money that is unallocated since its request was not to be found
}

// pendingIndex is a settle_index that is handled when the last of its arrivals is: the HTLCs
// of a keysend share one.
type pendingIndex struct {
	settleIndex int64        // 0: it does not count
	left        atomic.Int64 // arrivals that are not booked
	known       bool         // the log knew one of them
}

// missingFromLog compares an entry with the log, and returns what the log lacks, and whether
// that is all: else the entry does not tell what came, or its request is not to be found yet.
// It moves the cursor, and ends the session when an index up to it comes with a payment that
// the log does not know: the indices began again.
func (s *session) missingFromLog(ctx context.Context, e Entry) (all []lacking, complete bool, err error) {
	complete = e.Status != EntrySettled
	if e.Fault != "" || !complete && len(e.Arrivals) == 0 {
		s.noticeEmpty(e, "")
		return nil, complete, nil
	}
	complete = true
	handledTo := s.cursor.handledTo() // before the log is read: up to it the log holds all
	indices := map[int64]*pendingIndex{}
	for _, a := range e.Arrivals {
		l := lacking{Arrival: a}
		v, err := s.compareWithLog(ctx, &l, e.Description)
		if err != nil {
			return nil, false, err
		}
		l.index = s.indexOf(indices, &a.Settle, v)
		switch {
		case a.Settle.Amount == 0:
			s.noticeEmpty(e, a.Key)
			l.index.left.Add(1) // it is never handled
			complete = complete && e.Status != EntrySettled
		case v.early:
			l.index.left.Add(1) // it comes again
			complete = false
			watch.Signal(s.soon)
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
	return all, complete, nil
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
	early   bool         // what it is for may still be found
	handled instant.Time // when it came to its end; 0 if it has none, or is history
}

// compareWithLog asks the log for l, and finds what l is for.
func (s *session) compareWithLog(ctx context.Context, l *lacking, description string) (logged, error) {
	l.Settle.Node = s.id.Node
	asked, known := s.w.Requests.Find(l.Key)
	if handled, ok := s.w.ended.Find(l.Key, l.Settle.Amount); ok && !known {
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
	switch {
	case known && same && p.Status == payment.StatusUnallocated && p.Reason == payment.ReasonUnknownRequest:
		l.found, l.among = asked, string(asked.Resource)
		return logged{lacks: true}, nil
	case same && (p.Status == payment.StatusCredited || p.Status == payment.StatusUnallocated):
		if p.Status == payment.StatusUnallocated { // also where another daemon credited it, and died
			if err := s.w.Booker.EnsureCredit(ctx, watch.Meta, p.Key); err != nil {
				return logged{}, err
			}
		}
		s.w.Requests.Done(ctx, string(l.Key), 0)
		s.w.ended.Add(l.Key, p.Amount, p.Last)
		return logged{handled: p.Last}, nil
	case p.Status == payment.StatusNone && s.known.Predates(l.Settle.Index, l.Settle.At):
		s.w.ended.Add(l.Key, l.Settle.Amount, 0)
		return logged{}, nil
	}
	early, err := s.findRequest(ctx, l, &p, description)
	l.among = cmp.Or(string(p.Resource), string(l.Settle.Resource), string(p.Key))
	if l.Settle.Request != nil {
		l.among = string(l.Settle.Request.Resource)
	}
	isNew := p.Status == payment.StatusNone || p.Status == payment.StatusRequested || p.Status == payment.StatusExpired ||
		p.Status == payment.StatusAccepted || p.Status == payment.StatusCanceled
	return logged{lacks: true, isNew: isNew, early: early}, err
}

// findRequest finds what an arrival is for, where the log does not say so. It is early where
// that is not to be found and may come yet.
func (s *session) findRequest(ctx context.Context, l *lacking, p *payment.State, description string) (early bool, err error) {
	c := &l.Settle
	if p.Resource == "" && l.Request != "" {
		asked, err := s.w.Booker.Payments.Load(ctx, l.Request)
		if err != nil {
			return false, err
		}
		c.Resource = cmp.Or(asked.State.Resource, c.Resource)
	}
	if p.Status != payment.StatusNone {
		return false, nil
	}
	if asked, ok := s.w.Requests.Find(l.Key); ok {
		c.Request = &asked.Request
		return false, nil
	}
	if c.Via != payment.ViaBOLT11 {
		return false, s.named(ctx, c, l.Request != "")
	}
	c.Meant, c.Ours = s.w.Signer.Read(description)
	return c.Ours && s.w.Now() < c.At.Add(s.w.Late), nil
}

// named finds what a payer asks for who named a resource. What is less than is sold is a suggestion
// to the operator: what a resource and its log can be made to grow by then has that price. An amount
// that was asked for is never too little for a resource.
func (s *session) named(ctx context.Context, c *payment.Settle, asked bool) (err error) {
	if c.Resource == "" {
		return nil
	}
	var order *resource.Order
	if c.Request, err = s.w.Opening.Named(ctx, c.Resource); err != nil {
		return err
	}
	if c.Request != nil {
		order = c.Request.Order
	} else if asked {
		return nil
	}
	little, err := s.w.Opening.TooLittle(ctx, c.Resource, order, c.Amount)
	if little {
		c.Meant, c.Resource, c.Request = c.Resource, "", nil
	}
	return err
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
		out, err := s.bookOnce(ctx, l, c)
		switch {
		case err == nil:
			s.w.Requests.Done(ctx, string(l.Key), out.Position)
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

// bookOnce books l. What was unallocated since nobody knew what it is for is given to its
// resource, which its order opens.
func (s *session) bookOnce(ctx context.Context, l *lacking, c payment.Settle) (payment.Outcome, error) {
	if l.found == nil {
		return s.w.Booker.Book(ctx, watch.Meta, l.key, c)
	}
	return s.w.Booker.AllocateTo(ctx, watch.Meta, l.key, &l.found.Request)
}
