package request_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"

	"sandglass/domain/request"
)

var errFault = errors.New("a fault that the test made")

// shelf is a store of requests in memory, of several daemons.
type shelf struct {
	forgets bool // else it does by itself, as a cluster

	mu      sync.Mutex // guards what follows
	kept    []*request.Record
	write   func() (lost, unanswered bool) // of each write, if not nil
	deaf    bool                           // nobody can follow
	news    chan struct{}
	readers int        // who follow
	waiting int        // of them, those who have all
	moved   *sync.Cond // when one of the two has changed
}

func newShelf(forgets bool) *shelf {
	s := &shelf{forgets: forgets, news: make(chan struct{})}
	s.moved = sync.NewCond(&s.mu)
	return s
}

// fail says what becomes of writes, and whether nobody can follow.
func (s *shelf) fail(write func() (lost, unanswered bool), deaf bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write, s.deaf = write, deaf
	s.tell()
}

func lost() (lost, unanswered bool)       { return true, false }
func unanswered() (lost, unanswered bool) { return false, true }

// tell wakes those who wait for more.
func (s *shelf) tell() {
	close(s.news)
	s.news, s.waiting = make(chan struct{}), 0
}

// settle waits until all who follow have all.
func (s *shelf) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.waiting < s.readers {
		s.moved.Wait()
	}
}

func (s *shelf) do(write func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	lost, unanswered := false, false
	if s.write != nil {
		lost, unanswered = s.write()
	}
	if lost {
		return errFault
	}
	if write(); unanswered {
		return errFault
	}
	return nil
}

func (s *shelf) Keep(_ context.Context, r *request.Record) error {
	return s.do(func() {
		if !slices.ContainsFunc(s.kept, func(other *request.Record) bool { return other != nil && other.Name() == r.Name() }) {
			s.kept = append(s.kept, r)
			s.tell()
		}
	})
}

func (s *shelf) Forget(_ context.Context, names []string) error {
	return s.do(func() {
		for i, r := range s.kept {
			if s.forgets && r != nil && slices.Contains(names, r.Name()) {
				s.kept[i] = nil
			}
		}
	})
}

func (s *shelf) Follow(ctx context.Context) iter.Seq2[[]*request.Record, error] {
	return func(yield func([]*request.Record, error) bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.readers++
		defer func() { s.readers--; s.moved.Broadcast() }()
		out := func(run []*request.Record, err error) bool {
			s.mu.Unlock()
			defer s.mu.Lock()
			return yield(run, err)
		}
		for next, told := 0, false; ctx.Err() == nil; {
			if s.deaf {
				out(nil, errFault)
				return
			}
			if next < len(s.kept) {
				run := slices.Clone(s.kept[next:min(next+3, len(s.kept))])
				next += len(run)
				run = slices.DeleteFunc(run, func(r *request.Record) bool { return r == nil })
				if len(run) > 0 && !out(run, nil) {
					return
				}
				continue
			}
			if !told {
				told = true
				if !out(nil, nil) {
					return
				}
				continue
			}
			s.wait(ctx)
		}
	}
}

// wait waits for news or the end of ctx. The caller holds mu.
func (s *shelf) wait(ctx context.Context) {
	news := s.news
	s.waiting++
	s.moved.Broadcast()
	s.mu.Unlock()
	defer s.mu.Lock()
	select {
	case <-news:
	case <-ctx.Done():
		s.mu.Lock()
		if s.news == news {
			s.waiting--
		}
		s.mu.Unlock()
	}
}

// holds returns the names that the shelf holds.
func (s *shelf) holds() map[string]*request.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]*request.Record{}
	for _, r := range s.kept {
		if r != nil {
			all[r.Name()] = r
		}
	}
	return all
}
