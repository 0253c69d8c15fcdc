package reconcile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"sandglass/domain/address"
	"sandglass/domain/payment"
)

// arrivals compares what came over Lightning with the log.
func (c *comparison) arrivals() {
	for i := range c.wallet.Arrivals {
		a := &c.wallet.Arrivals[i]
		if c.matched[a.Key] {
			continue // listed twice
		}
		c.matched[a.Key] = true
		p := c.log.state(a.Key)
		known := c.log.wallets[c.wallet.Node]
		switch {
		case p.Status == payment.StatusNone && (!c.adopted() || known.Predates(a.Settled.Index, a.Settled.At.At)):
			c.Lightning.History.add(a.Settled.Amount)
		case a.Settled.Amount == 0:
			c.differ(Unreadable, a.Key, p.Resource, "settled, but no amount is told", c.says(p))
		case !counts(p):
			c.Lightning.Wallet.add(a.Settled.Amount)
			c.lacks(NotInLog, p, cmp.Or(p.Resource, a.Settled.Resource), a.Settled.Amount.String()+" at "+a.Settled.At.At.String())
			if a.Settled.At.At > c.log.Recorded {
				c.Differences[len(c.Differences)-1].Advice = late
			}
		default:
			c.Lightning.Wallet.add(a.Settled.Amount)
			c.inLog(p)
			c.same(p, a.Settled.Amount.String(), a.Settled.Amount == p.Amount)
		}
	}
}

// late is the advice about money that arrived after all that the log tells.
const late = "It arrived after the last event of the log that was read. Is the log that of a running daemon, and the newest? Then the daemon does not see the wallet: see /readyz. Else read a newer log."

// lacks reports money that the log lacks.
func (c *comparison) lacks(kind Kind, p *payment.State, resource, wallet string) {
	c.differ(kind, p.Key, resource, wallet, c.says(p))
}

// same compares what both know of.
func (c *comparison) same(p *payment.State, amount string, equal bool) {
	if !equal {
		c.differ(OtherAmount, p.Key, p.Resource, amount, c.says(p))
	}
	if p.Node != "" && p.Node != c.wallet.Node {
		c.differ(OtherNode, p.Key, p.Resource, "node "+c.wallet.Node, "node "+p.Node)
	}
}

// outputs compares what came on the chain with the log.
func (c *comparison) outputs() {
	found := map[string]*payment.Output{}
	for i := range c.wallet.Outputs {
		o := &c.wallet.Outputs[i]
		if have := found[o.Key()]; have == nil || c.active(o) && !c.active(have) {
			found[o.Key()] = o // the same one twice is one
		}
	}
	for _, key := range slices.Sorted(maps.Keys(found)) {
		if a, ours := c.log.addresses[found[key].Address]; ours {
			c.output(found[key], &a)
		}
	}
}

// active says whether an output is in a block of the active chain, as far as it is
// looked at.
func (c *comparison) active(o *payment.Output) bool {
	return o.Height > 0 && o.Height <= c.wallet.Tip.Height && o.Block != "" && c.wallet.Blocks[o.Height] == o.Block
}

func (c *comparison) output(o *payment.Output, a *address.State) {
	p, depth := c.log.state(o.Key()), c.wallet.Tip.Height-o.Height+1
	switch {
	case !c.active(o):
		if p.Status != payment.StatusReplaced {
			c.Chain.Pending.add(o.Amount)
		}
		return // what the log counts of it has nothing to stand on: see gone
	case !counts(p) && depth < c.Required(a.Resource, o.Amount):
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
func (c *comparison) place(o *payment.Output, p *payment.State) {
	if o.Address != p.Address {
		c.differ(OtherAddress, p.Key, p.Resource, "it pays "+o.Address, "it pays "+cmp.Or(p.Address, "no address"))
	}
	if o.Block != p.Block {
		c.differ(OtherBlock, p.Key, p.Resource, inBlock(o.Height, o.Block), inBlock(p.Height, p.Block))
	}
}

// gone reports money that the log has on the chain, where the chain has it not.
func (c *comparison) gone(p *payment.State) {
	_, issued := c.log.addresses[p.Address]
	_, blind := c.wallet.Blind[p.Height]
	active := c.wallet.Blocks[p.Height]
	switch log := c.says(p) + ", " + inBlock(p.Height, p.Block); {
	case !issued:
		c.differ(NotIssued, p.Key, p.Resource, "", c.says(p)+", to "+cmp.Or(p.Address, "no address"))
	case blind: // it is reported that the height can't be read
	case p.Block != "" && active != p.Block && active == "":
		c.differ(BlockLeft, p.Key, p.Resource, fmt.Sprintf("the chain ends at height %d", c.wallet.Tip.Height), log)
	case p.Block != "" && active != p.Block:
		c.differ(BlockLeft, p.Key, p.Resource, fmt.Sprintf("at height %d the chain has block %s", p.Height, active), log)
	default:
		c.differ(NotInWallet, p.Key, p.Resource, "", log)
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
