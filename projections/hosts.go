package projections

import "sandglass/domain/resource"

// Owns reports whether a resource is there and belongs to the host of these views, whose
// daemon alone meters and enforces it. The one machine that has no name owns all.
func (v *Views) Owns(id resource.ID) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	i, ok := v.resources.byID[id]
	return ok && v.owns(v.resources.shared.hosts[v.resources.row(i).host])
}

func (v *Views) owns(host string) bool { return v.host == "" || v.host == host }

// owned returns how many resources v owns that are not released.
func (v *Views) owned() (n int) {
	for i, placed := range v.resources.placed {
		if v.owns(v.resources.shared.hosts[i]) {
			n += placed
		}
	}
	return n
}

// Hosts returns how many resources that are not released belong to each host that was
// ever named. Those of no host stand under the empty name. The map is the caller's.
func (v *Views) Hosts() map[string]int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	hosts := make(map[string]int, len(v.resources.placed))
	for i, n := range v.resources.placed {
		hosts[v.resources.shared.hosts[i]] = n
	}
	return hosts
}

// Unplaced returns how many resources that are not released belong to no host.
func (v *Views) Unplaced() int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.resources.placed[0]
}
