package projections

import (
	"maps"
	"slices"

	"sandglass/domain/plan"
	"sandglass/domain/stream"
)

// planRow is a plan with the revision that it stands at.
type planRow struct {
	state    plan.State
	revision stream.Revision
}

// Plan returns a plan, also one that was withdrawn.
func (v *Views) Plan(name string) (plan.State, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	p, ok := v.plans[name]
	return p.state, ok
}

// Plans returns all plans by name, also those withdrawn.
func (v *Views) Plans() []plan.State {
	v.mu.RLock()
	defer v.mu.RUnlock()
	plans := make([]plan.State, 0, len(v.plans))
	for _, name := range slices.Sorted(maps.Keys(v.plans)) {
		plans = append(plans, v.plans[name].state)
	}
	return plans
}
