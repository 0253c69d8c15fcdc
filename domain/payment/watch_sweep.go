package payment

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"sandglass/domain/wallet"
)

// lookups is how many invoices are asked for at once.
const lookups = 8

// sweeps sweeps at once, again shortly after, since opening a stream does not wait until
// it is open, and then on a timer, and when asked. It says whether one was through.
func (s *session) sweeps(ctx context.Context) (swept bool) {
	failures := 0
	for full := false; ctx.Err() == nil; {
		clean, err := s.sweep(ctx, full)
		s.first.Do(func() { close(s.begun) })
		if ctx.Err() == nil && err != nil {
			s.failed(err)
		}
		wait := s.SweepEvery
		switch {
		case err != nil || !clean:
			wait = backoff(failures, s.GapDelay, s.SweepEvery)
			failures++
		case !swept:
			wait, failures = s.GapDelay, 0
		default:
			failures = 0
		}
		swept = swept || err == nil
		full = s.wait(ctx, wait, failures == 0)
	}
	return swept
}

func (s *session) failed(err error) {
	if errors.Is(err, wallet.ErrEpoch) {
		s.end(err) // another watcher began one
		return
	}
	s.Observer.Notice(Notice{Sign: SignSweep, Err: err})
	c, advice := condition(err)
	s.tell(func(h *Health) {
		if h.Condition != Ready || c == Denied {
			h.Condition, h.Advice = c, advice
		}
	})
}

// wait waits for the next sweep, and says whether it is to list every invoice: when that
// is due, or when what is above the floor did not close a gap.
func (s *session) wait(ctx context.Context, d time.Duration, mayAsk bool) (full bool) {
	soon := s.soon
	if !mayAsk {
		soon = nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.nudge:
	case <-soon:
		pause(ctx, min(d, s.GapDelay))
	case <-ctx.Done():
	}
	return !time.Now().Before(s.fullAt)
}

// A count is what a sweep has seen so far.
type count struct {
	*session
	seen    map[string]bool    // by payment_hash
	waiting map[string]Waiting // by payment_hash, of those that are requested
	read    int

	mu      sync.Mutex // guards what follows
	end     floor
	empties int // settled invoices that don't tell what came
	lacking []found
}

// sweep compares the wallet's records with the log, and books what the log lacks in the
// order in which it came, so that nobody is suspended wrongly. It is clean if nothing is
// left to try again.
func (s *session) sweep(ctx context.Context, full bool) (clean bool, err error) {
	begin, told := time.Now(), s.row.last()
	c := &count{session: s, seen: map[string]bool{}, waiting: map[string]Waiting{}}
	from := s.state.Add
	if full {
		from = 0
	}
	// What was listed is booked even if something else could not be read.
	err = c.collect(ctx, from)
	wrote, bookErr := c.bookAll(ctx)
	if err := errors.Join(err, bookErr); err != nil {
		return false, err
	}
	clean = s.closeGaps(told, from == 0) && c.empties == 0
	if err := s.record(ctx, c.end.index()); err != nil {
		return false, err
	}
	if from == 0 {
		s.fullAt, s.full = time.Now().Add(s.FullEvery), time.Now()
	}
	s.Observer.Swept(time.Since(begin), c.read, wrote)
	s.tell(func(h *Health) {
		h.LastSweep, h.Cursor = s.Now(), s.row.cursor()
		h.Condition, h.Advice = ready(s.synced.Load())
	})
	s.through.Store(true)
	s.once.Do(func() { close(s.swept) })
	return clean, nil
}

// closeGaps passes the gaps that the wallet's records explain: every invoice was listed
// after the wallet had told of an index above them. It says whether none is left.
func (s *session) closeGaps(told int64, all bool) bool {
	if !s.row.gap(told) {
		return !s.row.gap(s.row.last())
	}
	if all {
		s.Observer.Notice(Notice{Sign: SignPassed})
		s.row.pass(told)
		return true
	}
	s.Observer.Notice(Notice{Sign: SignGap})
	s.fullAt = s.full.Add(s.SweepEvery) // list everything next, but not all the time
	return false
}

// record moves the cursor in the log, if it moved.
func (s *session) record(ctx context.Context, floor int64) error {
	out, err := s.Wallets.Execute(ctx, s.id.Node, watcherMeta, wallet.Sweep{
		Epoch: s.state.Epoch,
		Swept: wallet.Swept{At: wallet.At{At: s.Now()}, Settle: s.row.cursor(), Add: floor},
	})
	if err == nil {
		s.state.Add = out.State.Add
	}
	return err
}

