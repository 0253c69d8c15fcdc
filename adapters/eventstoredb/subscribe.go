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

const window = 512 // events of whomever that the server looks through before it says how far it is

// feed is a subscription as its reader sees it, over all the connections that it takes.
type feed struct {
	*Store
	after    stream.Position // of the last record that was yielded
	recorded instant.Time    // of that record: later ones show no earlier time
	last     stream.EventID  // of that record, if this feed has yielded one
	missed   time.Time       // since when the log does not have it; zero if it has
	yield    func([]stream.Record, error) bool
}

// Subscribe implements [stream.EventStore]. It outlives the connection, the node and the
// leader that it began with: it goes on after the last record that was yielded. It ends
// with [ErrClosed] when the store is closed, and with an error that no other try mends: also where the cluster
// has another history than one of the store's subscriptions has read.
//
// RecordedAt is the clock of the leader. Should that run backwards, a subscription shows
// the latest that it has shown.
func (s *Store) Subscribe(ctx context.Context, after stream.Position) iter.Seq2[[]stream.Record, error] {
	return func(yield func([]stream.Record, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.lost, cancel)()
		f := &feed{Store: s, after: after, yield: yield}
		err := f.reaches(ctx)
		if err == nil {
			err = s.cluster.Follow(ctx, f.feed())
		}
		switch {
		case errors.Is(err, cluster.ErrStopped):
		case s.lost.Err() != nil:
			yield(nil, context.Cause(s.lost))
		case ctx.Err() != nil:
		case s.cluster.Closed():
			yield(nil, ErrClosed)
		default:
			yield(nil, err)
		}
	}
}

func (f *feed) feed() *cluster.Feed {
	return &cluster.Feed{
		Of: "the log", Log: f.log, Take: f.take, Check: f.goesOn,
		At:   func() uint64 { return uint64(f.after) },
		Note: func(e *esdb.SubscriptionEvent) { f.note(e) },
		Begin: func(ctx context.Context, c *esdb.Client, at uint64) (*esdb.Subscription, error) {
			return c.SubscribeToAll(ctx, f.subscription(after(max(stream.Position(at), f.floor))))
		},
		Lost: func(ctx context.Context) (bool, error) {
			head, err := f.Head(ctx)
			return head > f.after, err
		},
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
			return f.absent()
		}
		if err := f.cluster.Sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

func (f *feed) absent() error {
	return fmt.Errorf("eventstoredb: the log has no event at position %d: "+
		"whoever asks for what is after that has read another log, or a newer copy of it", f.after)
}

// stands reports whether an event of the log stands where the feed is to begin.
func (f *feed) stands(ctx context.Context) (bool, error) {
	if head, err := f.Head(ctx); err != nil || head < f.after {
		return false, err
	}
	e, err := f.next(ctx)
	return e != nil && f.is(e), err
}

// next returns the first event of whomever that stands where the feed is, or after that, as the leader has it: nil
// if there is none.
func (f *feed) next(ctx context.Context) (*esdb.RecordedEvent, error) {
	events, err := cluster.Call(ctx, f.cluster, func(ctx context.Context, c *esdb.Client) ([]*esdb.RecordedEvent, error) {
		time, at := cluster.Left(ctx), esdb.Position{Commit: uint64(f.after), Prepare: uint64(f.after)}
		rs, err := c.ReadAll(ctx, esdb.ReadAllOptions{Direction: esdb.Forwards, From: at, Deadline: &time}, 1)
		return cluster.Collect("reading $all", rs, err, nil)
	})
	if err != nil || len(events) == 0 {
		return nil, err
	}
	return events[0], nil
}

// is reports whether an event is of the log, stands where the feed is, and is the one that it yielded there.
func (f *feed) is(e *esdb.RecordedEvent) bool {
	_, ours := f.ours(e)
	none := stream.EventID{}
	return ours && stream.Position(e.Position.Commit) == f.after && (f.last == none || stream.EventID(e.EventID) == f.last)
}

// goesOn returns nil where the log still has the record that was yielded last. A cluster that was restored, or has
// lost what it acknowledged, may go on from another one at that position: that is another log than was read, and the
// store is of no use to anybody who read it.
func (f *feed) goesOn(ctx context.Context) error {
	if f.last == (stream.EventID{}) {
		return nil
	}
	e, err := f.next(ctx)
	changed := status.Code(err) == codes.InvalidArgument // no event begins there
	switch {
	case !changed && err != nil:
		return err
	case e != nil && f.is(e):
		f.missed = time.Time{}
		return nil
	case !changed && e == nil && f.missed.IsZero():
		f.missed = time.Now()
	}
	if !changed && e == nil && time.Since(f.missed) < f.cluster.Timeout() {
		return f.absent() // for now: it is asked again, since a new leader may show later what it has
	}
	err = fmt.Errorf("eventstoredb: the cluster has another history than it had: event %s, read at position %d, "+
		"is not there any more", f.last, f.after)
	f.lose(err)
	return cluster.Permanent(err)
}

// subscription are the options of one to the log's events after a place in $all.
func (s *Store) subscription(from esdb.AllPosition) esdb.SubscribeToAllOptions {
	return esdb.SubscribeToAllOptions{
		From: from, MaxSearchWindow: window, CheckpointInterval: 1,
		Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{s.full("")}},
	}
}

// take yields a run of events, as far as they can be read.
func (f *feed) take(events []*esdb.RecordedEvent) (err error) {
	recs := make([]stream.Record, 0, len(events))
	for _, e := range events {
		var rec stream.Record
		if rec, err = f.record(e); err != nil {
			err = cluster.Permanent(err)
			break
		}
		if rec.Position > f.after { // the server promises it
			rec.RecordedAt = max(rec.RecordedAt, f.recorded)
			f.after, f.recorded, f.last = rec.Position, rec.RecordedAt, rec.ID
			recs = append(recs, rec)
		}
	}
	if len(recs) > 0 && !f.yield(recs, nil) {
		return cluster.ErrStopped
	}
	return err
}
