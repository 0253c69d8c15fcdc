package requests

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"sandglass/adapters/eventstoredb/cluster"
	"sandglass/domain/request"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	pageSize = 512 // records in one run, that one call reads, and that wait for the reader
	untold   = 10  // how often a subscription breaks in a row before it is told
)

// Follow implements [request.Store]. It reads both streams to their ends, and then subscribes to
// them. It outlives the connection, the node and the leader that it began with: it goes on after
// the last record that was yielded. It ends with [ErrClosed] when the store is closed, and with
// an error that no other try mends.
func (s *Store) Follow(ctx context.Context) iter.Seq2[[]*request.Record, error] {
	return func(yield func([]*request.Record, error) bool) {
		ctx, cancel := s.cluster.Bound(ctx, 0)
		defer cancel()
		err := ctx.Err()
		if err == nil {
			err = s.follow(ctx, func(run []*request.Record) bool { return yield(run, nil) })
		}
		switch {
		case errors.Is(err, errStopped):
		case s.cluster.Closed():
			yield(nil, ErrClosed)
		case ctx.Err() == nil:
			yield(nil, err)
		}
	}
}

// errStopped says that the reader wants no more.
var errStopped = errors.New("eventstoredb: the reader has stopped")

func (s *Store) follow(ctx context.Context, yield func([]*request.Record) bool) error {
	feeds := []*feed{{Store: s, name: s.invoices}, {Store: s, name: s.addresses}}
	for _, f := range feeds {
		err := f.catchUp(ctx, func(run []*request.Record) error {
			if !yield(run) {
				return errStopped
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if !yield(nil) {
		return errStopped
	}
	return live(ctx, feeds, yield)
}

// live yields what comes to any of the feeds.
func live(ctx context.Context, feeds []*feed, yield func([]*request.Record) bool) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	runs, failed := make(chan []*request.Record), make(chan error, len(feeds))
	for _, f := range feeds {
		wg.Go(func() {
			failed <- f.run(ctx, func(run []*request.Record) error {
				select {
				case runs <- run:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})
		})
	}
	for {
		select {
		case run := <-runs:
			if !yield(run) {
				return errStopped
			}
		case err := <-failed:
			return err
		}
	}
}

// feed is one of the streams as a follower sees it, over all the connections that it takes.
type feed struct {
	*Store
	name string
	next uint64 // revision of the next event
}

// page reads up to n events of a stream from a revision on, none if there is no such stream. It
// asks the leader: what was answered to whoever kept a record is there.
func page(
	ctx context.Context, c *esdb.Client, name string, from, n uint64, time time.Duration,
) (events []*esdb.RecordedEvent, err error) {
	rs, err := c.ReadStream(ctx, name, esdb.ReadStreamOptions{
		From: esdb.Revision(from), Deadline: &time, RequiresLeader: true,
	}, n)
	if err != nil {
		return nil, cluster.Words("reading "+name, err)
	}
	defer rs.Close()
	for {
		e, err := rs.Recv()
		switch {
		case errors.Is(err, io.EOF), noStream(err):
			return events, nil
		case err != nil:
			return nil, cluster.Words("reading "+name, err)
		}
		events = append(events, e.OriginalEvent())
	}
}

func (s *Store) read(ctx context.Context, name string, from, n uint64) ([]*esdb.RecordedEvent, error) {
	return cluster.Call(ctx, s.cluster, func(ctx context.Context, c *esdb.Client) ([]*esdb.RecordedEvent, error) {
		return page(ctx, c, name, from, n, cluster.Left(ctx))
	})
}

// catchUp hands out what the stream holds after what was handed out.
func (f *feed) catchUp(ctx context.Context, out func([]*request.Record) error) error {
	for {
		events, err := f.read(ctx, f.name, f.next, pageSize)
		if err != nil || len(events) == 0 {
			return err
		}
		run, err := f.records(events)
		if err != nil {
			return err
		}
		if err := out(run); err != nil {
			return err
		}
		if len(events) < pageSize {
			return nil
		}
	}
}

// records returns those that were not handed out, which they are from now on. The numbers of the
// events have gaps, where the server has forgotten.
func (f *feed) records(events []*esdb.RecordedEvent) (run []*request.Record, err error) {
	for _, e := range events {
		if e.EventNumber < f.next {
			continue
		}
		r, err := record(e)
		if err != nil {
			return nil, cluster.Permanent(fmt.Errorf("eventstoredb: %s %d: a newer build wrote it, which has to run here, "+
				"or none of Sandglass: %w", e.StreamID, e.EventNumber, err))
		}
		run, f.next = append(run, r), e.EventNumber+1
	}
	return run, nil
}

func record(e *esdb.RecordedEvent) (*request.Record, error) {
	if e.EventType != keptType {
		return nil, fmt.Errorf("it is a %.80q", e.EventType)
	}
	return request.Decode(e.Data)
}

// run hands out what comes, until ctx ends or something is wrong that no other try mends.
func (f *feed) run(ctx context.Context, out func([]*request.Record) error) error {
	pace, vain := cluster.Pace(), 0
	for {
		before := f.next
		err := f.subscribe(ctx, out)
		if vain++; f.next != before {
			pace.Reset()
			vain = 0
		}
		if vain == untold && ctx.Err() == nil {
			f.log(fmt.Sprintf("following %s breaks each time, %d times now, before it brings anything: %v", f.name, vain, err))
		}
		if ctx.Err() != nil || !cluster.Transient(err) {
			return err
		}
		if err := f.cluster.Sleep(ctx, pace.NextBackOff()); err != nil {
			return err
		}
	}
}

// errLost says that the stream goes on and the subscription does not.
var errLost = errors.New("eventstoredb: the subscription fell silent while the requests grew: it is begun anew")

// arrival is what a subscription received: nothing but that it was begun, at first.
type arrival struct {
	event *esdb.RecordedEvent
	err   error
}

// subscribe hands out what one subscription brings, until that breaks. A server that finds its
// reader too slow aborts it, which is no fault of the connection.
func (f *feed) subscribe(ctx context.Context, out func([]*request.Record) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	u, err := f.cluster.Current(ctx)
	if err != nil {
		return err
	}
	from, arrivals := f.from(), make(chan arrival, pageSize)
	go func() {
		defer u.Release()
		defer close(arrivals)
		_, err := cluster.Guard(func() (struct{}, error) { return struct{}{}, f.receive(ctx, u.Client(), from, arrivals) })
		select {
		case arrivals <- arrival{err: err}:
		case <-ctx.Done():
		}
	}()
	err = f.deliver(ctx, arrivals, out)
	switch {
	case cluster.Over(ctx), !cluster.Transient(err), status.Code(err) == codes.Aborted:
	case errors.Is(err, errLost):
		f.cluster.Replace(u) // another node may be ahead of this one
	default:
		f.cluster.Broken(u, err)
	}
	return err
}

// from is after which event a subscription begins.
func (f *feed) from() esdb.StreamPosition {
	if f.next == 0 {
		return esdb.Start{}
	}
	return esdb.Revision(f.next - 1)
}

// receive subscribes and hands on what comes, until the subscription is dropped.
func (f *feed) receive(ctx context.Context, c *esdb.Client, from esdb.StreamPosition, arrivals chan<- arrival) error {
	sub, err := c.SubscribeToStream(ctx, f.name, esdb.SubscribeToStreamOptions{From: from})
	if err != nil {
		return cluster.Words("subscribing to "+f.name, err)
	}
	defer func() { _ = sub.Close() }() // it has no error to return
	arrivals <- arrival{}              // there is room: it is the first
	for {
		e := sub.Recv()
		switch {
		case e.SubscriptionDropped != nil:
			return cluster.Words("the subscription to "+f.name+" was dropped", e.SubscriptionDropped.Error)
		case e.EventAppeared == nil:
			continue // that it has caught up, or fell behind
		}
		select {
		case arrivals <- arrival{event: e.EventAppeared.OriginalEvent()}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// deliver hands out what arrives in runs, until the end of arrivals, which is an error. A
// subscription that is silent for as long as a call may take is compared with the stream: one
// that was lost without a word is begun anew.
func (f *feed) deliver(ctx context.Context, arrivals <-chan arrival, out func([]*request.Record) error) error {
	silence := time.NewTicker(f.cluster.AttemptTimeout())
	defer silence.Stop()
	for begun := false; ; begun = true {
		select {
		case a, ok := <-arrivals:
			if !ok {
				return ctx.Err()
			}
			if err := f.handOut(a, arrivals, out); err != nil {
				return err
			}
			silence.Reset(f.cluster.Timeout())
		case <-silence.C:
			if !begun {
				return fmt.Errorf("eventstoredb: subscribing to %s: %w", f.name, context.DeadlineExceeded)
			}
			before := f.next
			if err := f.catchUp(ctx, out); err != nil && !cluster.Transient(err) {
				return err // else the connection will tell
			}
			if f.next != before && len(arrivals) == 0 {
				f.log(errLost.Error())
				return errLost
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// handOut hands out a first arrival with those that wait behind it.
func (f *feed) handOut(a arrival, arrivals <-chan arrival, out func([]*request.Record) error) error {
	var events []*esdb.RecordedEvent
	for ok := true; ok && a.err == nil && a.event != nil; {
		if events = append(events, a.event); len(events) == pageSize {
			break
		}
		select {
		case a, ok = <-arrivals:
		default:
			ok = false
		}
	}
	run, err := f.records(events)
	if err == nil && len(run) > 0 {
		err = out(run)
	}
	if err != nil {
		return err
	}
	return a.err
}
