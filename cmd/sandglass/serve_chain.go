package main

import (
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/address"
	"sandglass/domain/billing"
	"sandglass/domain/money"
	"sandglass/domain/payment"
)

// buildChain makes what takes payments on the chain, if that is on.
func (d *server) buildChain(booker *payment.Booker) (err error) {
	if !d.OnChain {
		return nil
	}
	d.chain, err = payment.NewChainWatcher(payment.ChainConfig{
		Chain: d.lnd, Booker: booker, Issued: d.views.Issued, Lowest: d.views.LowestIssue, Waiting: d.deposits,
		Required: d.confirmations, Observer: d.metrics, Now: now, FinalDepth: d.FinalDepth, SweepEvery: d.SweepEvery,
		RetryMax: retryMax, DenyEvery: denyEvery,
	})
	if err != nil {
		return err
	}
	d.meter.Ready = append(d.meter.Ready, d.chain.Swept())
	d.meter.Pending = d.chain.Pending
	d.billing.Chain = d.lnd
	d.billing.Addresses = &billing.Addresses{Aggregate: address.Aggregate(), Store: d.store}
	d.billing.AddressFailed = d.metrics.addressFailed
	return nil
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

// confirmations returns how many a deposit needs: what the configuration says, or more
// where the plan of its resource asks for more.
func (d *server) confirmations(id string, amount money.Msat) int {
	n := d.Confirmations
	r, _, _ := d.views.Resource(id)
	if p, ok := d.views.Plan(r.Plan); ok && amount > p.Deep.Above {
		n = max(n, int(p.Deep.Confirmations))
	}
	return n
}

// chainComponents says how the chain's watcher is.
func (d *server) chainComponents() []wire.Component {
	if d.chain == nil {
		return nil
	}
	h := d.chain.Health()
	return []wire.Component{{
		Name: "chain", Ready: h.Condition == payment.Ready, State: string(h.Condition), Advice: h.Advice,
		Since: h.Since, Age: now().Sub(h.Since),
	}}
}
