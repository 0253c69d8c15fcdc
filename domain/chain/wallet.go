package chain

import (
	"context"
	"iter"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/watch"
)

// Wallet is what the watcher asks of a wallet and of the chain under it.
// Every call has a deadline of its own; an error that is a [*watch.Trouble] says in which
// condition the node is.
type Wallet interface {
	// Check says whose wallet it is, and whether it has seen the whole chain.
	Check(ctx context.Context) (watch.Identity, error)
	// News yields when a block came or a transaction touched the wallet: the tip at once,
	// then all that follows. What it tells is a wake-up, and may come twice, late or never.
	// It ends with an error, or when ctx does.
	News(ctx context.Context) iter.Seq2[News, error]
	// Tip returns the last block of the active chain.
	Tip(ctx context.Context) (Tip, error)
	// BlockHash returns the hash of the active chain's block at a height, or "" if the
	// chain is not that high.
	BlockHash(ctx context.Context, height int64) (string, error)
	// Block returns what a block holds, of the active chain or of a branch.
	Block(ctx context.Context, hash string) (Block, error)
	// Outputs returns the outputs that the wallet lists in the blocks of these heights,
	// both inclusive. The wallet may be wrong about the block, and list an output twice;
	// it may fail for a height for good, and then does so for every range that has it.
	Outputs(ctx context.Context, from, to int64) ([]Output, error)
	// Mempool returns the outputs that the wallet lists as in no block. Some of them may
	// have been dead for long.
	Mempool(ctx context.Context) ([]Output, error)
}

// News is what woke us.
type News struct {
	Block bool // else a transaction
}

// Tip is the end of the active chain.
type Tip struct {
	Height int64
	Hash   string
}

// Output is an output of a transaction that the wallet knows, of ours or not.
type Output struct {
	Txid    string
	Vout    uint32
	Address string // that it pays, or empty where its script has none
	Amount  money.Msat
	Height  int64  // of its block, 0 if it is in none
	Block   string // hash, or empty
	// Spends are the outpoints that its transaction spends, as txid:vout. They may be
	// unknown.
	Spends []string
	// Ours says that the wallet holds the key of the address, and Sent that it made the
	// transaction itself, such as change. Of what is read from a block neither is known.
	Ours, Sent bool
}

// IsDeposit reports whether somebody else paid an address of the wallet.
func (o *Output) IsDeposit() bool { return o.Ours && !o.Sent && o.Amount > 0 }

// Key returns the key of the payment that the output is.
func (o *Output) Key() payment.Key { return payment.ChainKey(o.Txid, o.Vout) }

// Block is what a block holds.
type Block struct {
	Time    instant.Time // of its header
	Outputs []Output     // of all of its transactions, with its hash and no height
	Spends  []string     // the outpoints that it spends, as txid:vout
}
