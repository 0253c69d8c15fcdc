package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"sandglass/adapters/eventstoredb/cluster"
	"sandglass/domain/instant"
	"sandglass/domain/stream"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	runSize = 512 // records in one run, and how many wait for the reader
	untold  = 10  // how often a subscription breaks in a row before it is told
	window  = 512 // events of whomever that the server looks through before it says how far it is
)

// feed is a subscription as its reader sees it, over all the connections that it takes.
type feed struct {
	*Store
	after    stream.Position // of the last record that was yielded
	recorded instant.Time    // of that record: later ones show no earlier time
	yield    func([]stream.Record, error) bool
}

// errStopped says that the reader of a subscription wants no more.
var errStopped = errors.New("eventstoredb: the reader has stopped")

// Subscribe implements [stream.EventStore]. It outlives the connection, the node and the
// leader that it began with: it goes on after the last record that was yielded. It ends
// with [ErrClosed] when the store is closed, and with an error that no other try mends.
//
// RecordedAt is the clock of the leader. Should that run backwards, a subscription shows
// the latest that it has shown.
func (s *Store) Subscribe(ctx context.Context, after stream.Position) iter.Seq2[[]stream.Record, error] {
	return func(yield func([]stream.Record, error) bool) {
		f := &feed{Store: s, after: after, yield: yield}
		err := f.reaches(ctx)
		pause, vain := cluster.Pace(), 0
		for err == nil {
			before := f.after
			err = f.follow(ctx)
			if vain++; f.after != before {
				pause.Reset()
				vain = 0
			}
			if vain == untold && ctx.Err() == nil {
				s.log(fmt.Sprintf("a subscription breaks each time, %d times now, before it brings anything: %v", vain, err))
			}
			if err != nil && cluster.Transient(err) && !errors.Is(err, errStopped) {
				err = s.cluster.Sleep(ctx, pause.NextBackOff())
			}
		}
		switch {
		case errors.Is(err, errStopped), ctx.Err() != nil:
		case s.cluster.Closed():
			yield(nil, ErrClosed)
		default:
			yield(nil, err)
		}
	}
}

