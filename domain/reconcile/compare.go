package reconcile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"sandglass/domain/address"
	"sandglass/domain/chain"
	"sandglass/domain/lightning"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
)

// arrivals compares what came over Lightning with the log.
func (c *comparison) arrivals() {
	listed := map[payment.Key]bool{}
	for i := range c.wallet.Arrivals {
		a := &c.wallet.Arrivals[i]
		if listed[a.Key] {
			continue // twice
		}
		listed[a.Key] = true
		p := c.paymentOf(a)
		known := c.log.wallets[c.wallet.Node]
		// An earlier build let a payment by AMP take the key of an invoice.
		other := counts(p) && p.Via != "" && p.Via != a.Settle.Via
		if !other {
			c.matched[p.Key] = true
		}
		switch {
		case p.Status == payment.StatusNone && (!c.adopted() || known.Predates(a.Settle.Index, a.Settle.At)):
			c.Lightning.History.add(a.Settle.Amount)
		case a.Settle.Amount == 0:
			c.differOn(a.Key, Unreadable, p.Resource, "settled, but no amount is told", c.says(p))
		case other || !counts(p):
			c.Lightning.Wallet.add(a.Settle.Amount)
			whose := cmp.Or(p.Resource, a.Settle.Resource, a.Settle.Meant)
			c.lacks(NotInLog, p, whose, a.Settle.Amount.String()+" at "+a.Settle.At.String())
			if a.Settle.At > c.log.Recorded {
				c.Differences[len(c.Differences)-1].Advice = late
			}
		default:
			c.Lightning.Wallet.add(a.Settle.Amount)
			c.inLog(p)
			c.same(p, a.Settle.Amount.String(), a.Settle.Amount == p.Amount)
		}
	}
}

// paymentOf returns the payment that the log has of an arrival.
func (c *comparison) paymentOf(a *lightning.Arrival) *payment.State {
	p, _ := a.Find(func(key payment.Key) (payment.State, error) { return *c.log.state(key), nil }) // which has no error
	return &p
}

// late is the advice about money that arrived after all that the log tells.
const late = "It arrived after the last event of the log that was read. " +
	"Is the log that of a running daemon, and the newest? " +
	"Then the daemon does not see the wallet: see /readyz. Else read a newer log."

// lacks reports money that the log lacks.
func (c *comparison) lacks(kind Kind, p *payment.State, id resource.ID, wallet string) {
	c.differOn(p.Key, kind, id, wallet, c.says(p))
}

// same compares what both know of.
func (c *comparison) same(p *payment.State, amount string, equal bool) {
	if !equal {
		c.differOn(p.Key, OtherAmount, p.Resource, amount, c.says(p))
	}
	if p.Node != "" && p.Node != c.wallet.Node {
		c.differOn(p.Key, OtherNode, p.Resource, "node "+c.wallet.Node, "node "+p.Node)
	}
}

// outputs compares what came on the chain with the log.
func (c *comparison) outputs() {
	found := map[payment.Key]*chain.Output{}
	for i := range c.wallet.Outputs {
		o := &c.wallet.Outputs[i]
		if have := found[o.Key()]; have == nil || c.active(o) && !c.active(have) {
			found[o.Key()] = o // the same one twice is one
		}
	}
	risk := c.risk(found)
	for _, key := range slices.Sorted(maps.Keys(found)) {
		if a, ours := c.log.addresses[found[key].Address]; ours {
			c.output(found[key], &a, risk[a.Resource])
		}
	}
}

// risk returns what a reorg can take of each resource, as far as the wallet and the log tell.
func (c *comparison) risk(found map[payment.Key]*chain.Output) map[resource.ID]money.Msat {
	sums := map[resource.ID]money.Msat{}
	for key, o := range found {
		a, ours := c.log.addresses[o.Address]
		if p := c.log.state(key); ours && c.active(o) && !p.Final && p.Status != payment.StatusUnallocated {
			sums[a.Resource] = min(sums[a.Resource]+o.Amount, money.MaxMsat)
		}
	}
	return sums
}

