// Package admission bounds how often the wallet makes what nobody may ever pay: invoices, and
// addresses on the chain.
//
// A [Desk] is asked by billing before the wallet is. Each kind has a [limit.Share] of its own, by
// the client's address, by its network and in all: so strangers' orders use up nothing of those
// who pay for what is there, and neither of them anything of a holder, who is counted by his
// resource alone. What is given again takes nothing. How much may be open at the same time is
// left to billing.
package admission

import (
	"cmp"
	"context"
	"net/http"
	"net/netip"
	"time"

	"sandglass/adapters/httpapi/limit"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/httpapi/problem"
	"sandglass/domain/billing"
	"sandglass/domain/instant"
	"sandglass/domain/resource"
)

// Limits are of what is asked for by callers without a token of the operator or the auditor.
// What is zero has its default.
type Limits struct {
	Orders    limit.Share // invoices of orders: 0.2/s, burst 20; 0.5/s, burst 60; 25/s, burst 1,000
	Addresses limit.Share // for orders: 2/h, burst 3; 4/h, burst 10; 800 a day, burst 200
	TopUps    limit.Share // invoices of what was paid, without its holder key: as orders
	Holder    limit.Rate  // invoices of one resource, with its holder key: 0.1/s, burst 20
}

// OrDefaults returns l with its defaults.
func (l Limits) OrDefaults() Limits {
	const hour = 3600.0
	invoices := limit.Share{Address: per(1, 0.2, 20), Network: per(1, 0.5, 60), All: per(1, 25, 1000)}
	addresses := limit.Share{Address: per(hour, 2, 3), Network: per(hour, 4, 10), All: per(24*hour, 800, 200)}
	return Limits{
		Orders:    orShare(l.Orders, invoices),
		Addresses: orShare(l.Addresses, addresses),
		TopUps:    orShare(l.TopUps, invoices),
		Holder:    cmp.Or(l.Holder, per(1, 0.1, 20)),
	}
}

func per(seconds, n float64, burst int) limit.Rate {
	return limit.Rate{PerSecond: n / seconds, Burst: burst}
}

func orShare(s, d limit.Share) limit.Share {
	return limit.Share{Address: cmp.Or(s.Address, d.Address), Network: cmp.Or(s.Network, d.Network), All: cmp.Or(s.All, d.All)}
}

// Within returns the rate at which no more than so many are begun in any time of that length: a
// tenth of them at once, and the others evenly.
func Within(n int, length time.Duration) limit.Rate {
	burst := max(1, n/10)
	return limit.Rate{PerSecond: float64(max(1, n-burst)) / length.Seconds(), Burst: burst}
}

// Desk admits those who ask.
type Desk struct {
	orders, addresses, topUps *limit.Shares
	holders                   *limit.Rates[resource.ID]
	now                       func() instant.Time
	limited                   func(kind string)
}

// New returns a desk that remembers so many of each kind of those who asked last, and tells of
// each that it refuses.
func New(l Limits, remember int, now func() instant.Time, limited func(kind string)) *Desk {
	l = l.OrDefaults()
	return &Desk{
		orders:    limit.NewShares(l.Orders, remember),
		addresses: limit.NewShares(l.Addresses, remember),
		topUps:    limit.NewShares(l.TopUps, remember),
		holders:   limit.NewRates[resource.ID](l.Holder, remember),
		now:       now,
		limited:   limited,
	}
}

// Admit is [billing.Service].Admit. Its errors are problems, with the time after which to try
// again. A resource that was paid has one address for good, which takes nothing.
func (d *Desk) Admit(ctx context.Context, ask billing.Ask) error {
	r, ok := middleware.Asks(ctx)
	if !ok || r.Caller.Auditor {
		return nil
	}
	var wait time.Duration
	kind, now := "", d.now().Std()
	switch {
	case ask.Address && ask.Unpaid:
		kind, wait = "address", d.addresses.Take(r.Addr, now)
	case ask.Address:
		return nil
	case ask.Unpaid:
		kind, wait = "order", d.orders.Take(r.Addr, now)
	case ask.ByHolder:
		kind, wait = "holder", d.holders.Take(ask.Resource, now)
	default:
		kind, wait = "top_up", d.topUps.Take(r.Addr, now)
	}
	if wait <= 0 {
		return nil
	}
	d.limited(kind)
	return problem.New(http.StatusTooManyRequests, "rate_limited",
		"more is asked for that nobody has paid yet than is given out now, "+
			"by your address, by its network or by all: pay what you have, or try again later").After(wait)
}

// Len returns how many addresses, networks and resources are remembered.
func (d *Desk) Len() int {
	return d.orders.Len() + d.addresses.Len() + d.topUps.Len() + d.holders.Len()
}

// NetworkOf is [billing.Service].Network.
func NetworkOf(ctx context.Context) (network netip.Addr) {
	if r, ok := middleware.Asks(ctx); ok {
		network = limit.NetworkOf(r.Addr)
	}
	return network
}
