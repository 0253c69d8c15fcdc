package chain

import (
	"context"
	"fmt"
	"time"

	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/watch"
)

// compareResource is comparePayments, but that an error of one resource is not one of all.
func (s *sweep) compareResource(ctx context.Context, keys []payment.Key) error {
	if err := s.comparePayments(ctx, keys); err != nil {
		return s.leaveOut(ctx, keys[0], err)
	}
	return nil
}

// comparePayments compares the payments of one resource with the chain: first in which block
// each is, then, by what they come to together, whether that is deep enough.
func (s *sweep) comparePayments(ctx context.Context, keys []payment.Key) error {
	payments := make([]payment.State, len(keys))
	for i, key := range keys {
		var err error
		payments[i], err = s.comparePlace(ctx, key)
		if p := &payments[i]; err == nil && p.Status != payment.StatusNone && p.Meant == "" {
			err = s.logPaidAddress(ctx, p.Address)
		}
		if err != nil {
			return err
		}
	}
	risk := payment.Risk(payments)
	for _, p := range payments {
		if err := s.compareDepth(ctx, p, risk); err != nil {
			return err
		}
	}
	return nil
}

// comparePlace brings a payment to where the chain has it, and writes what the log lacks. It
// begins with what is known of the payment, which may be late; if that leads to something
// that the log refuses, with the log's own state.
func (s *sweep) comparePlace(ctx context.Context, key payment.Key) (payment.State, error) {
	if known, ok := s.waiting[key]; ok {
		if p, err := s.follow(ctx, known); err == nil || !payment.Contradicts(err) {
			return p, err
		}
	}
	p, err := s.followLog(ctx, key)
	if err != nil && payment.Contradicts(err) {
		s.noticeConflict(key, err)
		return payment.New(key), nil
	}
	return p, err
}

// compareDepth carries a payment on from its place, and goes back to the log as comparePlace
// does.
func (s *sweep) compareDepth(ctx context.Context, p payment.State, risk money.Msat) error {
	err := s.carryOn(ctx, p, risk)
	if err == nil || !payment.Contradicts(err) {
		return err
	}
	if p, err = s.followLog(ctx, p.Key); err == nil {
		err = s.carryOn(ctx, p, risk)
	}
	if err != nil && payment.Contradicts(err) {
		s.noticeConflict(p.Key, err)
		return nil
	}
	return err
}

// noticeConflict tells of a payment of which the log has its own story. The others go on.
func (s *sweep) noticeConflict(key payment.Key, err error) {
	s.w.Observer.Notice(watch.Notice{
		Sign: watch.SignConflict, Key: key, Text: "the chain's payment is not the one in the log", Err: err,
	})
}

// followLog is follow from the log's own state.
func (s *sweep) followLog(ctx context.Context, key payment.Key) (payment.State, error) {
	p, err := s.see(ctx, key)
	if err != nil {
		return p, err
	}
	return s.follow(ctx, p)
}

// see returns a payment as the log has it, which it has from now on at the latest.
func (s *sweep) see(ctx context.Context, key payment.Key) (payment.State, error) {
	o, ok := s.view.output(key)
	if !ok {
		out, err := s.w.Booker.Payments.Load(ctx, key)
		return out.State, err
	}
	if o.Amount == 0 {
		return payment.State{}, nil // it pays nothing
	}
	id, _, _ := s.w.resourceAt(o.Address)
	c := payment.See{At: s.beganAt, Resource: id, Address: o.Address, Amount: o.Amount}
	if logged, err := s.ofOrder(ctx, &c, &o); err != nil || !logged {
		return payment.State{}, err
	}
	return s.execute(ctx, key, c)
}

// follow brings a payment to where the chain has it: out of a block that left the chain,
// with its credit, and into the one that holds it now.
func (s *sweep) follow(ctx context.Context, p payment.State) (_ payment.State, err error) {
	if p.Status == payment.StatusNone || p.Final {
		return p, nil
	}
	if p, err = s.leaveLostBlock(ctx, p); err != nil {
		return p, err
	}
	return s.enterBlock(ctx, p)
}

// carryOn brings a payment that is at its place on to its credit, or gives it up.
func (s *sweep) carryOn(ctx context.Context, p payment.State, risk money.Msat) (err error) {
	switch {
	case p.Status == payment.StatusNone:
		return nil
	case p.Final:
		s.w.final.Add(p.Key, p.Amount, p.Last)
		return nil
	case p.InBlock():
		p, err = s.countConfirmations(ctx, p, risk)
	default:
		p, err = s.giveUp(ctx, p)
	}
	if err == nil && p.Coming() {
		s.setComing(&p)
	}
	return err
}