// reaches reports whether the log has an event where the feed is to begin, since a server may
// keep silent for good where it has none. A node that lags behind gets some time.
func (f *feed) reaches(ctx context.Context) error {
	if f.after == 0 {
		return nil
	}
	end := time.Now().Add(f.cluster.Timeout())
	for {
		stands, err := f.stands(ctx)
		switch {
		case stands:
			return nil
		case err != nil && !cluster.Transient(err):
			return err
		case err == nil && time.Now().After(end):
			return fmt.Errorf("eventstoredb: the log has no event at position %d: "+
				"whoever asks for what is after that has read another log, or a newer copy of it", f.after)
		}
		if err := f.cluster.Sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// stands reports whether an event of the log stands where the feed is to begin.
func (f *feed) stands(ctx context.Context) (bool, error) {
	if head, err := f.Head(ctx); err != nil || head < f.after {
		return false, err
	}
	events, err := cluster.Call(ctx, f.cluster, func(ctx context.Context, c *esdb.Client) ([]*esdb.RecordedEvent, error) {
		time, at := cluster.Left(ctx), esdb.Position{Commit: uint64(f.after), Prepare: uint64(f.after)}
		rs, err := c.ReadAll(ctx, esdb.ReadAllOptions{Direction: esdb.Forwards, From: at, Deadline: &time}, 1)
		return collect("reading $all", rs, err, nil)
	})
	if err != nil || len(events) == 0 || stream.Position(events[0].Position.Commit) != f.after {
		return false, err
	}
	_, ours := f.ours(events[0])
	return ours, nil
}

// arrival is what a subscription received: nothing but that it was begun, at first.
type arrival struct {
	event *esdb.RecordedEvent
	err   error
}

// follow yields what one subscription brings, until that breaks. A server that finds its
// reader too slow aborts it, which is no fault of the connection: bursts do that too.
func (f *feed) follow(ctx context.Context) error {
	ctx, cancel := f.cluster.Bound(ctx, 0)
	defer cancel()
	u, err := f.cluster.Current(ctx)
	if err != nil {
		return err
	}
	arrivals := make(chan arrival, runSize)
	go func() {
		defer u.Release()
		defer close(arrivals)
		_, err := cluster.Guard(func() (struct{}, error) { return struct{}{}, f.receive(ctx, u.Client(), arrivals) })
		select {
		case arrivals <- arrival{err: err}:
		case <-ctx.Done():
		}
	}()
	err = f.deliver(ctx, arrivals)
	switch {
	case cluster.Over(ctx), !cluster.Transient(err), errors.Is(err, errStopped), status.Code(err) == codes.Aborted:
	case errors.Is(err, errLost):
		f.cluster.Replace(u) // another node may be ahead of this one
	default:
		f.cluster.Broken(u, err)
	}
	return err
}

// subscription are the options of one to the log's events after a place in $all.
func (s *Store) subscription(from esdb.AllPosition) esdb.SubscribeToAllOptions {
	return esdb.SubscribeToAllOptions{
		From: from, MaxSearchWindow: window, CheckpointInterval: 1,
		Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{s.full("")}},
	}
}

// receive subscribes and hands on what comes, until the subscription is dropped.
func (f *feed) receive(ctx context.Context, c *esdb.Client, arrivals chan<- arrival) error {
	sub, err := c.SubscribeToAll(ctx, f.subscription(after(max(f.after, f.floor))))
	if err != nil {
		return cluster.Words("subscribing", err)
	}
	defer func() { _ = sub.Close() }() // it has no error to return
	arrivals <- arrival{}              // there is room: it is the first
	for {
		e := sub.Recv()
		f.note(e)
		switch {
		case e.SubscriptionDropped != nil:
			return cluster.Words("the subscription was dropped", e.SubscriptionDropped.Error)
		case e.EventAppeared == nil || e.EventAppeared.Event == nil:
			continue // a checkpoint, or that it has caught up
		}
		select {
		case arrivals <- arrival{event: e.EventAppeared.Event}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// deliver yields what arrives in runs, until the end of arrivals, which is an error. A
// subscription that is silent for as long as a call may take is compared with the end of
// the log: one that was lost without a word is begun anew.
func (f *feed) deliver(ctx context.Context, arrivals <-chan arrival) error {
	silence := time.NewTicker(f.cluster.AttemptTimeout())
	defer silence.Stop()
	for begun := false; ; begun = true {
		select {
		case a, ok := <-arrivals:
			if !ok {
				return ctx.Err()
			}
			if err := f.run(a, arrivals); err != nil {
				return err
			}
			silence.Reset(f.cluster.Timeout())
		case <-silence.C:
			if !begun {
				return fmt.Errorf("eventstoredb: subscribing: %w", context.DeadlineExceeded)
			}
			if err := f.lost(ctx, arrivals); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// errLost says that the log goes on and the subscription does not.
var errLost = errors.New("eventstoredb: the subscription fell silent while the log grew: it is begun anew")

// lost reports whether a subscription that is silent should not be.
func (f *feed) lost(ctx context.Context, arrivals <-chan arrival) error {
	head, err := f.Head(ctx)
	if err == nil && head > f.after && len(arrivals) == 0 {
		f.log(errLost.Error())
		return errLost
	}
	return nil // where the head can't be read, the connection will tell
}

// run yields a first arrival with those that wait behind it.
func (f *feed) run(a arrival, arrivals <-chan arrival) error {
	recs := make([]stream.Record, 0, min(runSize, 1+len(arrivals)))
	for ok := true; ok && a.err == nil && a.event != nil; {
		rec, err := f.record(a.event)
		if err != nil {
			a.err = cluster.Permanent(err)
			break
		}
		if rec.Position > f.after { // the server promises it
			rec.RecordedAt = max(rec.RecordedAt, f.recorded)
			f.after, f.recorded = rec.Position, rec.RecordedAt
			recs = append(recs, rec)
		}
		if len(recs) == runSize {
			break
		}
		select {
		case a, ok = <-arrivals:
		default:
			ok = false
		}
	}
	if len(recs) > 0 && !f.yield(recs, nil) {
		return errStopped
	}
	return a.err
}
