package storetest

import (
	"context"
	"errors"
	"iter"
	"maps"
	"sync"
	"testing"
	"time"

	"sandglass/domain/request"
)

// requestFollower follows a store of requests in the background.
type requestFollower struct {
	t        *testing.T
	cancel   context.CancelFunc
	caughtUp chan struct{} // closed at the empty run
	done     chan struct{} // closed when following has ended

	mu   sync.Mutex // guards what follows
	all  map[string]*request.Record
	err  error
	news chan struct{} // has a token after a run
}

func followLive(t *testing.T, s request.Store) *requestFollower {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	f := &requestFollower{
		t: t, cancel: cancel, caughtUp: make(chan struct{}), done: make(chan struct{}),
		all: map[string]*request.Record{}, news: make(chan struct{}, 1),
	}
	go func() {
		defer close(f.done)
		f.follow(ctx, s)
	}()
	t.Cleanup(func() { cancel(); <-f.done })
	return f
}

func (f *requestFollower) follow(ctx context.Context, s request.Store) {
	told := false
	for run, err := range s.Follow(ctx) {
		f.mu.Lock()
		if f.err = err; len(run) > 0 {
			gatherFirst(f.all, run)
		}
		f.mu.Unlock()
		switch {
		case err != nil:
		case len(run) > 0:
			select {
			case f.news <- struct{}{}:
			default:
			}
		case told:
			f.t.Error("a second empty run")
		default:
			told = true
			close(f.caughtUp)
		}
	}
}

// gatherFirst keeps of each name the first record of the highest rank.
func gatherFirst(all map[string]*request.Record, run []*request.Record) {
	for _, r := range run {
		if before := all[r.Name()]; before == nil || outranks(r, before) {
			all[r.Name()] = r
		}
	}
}

// outranks reports whether r stands in the place of what was kept before.
func outranks(r, before *request.Record) bool { return r.Rank() > before.Rank() }

// await waits until n records came.
func (f *requestFollower) await(t *testing.T, n int) {
	t.Helper()
	for {
		f.mu.Lock()
		have, err := len(f.all), f.err
		f.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-f.news:
		case <-f.done:
			t.Fatalf("following ended after %d records of %d: %v", have, n, err)
		case <-time.After(patience):
			t.Fatalf("%d records came of %d", have, n)
		}
	}
}

// stop ends following and returns what came.
func (f *requestFollower) stop() map[string]*request.Record {
	f.cancel()
	if err := f.ended(); err != nil {
		f.t.Errorf("following: %v", err)
	}
	return maps.Clone(f.all)
}

// ended waits for the end of following and returns its error.
func (f *requestFollower) ended() error {
	<-f.done
	return f.err
}

// FaultyRequests is a store of requests that fails as its functions say, which may be called
// from any goroutine; where one is nil, nothing fails.
type FaultyRequests struct {
	request.Store
	OnKeep   func() Fault
	OnForget func() Fault
	OnFollow func() bool // reports whether following fails at its beginning
}

// Keep implements [request.Store].
func (f *FaultyRequests) Keep(ctx context.Context, r *request.Record) error {
	return faultyWrite(f.OnKeep, func() error { return f.Store.Keep(ctx, r) })
}

// Forget implements [request.Store].
func (f *FaultyRequests) Forget(ctx context.Context, names []string) error {
	return faultyWrite(f.OnForget, func() error { return f.Store.Forget(ctx, names) })
}

func faultyWrite(on func() Fault, write func() error) error {
	fault := None
	if on != nil {
		fault = on()
	}
	if fault == Lost {
		return ErrFault
	}
	err := write()
	if fault == AnswerLost {
		err = errors.Join(ErrFault, err)
	}
	return err
}

// Follow implements [request.Store].
func (f *FaultyRequests) Follow(ctx context.Context) iter.Seq2[[]*request.Record, error] {
	if f.OnFollow == nil || !f.OnFollow() {
		return f.Store.Follow(ctx)
	}
	return func(yield func([]*request.Record, error) bool) { yield(nil, ErrFault) }
}
