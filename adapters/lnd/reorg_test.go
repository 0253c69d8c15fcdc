package lnd_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"

	"sandglass/adapters/lnd"
	"sandglass/domain/chain"
	"sandglass/domain/watch"
	"sandglass/testutil/devnet"
)

// reorging is a network of the test's own: what a reorg leaves in lnd's wallet stays.
func reorging(t *testing.T) (*devnet.Network, *lnd.Client) {
	t.Helper()
	net := must(devnet.Start(t.Context(), devnet.Options{Progress: os.Stderr}))(t)
	t.Cleanup(func() { check(t, net.Close()) })
	return net, dialed(t, realNode{net}.config())
}

func heights(client *lnd.Client, from, to int64) func(context.Context) ([]chain.Output, error) {
	return func(ctx context.Context) ([]chain.Output, error) { return client.Outputs(ctx, from, to) }
}

// A block that left the chain can still be read. Where lnd goes on listing what it held,
// as it does after a reorg of an even depth, it names that block.
func TestReorg(t *testing.T) {
	net, client := reorging(t)
	ctx := within(t)
	var still []int // depths after which lnd lists what is in no block
	for depth := 1; depth <= 4; depth++ {
		addr := must(client.NewAddress(ctx))(t)
		txid := must(net.Send(ctx, addr.Address, 70_000))(t)
		check(t, net.Mine(ctx, depth))
		h := addr.Height + 1
		was := must(client.BlockHash(ctx, h))(t)
		awaitOutputs(t, txid, true, heights(client, h, h))

		must(net.Reorg(ctx, depth))(t)
		tip := must(client.Tip(ctx))(t)
		is := must(client.BlockHash(ctx, h))(t)
		if is == was || is == "" || tip.Height != h+int64(depth) {
			t.Errorf("%d deep: at height %d the block is %s, and was %s; the tip is %+v", depth, h, is, was, tip)
		}
		old, active := must(client.Block(ctx, was))(t), must(client.Block(ctx, is))(t)
		if len(of(txid, old.Outputs)) == 0 || len(of(txid, active.Outputs)) != 0 {
			t.Errorf("%d deep: the old block has %+v, the new one %+v", depth, old.Outputs, active.Outputs)
		}
		stale := of(txid, must(client.Outputs(ctx, h, tip.Height))(t))
		if len(stale) > 0 {
			still = append(still, depth)
		}
		if slices.ContainsFunc(stale, func(o chain.Output) bool { return o.Block != was || o.Height != h }) {
			t.Errorf("%d deep: it is listed as %+v", depth, stale)
		}

		check(t, net.Mine(ctx, 1))
		tip = must(client.Tip(ctx))(t)
		again := awaitOutputs(t, txid, true, heights(client, tip.Height, tip.Height))
		if o := again[0]; o.Block != tip.Hash || o.Address != addr.Address || o.Amount != 70_000_000 {
			t.Errorf("%d deep: mined again it is %+v", depth, o)
		}
	}
	t.Logf("lnd goes on listing what was in a block after reorgs of depths %d", still)
}

// After such a reorg, another payment at the same height makes lnd fail for every range
// that has it, for good. The others, the mempool and the block itself tell the rest.
func TestStatement17_HeightThatFails(t *testing.T) {
	net, client := reorging(t)
	ctx := within(t)
	addr := must(client.NewAddress(ctx))(t)
	before := must(net.Send(ctx, addr.Address, 60_000))(t)
	check(t, net.Mine(ctx, 1))
	txid := must(net.Send(ctx, addr.Address, 70_000))(t)
	check(t, net.Mine(ctx, 2))
	h := addr.Height + 2
	awaitOutputs(t, txid, true, heights(client, h, h))

	other := must(net.Draft(ctx, devnet.To(addr.Address, 80_000)))(t)
	must(net.Reorg(ctx, 2, devnet.With(other.MsgTx)))(t)
	check(t, net.Mine(ctx, 1)) // which brings the first one back
	tip := must(client.Tip(ctx))(t)
	awaitOutputs(t, txid, true, heights(client, tip.Height, tip.Height))

	for _, from := range []int64{1, h} {
		_, err := client.Outputs(ctx, from, tip.Height)
		if _, ok := errors.AsType[*watch.Trouble](err); err == nil || ok {
			t.Errorf("from height %d: %v", from, err)
		}
	}
	if all := must(client.Outputs(ctx, 1, h-1))(t); len(of(before, all)) == 0 {
		t.Error("the heights below lack what came before")
	}
	if all := must(client.Outputs(ctx, h+1, tip.Height))(t); len(of(txid, all)) == 0 {
		t.Error("the heights above lack what came after")
	}
	must(client.Mempool(ctx))(t)
	block := must(client.Block(ctx, must(client.BlockHash(ctx, h))(t)))(t)
	told := of(other.Txid, block.Outputs)
	if len(told) == 0 || told[0].Address != addr.Address || told[0].Amount != 80_000_000 {
		t.Errorf("the block has %+v", told)
	}
}
