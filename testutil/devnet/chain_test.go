package devnet_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/lightningnetwork/lnd/lnrpc"

	"sandglass/testutil/devnet"
)

// A chain is the network with an address of alice's for the test alone.
type chain struct {
	*devnet.Network
	t     *testing.T
	ctx   context.Context
	addr  string
	start int64 // the height before the test
}

func newChain(t *testing.T) *chain {
	t.Helper()
	c := &chain{Network: devnet.Shared(t), t: t, ctx: t.Context()}
	var err error
	c.addr, err = c.Alice.Address(c.ctx)
	check(t, err)
	c.start = c.height()
	return c
}

func (c *chain) height() int64 {
	c.t.Helper()
	height, _, err := c.BestBlock(c.ctx)
	check(c.t, err)
	return height
}

func (c *chain) tip() string {
	c.t.Helper()
	_, hash, err := c.BestBlock(c.ctx)
	check(c.t, err)
	return hash
}

func (c *chain) mine(blocks int) {
	c.t.Helper()
	check(c.t, c.Mine(c.ctx, blocks))
}

func (c *chain) pay(sats ...int64) *devnet.Tx {
	c.t.Helper()
	tx, err := c.Pay(c.ctx, c.outputs(sats)...)
	check(c.t, err)
	return tx
}

func (c *chain) outputs(sats []int64) (outputs []devnet.Output) {
	for _, sat := range sats {
		outputs = append(outputs, devnet.To(c.addr, sat))
	}
	return outputs
}

// wantActive fails unless the blocks of this test pay alice exactly these amounts
// at these heights above the start.
func (c *chain) wantActive(want ...string) {
	c.t.Helper()
	outputs, err := c.ActiveOutputs(c.ctx, c.start+1, c.addr)
	check(c.t, err)
	var got []string
	for _, out := range outputs {
		hash, err := c.BlockHash(c.ctx, out.Height)
		check(c.t, err)
		if hash != out.BlockHash || out.Addr != c.addr {
			c.t.Errorf("%+v is not on the active chain, whose block there is %s", out, hash)
		}
		got = append(got, fmt.Sprintf("%d sat at +%d", out.Sat, out.Height-c.start))
	}
	slices.Sort(got) // a block orders its transactions as it likes
	slices.Sort(want)
	if !slices.Equal(got, want) {
		c.t.Errorf("the active chain pays alice %q, want %q", got, want)
	}
}

// wantConfs waits until alice's wallet counts so many confirmations of tx. lnd may
// list one twice after a reorg, with what is right and what isn't.
func (c *chain) wantConfs(tx *devnet.Tx, want int32) {
	c.t.Helper()
	check(c.t, devnet.Until(c.ctx, fmt.Sprintf("alice has %d confirmations", want), func(ctx context.Context) error {
		txs, err := c.Alice.Lightning.GetTransactions(ctx, &lnrpc.GetTransactionsRequest{})
		if err != nil {
			return err
		}
		var got []int32
		for _, seen := range txs.Transactions {
			if seen.TxHash == tx.Txid {
				got = append(got, seen.NumConfirmations)
			}
		}
		if !slices.Contains(got, want) {
			return fmt.Errorf("%s has %d", tx.Txid, got)
		}
		return nil
	}))
}

func TestCraftedBlockIsAccepted(t *testing.T) {
	c := newChain(t)
	waiting := c.pay(1_000)
	draft, err := c.Draft(c.ctx, devnet.To(c.addr, 2_000), devnet.To(c.addr, 3_000))
	check(t, err)
	hashes, err := c.MineBranch(c.ctx, c.tip(), 2, draft.MsgTx)
	check(t, err)
	if len(hashes) != 2 || hashes[1] != c.tip() || c.height() != c.start+2 {
		t.Errorf("the last block is %s at +%d, want the last of %v at +2", c.tip(), c.height()-c.start, hashes)
	}
	c.wantActive("2000 sat at +1", "3000 sat at +1")
	outputs, err := c.ActiveOutputs(c.ctx, c.start, c.addr)
	check(t, err)
	for i, out := range outputs {
		if out.Outpoint != draft.Outpoints()[i] || out.BlockHash != hashes[0] {
			t.Errorf("output %d is %+v, want %s in %s", i, out, draft.Outpoints()[i], hashes[0])
		}
	}
	c.wantConfs(draft, 2)
	c.wantConfs(waiting, 0)
	c.mine(1)
	c.wantActive("2000 sat at +1", "3000 sat at +1", "1000 sat at +3")
}

