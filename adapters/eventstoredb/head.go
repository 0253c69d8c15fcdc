package eventstoredb

import (
	"context"
	"errors"
	"math"
	"time"

	"sandglass/adapters/eventstoredb/cluster"
	"sandglass/domain/stream"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

const (
	backPage  = 2048 // events of whomever that one call looks back over
	backStep  = 16   // the same of the first call, whose answer most often holds the end
	backCalls = 4    // how many look back before the server is asked to look through the rest
)

// Head implements [stream.EventStore]. It looks back from the end of $all, over what is not of
// the log, as far as to what is known of it: nothing is looked through twice. If others have
// written much since then, the server looks through that, so that it need not be read.
func (s *Store) Head(ctx context.Context) (stream.Position, error) {
	if err := errors.Join(ctx.Err(), context.Cause(s.lost)); err != nil {
		return 0, err
	}
	head, top, found, err := s.lookBack(ctx, backCalls)
	if err == nil && !found {
		s.search(ctx, top) // which notes how far it came
		head, _, _, err = s.lookBack(ctx, math.MaxInt)
	}
	return head, err
}

// lookBack looks back from the end of $all in so many calls, and reports whether it has found
// the last event of the log, or that there is none after what is known. top is the last event
// of whomever.
func (s *Store) lookBack(ctx context.Context, calls int) (head, top stream.Position, found bool, err error) {
	seen := stream.Position(s.seen.Load()) // before known, which covers all that stands before it
	known := stream.Position(s.known.Load())
	floor := max(known, seen, s.floor)
	from := esdb.AllPosition(esdb.End{})
	for page := uint64(backStep); calls > 0; page, calls = backPage, calls-1 {
		events, err := s.before(ctx, from, page, floor)
		if err != nil {
			return 0, 0, false, err
		}
		for _, e := range events {
			pos := stream.Position(e.Position.Commit)
			top = max(top, pos)
			if _, ours := s.ours(e); ours && pos > known {
				known = pos
				break
			}
		}
		n := len(events)
		if n == 0 || known > floor || uint64(n) < page || stream.Position(events[n-1].Position.Commit) <= floor {
			raise(&s.known, known)
			raise(&s.seen, top)
			raise(&s.stands, top)
			return known, top, true, nil
		}
		from = events[len(events)-1].Position
	}
	return 0, top, false, nil
}

// before returns events of $all before a position, the latest first, as far as to one that
// tells where the log ends.
func (s *Store) before(
	ctx context.Context, from esdb.AllPosition, n uint64, floor stream.Position,
) ([]*esdb.RecordedEvent, error) {
	return cluster.Call(ctx, s.cluster, func(ctx context.Context, c *esdb.Client) ([]*esdb.RecordedEvent, error) {
		time := cluster.Left(ctx)
		rs, err := c.ReadAll(ctx, esdb.ReadAllOptions{Direction: esdb.Backwards, From: from, Deadline: &time}, n)
		return cluster.Collect("reading $all", rs, err, func(e *esdb.RecordedEvent) bool {
			_, ours := s.ours(e)
			return ours || stream.Position(e.Position.Commit) <= floor
		})
	})
}

// search has the server look through $all, from what is known of the log up to top, and notes
// what it says. How it ends does not matter: what it did not come to is looked through by the
// caller. A server that is silent for the time of an attempt is not waited for.
func (s *Store) search(ctx context.Context, top stream.Position) {
	ctx, cancel := s.cluster.Bound(ctx, 0)
	defer cancel()
	u, err := s.cluster.Current(ctx)
	if err != nil {
		return
	}
	said := make(chan struct{}, 1)
	go func() {
		defer u.Release()
		defer close(said)
		_, _ = cluster.Guard(func() (struct{}, error) { return struct{}{}, s.follow(ctx, u.Client(), top, said) })
	}()
	silence := time.NewTimer(s.cluster.AttemptTimeout())
	defer silence.Stop()
	for more := true; more; {
		select {
		case _, more = <-said:
			silence.Reset(s.cluster.AttemptTimeout())
		case <-silence.C:
			more = false
		case <-ctx.Done():
			more = false
		}
	}
}

// follow reads a subscription up to top, or until it waits for what is new.
func (s *Store) follow(ctx context.Context, c *esdb.Client, top stream.Position, said chan<- struct{}) error {
	from := max(stream.Position(s.known.Load()), stream.Position(s.stands.Load()), s.floor)
	sub, err := c.SubscribeToAll(ctx, s.subscription(after(from)))
	if err != nil {
		return err
	}
	defer func() { _ = sub.Close() }() // it has no error to return
	for {
		e := sub.Recv()
		if e.SubscriptionDropped != nil {
			return e.SubscriptionDropped.Error
		}
		if s.note(e) >= top || e.CaughtUp != nil {
			return nil
		}
		select {
		case said <- struct{}{}:
		default:
		}
	}
}

// note notes what a subscription to the log's events tells of where they are, and returns how
// far $all was looked through.
//
// A checkpoint with a lower prepare position says nothing of the event at its commit position:
// that may be yet to come.
func (s *Store) note(e *esdb.SubscriptionEvent) stream.Position {
	switch {
	case e.EventAppeared != nil && e.EventAppeared.Event != nil:
		pos := stream.Position(e.EventAppeared.Event.Position.Commit)
		s.learn(pos)
		return pos
	case e.CheckPointReached != nil && e.CheckPointReached.Commit > 0:
		pos := stream.Position(e.CheckPointReached.Commit)
		if e.CheckPointReached.Prepare < e.CheckPointReached.Commit {
			pos--
		}
		raise(&s.seen, pos)
		return pos
	}
	return 0
}

// after is where a subscription begins that has had all up to a position.
func after(pos stream.Position) esdb.AllPosition {
	if pos == 0 {
		return esdb.Start{}
	}
	return esdb.Position{Commit: uint64(pos), Prepare: uint64(pos)}
}
