package serve

import (
	"errors"
	"fmt"
	"slices"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/stream"
	"sandglass/domain/watch"
)

// health tells how the parts of the daemon are, for /readyz.
func (d *components) health() []wire.Component {
	h := d.watcher.Health()
	wallet := wire.Component{
		Name:   "wallet",
		Ready:  h.Condition == watch.Ready,
		State:  string(h.Condition),
		Advice: h.Advice,
		Since:  h.Since,
		Age:    d.clock.Now().Sub(h.Since),
	}
	sweep := wire.Component{
		Name:   "sweep",
		State:  "waiting",
		Advice: "the wallet was not read yet: nothing expires, and no order is taken, until it was",
	}
	if h.LastSweep != 0 {
		sweep = wire.Component{Name: "sweep", Ready: true, State: "done", Since: h.LastSweep, Age: d.clock.Now().Sub(h.LastSweep)}
	}
	heard := wire.Component{Name: "wallet_stream", Ready: true, State: "silent"}
	if h.LastEvent != 0 {
		heard.State, heard.Since, heard.Age = "heard", h.LastEvent, d.clock.Now().Sub(h.LastEvent)
	}
	store := wire.Component{Name: "store", Ready: true, State: "writable"}
	if err := d.writable(); err != nil {
		store.Ready, store.State, store.Advice = false, "read_only", err.Error()
		if errors.Is(err, stream.ErrUnavailable) {
			store.State = "unavailable"
		}
	}
	all := append([]wire.Component{store}, d.requestsHealth()...)
	all = append(append(all, d.clockHealth(), wallet, heard, sweep), d.chainHealth()...)
	all = append(append(all, d.otherHealth()...), d.releaseHealth())
	return slices.Concat(all, d.hostHealth(), d.enforcing.Health(), d.holding.Health(), d.proving.Health())
}

// requestsHealth tells what was found of the requests at the start, which keeps no daemon from its work.
func (d *components) requestsHealth() []wire.Component {
	advice := d.kept.Advice()
	if advice == "" {
		return nil
	}
	return []wire.Component{{Name: "requests", Ready: true, State: "advised", Advice: advice}}
}

// writable says why the log takes nothing now, or what is kept beside it: then no order is taken.
func (d *components) writable() error {
	if err := d.store.Writable(); err != nil {
		return err
	}
	if err := d.kept.Writable(); err != nil {
		return fmt.Errorf("what nobody has paid yet is not kept: %w", err)
	}
	return nil
}

// chainHealth tells how the chain's watcher is.
func (d *components) chainHealth() []wire.Component {
	if !d.watchesChain() {
		return nil
	}
	h := d.chain.Health()
	return []wire.Component{{
		Name:   "chain",
		Ready:  h.Condition == watch.Ready,
		State:  string(h.Condition),
		Advice: h.Advice,
		Since:  h.Since,
		Age:    d.clock.Now().Sub(h.Since),
	}}
}

// hostHealth tells whether each resource has its host, where there are several. One
// that has none does not keep this daemon from its work.
func (d *components) hostHealth() []wire.Component {
	if d.Host == "" {
		return nil
	}
	c := wire.Component{Name: "hosts", Ready: true, State: "placed"}
	if n := d.unplaced(); n > 0 {
		c.State, c.Advice = "unplaced", d.unplacedAdvice(n)
	}
	return []wire.Component{c}
}
