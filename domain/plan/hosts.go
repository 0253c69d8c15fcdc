package plan

import (
	"fmt"
	"slices"
	"strings"
)

// Hosts names the hosts on which a plan is offered: sorted, each once, with commas
// between. It is a text so that what is published can be compared. None means any.
type Hosts string

// MaxHosts is how many hosts a plan can name.
const MaxHosts = 64

// HostsOf returns the hosts of those names, in any order. [Hosts.Check] tells whether
// they are names.
func HostsOf(names ...string) Hosts {
	names = slices.Clone(names)
	slices.Sort(names)
	return Hosts(strings.Join(slices.Compact(names), ","))
}

// Names returns the names of the hosts in their order.
func (h Hosts) Names() []string {
	if h == "" {
		return nil
	}
	return strings.Split(string(h), ",")
}

// Allow reports whether the plan can be had on that host.
func (h Hosts) Allow(name string) bool {
	return h == "" || slices.Contains(h.Names(), name)
}

// Check returns an error unless h names up to [MaxHosts] hosts in its one form.
func (h Hosts) Check() error {
	names := h.Names()
	if len(names) > MaxHosts {
		return fmt.Errorf("%w: it names %d hosts: %d are the most", ErrInvalid, len(names), MaxHosts)
	}
	for _, name := range names {
		if err := CheckName(name); err != nil {
			return err
		}
	}
	if h != HostsOf(names...) {
		return fmt.Errorf("%w: the hosts %.80q: want each once, in the order of their names", ErrInvalid, h)
	}
	return nil
}
