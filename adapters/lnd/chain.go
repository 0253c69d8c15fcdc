package lnd

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"sync"

	"sandglass/domain/billing"
	"sandglass/domain/chain"
	"sandglass/domain/chain/find"
	"sandglass/domain/watch"

	"github.com/lightningnetwork/lnd/lnrpc"
	"github.com/lightningnetwork/lnd/lnrpc/chainrpc"
)

var _ chain.Wallet = (*Client)(nil)

var errNoIssuer = errors.New("lnd: no macaroon that issues: set SANDGLASS_LND_ISSUE_MACAROON")

// NewAddress asks the wallet for an address that it has given to nobody, with a height at
// which nothing can have paid it yet. After an error it is open whether one was made: it
// was shown to nobody.
func (c *Client) NewAddress(ctx context.Context) (billing.Address, error) {
	if c.issue == nil {
		return billing.Address{}, errNoIssuer
	}
	id, err := c.who(ctx)
	if err != nil {
		return billing.Address{}, err
	}
	tip, err := c.Tip(ctx) // before the address is made, so that no block lies between
	if err != nil {
		return billing.Address{}, err
	}
	c.issue.await(ctx)
	// Every wallet can pay this type. Of the types UNUSED_*, lnd gives the same address
	// until it is paid: two customers would share it.
	answer, err := ask(ctx, c, c.issue, c.config.Timeout, "/lnrpc.Lightning/NewAddress",
		c.issue.lightning.NewAddress, &lnrpc.NewAddressRequest{Type: lnrpc.AddressType_WITNESS_PUBKEY_HASH})
	if err != nil {
		return billing.Address{}, err
	}
	if err := checkAddress(answer.Address, networks[id.Network]); err != nil {
		return billing.Address{}, fmt.Errorf("lnd: NewAddress answers with %.100q: %w", answer.Address, err)
	}
	return billing.Address{Address: answer.Address, Node: id.Node, Height: tip.Height}, nil
}

// FindAddress implements [billing.Finder].
func (c *Client) FindAddress(ctx context.Context, address string) (billing.Address, error) {
	id, err := c.who(ctx)
	if err != nil {
		return billing.Address{}, err
	}
	if err := checkAddress(address, networks[id.Network]); err != nil {
		return billing.Address{}, fmt.Errorf("%w: %.100q is no address of %s: %w", billing.ErrInvalid, address, id.Network, err)
	}
	height, err := find.FirstHeight(ctx, c, address)
	return billing.Address{Address: address, Node: id.Node, Height: height}, err
}

// who returns whose wallet it is, as the last Connect found it, and on a network that we
// know.
func (c *Client) who(ctx context.Context) (watch.Identity, error) {
	c.mu.Lock()
	id := c.last
	c.mu.Unlock()
	if id.Node == "" {
		var err error
		if id, err = c.identify(ctx); err != nil {
			return id, c.silent(ctx, err)
		}
		c.mu.Lock()
		c.last = id
		c.mu.Unlock()
	}
	if networks[id.Network] == nil {
		return id, fmt.Errorf("lnd: network %.40q has no addresses that are known here: set SANDGLASS_ON_CHAIN=false", id.Network)
	}
	return id, nil
}

// Tip implements [chain.Wallet].
func (c *Client) Tip(ctx context.Context) (chain.Tip, error) {
	answer, err := ask(ctx, c, c.watch, c.config.Timeout, "/chainrpc.ChainKit/GetBestBlock",
		c.watch.kit.GetBestBlock, &chainrpc.GetBestBlockRequest{})
	if err != nil {
		return chain.Tip{}, err
	}
	hash, err := hashText(answer.BlockHash)
	if err != nil || answer.BlockHeight < 0 {
		return chain.Tip{}, fmt.Errorf("lnd: GetBestBlock answers with height %d and a hash of %d bytes",
			answer.BlockHeight, len(answer.BlockHash))
	}
	return chain.Tip{Height: int64(answer.BlockHeight), Hash: hash}, nil
}

