package eventstoredb

import (
	"context"
	"fmt"
	"iter"
	"time"

	"sandglass/adapters/eventstoredb/cluster"
	"sandglass/domain/stream"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

const pageSize = 512 // records that one call reads

// readStream returns up to n events of a stream from a revision on: none if there is no
// such stream.
func readStream(
	ctx context.Context, c *esdb.Client, name string, from stream.Revision, n uint64, time time.Duration,
) ([]*esdb.RecordedEvent, error) {
	rs, err := c.ReadStream(ctx, name, esdb.ReadStreamOptions{From: esdb.Revision(uint64(from)), Deadline: &time}, n)
	return cluster.Collect("reading "+name, rs, err, nil)
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
