package billing

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sandglass/domain/plan"
	"sandglass/domain/resource"
)

// place returns the host of a new resource, and takes its place there: the one that is asked for, else
// the first of the candidates that has room. It is empty where there is one machine, and the plan names
// none.
func (b *Service) place(p *plan.State, asked string, id resource.ID) (string, error) {
	hosts := []string{asked}
	if asked == "" {
		hosts = b.candidates(p)
	} else if err := b.allow(p, asked); err != nil {
		return "", err
	}
	for _, host := range hosts {
		if b.take(p, host, id) {
			return host, nil
		}
	}
	return "", noCapacity(p, strings.Join(hosts, ", "))
}

// candidates returns the hosts that a resource of a plan can be placed on, the best first: this
// daemon's own, and then those with the fewest resources. There is one at least.
func (b *Service) candidates(p *plan.State) []string {
	others := p.Hosts.Names()
	if p.Hosts == "" {
		if b.Host == "" {
			return []string{""}
		}
		others = b.known()
	}
	others = b.byLoad(others)
	if b.Host == "" || !p.Hosts.Allow(b.Host) {
		return others
	}
	others = slices.DeleteFunc(others, func(host string) bool { return host == b.Host })
	return append([]string{b.Host}, others...)
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
	names := b.known()
	if slices.Contains(names, host) {
		return nil
	}
	if len(names) == 0 {
		return fmt.Errorf("%w: there are no hosts to choose from, so not %.80q: leave it out", ErrHost, host)
	}
	return fmt.Errorf("%w: there is no host %.80q: choose one of %s, or leave it out",
		ErrHost, host, strings.Join(names[:min(len(names), plan.MaxHosts)], ", "))
}

// known returns the names of this daemon's host and of those that have resources now, sorted.
func (b *Service) known() []string {
	known := b.hosts()
	maps.DeleteFunc(known, func(_ string, resources int) bool { return resources == 0 })
	known[b.Host] = 0
	delete(known, "")
	return slices.Sorted(maps.Keys(known))
}

// hosts returns how many resources there are by host, with what was ordered there of late.
func (b *Service) hosts() map[string]int {
	all := b.Views.Hosts()
	for host, n := range b.Requests.Hosts() {
		all[host] += n
	}
	return all
}
