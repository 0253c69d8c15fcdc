package simchain_test

import (
	"bytes"
	"testing"

	"github.com/btcsuite/btcd/wire"

	"sandglass/testutil/simchain"
)

// TestChain pays, mines, and replaces what was mined.
func TestChain(t *testing.T) {
	c := simchain.New()
	first := c.Tip()
	tx, err := c.Pay(simchain.NewAddress().EncodeAddress(), 1_000)
	if err != nil {
		t.Fatal(err)
	}
	b := c.Mine()
	empty := c.Mine()
	if !b.Holds(tx.TxHash()) || len(c.Mempool()) != 0 || len(empty.Transactions) != 1 {
		t.Errorf("the blocks have %d and %d transactions, the mempool has %d",
			len(b.Transactions), len(empty.Transactions), len(c.Mempool()))
	}
	lost, mined, err := c.Reorg(2)
	if err != nil || len(lost) != 2 || len(mined) != 3 || lost[0] != b || mined[0].Header.PrevBlock != first.Hash {
		t.Fatalf("a reorg lost %v for %v: %v", lost, mined, err)
	}
	if len(c.Mempool()) != 1 || c.Mempool()[0] != tx {
		t.Errorf("the mempool is %v", c.Mempool())
	}
	if c.At(1) != mined[0] || c.At(3) != c.Tip() || c.At(4) != nil || c.At(-1) != nil || c.Block(b.Hash) != b {
		t.Error("the active chain is not that of the new blocks, or the old ones are gone")
	}
	if again := c.Mine(); !again.Holds(tx.TxHash()) || again.Height != 4 {
		t.Errorf("block %d doesn't hold it", again.Height)
	}
}

// TestBlocksAreWhole reads each block from its bytes: each names the one before it.
func TestBlocksAreWhole(t *testing.T) {
	c := simchain.New()
	for range 3 {
		if _, err := c.Pay(simchain.NewAddress().EncodeAddress(), 5_000_000_000); err != nil {
			t.Fatal(err)
		}
		c.Mine()
	}
	for h := range int64(3) {
		b, next := c.At(h), c.At(h+1)
		var raw bytes.Buffer
		if err := b.Serialize(&raw); err != nil {
			t.Fatal(err)
		}
		var read wire.MsgBlock
		if err := read.Deserialize(&raw); err != nil {
			t.Fatal(err)
		}
		hash := read.BlockHash()
		if hash != b.Hash || next.Header.PrevBlock != hash || next.Header.Timestamp.Before(b.Header.Timestamp) {
			t.Errorf("block %d is %s, and the next follows %s", h, hash, next.Header.PrevBlock)
		}
	}
}

func TestRefused(t *testing.T) {
	c := simchain.New()
	c.Mine()
	for _, pay := range []struct {
		to  string
		sat int64
	}{{"bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", 1}, {"nowhere", 1}, {simchain.NewAddress().EncodeAddress(), 0}} {
		if _, err := c.Pay(pay.to, pay.sat); err == nil {
			t.Errorf("%d sat went to %s", pay.sat, pay.to)
		}
	}
	for _, depth := range []int{-1, 0, 2} {
		if _, _, err := c.Reorg(depth); err == nil {
			t.Errorf("a reorg of %d blocks was made of 1", depth)
		}
	}
}
