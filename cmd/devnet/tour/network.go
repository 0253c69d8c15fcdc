package tour

import (
	"context"

	"sandglass/domain/money"
)

// Network is a node with a wallet, which the daemon watches, somebody who pays it over
// Lightning, and a chain.
type Network interface {
	Lightning
	Chain

	Env() []string // settings of a daemon that watches the wallet, as NAME=VALUE
	Dir() string   // is gone after Close, and takes the daemon's files with it
	Close() error
}

// Lightning pays the wallet as a customer does.
type Lightning interface {
	Payee() string // the public key of the wallet's node
	Decode(ctx context.Context, request string) (Invoice, error)
	Pay(ctx context.Context, request string) error
	// Wallet returns a command of sh that pays an invoice, for which {} stands, and prints its preimage; {hash} is its hash.
	Wallet() (string, error)
	// PayHeld pays an invoice whose money is held, and reports whether it came back.
	PayHeld(ctx context.Context, request string) (back bool, err error)
	Keysend(ctx context.Context, resource string, amount money.Msat) error
	Settled(ctx context.Context) ([]Invoice, error) // with the amounts that were paid
}

// Invoice is what a BOLT 11 text asks, or what the wallet's node got for one.
type Invoice struct {
	Hash, Payee string
	Amount      money.Msat
}

// Chain is a chain on which the wallet can be paid. What is sent waits for the next block.
type Chain interface {
	Send(ctx context.Context, address string, sat int64) (txid string, err error)
	Mine(ctx context.Context, blocks int) error
	Reorg(ctx context.Context, depth int) error // replaces depth blocks by empty ones, and one more
}
