package projections

import (
	"maps"

	"sandglass/domain/resource"
)

// Owns reports whether a resource is there and belongs to the host of these views, whose
// daemon alone meters and enforces it. The one machine that has no name owns all.
func (v *Views) Owns(id resource.ID) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	host, ok := v.resources.Host(id)
	return ok && v.owns(host)
}

func (v *Views) owns(host string) bool { return v.host == "" || v.host == host }

// owned returns how many resources v owns that are not released.
func (v *Views) owned() (n int) {
	for host, placed := range v.resources.Hosts() {
		if v.owns(host) {
			n += placed
		}
	}
	return n
}

// Enforced reports whether there ever was a resource that something starts and stops.
func (v *Views) Enforced() bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.resources.Enforced()
}

// Hosts returns how many resources that are not released belong to each host that was
// ever named. Those of no host stand under the empty name. The map is the caller's.
func (v *Views) Hosts() map[string]int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return maps.Collect(v.resources.Hosts())
}

// Taken returns how many of a plan a host has that are not released, with those that are being paid for,
// and those of the given orders that there are not yet: each once.
func (v *Views) Taken(plan, host string, ordered []resource.ID) int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.resources.Taken(plan, host, append(v.payments.Ordered(plan, host), ordered...))
}

// Unplaced returns how many resources that are not released belong to no host.
func (v *Views) Unplaced() int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.resources.Unplaced()
}
