package chain

import (
	"context"
	"slices"
	"sync"

	"sandglass/domain/instant"
	"sandglass/domain/payment"
	"sandglass/domain/watch"
)

const (
	maxBack      = 1008             // blocks that are looked through for a double spend, at most
	vanishBlocks = 6                // blocks that come without a payment that the wallet forgot
	vanishTime   = instant.Day      // after which it is given up, however few blocks came
	staleAfter   = 14 * instant.Day // after which a payment without a block is given up
)

// conflicts remembers of payments in no block what tells that they will not come. The wallet
// says nothing when one is double spent, and may list it for ever, so that the new blocks
// are looked through for what it spends. Should a block hold a payment that was given up,
// it is confirmed all the same.
type conflicts struct {
	mu       sync.Mutex // guards evidence while payments are compared
	evidence map[payment.Key]*evidence
}

// evidence is what is known of a payment in no block.
type evidence struct {
	spends       []string
	lookedTo     int64        // height up to which blocks were looked through, 0 if none was
	missingFrom  int64        // height at which the wallet did not list it first, 0 if it does
	missingSince instant.Time // when that was
	doubleSpent  bool         // a block of the active chain spends what it spends
	givenUp      bool         // whatever the wallet lists
}

func newConflicts() conflicts { return conflicts{evidence: map[payment.Key]*evidence{}} }

// of returns what is known of a payment.
func (c *conflicts) of(key payment.Key) *evidence {
	e := c.evidence[key]
	if e == nil {
		e = new(evidence)
		c.evidence[key] = e
	}
	return e
}

// findConflicts looks for what became of the payments that are in no block: in the blocks
// since the last look, and a few more, since a reorg may have changed them.
func (s *sweep) findConflicts(ctx context.Context) error {
	s.forgetEvidence()
	if err := s.markGivenUp(ctx); err != nil {
		return err
	}
	unmined := s.unminedPayments()
	lowest, oldest := s.lookDownTo(unmined)
	spenders := map[string][]*evidence{}
	for _, e := range unmined {
		e.doubleSpent = false
		for _, spent := range e.spends {
			spenders[spent] = append(spenders[spent], e)
		}
	}
	tip := s.view.tip.Height
	for h := tip; h > 0 && h > tip-maxBack; h-- {
		if h < lowest && (oldest == 0 || h <= tip-margin && s.view.isBefore(h+1, oldest)) {
			break
		}
		if err := s.findSpenders(ctx, h, spenders); err != nil {
			return err
		}
	}
	for _, e := range unmined {
		e.lookedTo = tip
	}
	return nil
}

// findSpenders looks through a block of the active chain. One that can't be read hides only
// itself: the last few are asked for again by the next sweep, those below are not.
func (s *sweep) findSpenders(ctx context.Context, height int64, spenders map[string][]*evidence) error {
	b, err := s.view.readBlock(ctx, height)
	if err != nil && watch.WalletAway(ctx, err) {
		return err
	}
	if err != nil {
		s.w.noticeHeight(height, "its block can't be read: whether it double spends a payment is not known", err)
		return nil
	}
	for _, spent := range b.Spends {
		for _, e := range spenders[spent] {
			e.doubleSpent = true
		}
	}
	return nil
}

// forgetEvidence forgets payments that are in a block, or that nobody knows.
func (s *sweep) forgetEvidence() {
	for key := range s.w.conflicts.evidence {
		_, listed := s.view.unmined[key]
		if p, ok := s.waiting[key]; !listed && (!ok || p.InBlock()) {
			delete(s.w.conflicts.evidence, key)
		}
	}
}

// markGivenUp marks the payments that the wallet goes on listing after they were given up.
func (s *sweep) markGivenUp(ctx context.Context) error {
	for key := range s.view.unmined {
		e := s.w.conflicts.of(key)
		if p, waits := s.waiting[key]; waits || e.givenUp {
			e.givenUp = e.givenUp || p.Status == payment.StatusReplaced
			if !waits {
				delete(s.view.unmined, key) // the log may never have had it
			}
			continue
		}
		out, err := s.w.Booker.Payments.Load(ctx, key)
		if err == nil {
			e.givenUp = out.State.Status == payment.StatusReplaced
		} else if err = s.leaveOut(ctx, key, err); err != nil {
			return err
		}
	}
	return nil
}

