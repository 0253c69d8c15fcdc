package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	runSize = 512 // events in one run, and how many wait for the reader
	untold  = 10  // how often a subscription breaks in a row before it is told
)

// Feed is a subscription as its reader sees it, over all the connections that it takes.
type Feed struct {
	Of    string                        // what it subscribes to
	Log   func(string)                  // is told in a sentence when it goes wrong
	At    func() uint64                 // how far its reader is
	Note  func(*esdb.SubscriptionEvent) // sees all that comes, first; may be nil
	Begin func(ctx context.Context, c *esdb.Client, at uint64) (*esdb.Subscription, error)

	// Check is asked before each subscription whether the reader can go on from At; may be nil. Its errors
	// end the feed if they are [Permanent].
	Check func(ctx context.Context) error
	// Take takes a run of events, of which it may have had some, and moves At. Its errors end
	// the feed if they are [Permanent] or [ErrStopped].
	Take func(run []*esdb.RecordedEvent) error
	// Lost reports whether there was something to come, when nothing has for a long time.
	Lost func(ctx context.Context) (bool, error)
}

// ErrStopped says that the reader of a feed wants no more.
var ErrStopped = errors.New("eventstoredb: the reader has stopped")

// errLost says that what is subscribed to goes on and the subscription does not.
var errLost = errors.New("eventstoredb: the subscription fell silent while more was written: it is begun anew")

// Follow hands out what comes to a feed. It outlives the connection, the node and the leader
// that it began with, and ends when ctx does, or the cluster, or with an error that no other
// try mends.
func (c *Cluster) Follow(ctx context.Context, f *Feed) error {
	ctx, cancel := c.Bound(ctx, 0)
	defer cancel()
	pause, vain := Pace(), 0
	for {
		before := f.At()
		err := c.listen(ctx, f)
		if vain++; f.At() != before {
			pause.Reset()
			vain = 0
		}
		if vain == untold && ctx.Err() == nil {
			f.Log(fmt.Sprintf("a subscription to %s breaks each time, %d times now, before it brings anything: %v", f.Of, vain, err))
		}
		if ctx.Err() != nil || !Transient(err) || errors.Is(err, ErrStopped) {
			return err
		}
		if err := c.Sleep(ctx, pause.NextBackOff()); err != nil {
			return err
		}
	}
}

// arrival is what a subscription received: nothing but that it was begun, at first.
type arrival struct {
	event *esdb.RecordedEvent
	err   error
}

// listen hands out what one subscription brings, until that breaks. A server that finds its
// reader too slow aborts it, which is no fault of the connection: bursts do that too.
func (c *Cluster) listen(ctx context.Context, f *Feed) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if f.Check != nil {
		if err := f.Check(ctx); err != nil {
			return err
		}
	}
	u, err := c.Current(ctx)
	if err != nil {
		return err
	}
	at, arrivals := f.At(), make(chan arrival, runSize)
	go func() {
		defer u.Release()
		defer close(arrivals)
		_, err := Guard(func() (struct{}, error) { return struct{}{}, f.receive(ctx, u.Client(), at, arrivals) })
		select {
		case arrivals <- arrival{err: err}:
		case <-ctx.Done():
		}
	}()
	err = c.deliver(ctx, f, arrivals)
	switch {
	case Over(ctx), !Transient(err), errors.Is(err, ErrStopped), status.Code(err) == codes.Aborted:
	case errors.Is(err, errLost):
		c.Replace(u) // another node may be ahead of this one
	default:
		c.Broken(u, err)
	}
	return err
}

// receive subscribes and hands on what comes, until the subscription is dropped.
func (f *Feed) receive(ctx context.Context, c *esdb.Client, at uint64, arrivals chan<- arrival) error {
	sub, err := f.Begin(ctx, c, at)
	if err != nil {
		return Words("subscribing to "+f.Of, err)
	}
	defer func() { _ = sub.Close() }() // it has no error to return
	arrivals <- arrival{}              // there is room: it is the first
	for {
		e := sub.Recv()
		if f.Note != nil {
			f.Note(e)
		}
		switch {
		case e.SubscriptionDropped != nil:
			return Words("the subscription to "+f.Of+" was dropped", e.SubscriptionDropped.Error)
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

// deliver hands out what arrives in runs, until the end of arrivals, which is an error. A
// subscription that is silent for as long as a call may take is held against what there is:
// one that was lost without a word is begun anew.
func (c *Cluster) deliver(ctx context.Context, f *Feed, arrivals <-chan arrival) error {
	silence := time.NewTicker(c.AttemptTimeout())
	defer silence.Stop()
	for begun := false; ; begun = true {
		select {
		case a, ok := <-arrivals:
			if !ok {
				return ctx.Err()
			}
			if err := f.take(a, arrivals); err != nil {
				return err
			}
			silence.Reset(c.Timeout())
		case <-silence.C:
			if !begun {
				return fmt.Errorf("eventstoredb: subscribing to %s: %w", f.Of, context.DeadlineExceeded)
			}
			switch lost, err := f.Lost(ctx); {
			case errors.Is(err, ErrStopped), err != nil && !Transient(err):
				return err // any other the connection will tell
			case lost && len(arrivals) == 0:
				f.Log(errLost.Error())
				return errLost
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// take hands out a first arrival with those that wait behind it.
func (f *Feed) take(a arrival, arrivals <-chan arrival) error {
	var run []*esdb.RecordedEvent
	for ok := true; ok && a.err == nil && a.event != nil; {
		if run = append(run, a.event); len(run) == runSize {
			break
		}
		select {
		case a, ok = <-arrivals:
		default:
			ok = false
		}
	}
	if len(run) > 0 {
		if err := f.Take(run); err != nil {
			return err
		}
	}
	return a.err
}

// Collect takes what a read yields, up to its end or, if last is not nil, to the first event
// of which that holds. There is nothing where there is no such stream.
func Collect(
	what string, rs *esdb.ReadStream, err error, last func(*esdb.RecordedEvent) bool,
) (events []*esdb.RecordedEvent, _ error) {
	if err != nil {
		return nil, Words(what, err)
	}
	defer rs.Close()
	for {
		e, err := rs.Recv()
		switch {
		case errors.Is(err, io.EOF), NoStream(err):
			return events, nil
		case err != nil:
			return nil, Words(what, err)
		case e.Event == nil:
			return nil, Permanent(fmt.Errorf("eventstoredb: %s: a link to nothing stands there", what))
		}
		if events = append(events, e.Event); last != nil && last(e.Event) {
			return events, nil
		}
	}
}

// NoStream reports whether an answer is that there is no such stream. A call that was itself
// not found, as by a node that knows of no leader, bears the same code, and a status.
func NoStream(err error) bool {
	var e *esdb.Error
	return errors.As(err, &e) && e.Code() == esdb.ErrorCodeResourceNotFound && status.Code(err) != codes.NotFound
}
