package projections

import (
	"maps"
	"slices"

	"sandglass/domain/resource"
)

// Watch gives c, which holds one, a token after each run of events that touched the resource,
// or a payment meant for it: one token, however many runs went by. The id may be one that does
// not exist yet. stop ends the watch; it may be called twice.
func (v *Views) Watch(id resource.ID, c chan struct{}) (stop func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.listeners.Add(id, c)
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.listeners.Remove(id, c)
	}
}

// Touched returns the resources that events touched since it was last called, in no order: none
// the first time. There is one caller, who looks at all of them before.
func (v *Views) Touched() []resource.ID {
	v.mu.Lock()
	defer v.mu.Unlock()
	ids := slices.Collect(maps.Keys(v.touched))
	v.touched = map[resource.ID]struct{}{}
	return ids
}

// Touch returns a channel that yields after events touched a resource that [Views.Touched] has
// not told of.
func (v *Views) Touch() <-chan struct{} { return v.touch }
