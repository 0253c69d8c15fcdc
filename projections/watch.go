package projections

import "sandglass/domain/resource"

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