// unminedPayments returns the payments that no block is known to hold, and that are not
// given up.
func (s *sweep) unminedPayments() map[payment.Key]*evidence {
	list := map[payment.Key]*evidence{}
	add := func(key payment.Key, spends []string) {
		if _, mined := s.view.mined[key]; mined {
			return
		}
		e := s.w.conflicts.of(key)
		if len(spends) > 0 {
			e.spends = spends
		}
		if !e.givenUp {
			list[key] = e
		}
	}
	for key, o := range s.view.unmined {
		add(key, o.Spends)
	}
	for key, p := range s.waiting {
		if p.Status == payment.StatusSeen || p.Status == payment.StatusReorged {
			add(key, nil)
		}
	}
	return list
}

// lookDownTo returns how far back blocks are to be looked through: the lowest height, and
// the time of the oldest payment for which none was yet, 0 if there is no such one.
func (s *sweep) lookDownTo(unmined map[payment.Key]*evidence) (lowest int64, oldest instant.Time) {
	lowest = s.view.tip.Height + 1
	for key, e := range unmined {
		switch p, known := s.waiting[key]; {
		case e.lookedTo > 0:
			lowest = min(lowest, e.lookedTo-margin)
		case !known: // it is new
			lowest = min(lowest, s.possibleFrom(key))
		case oldest == 0 || p.Requested < oldest:
			oldest = p.Requested
		}
	}
	return lowest, oldest
}

// possibleFrom returns the height from which on a block can hold a payment that the log does
// not know. The wallet may list it as in none long after it was mined, if either of us was
// away: there was no sweep since, or none at all.
func (s *sweep) possibleFrom(key payment.Key) int64 {
	if last := s.w.sweptTip.Height; last > 0 {
		return min(s.view.tip.Height, last) - margin
	}
	_, issued, _ := s.w.resourceAt(s.view.unmined[key].Address)
	return FirstHeight(issued)
}

// giveUp replaces a payment in no block that will not come.
func (s *sweep) giveUp(ctx context.Context, p payment.State) (payment.State, error) {
	if p.Status == payment.StatusReplaced {
		s.w.conflicts.setGivenUp(p.Key)
	}
	if p.Status != payment.StatusSeen && p.Status != payment.StatusReorged {
		return p, nil
	}
	reason := s.verdict(&p)
	if reason == "" {
		return p, nil
	}
	s.w.Observer.Notice(watch.Notice{Sign: watch.SignReplaced, Key: p.Key, Text: string(reason)})
	return s.execute(ctx, p.Key, payment.Replace{At: s.w.Now(), Reason: reason})
}

// setGivenUp says that no more is to be learnt of a payment in no block.
func (c *conflicts) setGivenUp(key payment.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.evidence[key]; e != nil {
		e.givenUp = true
	}
}

// verdict returns why a payment that is in no block will not come, or nothing if it may.
func (s *sweep) verdict(p *payment.State) payment.Reason {
	s.w.conflicts.mu.Lock()
	defer s.w.conflicts.mu.Unlock()
	e := s.w.conflicts.of(p.Key)
	_, listed := s.view.unmined[p.Key]
	switch {
	case e.doubleSpent || listed && p.Requested != s.beganAt && s.isOutbid(p): // else it is new itself
		return payment.ReasonConflict
	case s.beganAt > p.Last.Add(staleAfter):
		return payment.ReasonStale
	case listed:
		e.missingFrom = 0
		return ""
	case !s.id.Synced:
		return ""
	case e.missingFrom == 0:
		e.missingFrom, e.missingSince = s.view.tip.Height, s.beganAt
	}
	if s.view.tip.Height >= e.missingFrom+vanishBlocks || s.beganAt > e.missingSince.Add(vanishTime) {
		return payment.ReasonVanished
	}
	return ""
}

// isOutbid reports whether the wallet lists a later transaction that spends what p spends:
// it replaced p in the mempool (BIP 125). The caller holds the lock of the conflicts.
func (s *sweep) isOutbid(p *payment.State) bool {
	mine := s.view.unmined[p.Key]
	for key, o := range s.view.unmined {
		other, known := s.waiting[key]
		if !known {
			other, known = s.w.UnloggedPayment(key)
		}
		e := s.w.conflicts.evidence[key]
		if o.Txid == mine.Txid || known && other.Requested <= p.Requested || e != nil && e.givenUp {
			continue
		}
		if slices.ContainsFunc(o.Spends, func(spent string) bool { return slices.Contains(mine.Spends, spent) }) {
			return true
		}
	}
	return false
}
