package lightning

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"sandglass/domain/payment"
	"sandglass/domain/wallet"
	"sandglass/domain/watch"
)

// lookups is how many invoices are asked for at once.
const lookups = 8

// sweepAgain sweeps at once, again shortly after, since opening a stream does not wait until
// it is open, and then on a timer, and when asked. It reports whether a sweep was finished.
func (s *session) sweepAgain(ctx context.Context) (swept bool) {
	failures := 0
	for full := false; ctx.Err() == nil; {
		clean, err := s.sweepOnce(ctx, full)
		s.firstSweep.Do(func() { close(s.firstSweepDone) })
		if ctx.Err() == nil && err != nil {
			s.sweepFailed(err)
		}
		wait := s.w.SweepEvery
		switch {
		case err != nil || !clean:
			wait = watch.Backoff(failures, s.w.GapDelay, s.w.SweepEvery)
			failures++
		case !swept:
			wait, failures = s.w.GapDelay, 0
		default:
			failures = 0
		}
		swept = swept || err == nil
		full = s.waitForSweep(ctx, wait, failures == 0)
	}
	return swept
}

func (s *session) sweepFailed(err error) {
	if errors.Is(err, wallet.ErrEpoch) {
		s.end(err) // another watcher began one
		return
	}
	s.w.Observer.Notice(watch.Notice{Sign: watch.SignSweep, Err: err})
	s.w.UpdateHealth(func(h *watch.Health) {
		if h.Condition != watch.Ready || watch.ConditionOf(err) == watch.Denied {
			h.SetTrouble(err)
		}
	})
}

// waitForSweep waits for the next sweep, and reports whether it is to list every invoice:
// when that is due, or when what is above the floor did not close a gap.
func (s *session) waitForSweep(ctx context.Context, d time.Duration, mayAsk bool) (full bool) {
	soon := s.soon
	if !mayAsk {
		soon = nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.w.Nudged():
	case <-soon:
		watch.Pause(ctx, min(d, s.w.GapDelay))
	case <-ctx.Done():
	}
	return !time.Now().Before(s.w.listNext)
}

// sweep is one comparison of the wallet's records with the log.
type sweep struct {
	s        *session
	waiting  map[string]Waiting // by payment_hash, of those that are requested
	unbooked []payment.Key      // that are settled and have no end: a crash came between
	read     int                // invoices

	mu         sync.Mutex // guards what follows
	compared   map[string]bool
	floor      floor // up to which every invoice is at an end: see epoch.go
	incomplete int   // settled invoices that don't tell what came
	lacking    []lacking
}

// sweepOnce compares the wallet's records with the log, and books what the log lacks in the
// order in which it came, so that nobody is suspended wrongly. It is clean if nothing is
// left to try again.
func (s *session) sweepOnce(ctx context.Context, full bool) (clean bool, err error) {
	began, highestTold := s.w.BeginSweep(), s.cursor.highest()
	c := &sweep{s: s, compared: map[string]bool{}, waiting: map[string]Waiting{}}
	from := s.known.Add
	if full {
		from = 0
	}
	// What was listed is booked even if something else could not be read.
	err = c.readWallet(ctx, from)
	wrote, bookErr := c.bookAll(ctx)
	if err := errors.Join(err, bookErr); err != nil {
		return false, err
	}
	clean = s.closeGaps(highestTold, from == 0) && c.incomplete == 0
	if err := s.recordSweep(ctx, began, c.floor.index()); err != nil {
		return false, err
	}
	if from == 0 {
		s.w.listNext, s.w.listed = time.Now().Add(s.w.FullEvery), time.Now()
	}
	s.w.Observer.Swept(time.Since(began.Process), c.read, wrote)
	s.w.UpdateHealth(func(h *watch.Health) {
		h.LastSweep, h.Cursor = s.w.Now(), s.cursor.handledTo()
		h.SetSwept(s.chainSynced.Load())
	})
	s.w.Requests.Swept(s.id.Node, began.At)
	s.sweepFinished.Store(true)
	s.w.FinishSweep(s.id.Node, began)
	return clean, nil
}

// closeGaps passes the gaps that the wallet's records explain: every invoice was listed
// after the wallet had told of an index above them. It reports whether none is left.
func (s *session) closeGaps(highestTold int64, all bool) bool {
	if !s.cursor.hasGap(highestTold) {
		return !s.cursor.hasGap(s.cursor.highest())
	}
	if all {
		s.w.Observer.Notice(watch.Notice{Sign: watch.SignPassed})
		s.cursor.passGaps(highestTold)
		return true
	}
	s.w.Observer.Notice(watch.Notice{Sign: watch.SignGap})
	s.w.listNext = s.w.listed.Add(s.w.SweepEvery) // list everything next, but not all the time
	return false
}

// recordSweep moves the cursor in the log, if it moved, and tells other hosts now and then up
// to when all that came is known.
func (s *session) recordSweep(ctx context.Context, began watch.Began, floor int64) error {
	now := s.w.Now()
	c := wallet.Sweep{At: now, Epoch: s.known.Epoch, Settle: s.cursor.handledTo(), Add: floor}
	if s.w.Doubted == nil || !s.w.Doubted() {
		c.Invoices = began.By(now)
		if s.w.SweptChain != nil {
			c.Chain = s.w.SweptChain(s.id.Node, now)
		}
	}
	out, err := s.w.Wallets.Execute(ctx, s.id.Node, watch.Meta, c)
	if err == nil {
		s.known.Add = out.State.Add
	}
	return err
}

