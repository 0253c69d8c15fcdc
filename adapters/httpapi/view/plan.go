package view

import (
	"fmt"
	"strings"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/plan"
)

// Plan shows a plan, with how many can be had now.
func (p *Presenter) Plan(s plan.State) wire.Plan {
	v := Plan(s)
	v.Available = p.Available(&s)
	return v
}

// Available returns how many of a plan can be had now, nil where it has no capacity.
func (p *Presenter) Available(s *plan.State) *int64 {
	n, known := p.Billing.Available(s)
	if !known {
		return nil
	}
	return &n
}

// capacity shows whether more of a plan is taken on a host than fits: what was paid all the same, or
// opened by operators. That keeps nobody from work. It is nil where no plan has a capacity.
func (p *Presenter) capacity() []wire.Component {
	c := wire.Component{Name: "capacity", Ready: true}
	var over []string
	for _, s := range p.Views.Plans() {
		if s.Capacity == 0 {
			continue
		}
		c.State = "kept"
		for _, u := range p.Billing.Usage(&s) {
			if u.Taken > s.Capacity {
				over = append(over, strings.TrimSpace(fmt.Sprintf("%d of %d of plan %s %s", u.Taken, s.Capacity, s.Name, u.Host)))
			}
		}
	}
	switch {
	case c.State == "":
		return nil
	case len(over) > 0:
		c.State, c.Advice = "over", "more is taken than fits, of what was paid late or opened by hand: "+
			strings.Join(over[:min(len(over), 10)], ", ")
	}
	return []wire.Component{c}
}
