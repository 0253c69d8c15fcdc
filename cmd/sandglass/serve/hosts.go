package serve

import (
	"context"
	"fmt"
	"time"
)

// unplaced returns how many resources nobody meters: of several hosts, each meters its
// own alone.
func (d *components) unplaced() int {
	if d.Host == "" {
		return 0
	}
	return d.views.Unplaced()
}

// unplacedAdvice says what to do about n resources without a host.
func (d *components) unplacedAdvice(n int) string {
	what := "resources belong"
	if n == 1 {
		what = "resource belongs"
	}
	return fmt.Sprintf("%d %s to no host, so nobody meters them: sandglass resource move --unplaced --to %s", n, what, d.Host)
}

// watchHosts logs that resources are nobody's, whenever their number has changed.
func (d *components) watchHosts(ctx context.Context) error {
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
