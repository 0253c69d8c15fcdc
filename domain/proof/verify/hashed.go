package verify

import (
	"context"
	"fmt"
	"iter"
	"runtime"

	"sandglass/domain/instant"
	"sandglass/domain/proof"
	"sandglass/domain/stream"
)

// Chunks yields a log from its first event on, piece by piece.
type Chunks = iter.Seq2[Chunk, error]

// Chunk returns the records of a piece of a log, in the room of a slice that was returned before.
// It is called by another goroutine than its sequence: what it refers to is its own until then.
type Chunk func(room []stream.Record) ([]stream.Record, error)

// unreadError says that a record can't be read.
type unreadError struct{ error }

// job is a chunk that is decoded and hashed while others are.
type job struct {
	chunk  Chunk
	before chan instant.Time // the latest recorded time before it
	after  chan instant.Time // and after it: the before of the next
	done   chan struct{}

	recs   []stream.Record
	leaves []proof.Hash
	err    error
}

// hashed decodes and hashes chunks beside each other, and has them taken in their order.
func hashed(ctx context.Context, chunks Chunks, take func([]stream.Record, []proof.Hash) error) error {
	ctx, cancel := context.WithCancel(ctx)
	workers := runtime.GOMAXPROCS(0)
	todo, order, free := make(chan *job), make(chan *job, 2*workers), make(chan *job, 2*workers+1)
	for range cap(free) {
		free <- &job{after: make(chan instant.Time, 1), done: make(chan struct{}, 1)}
	}
	for range workers {
		go func() {
			for j := range todo {
				j.run()
			}
		}()
	}
	read := make(chan error, 1)
	go func() {
		defer close(order)
		defer close(todo)
		read <- spread(ctx, chunks, free, todo, order)
	}()
	var err error
	for j := range order {
		<-j.done
		if err == nil {
			if err = take(j.recs, j.leaves); err == nil && j.err != nil {
				err = &unreadError{j.err}
			}
			if err != nil {
				cancel()
			}
		}
		j.before = nil
		free <- j
	}
	cancel()
	if failed := <-read; err == nil {
		err = failed
	}
	return err
}

// spread gives each chunk to a worker, as far as there are free jobs.
func spread(ctx context.Context, chunks Chunks, free, todo, order chan *job) error {
	before := make(chan instant.Time, 1)
	before <- 0
	for chunk, err := range chunks {
		if err != nil {
			return err
		}
		select {
		case j := <-free:
			j.chunk, j.before, j.after = chunk, before, make(chan instant.Time, 1)
			before = j.after
			order <- j
			todo <- j
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return ctx.Err()
}

// run decodes and hashes a chunk, as far as it can be read.
func (j *job) run() {
	j.recs, j.err = j.chunk(j.recs[:0])
	most := instant.Time(0)
	for i := range j.recs {
		most = max(most, j.recs[i].RecordedAt)
	}
	before := <-j.before
	j.after <- max(before, most)
	hasher := proof.Hasher{Recorded: before}
	j.leaves = j.leaves[:0]
	for i := range j.recs {
		j.leaves = append(j.leaves, proof.Leaf(hasher.Add(&j.recs[i])))
	}
	j.done <- struct{}{}
}

// Of yields the records of a store up to a position.
func Of(ctx context.Context, s stream.EventStore, until stream.Position) Chunks {
	return func(yield func(Chunk, error) bool) {
		if until == 0 {
			return
		}
		for run, err := range s.Subscribe(ctx, 0) {
			if err != nil {
				yield(nil, fmt.Errorf("reading the log: %w", err))
				return
			}
			end := false
			for i := range run {
				if run[i].Position >= until {
					run, end = run[:i+1], true
					if run[i].Position > until {
						run = run[:i]
					}
					break
				}
			}
			whole := run
			if !yield(func([]stream.Record) ([]stream.Record, error) { return whole, nil }, nil) || end {
				return
			}
		}
		if ctx.Err() != nil {
			yield(nil, ctx.Err())
		}
	}
}
