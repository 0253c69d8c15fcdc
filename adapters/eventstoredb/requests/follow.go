package requests

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"

	"sandglass/adapters/eventstoredb/cluster"
	"sandglass/domain/request"
	"sandglass/domain/stream"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

const pageSize = 512 // records that one call reads

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
		case errors.Is(err, cluster.ErrStopped):
		case s.cluster.Closed():
			yield(nil, ErrClosed)
		case ctx.Err() == nil:
			yield(nil, err)
		}
	}
}

func (s *Store) follow(ctx context.Context, yield func([]*request.Record) bool) error {
	feeds := []*feed{{Store: s, name: s.invoices}, {Store: s, name: s.addresses}}
	for _, f := range feeds {
		err := f.catchUp(ctx, func(run []*request.Record) error {
			if !yield(run) {
				return cluster.ErrStopped
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if !yield(nil) {
		return cluster.ErrStopped
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
				return cluster.ErrStopped
			}
		case err := <-failed:
			return err
		}
	}
}

// feed is one of the streams as a follower sees it, over all the connections that it takes.
type feed struct {
	*Store
	name   string
	next   uint64 // revision of the next event
	passed uint64 // events that were passed over
}

// page reads up to n events of a stream from a revision on, none if there is no such stream. It
// asks the leader: what was answered to whoever kept a record is there.
func page(
	ctx context.Context, c *esdb.Client, name string, from, n uint64, time time.Duration,
) (events []*esdb.RecordedEvent, err error) {
	rs, err := c.ReadStream(ctx, name, esdb.ReadStreamOptions{
		From: esdb.Revision(from), Deadline: &time, RequiresLeader: true,
	}, n)
	return cluster.Collect("reading "+name, rs, err, nil)
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
		if err == nil && len(run) > 0 {
			err = out(run)
		}
		if err != nil {
			return err
		}
		if len(events) < pageSize {
			return nil
		}
	}
}

// records returns those that were not handed out, which they are from now on. The numbers of the
// events have gaps, where the server has forgotten. What no build of Sandglass writes is passed
// over, as is what is not as it was written; what a newer one wrote is a [stream.UnknownError].
func (f *feed) records(events []*esdb.RecordedEvent) (run []*request.Record, err error) {
	for _, e := range events {
		if e.EventNumber < f.next {
			continue
		}
		if !strings.HasPrefix(e.EventType, ours) {
			f.passOver(e, "is none of Sandglass: keep other programs from writing there")
			continue
		}
		r, err := record(e)
		if errors.Is(err, errDamaged) { // which no daemon may delete, and which is no reason to stop them all
			f.passOver(e, "is damaged, or was changed: what is paid for it by Lightning will be unallocated, "+
				"and what comes to its address is shown by \"sandglass audit reconcile\" alone")
			continue
		}
		if err != nil {
			return nil, cluster.Permanent(fmt.Errorf("eventstoredb: %s %d: %w", e.StreamID, e.EventNumber, err))
		}
		run, f.next = append(run, r), e.EventNumber+1
	}
	return run, nil
}

// passOver goes on after an event that is nobody's request. It is told less often the more there are.
func (f *feed) passOver(e *esdb.RecordedEvent, why string) {
	f.next = e.EventNumber + 1
	if f.passed++; f.passed&(f.passed-1) == 0 {
		f.log(fmt.Sprintf("%s %d, a %.80q, is passed over (the %dth event that is): it %s",
			e.StreamID, e.EventNumber, e.EventType, f.passed, why))
	}
}

// errDamaged says that an event is not as it was written.
var errDamaged = errors.New("its checksum is another")

func record(e *esdb.RecordedEvent) (*request.Record, error) {
	unknown := stream.Unknown(&stream.Record{Event: stream.Event{Type: e.EventType, Meta: e.UserMetadata}})
	if e.EventType != keptType {
		return nil, unknown
	}
	var m meta // in which a newer build may write more
	if _ = json.Unmarshal(e.UserMetadata, &m); m.Sum != "" && m.Sum != sumOf(e.Data) {
		return nil, errDamaged
	}
	r, err := request.Decode(e.Data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", unknown, err) // as the log has it: half understood is not understood
	}
	return r, nil
}

// run hands out what comes, until ctx ends or something is wrong that no other try mends.
func (f *feed) run(ctx context.Context, out func([]*request.Record) error) error {
	return f.cluster.Follow(ctx, &cluster.Feed{
		Of: f.name, Log: f.log,
		At: func() uint64 { return f.next },
		Begin: func(ctx context.Context, c *esdb.Client, at uint64) (*esdb.Subscription, error) {
			var from esdb.StreamPosition = esdb.Start{}
			if at > 0 {
				from = esdb.Revision(at - 1)
			}
			return c.SubscribeToStream(ctx, f.name, esdb.SubscribeToStreamOptions{From: from})
		},
		Take: func(events []*esdb.RecordedEvent) error {
			run, err := f.records(events)
			if err == nil && len(run) > 0 {
				err = out(run)
			}
			return err
		},
		Lost: func(ctx context.Context) (bool, error) {
			before := f.next
			err := f.catchUp(ctx, out)
			return f.next != before, err
		},
	})
}
