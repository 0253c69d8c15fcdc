package fakelnd

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/lightningnetwork/lnd/lnrpc"
	"github.com/lightningnetwork/lnd/lnrpc/chainrpc"
)

// The node's chain has its first block, and no other will come: what happens on a chain
// is for real nodes to show. Its calls can fail and hang as all can.

var genesis = chaincfg.RegressionNetParams.GenesisHash

type kit struct {
	chainrpc.UnimplementedChainKitServer
}

// GetBestBlock implements [chainrpc.ChainKitServer].
func (*kit) GetBestBlock(context.Context, *chainrpc.GetBestBlockRequest) (*chainrpc.GetBestBlockResponse, error) {
	return &chainrpc.GetBestBlockResponse{BlockHash: genesis[:]}, nil
}

// GetBlockHash implements [chainrpc.ChainKitServer].
func (*kit) GetBlockHash(_ context.Context, in *chainrpc.GetBlockHashRequest) (*chainrpc.GetBlockHashResponse, error) {
	if in.BlockHeight != 0 {
		return nil, fmt.Errorf("-1: Block number out of range") // btcd's words
	}
	return &chainrpc.GetBlockHashResponse{BlockHash: genesis[:]}, nil
}

type notifier struct {
	chainrpc.UnimplementedChainNotifierServer
	*Lnd
}

// RegisterBlockEpochNtfn implements [chainrpc.ChainNotifierServer].
func (n *notifier) RegisterBlockEpochNtfn(_ *chainrpc.BlockEpoch, stream chainrpc.ChainNotifier_RegisterBlockEpochNtfnServer) error {
	if err := stream.Send(&chainrpc.BlockEpoch{Hash: genesis[:]}); err != nil {
		return err
	}
	return n.quiet(stream.Context())
}

// SubscribeTransactions implements [lnrpc.LightningServer].
func (l *lightning) SubscribeTransactions(_ *lnrpc.GetTransactionsRequest, stream lnrpc.Lightning_SubscribeTransactionsServer) error {
	return l.quiet(stream.Context())
}

// quiet is a stream that tells nothing until it ends.
func (l *Lnd) quiet(ctx context.Context) error {
	l.mu.Lock()
	ending := l.ending
	l.mu.Unlock()
	select {
	case <-ending:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// GetTransactions implements [lnrpc.LightningServer].
func (l *lightning) GetTransactions(context.Context, *lnrpc.GetTransactionsRequest) (*lnrpc.TransactionDetails, error) {
	return &lnrpc.TransactionDetails{}, nil
}

// NewAddress implements [lnrpc.LightningServer]. Nobody has a key to what it gives.
func (l *lightning) NewAddress(context.Context, *lnrpc.NewAddressRequest) (*lnrpc.NewAddressResponse, error) {
	hash := make([]byte, 20)
	rand.Read(hash)
	addr, err := btcutil.NewAddressWitnessPubKeyHash(hash, &chaincfg.RegressionNetParams)
	if err != nil {
		return nil, err
	}
	return &lnrpc.NewAddressResponse{Address: addr.EncodeAddress()}, nil
}
