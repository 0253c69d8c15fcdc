package storetest

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"sync"

	"sandglass/domain/stream"
)

// ErrFault is what a fault answers.
var ErrFault = errors.New("storetest: a fault that the test made")

// Fault is what becomes of an append.
type Fault int

// The ways in which an append fails.
const (
	None       Fault = iota
	Lost             // nothing is written, and the append fails
	AnswerLost       // all is written, and the append fails
)

// Faulty is a store that fails as its functions say. They may be called from any
// goroutine; where one is nil, nothing fails.
type Faulty struct {
	stream.EventStore
	OnAppend    func() Fault
	OnRead      func() bool // reports whether a read fails at its beginning
	OnSubscribe func() int  // returns after how many runs a subscription fails: below 0 never
}

// Append implements [stream.EventStore].
func (f *Faulty) Append(
	ctx context.Context, name string, expected stream.Revision, events []stream.Event,
) (stream.Appended, error) {
	fault := None
	if f.OnAppend != nil {
		fault = f.OnAppend()
	}
	if fault == Lost {
		return stream.Appended{}, ErrFault
	}
	res, err := f.EventStore.Append(ctx, name, expected, events)
	if fault == AnswerLost && err == nil {
		return stream.Appended{}, ErrFault
	}
	return res, err
}

// Read implements [stream.EventStore].
func (f *Faulty) Read(ctx context.Context, name string, from stream.Revision) iter.Seq2[stream.Record, error] {
	if f.OnRead == nil || !f.OnRead() {
		return f.EventStore.Read(ctx, name, from)
	}
	return func(yield func(stream.Record, error) bool) { yield(stream.Record{}, ErrFault) }
}

// Subscribe implements [stream.EventStore].
func (f *Faulty) Subscribe(ctx context.Context, after stream.Position) iter.Seq2[[]stream.Record, error] {
	left := -1
	if f.OnSubscribe != nil {
		left = f.OnSubscribe()
	}
	if left < 0 {
		return f.EventStore.Subscribe(ctx, after)
	}
	return func(yield func([]stream.Record, error) bool) {
		left := left
		if left > 0 {
			for recs, err := range f.EventStore.Subscribe(ctx, after) {
				if !yield(recs, err) || err != nil {
					return
				}
				if left--; left == 0 {
					break
				}
			}
		}
		if ctx.Err() == nil {
			yield(nil, ErrFault)
		}
	}
}

// Faults returns a function for OnAppend that answers with the faults given, in their
// order, and then with None.
func Faults(faults ...Fault) func() Fault {
	var mu sync.Mutex
	return func() (next Fault) {
		mu.Lock()
		defer mu.Unlock()
		if len(faults) > 0 {
			next, faults = faults[0], faults[1:]
		}
		return next
	}
}

// RandomFaults returns a function for OnAppend that fails so many of a hundred appends,
// in both ways alike. A seed gives the same faults each time.
func RandomFaults(seed uint64, percent int) func() Fault {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 0))
	return func() Fault {
		mu.Lock()
		defer mu.Unlock()
		if random.IntN(100) >= percent {
			return None
		}
		return Lost + Fault(random.IntN(2))
	}
}