// TestCraftedBlockWithWitness has bob's wallet pay, which signs with witnesses.
func TestCraftedBlockWithWitness(t *testing.T) {
	c := newChain(t)
	txid, err := c.Bob.SendCoins(c.ctx, c.addr, 40_000)
	check(t, err)
	c.mine(1)
	_, err = c.Reorg(c.ctx, 1, devnet.KeepTxs())
	check(t, err)
	c.wantActive("40000 sat at +1")
	c.wantConfs(&devnet.Tx{Txid: txid}, 2)
}

func TestBadBlockIsRejected(t *testing.T) {
	c := newChain(t)
	tx := c.pay(1_000)
	tip := c.tip()
	_, err := c.MineBranch(c.ctx, tip, 1, tx.MsgTx, tx.MsgTx)
	if err == nil || !strings.Contains(err.Error(), "rejected: ") {
		t.Errorf("a block with a transaction twice: %v", err)
	}
	if c.tip() != tip {
		t.Error("a rejected block is on the chain")
	}
	for _, depth := range []int{0, devnet.MaxDepth + 1} {
		if _, err := c.Reorg(c.ctx, depth); err == nil {
			t.Errorf("a reorg %d deep was done", depth)
		}
	}
	c.mine(1)
}

func TestLongerSideBranchWins(t *testing.T) {
	c := newChain(t)
	parent := c.tip()
	c.mine(2)
	active := c.tip()
	side, err := c.MineBranch(c.ctx, parent, 2)
	check(t, err)
	if c.tip() != active {
		t.Fatal("a branch of the same length became the active one")
	}
	longer, err := c.MineBranch(c.ctx, side[1], 1)
	check(t, err)
	if c.tip() != longer[0] {
		t.Error("the longer branch isn't the active one")
	}
	back, err := c.MineBranch(c.ctx, active, 2)
	check(t, err)
	if c.tip() != back[1] {
		t.Error("the first branch isn't active again, though it is the longer one again")
	}
}

func TestReorgedTxIsMinedAgain(t *testing.T) {
	c := newChain(t)
	c.mine(1)
	tx := c.pay(5_000)
	c.mine(2)
	c.wantConfs(tx, 2)
	_, err := c.Reorg(c.ctx, 3)
	check(t, err)
	c.wantActive()
	c.wantConfs(tx, 0)
	c.mine(1)
	c.wantActive("5000 sat at +5")
	c.wantConfs(tx, 1)
}

func TestReorgKeepsWhatItIsTold(t *testing.T) {
	c := newChain(t)
	first := c.pay(1_000)
	c.mine(1)
	second := c.pay(2_000)
	c.mine(1)
	other, err := c.Conflict(c.ctx, first, devnet.To(c.addr, 700))
	check(t, err)
	_, err = c.Reorg(c.ctx, 2, devnet.KeepTxs(), devnet.With(other.MsgTx))
	check(t, err)
	c.wantActive("700 sat at +1", "2000 sat at +2")
	check(t, c.Mend(c.ctx)) // alice says "missing transaction" for good
	c.wantConfs(other, 3)
	c.wantConfs(second, 2)
}

func TestDoubleSpends(t *testing.T) {
	for _, tc := range []struct {
		name   string
		depth  int     // the payment's confirmations
		others []int64 // what the double spend pays alice
		want   []string
	}{
		{"of a payment in the mempool", 0, nil, nil},
		{"of one in the mempool, with less", 0, []int64{3_000}, []string{"3000 sat at +1"}},
		{"of one in the last block", 1, nil, nil},
		{"of one six deep, with more", 6, []int64{9_000, 8_000}, []string{"9000 sat at +1", "8000 sat at +1"}},
	} {
		c := newChain(t)
		tx := c.pay(5_000)
		if tc.depth > 0 {
			c.mine(tc.depth)
		}
		_, err := c.DoubleSpend(c.ctx, tx, c.outputs(tc.others)...)
		check(t, err)
		c.mine(1)
		t.Log(tc.name)
		c.wantActive(tc.want...)
	}
}

func TestReplacedInTheMempool(t *testing.T) {
	for _, tc := range []struct {
		name string
		sats []int64
		want []string
	}{
		{"by less", []int64{1_000}, []string{"1000 sat at +1"}},
		{"by more", []int64{9_000, 9_000, 9_000, 9_000}, slices.Repeat([]string{"9000 sat at +1"}, 4)},
		{"by nothing", nil, nil},
	} {
		c := newChain(t)
		tx, err := c.Bump(c.ctx, c.pay(5_000), c.outputs(tc.sats)...)
		check(t, err)
		again, err := c.Bump(c.ctx, tx, c.outputs(tc.sats)...)
		check(t, err)
		c.mine(1)
		t.Log(tc.name)
		c.wantActive(tc.want...)
		if tc.sats != nil {
			c.wantConfs(again, 1)
		}
	}
}