// BlockHash implements [chain.Wallet].
func (c *Client) BlockHash(ctx context.Context, height int64) (string, error) {
	if height > math.MaxInt32 {
		return "", nil // btcd would cut off its upper half
	}
	answer, err := ask(ctx, c, c.watch, c.config.Timeout, "/chainrpc.ChainKit/GetBlockHash",
		c.watch.kit.GetBlockHash, &chainrpc.GetBlockHashRequest{BlockHeight: height})
	if err == nil {
		hash, err := hashText(answer.BlockHash)
		if err != nil {
			return "", fmt.Errorf("lnd: GetBlockHash of height %d: %w", height, err)
		}
		return hash, nil
	}
	if _, ok := errors.AsType[*watch.Trouble](err); ok {
		return "", err
	}
	// Each chain's node has words of its own for a height that is too large.
	tip, tipErr := c.Tip(ctx)
	switch {
	case tipErr != nil:
		return "", tipErr
	case height > tip.Height:
		return "", nil
	}
	return "", err
}

// Block implements [chain.Wallet].
func (c *Client) Block(ctx context.Context, hash string) (chain.Block, error) {
	raw, err := hashBytes(hash)
	if err != nil {
		return chain.Block{}, fmt.Errorf("lnd: a block's hash %.80q: %w", hash, err)
	}
	id, err := c.who(ctx)
	if err != nil {
		return chain.Block{}, err
	}
	answer, err := ask(ctx, c, c.watch, c.config.ListTimeout, "/chainrpc.ChainKit/GetBlock",
		c.watch.kit.GetBlock, &chainrpc.GetBlockRequest{BlockHash: raw})
	if err != nil {
		return chain.Block{}, err
	}
	b, err := readBlock(answer.RawBlock, hash, networks[id.Network])
	if err != nil {
		return chain.Block{}, fmt.Errorf("lnd: GetBlock of %s: %w", hash, err)
	}
	return b, nil
}

const (
	methodTransactions = "/lnrpc.Lightning/SubscribeTransactions"
	methodEpochs       = "/chainrpc.ChainNotifier/RegisterBlockEpochNtfn"
)

// News implements [chain.Wallet]. What comes while the consumer is busy becomes one
// wake-up of each kind, so that lnd need not keep it.
func (c *Client) News(ctx context.Context) iter.Seq2[chain.News, error] {
	return func(yield func(chain.News, error) bool) {
		var readers sync.WaitGroup
		defer readers.Wait()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		err := c.news(ctx, &readers, func(n chain.News) bool { return yield(n, nil) })
		if err != nil && ctx.Err() == nil {
			yield(chain.News{}, err)
		}
	}
}

// news tells what comes until a stream ends, tell says no, or ctx ends. Its readers end
// with ctx.
func (c *Client) news(ctx context.Context, readers *sync.WaitGroup, tell func(chain.News) bool) error {
	// In this order: lnd tells of transactions only from now on, and of the tip at once,
	// so that whoever hears of the tip misses none.
	txs, err := c.watch.lightning.SubscribeTransactions(ctx, &lnrpc.GetTransactionsRequest{}, c.watch.right())
	if err != nil {
		return c.denied(c.watch, methodTransactions, trouble(err))
	}
	epochs, err := c.watch.notifier.RegisterBlockEpochNtfn(ctx, &chainrpc.BlockEpoch{}, c.watch.right())
	if err != nil {
		return c.denied(c.watch, methodEpochs, trouble(err))
	}
	tx, block, ended := make(chan struct{}, 1), make(chan struct{}, 1), make(chan error, 2)
	readers.Go(func() { ended <- c.denied(c.watch, methodTransactions, trouble(drain(txs.Recv, tx))) })
	readers.Go(func() { ended <- c.denied(c.watch, methodEpochs, trouble(drain(epochs.Recv, block))) })
	for {
		var n chain.News
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
			return nil
		case <-block:
			n.Block = true
		case <-tx:
		}
		if !tell(n) {
			return nil
		}
	}
}

// drain receives until the end, and leaves in wake that something came.
func drain[T any](recv func() (T, error), wake chan<- struct{}) error {
	for {
		if _, err := recv(); err != nil {
			return err
		}
		select {
		case wake <- struct{}{}:
		default: // it is told already
		}
	}
}
