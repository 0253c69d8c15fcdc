// Package reconcile compares the log with the wallet, both ways: all that the wallet has
// received is credited or unallocated, and nothing else is.
//
// [Log] is folded from the log's records, [Reader] reads the [Wallet], and [Compare] is
// pure. Neither side stands still while the other is read; [Options] and [Report.Confirm]
// keep what is merely under way from being taken for a difference. Whether the log is
// whole, and adds up, is not asked here.
package reconcile

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"sandglass/domain/lightning"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// Options are how to compare.
type Options struct {
	// Known is the position up to which the log was read before the wallet was: payments
	// that have an event after it may be unknown to what was read of the wallet.
	Known stream.Position
	// Required returns how many confirmations a payment of a plan needs where a reorg can take
	// that sum of its resource: see [Log.Required].
	Required func(plan string, sum money.Msat) int
}

// Report is what a comparison found.
type Report struct {
	Position         stream.Position // of the log
	Node, Network    string
	Height           int64  // of the chain
	Block            string // its hash, empty if the chain was not asked
	Lightning, Chain Side
	Differences      []Difference // by payment, Lightning first
	// Unknown are deposits to addresses of the wallet that the log does not know, the latest
	// first: the operator's own, or a customer's whose address is lost. They are no difference.
	Unknown []Deposit
}

// Deposit is money that somebody sent to the wallet on the chain.
type Deposit struct {
	Key     payment.Key // that the payment has once its address is adopted
	Address string
	Amount  money.Msat
	Height  int64 // of its block in the active chain
}

// Side is what was found of Lightning, or of the chain. Where nothing differs, Wallet is
// Log.
type Side struct {
	Wallet      Sum // received by the wallet, since it is watched
	Log         Sum // received by this node, says the log
	Unallocated Sum // of these, what found no resource
	Pending     Sum // asked for, or without enough confirmations: not counted yet
	History     Sum // received before the log watched the wallet: not counted
	Elsewhere   Sum // received by other nodes, says the log: not compared
	Differences int
}

// Sum is a number of payments and their amount, which stops at what an int64 holds.
type Sum struct {
	Payments int
	Amount   money.Msat
}

func (s *Sum) add(m money.Msat) {
	s.Payments++
	s.Amount += min(m, math.MaxInt64-s.Amount)
}

// Difference is one thing on which the log and the wallet do not agree.
type Difference struct {
	Kind     Kind
	Key      string      // of the payment, or what else it is about
	Resource resource.ID // that has the money, or should, if that is known
	Wallet   string      // what the wallet says
	Log      string      // what the log says
	Advice   string      // what it means, and what to do
}

// Confirm keeps the differences that an earlier look found too. What came and went
// between the two was under way.
func (r *Report) Confirm(earlier *Report) {
	type id struct {
		kind     Kind
		key      string
		resource resource.ID
	}
	seen := map[id]bool{}
	for _, d := range earlier.Differences {
		seen[id{d.Kind, d.Key, d.Resource}] = true
	}
	r.Differences = slices.DeleteFunc(r.Differences, func(d Difference) bool { return !seen[id{d.Kind, d.Key, d.Resource}] })
	r.count()
}

// count counts the differences of each side.
func (r *Report) count() {
	r.Lightning.Differences, r.Chain.Differences = 0, 0
	for _, d := range r.Differences {
		switch {
		case d.onChain():
			r.Chain.Differences++
		case d.Kind != OtherWallet:
			r.Lightning.Differences++
		}
	}
}

// Clean reports whether nothing differs.
func (r *Report) Clean() bool { return len(r.Differences) == 0 }

// comparison is one comparison under way.
type comparison struct {
	Options
	*Report
	log     *Log
	wallet  *Wallet
	matched map[payment.Key]bool // payments of the log that the wallet has
}

// Compare compares what the log says with what the wallet says.
func Compare(l *Log, w *Wallet, o Options) *Report {
	c := &comparison{Options: o, log: l, wallet: w, matched: map[payment.Key]bool{}, Report: &Report{
		Position: l.Position, Node: w.Node, Network: w.Network, Height: w.Tip.Height, Block: w.Tip.Hash,
	}}
	c.other()
	c.arrivals()
	c.outputs()
	c.unknown()
	c.unreadable()
	for _, key := range sorted(l.payments) {
		p := l.payments[key]
		if !c.leftOut(&p.State) && !c.matched[key] {
			c.unmatched(p)
		}
	}
	c.booked()
	slices.SortStableFunc(c.Differences, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Kind, b.Kind))
	})
	c.count()
	return c.Report
}

// differOn reports a difference on a payment.
func (c *comparison) differOn(key payment.Key, kind Kind, id resource.ID, wallet, log string) {
	c.differ(kind, string(key), id, wallet, log)
}

func (c *comparison) differ(kind Kind, about string, id resource.ID, wallet, log string) {
	c.Differences = append(c.Differences, Difference{kind, about, id, wallet, log, advice[kind]})
}

// leftOut reports whether a payment belongs to a later height than is asked for.
func (c *comparison) leftOut(p *payment.State) bool {
	return c.wallet.Past && p.Height > c.wallet.Tip.Height
}

// adopted reports whether the log watches the wallet.
func (c *comparison) adopted() bool {
	known, ok := c.log.wallets[c.wallet.Node]
	return ok && known.Epoch > 0
}

