package main

import (
	"context"
	"fmt"
	"time"

	"sandglass/adapters/httpapi/wire"
)

// unplaced returns how many resources nobody meters: of several hosts, each meters its
// own alone.
func (d *server) unplaced() int {
	if d.Host == "" {
		return 0
	}
	return d.views.Unplaced()
}

// unplacedAdvice says what to do about n resources without a host.
func (d *server) unplacedAdvice(n int) string {
	what := "resources belong"
	if n == 1 {
		what = "resource belongs"
	}
	return fmt.Sprintf("%d %s to no host, so nobody meters them: sandglass resource move --unplaced --to %s", n, what, d.Host)
}

// hostComponents says whether each resource has its host, where there are several. One
// that has none does not keep this daemon from its work.
func (d *server) hostComponents() []wire.Component {
	if d.Host == "" {
		return nil
	}
	c := wire.Component{Name: "hosts", Ready: true, State: "placed"}
	if n := d.unplaced(); n > 0 {
		c.State, c.Advice = "unplaced", d.unplacedAdvice(n)
	}
	return []wire.Component{c}
}

// watchHosts logs that resources are nobody's, whenever their number has changed.
func (d *server) watchHosts(ctx context.Context) error {
	const every = time.Minute
	if d.Host == "" {
		return nil
	}
	t := time.NewTicker(every)
	defer t.Stop()
	folded, told := d.views.CaughtUp(), 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-folded:
			folded = nil
		case <-t.C:
		}
		if n := d.unplaced(); folded == nil && n != told {
			if told = n; n > 0 {
				d.log.Warn().Int("unplaced", n).Msg(d.unplacedAdvice(n))
			}
		}
	}
}
