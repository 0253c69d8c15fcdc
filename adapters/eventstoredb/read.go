package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"sandglass/adapters/eventstoredb/cluster"
	"sandglass/domain/stream"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	pageSize = 512  // records that one call reads
	backPage = 2048 // events of whomever that one call looks back over
	backStep = 16   // the same of the first call, whose answer most often holds the end
)

// readStream returns up to n events of a stream from a revision on: none if there is no
// such stream.
func readStream(
	ctx context.Context, c *esdb.Client, name string, from stream.Revision, n uint64, time time.Duration,
) ([]*esdb.RecordedEvent, error) {
	rs, err := c.ReadStream(ctx, name, esdb.ReadStreamOptions{From: esdb.Revision(uint64(from)), Deadline: &time}, n)
	return collect("reading "+name, rs, err, nil)
}

// collect takes what a read yields, up to its end or, if last is not nil, to the first event
// of which that holds.
func collect(
	what string, rs *esdb.ReadStream, err error, last func(*esdb.RecordedEvent) bool,
) (events []*esdb.RecordedEvent, _ error) {
	if err != nil {
		return nil, cluster.Words(what, err)
	}
	defer rs.Close()
	for {
		e, err := rs.Recv()
		switch {
		case errors.Is(err, io.EOF), noStream(err):
			return events, nil
		case err != nil:
			return nil, cluster.Words(what, err)
		case e.Event == nil:
			return nil, cluster.Permanent(fmt.Errorf("eventstoredb: %s: a link to nothing stands there", what))
		}
		if events = append(events, e.Event); last != nil && last(e.Event) {
			return events, nil
		}
	}
}

// noStream reports whether an answer is that there is no such stream. A call that was itself
// not found, as by a node that knows of no leader, bears the same code, and a status.
func noStream(err error) bool {
	var e *esdb.Error
	return errors.As(err, &e) && e.Code() == esdb.ErrorCodeResourceNotFound && status.Code(err) != codes.NotFound
}

// Read implements [stream.EventStore].
func (s *Store) Read(ctx context.Context, name string, from stream.Revision) iter.Seq2[stream.Record, error] {
	return func(yield func(stream.Record, error) bool) {
		last := stream.Record{}
		for from := max(from, 0); ; {
			events, err := cluster.Call(ctx, s.cluster, func(ctx context.Context, c *esdb.Client) ([]*esdb.RecordedEvent, error) {
				return readStream(ctx, c, s.full(name), from, pageSize, cluster.Left(ctx))
			})
			if err != nil {
				if ctx.Err() == nil {
					yield(stream.Record{}, err)
				}
				return
			}
			for _, e := range events {
				rec, err := s.record(e)
				if err == nil && rec.Revision != from {
					err = fmt.Errorf("eventstoredb: %s has revision %d where %d should follow: it was truncated in the store, %s",
						e.StreamID, rec.Revision, from, wayBack(e.StreamID))
				}
				if err != nil {
					yield(stream.Record{}, err)
					return
				}
				rec.RecordedAt = max(rec.RecordedAt, last.RecordedAt)
				last = rec
				if from++; ctx.Err() != nil || !yield(rec, nil) {
					return
				}
			}
			if len(events) < pageSize {
				return
			}
		}
	}
}

// Head implements [stream.EventStore]. It looks back from the end of $all, over what is
// not of the log, as far as to what is known of it: nothing is looked through twice.
func (s *Store) Head(ctx context.Context) (stream.Position, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	seen := stream.Position(s.seen.Load()) // before known, which covers all that stands before it
	known := stream.Position(s.known.Load())
	floor := max(known, seen, s.floor)
	from, top := esdb.AllPosition(esdb.End{}), stream.Position(0)
	for page := uint64(backStep); ; page = backPage {
		events, err := s.lookBack(ctx, from, page, floor)
		if err != nil {
			return 0, err
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
			return known, nil
		}
		from = events[len(events)-1].Position
	}
}

// lookBack returns events of $all before a position, the latest first, as far as to one that
// tells where the log ends.
func (s *Store) lookBack(
	ctx context.Context, from esdb.AllPosition, n uint64, floor stream.Position,
) ([]*esdb.RecordedEvent, error) {
	return cluster.Call(ctx, s.cluster, func(ctx context.Context, c *esdb.Client) ([]*esdb.RecordedEvent, error) {
		time := cluster.Left(ctx)
		rs, err := c.ReadAll(ctx, esdb.ReadAllOptions{Direction: esdb.Backwards, From: from, Deadline: &time}, n)
		return collect("reading $all", rs, err, func(e *esdb.RecordedEvent) bool {
			_, ours := s.ours(e)
			return ours || stream.Position(e.Position.Commit) <= floor
		})
	})
}
