package reports_test

import (
	"cmp"
	"slices"
	"sync"

	"sandglass/domain/resource"
)

// log is the events of each resource, and the read models of them.
type log struct {
	mu      sync.Mutex
	events  map[resource.ID][]resource.Event
	states  map[resource.ID]resource.State
	touched map[resource.ID]bool
	touch   chan struct{}
	fails   error // of each write
	keeps   bool  // it fails, and was written
	writes  int
}

func newLog() *log {
	return &log{
		events: map[resource.ID][]resource.Event{}, states: map[resource.ID]resource.State{},
		touched: map[resource.ID]bool{}, touch: make(chan struct{}, 1),
	}
}

// execute executes c as a handler does.
func (l *log) execute(id resource.ID, c resource.Command) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.states[id]
	if !ok {
		s = resource.New(id)
	}
	events, err := resource.Decide(s, c)
	if err != nil || len(events) == 0 {
		return err
	}
	if l.fails != nil && !l.keeps {
		return l.fails
	}
	for _, e := range events {
		s = resource.Evolve(s, e)
	}
	l.states[id], l.events[id] = s, append(l.events[id], events...)
	l.touched[id] = true
	l.writes++
	select {
	case l.touch <- struct{}{}:
	default:
	}
	return l.fails
}

func (l *log) Resource(id resource.ID) (resource.State, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.states[id]
	return s.Clone(), ok
}

func (l *log) All(after resource.ID) (page []resource.State) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, s := range l.states {
		if id > after {
			page = append(page, s.Clone())
		}
	}
	slices.SortFunc(page, func(a, b resource.State) int { return cmp.Compare(a.ID, b.ID) })
	return page[:min(len(page), 100)]
}

func (l *log) Touched() (ids []resource.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id := range l.touched {
		ids = append(ids, id)
	}
	clear(l.touched)
	return ids
}

func (l *log) Touch() <-chan struct{} { return l.touch }

func (l *log) Enforced() bool { return true }
