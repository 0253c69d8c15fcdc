package projections

import (
	"slices"

	"sandglass/domain/resource"
)

// Watch gives c, which holds one, a token after each run of events that touched the resource,
// or a payment meant for it: one token, however many runs went by. The id may be one that does
// not exist yet. stop ends the watch; it may be called twice.
func (v *Views) Watch(id resource.ID, c chan struct{}) (stop func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.watchers[id] = append(v.watchers[id], c)
	return func() { v.unwatch(id, c) }
}

func (v *Views) unwatch(id resource.ID, c chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	rest := slices.DeleteFunc(v.watchers[id], func(w chan struct{}) bool { return w == c })
	if len(rest) == 0 {
		delete(v.watchers, id)
		return
	}
	v.watchers[id] = rest
}

// touch tells the watchers of a resource. They read after the run, since its writer
// holds the lock.
func (v *Views) touch(id resource.ID) {
	if len(v.watchers) == 0 {
		return
	}
	for _, c := range v.watchers[id] {
		nudge(c)
	}
}
