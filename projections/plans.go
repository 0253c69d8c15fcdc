package projections

import (
	"maps"
	"slices"

	"sandglass/domain/codec"
	"sandglass/domain/plan"
	"sandglass/domain/stream"
	"sandglass/projections/snapshot"
)

// planRow is a plan with the revision that it stands at.
type planRow struct {
	state    plan.State
	revision stream.Revision
}

// fields passes a plan through a snapshot: its offer as the payload of an event, by its names.
func (p *planRow) fields(f *snapshot.Fields) {
	snapshot.String(f, &p.state.Name)
	snapshot.Int(f, &p.state.Last)
	snapshot.Int(f, &p.revision)
	snapshot.Bool(f, &p.state.OnOffer)
	offer := plan.Published{Offer: p.state.Offer}
	payload := string(codec.Encode(&offer))
	if snapshot.String(f, &payload); f.Reading() && codec.Decode([]byte(payload), &offer) != nil {
		f.Refuse()
	}
	p.state.Offer = offer.Offer
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