// unknown lists the deposits to addresses that the log does not know, in blocks of the chain.
func (c *comparison) unknown() {
	listed := map[payment.Key]bool{}
	for i := range c.wallet.Unknown {
		o := &c.wallet.Unknown[i]
		if !c.active(o) || listed[o.Key()] {
			continue
		}
		listed[o.Key()] = true
		c.Unknown = append(c.Unknown, Deposit{o.Key(), o.Address, o.Amount, o.Height})
	}
	slices.SortFunc(c.Unknown, func(a, b Deposit) int {
		return cmp.Or(cmp.Compare(b.Height, a.Height), cmp.Compare(a.Key, b.Key))
	})
}

// active reports whether an output is in a block of the active chain, as far as it is
// looked at.
func (c *comparison) active(o *chain.Output) bool {
	return o.Height > 0 && o.Height <= c.wallet.Tip.Height && o.Block != "" && c.wallet.Blocks[o.Height] == o.Block
}

// output compares one output with the log. A reorg can take that much of its resource.
func (c *comparison) output(o *chain.Output, a *address.State, risk money.Msat) {
	p, depth := c.log.state(o.Key()), c.wallet.Tip.Height-o.Height+1
	switch {
	case !c.active(o):
		if p.Status != payment.StatusReplaced {
			c.Chain.Pending.add(o.Amount)
		}
		return // what the log counts of it has nothing to stand on: see gone
	case !counts(p) && depth < int64(c.Required(c.log.planOf(p, a.Resource), risk)):
		c.Chain.Pending.add(o.Amount)
		return
	}
	c.matched[p.Key] = true
	wallet := fmt.Sprintf("%s, %s, %s", o.Amount, confirmations(depth), inBlock(o.Height, o.Block))
	switch {
	case counts(p) && p.Node != "" && p.Node == a.Node && p.Node != c.wallet.Node:
		c.Chain.Elsewhere.add(p.Amount) // we paid another node of this log
		return
	case p.Status == payment.StatusNone:
		c.lacks(NotInLog, p, a.Resource, wallet)
	case !counts(p):
		c.lacks(NotCredited, p, a.Resource, wallet)
	default:
		c.inLog(p)
		c.same(p, wallet, o.Amount == p.Amount)
		c.place(o, p)
	}
	c.Chain.Wallet.add(o.Amount)
}

// place compares where an output is.
func (c *comparison) place(o *chain.Output, p *payment.State) {
	if o.Address != p.Address {
		c.differOn(p.Key, OtherAddress, p.Resource, "it pays "+o.Address, "it pays "+cmp.Or(p.Address, "no address"))
	}
	if o.Block != p.Block {
		c.differOn(p.Key, OtherBlock, p.Resource, inBlock(o.Height, o.Block), inBlock(p.Height, p.Block))
	}
}

// gone reports money that the log has on the chain, where the chain has it not.
func (c *comparison) gone(p *payment.State) {
	_, issued := c.log.addresses[p.Address]
	_, blind := c.wallet.Blind[p.Height]
	active := c.wallet.Blocks[p.Height]
	switch log := c.says(p) + ", " + inBlock(p.Height, p.Block); {
	case !issued:
		c.differOn(p.Key, NotIssued, p.Resource, "", c.says(p)+", to "+cmp.Or(p.Address, "no address"))
	case blind: // it is reported that the height can't be read
	case p.Block != "" && active != p.Block && active == "":
		c.differOn(p.Key, BlockLeft, p.Resource, fmt.Sprintf("the chain ends at height %d", c.wallet.Tip.Height), log)
	case p.Block != "" && active != p.Block:
		c.differOn(p.Key, BlockLeft, p.Resource, fmt.Sprintf("at height %d the chain has block %s", p.Height, active), log)
	default:
		c.differOn(p.Key, NotInWallet, p.Resource, "", log)
	}
}

func inBlock(height int64, hash string) string {
	if hash == "" {
		return "in no block"
	}
	return fmt.Sprintf("at height %d in block %s", height, hash)
}

func confirmations(n int64) string {
	if n == 1 {
		return "1 confirmation"
	}
	return fmt.Sprintf("%d confirmations", n)
}
