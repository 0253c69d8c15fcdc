package eventstoredb

import (
	"context"
	"errors"
	"fmt"

	"sandglass/adapters/eventstoredb/cluster"
	"sandglass/domain/stream"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// maxBytes bounds one append: the server takes 1 MiB, its own bookkeeping included.
const maxBytes = 1<<20 - 64<<10

// overhead is more than what the server adds to an event, its names left aside.
const overhead = 256

// Append implements [stream.EventStore]. An append whose answer was lost is made again, by
// the same ids at the same expected revision, until it is answered or its time is over:
// then it is [stream.ErrUnavailable], and open whether the events were kept.
func (s *Store) Append(
	ctx context.Context, name string, expected stream.Revision, events []stream.Event,
) (stream.Appended, error) {
	if s.readOnly {
		return stream.Appended{}, errReadOnly
	}
	if err := stream.Check(name, expected, events); err != nil {
		return stream.Appended{}, err
	}
	data, size := make([]esdb.EventData, len(events)), 0
	for i := range events {
		data[i] = outgoing(&events[i], 0)
		size += sizeOf(&data[i])
	}
	if size > maxBytes {
		return stream.Appended{}, fmt.Errorf("eventstoredb: %w: %d bytes in one append, the server takes %d: "+
			"append fewer events at once", stream.ErrInvalid, size, maxBytes)
	}
	res, err := s.append(ctx, s.full(name), expected, data)
	if err == nil {
		s.learn(res.Position)
	}
	return res, err
}

func sizeOf(e *esdb.EventData) int {
	return len(e.Data) + len(e.Metadata) + len(e.EventType) + overhead
}

// append appends to a stream by its name in the cluster.
func (s *Store) append(
	ctx context.Context, name string, expected stream.Revision, data []esdb.EventData,
) (stream.Appended, error) {
	return cluster.Write(ctx, s.cluster, s.appending(name, expected, data))
}

// appending is one attempt to append.
func (s *Store) appending(
	name string, expected stream.Revision, data []esdb.EventData,
) func(context.Context, *esdb.Client) (stream.Appended, error) {
	last := expected + stream.Revision(len(data))
	return func(ctx context.Context, c *esdb.Client) (stream.Appended, error) {
		time := cluster.Left(ctx)
		options := esdb.AppendToStreamOptions{ExpectedRevision: expectation(expected), Deadline: &time}
		res, err := c.AppendToStream(ctx, name, options, data...)
		var e *esdb.Error
		switch {
		case errors.As(err, &e) && e.Code() == esdb.ErrorCodeWrongExpectedVersion:
			return stream.Appended{}, cluster.Permanent(fmt.Errorf("eventstoredb: %s: %w: %w", name, stream.ErrWrongRevision, e.Err()))
		case err != nil:
			return stream.Appended{}, cluster.Words("appending to "+name, err)
		case res.NextExpectedVersion != uint64(last):
			return stream.Appended{}, cluster.Permanent(fmt.Errorf("eventstoredb: %s ends at revision %d after an append at %d: "+
				"it was deleted in the store, %s", name, res.NextExpectedVersion, expected, wayBack(name)))
		case res.CommitPosition == 0 || res.CommitPosition > maxPosition:
			return s.standing(ctx, c, name, last)
		}
		return stream.Appended{Revision: last, Position: stream.Position(res.CommitPosition)}, nil
	}
}

// wayBack says what to do about a stream that was truncated or deleted. The server hides
// what the metadata say, and drops it with the next scavenge.
func wayBack(name string) string {
	return "which Sandglass never does: stop the daemons; if the store was not scavenged since, write metadata to $$" + name +
		" without $tb, $maxAge and $maxCount, which shows it again, else restore a backup"
}

// standing returns where an event stands that was appended: not every server says so in
// its answer to an append that it had before.
func (s *Store) standing(ctx context.Context, c *esdb.Client, name string, rev stream.Revision) (stream.Appended, error) {
	events, err := readStream(ctx, c, name, rev, 1, cluster.Left(ctx))
	if err == nil && len(events) != 1 {
		err = fmt.Errorf("eventstoredb: %s: revision %d was appended and is not there", name, rev)
	}
	if err != nil {
		return stream.Appended{}, err
	}
	return stream.Appended{Revision: rev, Position: stream.Position(events[0].Position.Commit)}, nil
}

// expectation returns the expected revision in the client's words.
func expectation(expected stream.Revision) esdb.ExpectedRevision {
	if expected == stream.NoStream {
		return esdb.NoStream{}
	}
	return esdb.Revision(uint64(expected))
}

// Import appends records of another log in their order, with the times at which they were
// recorded there. What is there already is passed over, so that an import that was
// interrupted can be done again. A record that does not follow the end of its stream is
// [stream.ErrWrongRevision].
//
// Each append waits for the one before: the order of the log is that of the records.
func (s *Store) Import(ctx context.Context, recs []stream.Record) error {
	if s.readOnly {
		return errReadOnly
	}
	for len(recs) > 0 {
		data, err := s.batch(recs)
		if err != nil {
			return err
		}
		n := len(data)
		res, err := s.append(ctx, s.full(recs[0].Stream), recs[0].Revision-1, data)
		if errors.Is(err, stream.ErrWrongRevision) {
			there, lookErr := s.there(ctx, recs[:n])
			if there == 0 {
				return errors.Join(err, lookErr)
			}
			n, err = there, lookErr
		}
		if err != nil {
			return err
		}
		s.learn(res.Position)
		recs = recs[n:]
	}
	return nil
}

// batch returns the first records that one append takes: those of one stream, in a row.
func (s *Store) batch(recs []stream.Record) (data []esdb.EventData, err error) {
	for size := 0; len(data) < min(len(recs), stream.MaxAppend); {
		r := &recs[len(data)]
		if r.Stream != recs[0].Stream || r.Revision != recs[0].Revision+stream.Revision(len(data)) {
			break
		}
		if err := stream.Check(r.Stream, r.Revision-1, []stream.Event{r.Event}); err != nil {
			return nil, err
		}
		e := outgoing(&r.Event, r.RecordedAt)
		if size += sizeOf(&e); size > maxBytes {
			break
		}
		data = append(data, e)
	}
	return data, nil
}

// there returns how many of the first records stand in the stream already.
func (s *Store) there(ctx context.Context, recs []stream.Record) (n int, err error) {
	for rec, err := range s.Read(ctx, recs[0].Stream, recs[0].Revision) {
		if err != nil || n == len(recs) || rec.ID != recs[n].ID {
			return n, err
		}
		n++
	}
	return n, ctx.Err()
}
