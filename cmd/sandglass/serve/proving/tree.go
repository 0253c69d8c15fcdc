package proving

import (
	"context"
	"errors"
	"fmt"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/proof/follow"
	"sandglass/domain/watch"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// unread is how often a log that could not be read is followed again.
var unread = watch.Retry{Min: backoff.Min, Max: backoff.Max}

// follow follows the log until ctx ends. Why it can't the signer is told, and tells: it is no reason to take no money.
func (p *Proving) follow(ctx context.Context) {
	for failures := 0; ctx.Err() == nil; failures++ {
		err := p.tree.Run(ctx)
		if err == nil {
			return
		}
		unread.Wait(ctx, failures, err)
	}
}

// troubled logs what is wrong with the tree, or with the log that it is of.
func (p *Proving) troubled(err error) {
	if errors.Is(err, follow.ErrChanged) {
		p.line(zerolog.ErrorLevel).Err(err).
			Msg("an event of the log is another than it was: the tree is made again, and held against what was signed")
		return
	}
	p.line(zerolog.WarnLevel).Err(err).Msg("the tree of the log: it is tried again")
}

// ofTree says how it is with the tree, where it is well signed.
func (p *Proving) ofTree(c *wire.Component) {
	switch h := p.tree.Health(); {
	case h.Unread != nil:
		c.State, c.Advice = "failing", fmt.Sprintf("whether an event of the log was changed is not known: %v", h.Unread)
	case h.Unkept != nil:
		c.State, c.Advice = "unkept", fmt.Sprintf("the tree of the log is in memory alone, and read from the log again "+
			"at the next start: mend this, it is tried again each minute: %v", h.Unkept)
	}
}

var (
	countReread  = gauge("sandglass_log_reread_blocks_total", "Blocks of 256 events that were read again, to find what was changed.")
	countChanged = gauge("sandglass_log_changed_total", "How often events of the log were others than they had been.")
	gaugeUnkept  = gauge("sandglass_log_unkept", "1 while the tree of the log can't be kept on disk.")
	gaugeUnread  = gauge("sandglass_log_unread", "1 while old events can't be read again.")
)

// collectTree puts the figures of the tree.
func (p *Proving) collectTree(put func(*prometheus.Desc, prometheus.ValueType, float64, ...string)) {
	h := p.tree.Health()
	truth := map[bool]float64{true: 1}
	put(countReread, prometheus.CounterValue, float64(h.Reread))
	put(countChanged, prometheus.CounterValue, float64(h.Changed))
	put(gaugeUnkept, prometheus.GaugeValue, truth[h.Unkept != nil])
	put(gaugeUnread, prometheus.GaugeValue, truth[h.Unread != nil])
}
