package projections

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"sandglass/domain/stream"
)

// Run folds the log into v from where v stands, until ctx ends, which is no error. An
// event that can't be folded is one, which names its position and record: a log that is
// half understood is not understood. If v was loaded from a snapshot that is not of this
// log's past, Run removes that file, and starts from nothing: once the log has grown it could be
// taken for one of its past. While the store does not answer
// ([stream.ErrUnavailable]) the views stand still, and then go on.
func Run(ctx context.Context, store stream.EventStore, v *Views) error {
	var head stream.Position
	err := persist(ctx, func() (err error) {
		head, err = start(ctx, store, v, v.removeSnapshot)
		return err
	})
	if err == nil {
		v.reached(head)
		err = persist(ctx, func() error { return follow(ctx, store, v, head, math.MaxUint64) })
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// persist does something until it ends otherwise than with a store that does not answer.
func persist(ctx context.Context, do func() error) error {
	for {
		err := do()
		if !errors.Is(err, stream.ErrUnavailable) {
			return err
		}
		select {
		case <-time.After(retry):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// retry is the pause before a store that did not answer is asked again.
const retry = time.Second

// Replay folds the log into v from where v stands up to a position, and returns: it is
// how an auditor gets the views of a moment that has passed. The log must have an event there:
// else it is [ErrOtherLog]. [Views.CaughtUp] is closed then, and deadlines are known.
func Replay(ctx context.Context, store stream.EventStore, v *Views, until stream.Position) error {
	head, err := start(ctx, store, v, func() error { return nil })
	switch {
	case err != nil:
		return err
	case until > head:
		return fmt.Errorf("projections: %w: it ends at position %d, before %d", ErrOtherLog, head, until)
	case until < v.Position():
		return fmt.Errorf("projections: replay to position %d: the views stand at %d already", until, v.Position())
	case until == v.Position():
		v.reached(until)
		return nil
	}
	if err := follow(ctx, store, v, until, until); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if v.Position() != until {
		return fmt.Errorf("projections: %w: it has no event at position %d", ErrOtherLog, until)
	}
	return nil
}

// ErrOtherLog says that a log is not the one of which somebody knows a position.
var ErrOtherLog = errors.New("the log is another one, or an older copy")

// start makes sure that v stands in the past of this log, and returns the log's head. A store
// that has just shown the record at which v stands need not look for its end before that.
// Where v stands in another past, foreign is called, and v begins from nothing.
func start(ctx context.Context, store stream.EventStore, v *Views, foreign func() error) (stream.Position, error) {
	v.mu.RLock()
	at := v.at
	v.mu.RUnlock()
	if at.pos != 0 {
		known, err := at.known(ctx, store)
		if err != nil {
			return 0, fmt.Errorf("projections: looking for the snapshot's last record: %w", err)
		}
		if !known {
			if err := foreign(); err != nil {
				return 0, err
			}
			v.reset()
		}
	}
	head, err := store.Head(ctx)
	if err != nil {
		return 0, fmt.Errorf("projections: reading the log's head: %w", err)
	}
	return head, nil
}

// known reports whether the log holds the record that stands at p.
func (p position) known(ctx context.Context, store stream.EventStore) (bool, error) {
	for rec, err := range store.Read(ctx, p.stream, p.revision) {
		same := rec.Revision == p.revision && rec.Position == p.pos && rec.ID == p.id && rec.RecordedAt == p.recorded
		return err == nil && same, err
	}
	return false, ctx.Err()
}

// batches is how many runs are under way between reading and folding.
const batches = 6

// follow reads, decodes and folds, each in a goroutine, up to the position until. It
// waits for all of them.
func follow(ctx context.Context, store stream.EventStore, v *Views, head, until stream.Position) error {
	ctx, cancel := context.WithCancel(ctx)
	// Each channel has room for every batch, so that only a wait for a free one blocks.
	free, read, decoded := make(chan *batch, batches), make(chan *batch, batches+1), make(chan *batch, batches+1)
	for range batches {
		free <- new(batch)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		defer close(read)
		if err := fetch(ctx, store, v.Position(), until, free, read); err != nil {
			read <- &batch{err: err}
		}
	})
	wg.Go(func() {
		defer close(decoded)
		for b := range read {
			if b.err == nil {
				b.decode()
			}
			decoded <- b
		}
	})
	for b := range decoded {
		if err := v.fold(ctx, store, b, head); err != nil {
			return err
		}
		b.forget()
		free <- b
	}
	return nil
}

// fold applies what a batch holds, and returns its error.
func (v *Views) fold(ctx context.Context, store stream.EventStore, b *batch, head stream.Position) error {
	if len(b.entries) > 0 {
		if err := v.recall(ctx, store, b); err != nil {
			return err
		}
		if err := v.apply(b, head); err != nil {
			return err
		}
	}
	return b.err
}

// fetch hands on the records after a position, in runs of at most runSize, up to until.
func fetch(ctx context.Context, store stream.EventStore, after, until stream.Position, free, read chan *batch) error {
	for run, err := range store.Subscribe(ctx, after) {
		if err != nil {
			return fmt.Errorf("projections: reading the log: %w", err)
		}
		for len(run) > 0 && run[0].Position <= until {
			n := min(len(run), runSize)
			for run[n-1].Position > until {
				n--
			}
			select {
			case b := <-free:
				b.fill(run[:n])
				read <- b
			case <-ctx.Done():
				return ctx.Err()
			}
			if run[n-1].Position == until {
				return nil
			}
			run = run[n:]
		}
		if len(run) > 0 {
			return nil
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.New("projections: the subscription to the log ended by itself")
}