// TestRivalsTwoBlocks is how two blocks are orphaned in the wild: by three that
// somebody else mined unseen.
func TestRivalsTwoBlocks(t *testing.T) {
	c := newChain(t)
	rival, err := c.StartRival(c.ctx)
	check(t, err)
	check(t, rival.PartWays(c.ctx))
	x := c.pay(1_000)
	c.mine(1)
	y := c.pay(2_000)
	c.mine(1)
	check(t, rival.Mine(c.ctx, 2))
	if err := rival.Meet(c.ctx); err == nil {
		t.Error("two chains of one length met")
	}
	check(t, rival.Mine(c.ctx, 1))
	check(t, rival.Meet(c.ctx))
	height, hash, err := rival.BestBlock(c.ctx)
	check(t, err)
	if height != c.start+3 || hash != c.tip() {
		t.Errorf("the rival is at +%d, %s, and we at %s", height-c.start, hash, c.tip())
	}
	c.wantActive()
	c.mine(1)
	c.wantActive("1000 sat at +4", "2000 sat at +4")
	c.wantConfs(x, 1)
	c.wantConfs(y, 1)

	check(t, rival.PartWays(c.ctx))
	theirs, err := c.Draft(c.ctx, devnet.To(c.addr, 3_000))
	check(t, err)
	_, err = rival.MineBranch(c.ctx, c.tip(), 1, theirs.MsgTx)
	check(t, err)
	check(t, rival.Meet(c.ctx))
	c.wantActive("1000 sat at +4", "2000 sat at +4", "3000 sat at +5")
	check(t, rival.Close())
	check(t, rival.Close())
}

func TestInvalidateFour(t *testing.T) {
	c := newChain(t)
	_, err := c.MineBranch(c.ctx, c.tip(), 3) // could take the place of what goes
	check(t, err)
	_, err = c.Reorg(c.ctx, 3)
	check(t, err)
	tx := c.pay(6_000)
	c.mine(4)
	check(t, c.Invalidate(c.ctx, 4))
	if c.height() != c.start+4 {
		t.Errorf("the chain is at +%d, want +4", c.height()-c.start)
	}
	c.wantActive()
	for range 3 { // as long as it is shorter than it was, and no longer
		c.mine(1)
		c.wantActive("6000 sat at +5")
	}
	c.mine(1)
	check(t, c.Alice.WaitSynced(c.ctx))
	c.mine(1)
	c.wantConfs(tx, 5)
}

func TestMineWithoutAlice(t *testing.T) {
	c := newChain(t)
	check(t, c.Alice.Kill())
	tx := c.pay(5_000)
	c.mine(2)
	_, err := c.DoubleSpend(c.ctx, tx, devnet.To(c.addr, 4_000))
	check(t, err)
	devnet.Shared(t) // mends
	c.wantActive("4000 sat at +1")
	inv, err := c.Alice.Invoice(c.ctx, 4_000, "after a reorg")
	check(t, err)
	_, err = c.Bob.Pay(c.ctx, inv.PaymentRequest)
	check(t, err)
}

// TestRandomHistories does whatever can be done to a chain, many times over, and
// sees that the miner can still pay, and that what was paid last stands.
func TestRandomHistories(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 8 {
		c := newChain(t)
		var paid []*devnet.Tx
		for range 12 {
			var err error
			depth := random.IntN(6) + 1
			switch random.IntN(6) {
			case 0:
				paid = append(paid, c.pay(random.Int64N(1_000_000)+1_000))
			case 1:
				c.mine(depth)
			case 2:
				_, err = c.Reorg(c.ctx, depth)
			case 3:
				_, err = c.Reorg(c.ctx, depth, devnet.KeepTxs())
			case 4:
				if len(paid) > 0 {
					_, err = c.DoubleSpend(c.ctx, paid[len(paid)-1], devnet.To(c.addr, 1_000))
				}
			case 5:
				if err = c.Invalidate(c.ctx, depth); err == nil {
					c.mine(depth + 1)
				}
			}
			check(t, err)
		}
		last := c.pay(77_000)
		c.mine(1)
		outputs, err := c.ActiveOutputs(c.ctx, c.height(), c.addr)
		check(t, err)
		if !slices.ContainsFunc(outputs, func(o devnet.ActiveOutput) bool { return o.Outpoint == last.Outpoints()[0] }) {
			t.Fatalf("the last block doesn't hold the last payment: %+v", outputs)
		}
	}
}

// TestMinerFindsForgottenCoins drafts, without mining, more than there are coins.
func TestMinerFindsForgottenCoins(t *testing.T) {
	c := newChain(t)
	for range 500 {
		_, err := c.Draft(c.ctx, devnet.To(c.addr, 1_000))
		check(t, err)
	}
	c.pay(2_000)
	c.mine(1)
	c.wantActive("2000 sat at +1")
}
