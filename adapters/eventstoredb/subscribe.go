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
)

const window = 512 // events of whomever that the server looks through before it says how far it is

// feed is a subscription as its reader sees it, over all the connections that it takes.
type feed struct {
	*Store
	after    stream.Position // of the last record that was yielded
	recorded instant.Time    // of that record: later ones show no earlier time
	yield    func([]stream.Record, error) bool
}

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
		if err == nil {
			err = s.cluster.Follow(ctx, f.feed())
		}
		switch {
		case errors.Is(err, cluster.ErrStopped), ctx.Err() != nil:
		case s.cluster.Closed():
			yield(nil, ErrClosed)
		default:
			yield(nil, err)
		}
	}
}

func (f *feed) feed() *cluster.Feed {
	return &cluster.Feed{
		Of: "the log", Log: f.log, Take: f.take,
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
		return cluster.Collect("reading $all", rs, err, nil)
	})
	if err != nil || len(events) == 0 || stream.Position(events[0].Position.Commit) != f.after {
		return false, err
	}
	_, ours := f.ours(events[0])
	return ours, nil
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
			f.after, f.recorded = rec.Position, rec.RecordedAt
			recs = append(recs, rec)
		}
	}
	if len(recs) > 0 && !f.yield(recs, nil) {
		return cluster.ErrStopped
	}
	return err
}
