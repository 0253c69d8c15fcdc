package payment

import (
	"context"
	"fmt"
	"time"
)

// takeAll compares the payments of one resource with the chain.
func (s *chainSweep) takeAll(ctx context.Context, keys []string) error {
	for _, key := range keys {
		if err := s.take(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// take compares one payment with the chain, and writes what the log lacks.
func (s *chainSweep) take(ctx context.Context, key string) error {
	p, ok := s.waiting[key]
	if ok {
		if err := s.compare(ctx, p); err == nil || !refused(err) {
			return err // what is written is decided on the log itself
		}
	}
	p, err := s.meet(ctx, key)
	if err == nil {
		err = s.compare(ctx, p)
	}
	if err != nil && refused(err) {
		// The log has its own story of this payment. The others go on.
		s.Observer.Notice(Notice{Sign: SignConflict, Key: key, Text: "the chain's payment is not the one in the log", Err: err})
		return nil
	}
	return err
}

func (s *chainSweep) compare(ctx context.Context, p State) (err error) {
	key := p.Key
	if p.Status == StatusNone {
		return nil
	}
	if p.Final {
		s.final.add(key, p.Amount, p.Last)
		return nil
	}
	if p, err = s.leave(ctx, p); err != nil {
		return err
	}
	if o, ok := s.mined[key]; ok && !p.inBlock() {
		if p, err = s.execute(ctx, key, Confirm{Confirmed{At{s.Now()}, o.Height, o.Block}}); err != nil {
			return err
		}
	}
	if p.inBlock() {
		p, err = s.deepen(ctx, p)
	} else {
		p, err = s.judge(ctx, p)
	}
	if err == nil && p.coming() {
		s.expects(&p)
	}
	return err
}

func (s *chainSweep) execute(ctx context.Context, key string, c Command) (State, error) {
	out, err := s.Booker.Payments.Execute(ctx, key, watcherMeta, c)
	return out.State, err
}

// meet returns a payment as the log has it, which it has from now on at the latest.
func (s *chainSweep) meet(ctx context.Context, key string) (State, error) {
	o, ok := s.mined[key]
	if !ok {
		o, ok = s.mempool[key]
	}
	if !ok {
		out, err := s.Booker.Payments.Load(ctx, key)
		return out.State, err
	}
	if o.Amount == 0 {
		return State{}, nil // it pays nothing
	}
	id, _, _ := s.Issued(o.Address)
	return s.execute(ctx, key, See{Seen{At{s.begun}, id, o.Address, o.Amount}})
}

// leave takes a payment out of a block that left the active chain, and its credit back.
// A chain that is too short says nothing: it may be that its node reads it anew.
func (s *chainSweep) leave(ctx context.Context, p State) (State, error) {
	if p.inBlock() {
		active, err := s.hash(ctx, p.Height)
		if err != nil {
			return p, err
		}
		o, mined := s.mined[p.Key]
		if left := active != "" && active != p.Block || mined && o.Block != p.Block; left {
			out, err := s.Booker.Payments.Execute(ctx, p.Key, watcherMeta, Reorg{Reorged{At{s.Now()}, p.Height, p.Block}})
			if err != nil || out.Events > 0 { // after an error it may be written
				s.Observer.Notice(Notice{Sign: SignReorg, Key: p.Key, Text: fmt.Sprintf(
					"block %s at height %d left the chain: the payment was %s for resource %q", p.Block, p.Height, p.Status, p.Resource)})
			}
			if p = out.State; err != nil {
				return p, err
			}
		}
	}
	if p.Status == StatusReorged {
		p, _, err := s.Booker.Finish(ctx, watcherMeta, p) // also where a crash came before
		return p, err
	}
	return p, nil
}

// deepen does what the number of confirmations asks for.
func (s *chainSweep) deepen(ctx context.Context, p State) (State, error) {
	active, err := s.hash(ctx, p.Height)
	if err != nil || active != p.Block {
		return p, err // see leave
	}
	depth := s.depth(p.Height)
	switch p.Status {
	case StatusConfirmed:
		if depth < s.Required(p.Resource, p.Amount) {
			return p, nil
		}
		p, _, err = s.Booker.BookBlock(ctx, watcherMeta, &p, s.id.Node)
		s.credited(p, err)
	case StatusSettled:
		p, _, err = s.Booker.Finish(ctx, watcherMeta, p)
		s.credited(p, err)
	case StatusCredited:
		if s.full() || depth >= s.FinalDepth { // at a start, since a crash may have left it half done
			err = s.Booker.Assure(ctx, watcherMeta, p.Key)
		}
	}
	if err == nil && depth >= s.FinalDepth && s.id.Synced && (p.Status == StatusCredited || p.Status == StatusUnallocated) {
		return s.execute(ctx, p.Key, Finalize{Finalized{At{s.Now()}, s.tip.Height}})
	}
	return p, err
}

func (s *chainSweep) credited(p State, err error) {
	if err != nil || p.Status != StatusCredited && p.Status != StatusUnallocated {
		return
	}
	// What the wallet tells of while the timer's sweep runs was not lost.
	s.Observer.Booked(viaChain, s.why == byTimer && len(s.news) == 0, time.Since(s.began))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found++
}
