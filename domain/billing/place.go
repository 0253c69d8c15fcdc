package billing

import (
	"context"
	"strings"

	"sandglass/domain/billing/hosts"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
)

// place returns the host of a new resource, and takes its place there: the one that is asked for, else
// the first of the candidates that has room, or where an order gives way. It is empty where there is one
// machine, and the plan names none.
func (b *Service) place(ctx context.Context, p *plan.State, asked string, id resource.ID) (string, error) {
	all, names := b.hosts(), []string{asked}
	if asked == "" {
		names = all.Candidates(p)
	} else if err := all.Allow(p, asked); err != nil {
		return "", err
	}
	from := b.network(ctx)
	for _, overtake := range []bool{false, true} {
		for _, host := range names {
			if b.take(p, host, id, from, overtake) {
				return host, nil
			}
		}
	}
	return "", noCapacity(p, strings.Join(names, ", "))
}

func (b *Service) hosts() *hosts.Hosts {
	loads := b.Views.Hosts()
	for host, n := range b.Requests.Hosts() {
		loads[host] += n
	}
	return &hosts.Hosts{Own: b.Host, Loads: loads}
}
