package view

import (
	"slices"

	"sandglass/adapters/httpapi/wire"
)

// Ready shows how the parts of the daemon are: the read models, which are ready once the log is
// folded, and the others. The daemon is ready if all of them are.
func (p *Presenter) Ready(folded bool, others []wire.Component) wire.Ready {
	views := wire.Component{Name: "views", Ready: true, State: "ready"}
	if !folded {
		views = wire.Component{Name: "views", State: "folding", Advice: "the daemon reads its log: wait"}
	}
	r := wire.Ready{
		Ready:      true,
		Position:   uint64(p.Views.Position()),
		Components: slices.Concat([]wire.Component{views}, others, p.capacity()),
	}
	for i := range r.Components {
		c := &r.Components[i]
		if c.Since != 0 {
			c.Age = max(0, p.Now().Sub(c.Since))
		}
		r.Ready = r.Ready && c.Ready
	}
	return r
}

// ReadyToAnyone is what of r is for strangers, who are not to learn of nodes, paths and business:
// which parts are ready.
func ReadyToAnyone(r wire.Ready) wire.Ready {
	shown := wire.Ready{Ready: r.Ready, Components: make([]wire.Component, len(r.Components))}
	for i, c := range r.Components {
		shown.Components[i] = wire.Component{Name: c.Name, Ready: c.Ready}
	}
	return shown
}
