package serve

import (
	"context"
	"fmt"
	"time"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/meter"
	"sandglass/domain/watch"
)

// newSweeps returns up to when all that was paid is known, at this wallet and at those of
// other hosts.
func (d *components) newSweeps() *meter.Sweeps {
	return &meter.Sweeps{
		Node:    func() string { return d.watcher.Health().Node },
		Own:     d.ownSwept,
		Wallets: d.views.Wallets,
		OnChain: func(node string) bool { return d.views.AddressesOf(node)+d.requests.AddressesOf(node) > 0 },
		Skew:    instant.OfDuration(d.MaxStep),
	}
}

// ownSwept returns up to when all that came to this daemon's wallet is known.
func (d *components) ownSwept(now instant.Time) instant.Time {
	node := d.watcher.Health().Node
	swept := d.watcher.SweptTo(node, now)
	_, issued := d.views.LowestIssue()
	if issued || d.requests.AddressesOf(node) > 0 { // else nobody can have paid on the chain
		swept = min(swept, d.chain.SweptTo(node, now))
	}
	return swept
}

// known tells the meter up to when all that was paid is known: as long as the clock is
// doubted that is nothing, for it may be another time.
func (d *components) known(now instant.Time) (swept instant.Time, gap instant.Gap) {
	gap = d.clock.Gap()
	if d.clock.Doubt().Reason != "" {
		return 0, gap
	}
	return d.sweeps.To(now), gap
}

// followWallets wakes the meter when a wallet was swept, tells the requests of those that others
// sweep, and the log when releases wait for one, or ours may not hold what plans have it hold.
func (d *components) followWallets(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-d.views.CaughtUp():
	}
	t := time.NewTicker(time.Minute)
	defer t.Stop()
	for told, other, unable := "", "", ""; ; {
		d.hearWallets()
		if advice := d.otherAdvice(); advice != other {
			if other = advice; other != "" {
				d.counts.of(partWallet).Notice(watch.Notice{Sign: watch.SignWallet, Text: advice})
			}
		}
		if advice := d.holding.Advice(); advice != unable {
			if unable = advice; unable != "" {
				d.log.Warn().Str("component", "holding").Msg(advice)
			}
		}
		watch.Signal(d.woken)
		node, since, late := d.lateWallet()
		if late && node != told {
			d.log.Warn().Str("component", "releases").Str("node", node).Stringer("swept_to", since).Msg(lateAdvice(node, since))
		}
		told = node
		select {
		case <-ctx.Done():
			return nil
		case <-d.views.WalletsMoved():
		case <-d.watcher.Finished():
		case <-d.chain.Finished():
		case <-t.C:
		}
	}
}

func (d *components) hearWallets() {
	for _, w := range d.views.Wallets() {
		d.requests.Heard(w.Node, w.Invoices, w.Retired != 0)
	}
}

// lateWallet returns the wallet of another host for which releases wait that was not swept for
// long, and up to when it was, 0 if that was never told.
func (d *components) lateWallet() (node string, swept instant.Time, ok bool) {
	now := d.clock.Now()
	node, swept, ok = d.sweeps.Late(now)
	if !ok || !d.views.ReleaseWaits(swept, now) {
		return "", 0, false
	}
	return node, swept, true
}

// otherAdvice says that the log knows another node than the one that is watched, which nobody
// watches, since there is one machine: nothing where that is not so, or it is retired.
func (d *components) otherAdvice() string {
	node := d.watcher.Health().Node
	if node == "" || d.Log().Shared() {
		return ""
	}
	for _, w := range d.views.Wallets() {
		if w.Node != node && w.Retired == 0 {
			return fmt.Sprintf("this lnd is node %s, and the log knows node %s, which nobody watches now: "+
				"what is paid there is not counted, and releases will wait for it. "+
				"Is SANDGLASS_LND_ADDR right? If that node is gone for good: sandglass wallet list, "+
				"and sandglass wallet retire %s", node, w.Node, w.Node)
		}
	}
	return ""
}

// otherHealth tells of such a node, which does not keep this daemon from its work.
func (d *components) otherHealth() []wire.Component {
	advice := d.otherAdvice()
	if advice == "" {
		return nil
	}
	return []wire.Component{{Name: "wallets", Ready: true, State: "other", Advice: advice}}
}

func lateAdvice(node string, swept instant.Time) string {
	since := "was not swept since this log tells of it"
	if swept != 0 {
		since = fmt.Sprintf("was swept last at %s", swept)
	}
	return fmt.Sprintf("what has no time left is not released: it may have been paid at node %s, which %s: "+
		"start its daemon, or, if the node is gone for good, sandglass wallet retire %s", node, since, node)
}

// releaseHealth tells whether releases wait for the wallet of another host, which does not keep
// this daemon from its work.
func (d *components) releaseHealth() wire.Component {
	c := wire.Component{Name: "releases", Ready: true, State: "current"}
	if node, swept, late := d.lateWallet(); late {
		c.State, c.Since, c.Advice = "waiting", swept, lateAdvice(node, swept)
	}
	return c
}
