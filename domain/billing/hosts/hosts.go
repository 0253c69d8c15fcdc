// Package hosts says on which hosts a resource of a plan can be had, and which is best.
package hosts

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sandglass/domain/plan"
)

// Err says that a plan can't be had on a host.
var Err = errors.New("billing: it can't be had on that host")

// Hosts are those that there are.
type Hosts struct {
	Own   string         // this daemon's; empty where there is one machine
	Loads map[string]int // how many resources each has, with what was ordered there of late
}

// Candidates returns the hosts that a resource of a plan can be placed on, the best first: this
// daemon's own, and then those with the fewest resources. There is one at least, which is empty where
// there is one machine, and the plan names none.
func (h *Hosts) Candidates(p *plan.State) []string {
	others := p.Hosts.Names()
	if p.Hosts == "" {
		if h.Own == "" {
			return []string{""}
		}
		others = h.known()
	}
	slices.SortStableFunc(others, func(a, b string) int { return cmp.Compare(h.Loads[a], h.Loads[b]) })
	if h.Own == "" || !p.Hosts.Allow(h.Own) {
		return others
	}
	others = slices.DeleteFunc(others, func(host string) bool { return host == h.Own })
	return append([]string{h.Own}, others...)
}

// Allow returns an error unless a payer may have a resource of that plan on that host. A
// plan for any host is one for any that has resources now: on one that is not known, or
// that was emptied and is gone, time would never pass.
func (h *Hosts) Allow(p *plan.State, host string) error {
	if p.Hosts != "" {
		if p.Hosts.Allow(host) {
			return nil
		}
		return fmt.Errorf("%w: plan %q is not offered on %.80q: choose one of %s, or leave it out",
			Err, p.Name, host, strings.Join(p.Hosts.Names(), ", "))
	}
	names := h.known()
	if slices.Contains(names, host) {
		return nil
	}
	if len(names) == 0 {
		return fmt.Errorf("%w: there are no hosts to choose from, so not %.80q: leave it out", Err, host)
	}
	return fmt.Errorf("%w: there is no host %.80q: choose one of %s, or leave it out",
		Err, host, strings.Join(names[:min(len(names), plan.MaxHosts)], ", "))
}

// known returns the names of this daemon's host and of those that have resources now, sorted.
func (h *Hosts) known() []string {
	known := maps.Clone(h.Loads)
	maps.DeleteFunc(known, func(_ string, resources int) bool { return resources == 0 })
	known[h.Own] = 0
	delete(known, "")
	return slices.Sorted(maps.Keys(known))
}
