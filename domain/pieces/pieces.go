// Package pieces reads a log piece by piece: pieces are read and worked on beside each other, and
// what came of them is taken in the order of the log.
//
// It is for who reads a whole log once, from its first event on. What is held of it are a few
// pieces, whose room is used again.
package pieces

import (
	"context"
	"iter"
	"runtime"

	"sandglass/domain/instant"
	"sandglass/domain/stream"
)

// Log yields a log from its first event on.
type Log = iter.Seq2[Piece, error]

// Piece reads a piece of a log into a page, in place of what is there. It is called once, by another
// goroutine than its sequence: what it refers to is its own until then. Beside an error the page has
// records before what can't be read, if any.
type Piece func(*stream.Page) error

// UnreadError says that an event can't be read where its log can.
type UnreadError struct{ Err error }

func (e *UnreadError) Error() string { return e.Err.Error() }

// Unwrap returns why.
func (e *UnreadError) Unwrap() error { return e.Err }

// Whole returns the piece of records that are read already.
func Whole(recs []stream.Record) Piece {
	return func(p *stream.Page) error {
		p.Records = append(p.Records[:0], recs...)
		return nil
	}
}

// job is a piece that is read and worked on while others are.
type job[T any] struct {
	piece  Piece
	before <-chan instant.Time // the latest recorded time before it
	after  chan<- instant.Time // and after it: the before of the next
	done   chan struct{}

	page stream.Page
	out  T
	err  error
}

// Each calls work for each piece of a log, beside each other, and take in their order. Work is told
// the latest recorded time of the log before the piece, and keeps what comes of it in out, which
// has what an earlier piece left there. All of it can be used until take returns. An error of take
// ends it, as does one of the log, once what was read before is taken.
func Each[T any](
	ctx context.Context, log Log,
	work func(out *T, recs []stream.Record, recorded instant.Time), take func(out *T, recs []stream.Record) error,
) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := runtime.GOMAXPROCS(0)
	todo, order, free := make(chan *job[T]), make(chan *job[T], 2*workers), make(chan *job[T], 2*workers+1)
	for range cap(free) {
		free <- &job[T]{done: make(chan struct{}, 1)}
	}
	for range workers {
		go func() {
			for j := range todo {
				j.run(work)
			}
		}()
	}
	read := make(chan error, 1)
	go func() {
		defer close(order)
		defer close(todo)
		read <- spread(ctx, log, free, todo, order)
	}()
	var err error
	for j := range order {
		<-j.done
		if err == nil {
			if err = take(&j.out, j.page.Records); err == nil {
				err = j.err
			}
			if err != nil {
				cancel()
			}
		}
		free <- j
	}
	if failed := <-read; err == nil {
		err = failed
	}
	return err
}

// spread gives each piece to a worker, as far as there are free jobs.
func spread[T any](ctx context.Context, log Log, free <-chan *job[T], todo, order chan<- *job[T]) error {
	first := make(chan instant.Time, 1)
	first <- 0
	before := (<-chan instant.Time)(first)
	for piece, err := range log {
		if err != nil {
			return err
		}
		select {
		case j := <-free:
			after := make(chan instant.Time, 1)
			j.piece, j.before, j.after = piece, before, after
			before = after
			order <- j
			todo <- j
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return ctx.Err()
}

// run reads a piece and works on it, as far as it can be read.
func (j *job[T]) run(work func(*T, []stream.Record, instant.Time)) {
	j.page.Records = j.page.Records[:0] // where it fails before it reads any
	j.err = j.piece(&j.page)
	most := instant.Time(0)
	for i := range j.page.Records {
		most = max(most, j.page.Records[i].RecordedAt)
	}
	before := <-j.before
	j.after <- max(before, most)
	work(&j.out, j.page.Records, before)
	j.done <- struct{}{}
}
