package daemon_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"sandglass/adapters/httpapi/wire"
	"sandglass/testutil/devnet"
)

var histories = flag.Int("histories", 3, "random histories of payments on the chain")

// Random histories of payments, blocks, reorgs, replacements, double spends and kills of
// the daemon and of lnd. Each ends with credits less reversals that are what the chain
// says, a clean replay and a clean reconciliation. Of every other one the log is in a cluster
// whose leader moves, of which the daemon begins at a follower.
func TestRandomHistories(t *testing.T) {
	first := seedOf(t, "histories")
	for n := range *histories {
		t.Run(fmt.Sprint("seed ", first+uint64(n)), func(t *testing.T) {
			env, moveLeader := []string{"SANDGLASS_FINAL_DEPTH=12"}, func() {}
			if n%2 == 1 {
				var store []string
				store, moveLeader = sharedLog(t)
				env = append(env, store...)
			}
			h := &history{
				shore:      newShore(t, env...),
				random:     rand.New(rand.NewPCG(first+uint64(n), 7)),
				daemon:     true,
				lnd:        true,
				moveLeader: moveLeader,
			}
			defer func() { t.Logf("%v", h.did) }() // also if it fails
			for range 3 {
				h.address(h.resource())
			}
			for range 12 + h.random.IntN(16) {
				h.step()
			}
			h.end()
		})
	}
}

// history is a random history under way.
type history struct {
	*shore
	random      *rand.Rand
	daemon, lnd bool         // whether it runs
	moveLeader  func()       // of the cluster that has the log, if one has
	sent        []*devnet.Tx // that may be in the mempool or in one of the last blocks
	did         []string
}

func (h *history) resource() string { return fmt.Sprintf("vm-%d", h.random.IntN(3)) }

// any returns an address that was given out: an order needs a daemon and lnd.
func (h *history) any() string {
	for id := range h.addrs {
		return h.addrs[id]
	}
	panic("no address")
}

func (h *history) outputs() (outputs []devnet.Output) {
	for range 1 + h.random.IntN(3) {
		addr := h.addrs[h.resource()]
		if addr == "" {
			addr = h.any()
		}
		outputs = append(outputs, devnet.To(addr, 1000+h.random.Int64N(9000)))
	}
	return outputs
}

func (h *history) step() {
	h.t.Helper()
	h.moveLeader()
	steps := []struct {
		weight int
		name   string
		do     func()
	}{
		{6, "pay", func() {
			tx, err := h.net.Pay(h.ctx, h.outputs()...)
			h.must(err)
			h.sent = append(h.sent, tx)
		}},
		{6, "mine", func() { h.mine(1 + h.random.IntN(3)) }},
		{3, "reorg", func() {
			if h.random.IntN(2) == 0 {
				h.reorg(h.depth(), devnet.KeepTxs())
			} else {
				h.reorg(h.depth())
			}
		}},
		{2, "replace", func() {
			if tx := h.some(); tx != nil {
				bumped, err := h.net.Bump(h.ctx, tx, h.outputs()...)
				if err == nil { // it is not in a block
					h.sent = append(h.sent, bumped)
				}
			}
		}},
		{2, "double spend", func() {
			tx := h.some()
			if tx == nil {
				return
			}
			// In place of the last blocks, or on them: whether it fits, btcd says.
			other, err := h.net.Conflict(h.ctx, tx)
			h.must(err)
			_, err = h.net.Reorg(h.ctx, h.depth(), devnet.With(other.MsgTx))
			if err != nil {
				h.mine(1)
			}
		}},
		{1, "invalidate", func() {
			depth := h.depth()
			h.must(h.net.Invalidate(h.ctx, depth))
			h.mine(depth + 1)
		}},
		{2, "kill or start the daemon", func() {
			if h.daemon = !h.daemon; h.daemon {
				h.Start()
			} else {
				h.Kill()
			}
		}},
		{1, "kill or start lnd", func() {
			if h.lnd = !h.lnd; h.lnd {
				h.must(h.net.Alice.Restart(h.ctx))
			} else {
				h.must(h.net.Alice.Kill())
			}
		}},
		{1, "a bill by Lightning", func() {
			if h.daemon && h.lnd {
				if p, err := h.Client().Fund(h.ctx, h.resource(), wire.FundRequest{Amount: 5000}); err == nil {
					_, _ = h.net.Bob.Pay(h.ctx, p.Request) // the channel may be down after a kill
				}
			}
		}},
	}
	all := 0
	for _, s := range steps {
		all += s.weight
	}
	n := h.random.IntN(all)
	for _, s := range steps {
		if n -= s.weight; n < 0 {
			before, _, err := h.net.BestBlock(h.ctx)
			h.must(err)
			h.did = append(h.did, fmt.Sprintf("%s at %d", s.name, before))
			s.do()
			return
		}
	}
}

// depth is that of a reorg, which never goes below the begin of this history.
func (h *history) depth() int {
	height, _, err := h.net.BestBlock(h.ctx)
	h.must(err)
	return min(1+h.random.IntN(6), int(height-h.from))
}

func (h *history) some() *devnet.Tx {
	if len(h.sent) == 0 {
		return nil
	}
	return h.sent[h.random.IntN(len(h.sent))]
}

// end starts what is down, buries what is left, and proves the outcome.
func (h *history) end() {
	h.t.Helper()
	if !h.lnd {
		h.must(h.net.Alice.Restart(h.ctx))
	}
	h.must(h.net.WaitChannel(h.ctx))
	if !h.daemon {
		h.Start()
	}
	h.mine(4)
	h.WaitReady(h.ctx)
	h.proves()
}
