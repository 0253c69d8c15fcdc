package fakelnd

import (
	"context"

	"github.com/lightningnetwork/lnd/lnrpc/chainrpc"
)

// kit is as much of the chain as a node has whose chain is empty. What it doesn't know
// can fail and hang as all calls can.
type kit struct {
	chainrpc.UnimplementedChainKitServer
}

// GetBestBlock implements [chainrpc.ChainKitServer].
func (*kit) GetBestBlock(context.Context, *chainrpc.GetBestBlockRequest) (*chainrpc.GetBestBlockResponse, error) {
	return &chainrpc.GetBestBlockResponse{BlockHash: make([]byte, 32)}, nil
}
