package storetest

import (
	"context"
	"iter"
	"slices"
	"sync"

	"sandglass/domain/request"
)

// Memory is a request store of several daemons in one process. The zero Memory is empty.
type Memory struct {
	// Fail says why the next records are not kept, or are kept and yet not answered for. It may
	// be nil.
	Fail func(ctx context.Context, r *request.Record) (kept bool, err error)

	mu    sync.Mutex // guards what follows
	kept  []*request.Record
	at    map[string][]int // places in kept, by name
	moved chan struct{}    // closed when more is kept
}

// Keep implements [request.Store].
func (m *Memory) Keep(ctx context.Context, r *request.Record) error {
	kept, err := true, error(nil)
	if m.Fail != nil {
		kept, err = m.Fail(ctx, r)
	}
	if !kept {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.at == nil {
		m.at = map[string][]int{}
	}
	for _, i := range m.at[r.Name()] {
		if m.kept[i].Name() != "" && r.Rank() > m.kept[i].Rank() {
			m.kept[i] = &request.Record{}
		}
	}
	m.at[r.Name()] = append(m.at[r.Name()], len(m.kept))
	m.kept = append(m.kept, r)
	if m.moved != nil {
		close(m.moved)
		m.moved = nil
	}
	return err
}

// Follow implements [request.Store].
func (m *Memory) Follow(ctx context.Context) iter.Seq2[[]*request.Record, error] {
	return func(yield func([]*request.Record, error) bool) {
		next, first := 0, true
		for {
			m.mu.Lock()
			run := slices.DeleteFunc(slices.Clone(m.kept[next:]), func(r *request.Record) bool { return r.Name() == "" })
			next = len(m.kept)
			if m.moved == nil {
				m.moved = make(chan struct{})
			}
			moved := m.moved
			m.mu.Unlock()
			if len(run) > 0 && !yield(run, nil) || first && !yield(nil, nil) {
				return
			}
			first = false
			select {
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			case <-moved:
			}
		}
	}
}

// Forget implements [request.Store]: of what was forgotten nothing is followed anew.
func (m *Memory) Forget(_ context.Context, names []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range names {
		for _, i := range m.at[name] {
			m.kept[i] = &request.Record{} // its place stays, for those who follow
		}
		delete(m.at, name)
	}
	return nil
}

// Names returns the names of what is kept.
func (m *Memory) Names() (names []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.kept {
		if r.Name() != "" {
			names = append(names, r.Name())
		}
	}
	return names
}
