package groupcommit

import (
	"context"
	"fmt"
	"sync/atomic"

	"sandglass/adapters/sqlite/logfile"
	"sandglass/domain/stream"
)

// request is an append on its way to the writer.
type request struct {
	stream   string
	expected stream.Revision
	events   []stream.Event
	ownIDs   bool         // not all ids follow from the content: see stream.Follows
	bytes    int          // of data and metadata
	state    atomic.Int32 // of waiting, taken, abandoned
	done     chan struct{}
	res      stream.Appended // valid when done is closed, as is err
	err      error
}

// The states of a request. Who moves it out of waiting decides what becomes of it.
const (
	waiting int32 = iota
	taken
	abandoned
)

// Append is that of the store: it waits until the events are durable, or refused. The
// caller has checked them.
func (w *Writer) Append(
	ctx context.Context, name string, expected stream.Revision, events []stream.Event,
) (stream.Appended, error) {
	if err := ctx.Err(); err != nil {
		return stream.Appended{}, err
	}
	r := &request{stream: name, expected: expected, events: events, done: make(chan struct{})}
	for i, e := range events {
		r.bytes += len(e.Data) + len(e.Meta)
		r.ownIDs = r.ownIDs || !stream.Follows(name, expected+1+stream.Revision(i), e)
	}
	select {
	case w.queue <- r:
	case <-ctx.Done():
		return stream.Appended{}, ctx.Err()
	case <-w.closing:
		return stream.Appended{}, logfile.ErrClosed
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		if r.state.CompareAndSwap(waiting, abandoned) {
			return stream.Appended{}, ctx.Err()
		}
		<-r.done
	case <-w.stopped:
		if r.state.CompareAndSwap(waiting, abandoned) {
			return stream.Appended{}, logfile.ErrClosed
		}
		<-r.done
	}
	return r.res, r.err
}

func wrongRevision(r *request, last stream.Revision) error {
	return fmt.Errorf("sqlite: %s ends at revision %d, not %d: %w", r.stream, last, r.expected, stream.ErrWrongRevision)
}