// other reports a wallet that is not the log's.
func (c *comparison) other() {
	known := c.log.wallets[c.wallet.Node]
	switch {
	case !c.adopted():
		c.differ(OtherWallet, c.wallet.Node, "", "node "+c.wallet.Node,
			cmp.Or(strings.Join(c.log.Nodes(), ", "), "it has watched none"))
	case known.Network != c.wallet.Network:
		c.differ(OtherWallet, c.wallet.Node, "", c.wallet.Network, known.Network)
	}
}

// unreadable reports what of the wallet can't be read.
func (c *comparison) unreadable() {
	for _, f := range c.wallet.Faults {
		key := fmt.Sprintf("add_index %d", f.AddIndex)
		if f.Hash != "" {
			key = string(payment.LightningKey(f.Hash))
		}
		c.differ(Unreadable, key, "", f.Text, c.says(c.log.state(payment.Key(key))))
	}
	for _, height := range sorted(c.wallet.Blind) {
		c.differ(Unreadable, fmt.Sprintf("%s%d", heightPrefix, height), "", c.wallet.Blind[height].Error(), "")
	}
}

// unmatched compares a payment of the log that the wallet did not name.
func (c *comparison) unmatched(p *paid) {
	s, side := &p.State, c.side(p.Key)
	switch {
	case s.Status == payment.StatusRequested, s.Status == payment.StatusAccepted:
		side.Pending.add(cmp.Or(s.Amount, s.Asked))
		return
	case !counts(s):
		return
	case c.nodeOf(s) != c.wallet.Node:
		side.Elsewhere.add(s.Amount)
		return
	case p.last > c.Known:
		return // the wallet was read before
	}
	c.inLog(s)
	if s.OnChain() {
		c.gone(s)
		return
	}
	hash, ok := s.Key.Hash()
	status, known := c.wallet.Unpaid[hash]
	switch {
	case ok && slices.ContainsFunc(c.wallet.Faults, func(f Fault) bool { return f.Hash == hash }):
	case known:
		c.differOn(s.Key, NotInWallet, s.Resource, "an invoice that is "+entryWords[status], c.says(s))
	default:
		c.differOn(s.Key, NotInWallet, s.Resource, "", c.says(s))
	}
}

var entryWords = map[lightning.EntryStatus]string{
	lightning.EntryOpen:     "open",
	lightning.EntryAccepted: "accepted, not settled",
	lightning.EntrySettled:  "settled",
	lightning.EntryCanceled: "canceled",
}

// booked compares the payments with what the resources have.
func (c *comparison) booked() {
	keys := maps.Clone(c.log.credits)
	for key := range c.log.payments {
		keys[key] = c.log.credits[key]
	}
	for _, key := range sorted(keys) {
		if p := c.log.state(key); !c.leftOut(p) {
			c.credits(p, keys[key])
		}
	}
}

// credits compares a payment with the credits that stand by it.
func (c *comparison) credits(p *payment.State, stand []credit) {
	meant := false // it was found where the payment says
	for _, has := range stand {
		here := !meant && has.resource == p.Resource && (p.Status == payment.StatusCredited || p.Status == payment.StatusSettled)
		switch {
		case !here:
			c.differOn(p.Key, CreditExtra, has.resource, "", fmt.Sprintf("%s; resource %s has %s", c.says(p), has.resource, has.amount))
		case has.amount != p.Amount:
			c.differOn(p.Key, CreditAmount, has.resource, "", fmt.Sprintf("%s; resource %s has %s", c.says(p), has.resource, has.amount))
		}
		meant = meant || here
	}
	if counts(p) && p.SettledAt == 0 {
		c.differOn(p.Key, Unsettled, p.Resource, "", c.says(p))
	}
	switch {
	case p.Status == payment.StatusCredited && !meant:
		c.differOn(p.Key, CreditMissing, p.Resource, "", c.says(p))
	case p.Status == payment.StatusSettled:
		c.differOn(p.Key, Unfinished, p.Resource, "", c.says(p))
	}
}

// nodeOf returns the node that received a payment. A log that does not tell means ours.
func (c *comparison) nodeOf(p *payment.State) string {
	return cmp.Or(p.Node, c.log.addresses[p.Address].Node, c.wallet.Node)
}

// inLog counts money of the log.
func (c *comparison) inLog(p *payment.State) {
	side := c.side(p.Key)
	side.Log.add(p.Amount)
	if p.Status == payment.StatusUnallocated {
		side.Unallocated.add(p.Amount)
	}
}

// says puts into words what the log says of a payment.
func (c *comparison) says(p *payment.State) string {
	switch p.Status {
	case payment.StatusNone:
		return ""
	case payment.StatusRequested:
		return fmt.Sprintf("requested, %s", p.Asked)
	case payment.StatusExpired:
		return "expired"
	case payment.StatusCanceled:
		return "canceled"
	case payment.StatusUnallocated:
		return fmt.Sprintf("unallocated (%s), %s", p.Reason, p.Amount)
	}
	return fmt.Sprintf("%s, %s", p.Status, p.Amount)
}

func (c *comparison) side(key payment.Key) *Side {
	if key.OnChain() {
		return &c.Chain
	}
	return &c.Lightning
}

const heightPrefix = "height "

// onChain reports whether a difference is about something on the chain.
func (d *Difference) onChain() bool {
	return payment.Key(d.Key).OnChain() || strings.HasPrefix(d.Key, heightPrefix)
}

// rank puts what concerns all first, and the chain last.
func rank(d Difference) int {
	switch {
	case d.Kind == OtherWallet:
		return 0
	case d.onChain():
		return 2
	}
	return 1
}

// sorted returns the keys of a map in order.
func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
