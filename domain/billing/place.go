package billing

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sandglass/domain/plan"
)

// place returns the host of a new resource: the one that is asked for, else this
// daemon's own, else the one of the plan's with the fewest resources. It is empty where
// there is one machine, and the plan names none.
func (b *Service) place(p *plan.State, asked string) (string, error) {
	switch {
	case asked != "":
		return asked, b.allow(p, asked)
	case b.Host != "" && p.Hosts.Allow(b.Host):
		return b.Host, nil
	case p.Hosts == "":
		return "", nil
	}
	loads := b.hosts()
	return slices.MinFunc(p.Hosts.Names(), func(a, b string) int { return cmp.Compare(loads[a], loads[b]) }), nil
}

// allow returns an error unless a payer may have a resource of that plan on that host. A
// plan for any host is one for any that has resources now: on one that is not known, or
// that was emptied and is gone, time would never pass.
func (b *Service) allow(p *plan.State, host string) error {
	if p.Hosts != "" {
		if p.Hosts.Allow(host) {
			return nil
		}
		return fmt.Errorf("%w: plan %q is not offered on %.80q: choose one of %s, or leave it out",
			ErrHost, p.Name, host, strings.Join(p.Hosts.Names(), ", "))
	}
	known := b.hosts()
	maps.DeleteFunc(known, func(_ string, resources int) bool { return resources == 0 })
	known[b.Host] = 0
	delete(known, "")
	if _, ok := known[host]; ok {
		return nil
	}
	if len(known) == 0 {
		return fmt.Errorf("%w: there are no hosts to choose from, so not %.80q: leave it out", ErrHost, host)
	}
	names := slices.Sorted(maps.Keys(known))
	return fmt.Errorf("%w: there is no host %.80q: choose one of %s, or leave it out",
		ErrHost, host, strings.Join(names[:min(len(names), plan.MaxHosts)], ", "))
}

// hosts returns how many resources there are by host, with what was ordered there of late.
func (b *Service) hosts() map[string]int {
	all := b.Views.Hosts()
	for host, n := range b.Requests.Hosts() {
		all[host] += n
	}
	return all
}
