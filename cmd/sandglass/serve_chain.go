package main

import (
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/chain"
	"sandglass/domain/payment"
	"sandglass/domain/watch"
)

// newChainWatcher returns what takes payments on the chain.
func (d *server) newChainWatcher(booker *payment.Booker) (*chain.Watcher, error) {
	return chain.New(chain.Config{
		Wallet:     d.lnd,
		Booker:     booker,
		Issued:     d.views.Issued,
		Lowest:     d.views.LowestIssue,
		Waiting:    d.deposits,
		Required:   d.billing.Required,
		Observer:   d.metrics,
		Now:        now,
		FinalDepth: d.FinalDepth,
		SweepEvery: d.SweepEvery,
		Retry:      retry,
	})
}

// deposits returns the payments on the chain that are not at their end.
func (d *server) deposits() (list []payment.State) {
	for _, p := range d.views.OpenPayments() {
		if p.OnChain() {
			list = append(list, p)
		}
	}
	return list
}

// chainComponents says how the chain's watcher is.
func (d *server) chainComponents() []wire.Component {
	if d.chain == nil {
		return nil
	}
	h := d.chain.Health()
	return []wire.Component{{
		Name: "chain", Ready: h.Condition == watch.Ready, State: string(h.Condition), Advice: h.Advice,
		Since: h.Since, Age: now().Sub(h.Since),
	}}
}