// collect reads the wallet: the invoices after an add_index, and then those that are
// waited for and were not among them.
func (c *count) collect(ctx context.Context, from int64) error {
	waiting, err := c.Waiting(ctx)
	if err != nil {
		return err
	}
	for _, p := range waiting {
		if hash, ok := strings.CutPrefix(p.Key, "ln-"); ok && p.Status == StatusRequested {
			c.waiting[hash] = p
		}
	}
	c.end.last = from
	listErr := c.pages(ctx, from, func(page []Entry) error {
		c.read += len(page)
		return each(ctx, lookups, page, c.see)
	})
	var hashes []string
	for _, p := range waiting {
		if hash, ok := strings.CutPrefix(p.Key, "ln-"); ok && p.Status == StatusRequested && !c.hasSeen(hash) {
			hashes = append(hashes, hash)
		}
	}
	for _, hash := range c.again.all() {
		if !c.hasSeen(hash) {
			hashes = append(hashes, hash)
		}
	}
	c.read += len(hashes)
	lookErr := each(ctx, lookups, hashes, c.lookup)
	return errors.Join(listErr, lookErr, c.finish(ctx, waiting))
}

func (c *count) hasSeen(hash string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen[hash]
}

// see compares an invoice of a listing with the log.
func (c *count) see(ctx context.Context, e Entry) error {
	told, err := c.compare(ctx, e)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end.see(&e, told)
	return err
}

// compare compares an invoice with the log. It says whether the invoice told all.
func (c *count) compare(ctx context.Context, e Entry) (told bool, err error) {
	lacking, err := c.take(ctx, e)
	if err != nil {
		return false, err
	}
	if e.Status == EntryCanceled {
		err = c.expire(ctx, e.Hash, "canceled")
	}
	told = e.Status != EntrySettled || isTold(&e)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[e.Hash] = true
	if !told {
		c.empties++
	}
	if e.Many && e.Status == EntrySettled && e.Hash != "" {
		c.again.add(e.Hash)
	}
	c.lacking = append(c.lacking, lacking...)
	return told, err
}

// isTold says whether a settled invoice tells what came by it.
func isTold(e *Entry) bool {
	for _, a := range e.Arrivals {
		if a.Settled.Amount == 0 {
			return false
		}
	}
	return len(e.Arrivals) > 0
}

// lookup asks for one invoice. One that the wallet does not know, or no longer, is given
// up some time after it expired.
func (c *count) lookup(ctx context.Context, hash string) error {
	e, err := c.Wallet.Lookup(ctx, hash)
	if !errors.Is(err, ErrNoInvoice) {
		if err == nil {
			_, err = c.compare(ctx, e)
		}
		return err
	}
	c.Observer.Notice(Notice{Sign: SignNotFound, Key: "ln-" + hash})
	if p, ok := c.waiting[hash]; ok && c.Now() > p.Expiry.Add(c.LostAfter) {
		return c.expire(ctx, hash, "unknown_to_wallet")
	}
	return nil
}

// expire ends a request that is waited for.
func (c *count) expire(ctx context.Context, hash, reason string) error {
	p, ok := c.waiting[hash]
	if !ok {
		return nil
	}
	out, err := c.Booker.Payments.Execute(ctx, p.Key, watcherMeta, Expire{Expired{At{c.Now()}, reason}})
	if err == nil && out.Events > 0 {
		c.Observer.Notice(Notice{Sign: SignExpired, Key: p.Key, Text: reason})
	}
	return err
}

// finish takes up the payments that are settled, and have no end: a crash came between.
func (c *count) finish(ctx context.Context, waiting []Waiting) error {
	for _, p := range waiting {
		if p.Status != StatusSettled {
			continue
		}
		out, err := c.Booker.Payments.Load(ctx, p.Key)
		if err != nil {
			return err
		}
		if s := out.State; s.Status == StatusSettled {
			a := Arrival{Key: p.Key, Settled: Settled{At{s.Settled}, s.Amount, s.Via, s.Node, s.Index, ""}}
			c.lacking = append(c.lacking, found{Arrival: a, lane: cmp.Or(s.Resource, s.Key), ticket: new(ticket)})
			c.lacking[len(c.lacking)-1].ticket.left.Add(1)
		}
	}
	return nil
}

// bookAll books what the log lacks, and waits until each was tried. It returns how many
// payments it wrote.
func (c *count) bookAll(ctx context.Context) (wrote int, err error) {
	slices.SortStableFunc(c.lacking, func(a, b found) int {
		return cmp.Or(cmp.Compare(a.Settled.At.At, b.Settled.At.At), cmp.Compare(a.Settled.Index, b.Settled.Index))
	})
	type result struct {
		wrote bool
		err   error
	}
	heard := time.Now()
	results := make(chan result, len(c.lacking))
	for _, f := range c.lacking {
		if err := c.put(ctx, f, heard, true, func(wrote bool, err error) { results <- result{wrote, err} }); err != nil {
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