// leaveLostBlock takes a payment out of a block that left the active chain, and its credit
// back. A chain that is too short says nothing: it may be that its node reads it anew.
func (s *sweep) leaveLostBlock(ctx context.Context, p payment.State) (payment.State, error) {
	if p.InBlock() {
		active, err := s.view.hashAt(ctx, p.Height)
		if err != nil {
			return p, err
		}
		o, mined := s.view.mined[p.Key]
		if active != "" && active != p.Block || mined && o.Block != p.Block {
			if p, err = s.reorg(ctx, p); err != nil {
				return p, err
			}
		}
	}
	// Also where a crash came before. A credit that was on its way may have arrived late, and
	// the payment is replaced by now.
	if p.Status == payment.StatusReorged || p.Status == payment.StatusReplaced && p.WasSettled && s.isFull() {
		out, err := s.w.Booker.TakeBack(ctx, watch.Meta, p.Key)
		return out.State, err
	}
	return p, nil
}

// reorg says that the block of a payment left the chain.
func (s *sweep) reorg(ctx context.Context, p payment.State) (payment.State, error) {
	out, err := s.w.Booker.Payments.Execute(ctx, p.Key, watch.Meta, payment.Reorg{At: s.w.Now(), Block: p.Block})
	if err != nil || out.Events > 0 { // after an error it may be written
		s.w.Observer.Notice(watch.Notice{Sign: watch.SignReorg, Key: p.Key, Text: fmt.Sprintf(
			"block %s at height %d left the chain: the payment was %s for resource %q", p.Block, p.Height, p.Status, p.Resource)})
	}
	return out.State, err
}

// enterBlock says which block of the active chain holds a payment that was in none.
func (s *sweep) enterBlock(ctx context.Context, p payment.State) (payment.State, error) {
	o, mined := s.view.mined[p.Key]
	if !mined || p.InBlock() {
		return p, nil
	}
	return s.execute(ctx, p.Key, payment.Confirm{At: s.w.Now(), Height: o.Height, Block: o.Block})
}

// countConfirmations does what the number of confirmations asks for, where a reorg can take
// that much of the resource.
func (s *sweep) countConfirmations(ctx context.Context, p payment.State, risk money.Msat) (payment.State, error) {
	active, err := s.view.hashAt(ctx, p.Height)
	if err != nil || active != p.Block {
		return p, err // see leaveLostBlock
	}
	depth := s.view.depth(p.Height)
	switch p.Status {
	case payment.StatusConfirmed:
		if depth < s.w.Required(&p, risk) {
			return p, nil
		}
		out, err := s.w.Booker.Book(ctx, watch.Meta, p.Key, payment.Settle{
			At: s.w.Now(), Amount: p.Amount, Via: payment.ViaOnChain, Node: s.id.Node, Block: p.Block,
		})
		if p = out.State; err != nil {
			return p, err
		}
		s.noticeBooked(&p)
	case payment.StatusSettled:
		out, err := s.w.Booker.Resume(ctx, watch.Meta, p.Key)
		if p = out.State; err != nil {
			return p, err
		}
		s.noticeBooked(&p)
	case payment.StatusCredited, payment.StatusUnallocated:
		if s.isFull() || depth >= s.w.FinalDepth { // at a start, since a crash may have left it half done
			if err := s.w.Booker.EnsureCredit(ctx, watch.Meta, p.Key); err != nil {
				return p, err
			}
		}
	}
	atEnd := p.Status == payment.StatusCredited || p.Status == payment.StatusUnallocated
	if atEnd && depth >= s.w.FinalDepth && s.id.Synced {
		return s.execute(ctx, p.Key, payment.Finalize{At: s.w.Now(), Height: s.view.tip.Height})
	}
	return p, nil
}

// noticeBooked tells of a payment that was booked.
func (s *sweep) noticeBooked(p *payment.State) {
	if p.Status != payment.StatusCredited && p.Status != payment.StatusUnallocated {
		return
	}
	// What the wallet tells of while the timer's sweep runs was not lost.
	bySweep := s.why == byTimer && len(s.w.news) == 0
	s.w.Observer.Booked(payment.ViaOnChain, bySweep, time.Since(s.began))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found++
}

func (s *sweep) execute(ctx context.Context, key payment.Key, c payment.Command) (payment.State, error) {
	out, err := s.w.Booker.Payments.Execute(ctx, key, watch.Meta, c)
	return out.State, err
}