// readWallet reads the invoices after an add_index, and then those that are waited for and
// were not among them.
func (c *sweep) readWallet(ctx context.Context, from int64) error {
	waiting, err := c.s.w.Waiting(ctx)
	if err != nil {
		return err
	}
	var hashes []string
	for _, p := range waiting {
		hash, ok := p.Key.Hash()
		switch {
		case p.Status == payment.StatusSettled:
			c.unbooked = append(c.unbooked, p.Key)
		case ok && p.Status == payment.StatusRequested:
			c.waiting[hash] = p
			hashes = append(hashes, hash)
		case ok && p.Status == payment.StatusAccepted:
			hashes = append(hashes, hash) // it may be settled by now
		}
	}
	for _, r := range c.s.w.Requests.Payable() {
		if hash, ok := r.Key.Hash(); ok && r.Node == c.s.id.Node {
			hashes = append(hashes, hash)
		}
	}
	c.floor.last = from
	listErr := c.s.w.listPages(ctx, from, func(page []Entry) error {
		c.read += len(page)
		return watch.Each(ctx, lookups, page, c.compareListed)
	})
	hashes = slices.DeleteFunc(append(hashes, c.s.w.reusable.all()...), c.wasCompared)
	c.read += len(hashes)
	lookupErr := watch.Each(ctx, lookups, hashes, c.lookUp)
	return errors.Join(listErr, lookupErr, c.resumeUnbooked(ctx))
}

func (c *sweep) wasCompared(hash string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.compared[hash]
}

// compareListed compares an invoice of a listing with the log.
func (c *sweep) compareListed(ctx context.Context, e Entry) error {
	complete, err := c.compareEntry(ctx, e)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.floor.add(&e, complete)
	return err
}

// compareEntry compares an invoice with the log. It reports whether the invoice told all
// that came by it.
func (c *sweep) compareEntry(ctx context.Context, e Entry) (complete bool, err error) {
	lacked, complete, err := c.s.missingFromLog(ctx, e)
	if err != nil {
		return false, err
	}
	if e.Status == EntryAccepted && c.s.w.Held != nil {
		c.s.w.Held(e.Hash)
	}
	if e.Status == EntryCanceled {
		err = c.expire(ctx, e.Hash, payment.ReasonCanceled)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.compared[e.Hash] = true
	if !complete {
		c.incomplete++
	}
	if e.Many && e.Status == EntrySettled && e.Hash != "" {
		c.s.w.reusable.add(e.Hash)
	}
	c.lacking = append(c.lacking, lacked...)
	return complete, err
}

// lookUp asks for one invoice. One that the wallet does not know, or no longer, is given
// up some time after it expired.
func (c *sweep) lookUp(ctx context.Context, hash string) error {
	e, err := c.s.w.Wallet.Lookup(ctx, hash)
	if !errors.Is(err, ErrNoInvoice) {
		if err == nil {
			_, err = c.compareEntry(ctx, e)
		}
		return err
	}
	key := payment.LightningKey(hash)
	if r, ok := c.s.w.Requests.Find(key); ok && r.Expiry < c.s.w.Now() {
		return nil // a wallet that keeps no canceled invoices
	}
	c.s.w.Observer.Notice(watch.Notice{Sign: watch.SignNotFound, Key: key})
	if p, ok := c.waiting[hash]; ok && c.s.w.Now() > p.Expiry.Add(c.s.w.LostAfter) {
		return c.expire(ctx, hash, payment.ReasonUnknownToWallet)
	}
	return nil
}

// expire ends a request that is waited for.
func (c *sweep) expire(ctx context.Context, hash string, reason payment.Reason) error {
	p, ok := c.waiting[hash]
	if !ok {
		return nil
	}
	out, err := c.s.w.Booker.Payments.Execute(ctx, p.Key, watch.Meta, payment.Expire{At: c.s.w.Now(), Reason: reason})
	if err == nil && out.Events > 0 {
		c.s.w.Observer.Notice(watch.Notice{Sign: watch.SignExpired, Key: p.Key, Text: string(reason)})
	}
	return err
}

// resumeUnbooked takes up the payments that are settled, and have no end.
func (c *sweep) resumeUnbooked(ctx context.Context) error {
	for _, key := range c.unbooked {
		out, err := c.s.w.Booker.Payments.Load(ctx, key)
		if err != nil {
			return err
		}
		p := &out.State
		if p.Status != payment.StatusSettled {
			continue
		}
		l := lacking{
			Arrival: Arrival{
				Key:    key,
				Settle: payment.Settle{At: p.SettledAt, Amount: p.Amount, Via: p.Via, Node: p.Node, Index: p.Index},
			},
			key:   key,
			among: cmp.Or(string(p.Resource), string(key)),
			index: new(pendingIndex),
		}
		l.index.left.Add(1)
		c.lacking = append(c.lacking, l)
	}
	return nil
}

// bookAll books what the log lacks, and waits until each was tried. It returns how many
// payments it wrote.
func (c *sweep) bookAll(ctx context.Context) (wrote int, err error) {
	slices.SortStableFunc(c.lacking, func(a, b lacking) int {
		return cmp.Or(cmp.Compare(a.Settle.At, b.Settle.At), cmp.Compare(a.Settle.Index, b.Settle.Index))
	})
	type result struct {
		wrote bool
		err   error
	}
	heard := time.Now()
	results := make(chan result, len(c.lacking))
	for _, l := range c.lacking {
		if err := c.s.enqueue(ctx, l, heard, true, func(wrote bool, err error) { results <- result{wrote, err} }); err != nil {
			return 0, err
		}
	}
	for range c.lacking {
		select {
		case r := <-results:
			if r.wrote {
				wrote++
			}
			err = errors.Join(err, r.err)
		case <-ctx.Done():
			return wrote, ctx.Err()
		}
	}
	return wrote, err
}
