package fakelnd_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"sandglass/adapters/lnd"
	"sandglass/testutil/devnet"
	"sandglass/testutil/fakelnd"
)

// node is a fake as the daemon sees it.
type node struct {
	*fakelnd.Lnd
	client *lnd.Client
	t      *testing.T
	ctx    context.Context
	addr   string
}

func newNode(t *testing.T) *node {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	fake, err := fakelnd.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Kill)
	fake.Mine(10)
	n := &node{Lnd: fake, t: t, ctx: ctx}
	n.dial()
	n.addr = must(n.client.NewAddress(ctx))(t).Address
	return n
}

// dial makes a client, which has no connection that broke.
func (n *node) dial() {
	n.t.Helper()
	n.client = must(lnd.Dial(lnd.Config{
		Addr: n.Addr, TLSCert: n.TLSCert, WatchMacaroon: n.WatchMacaroon, IssueMacaroon: n.IssueMacaroon,
	}))(n.t)
	n.t.Cleanup(func() { _ = n.client.Close() })
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (n *node) send() string { return must(n.Send(n.addr, 900))(n.t) }

func (n *node) reorg(depth int) {
	n.t.Helper()
	if err := n.Reorg(depth); err != nil {
		n.t.Fatal(err)
	}
}

// tip returns the last block.
func (n *node) tip() (height int64, hash string) {
	n.t.Helper()
	tip := must(n.client.Tip(n.ctx))(n.t)
	return tip.Height, tip.Hash
}

// mined returns the hash of a block that is added.
func (n *node) mined() string {
	n.t.Helper()
	n.Mine(1)
	_, hash := n.tip()
	return hash
}

// listed is where the wallet says that a transaction is: in which blocks, and whether in the
// mempool.
func (n *node) listed(txid string) (blocks []string, waiting bool) {
	n.t.Helper()
	height, _ := n.tip()
	for _, o := range must(n.client.Outputs(n.ctx, 0, height))(n.t) {
		if o.Txid == txid && o.Address == n.addr {
			blocks = append(blocks, o.Block)
		}
	}
	for _, o := range must(n.client.Mempool(n.ctx))(n.t) {
		waiting = waiting || o.Txid == txid
	}
	return blocks, waiting
}

func (n *node) want(txid string, waiting bool, blocks ...string) {
	n.t.Helper()
	if b, w := n.listed(txid); !slices.Equal(b, blocks) || w != waiting {
		n.t.Errorf("it is in blocks %v and in the mempool: %t; want %v, %t", b, w, blocks, waiting)
	}
}

// TestPaymentInABlock follows a payment through a reorg of an odd depth, which lnd
// understands.
func TestPaymentInABlock(t *testing.T) {
	n := newNode(t)
	txid := n.send()
	n.want(txid, true)
	first := n.mined()
	height, _ := n.tip()
	n.Mine(2)
	n.want(txid, false, first)
	paid := false
	for _, o := range must(n.client.Block(n.ctx, first))(t).Outputs {
		paid = paid || o.Txid == txid && o.Address == n.addr && o.Amount == 900_000
	}
	if !paid {
		t.Error("the block doesn't hold it")
	}
	n.reorg(3)
	n.want(txid, true)
	if hash := must(n.client.BlockHash(n.ctx, height))(t); hash == first {
		t.Error("the block is there still")
	}
	must(n.client.Block(n.ctx, first))(t) // btcd keeps it
	n.want(txid, false, n.mined())
}

// TestReorgOfAnEvenDepth leaves the wallet believing in the lowest block that was lost: it
// lists its transaction there, and once more where it is mined again.
func TestReorgOfAnEvenDepth(t *testing.T) {
	n := newNode(t)
	txid := n.send()
	lost := n.mined()
	n.Mine(1)
	n.reorg(2)
	n.want(txid, false, lost)
	n.want(txid, false, lost, n.mined())
}

// TestSentWhileDown is not heard of until it is in a block.
func TestSentWhileDown(t *testing.T) {
	n := newNode(t)
	n.Kill()
	txid := n.send()
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	n.dial()
	n.want(txid, false)
	n.want(txid, false, n.mined())
}

// TestNews wakes the watcher for what lnd tells of, and for nothing else.
func TestNews(t *testing.T) {
	n := newNode(t)
	next, stop := nextOf(n)
	defer stop()
	if !next() {
		t.Error("it doesn't tell of the tip at once")
	}
	_ = devnet.Until(n.ctx, "both streams are followed", func(context.Context) error {
		if n.Listening() < 2 {
			return errors.New("one is not")
		}
		return nil
	})
	n.send()
	if next() {
		t.Error("a payment in the mempool comes as a block")
	}
	n.Mine(1)
	if one, other := next(), next(); one == other {
		t.Error("of a payment in a block come two blocks, or none")
	}
	n.reorg(1)
	if !next() {
		t.Error("a reorg tells of transactions")
	}
}

// nextOf returns a function that waits for news, and reports whether it is of a block.
func nextOf(n *node) (next func() (block bool), stop func()) {
	ctx, stop := context.WithCancel(n.ctx)
	news := make(chan bool)
	go func() {
		for one := range n.client.News(ctx) {
			select {
			case news <- one.Block:
			case <-ctx.Done():
			}
		}
	}()
	return func() (block bool) {
		select {
		case block = <-news:
		case <-n.ctx.Done():
			n.t.Error("no news came")
		}
		return block
	}, stop
}
