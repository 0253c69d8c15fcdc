package devnet

import (
	"context"
	"errors"

	"sandglass/testutil/devnet/btc"
)

const coin = 100_000_000 // sat

// fundBob gives bob the channel's money, and some outputs to pay on chain from.
// Alice's wallet stays empty.
func (n *Network) fundBob(ctx context.Context) error {
	addr, err := n.Bob.Address(ctx)
	if err != nil {
		return err
	}
	if _, err := n.Send(ctx, addr, n.opts.ChannelSat+coin/100, coin, coin, coin, coin); err != nil {
		return err
	}
	return n.Mine(ctx, 1)
}

// openChannel opens the channel from bob to alice, deeper than any reorg reaches,
// and waits until both can use it.
func (n *Network) openChannel(ctx context.Context) error {
	if err := n.Bob.Connect(ctx, n.Alice); err != nil {
		return err
	}
	if err := n.Bob.OpenChannel(ctx, n.Alice, n.opts.ChannelSat, n.opts.PushSat); err != nil {
		return err
	}
	if err := n.Mine(ctx, 1+btc.MaxDepth); err != nil {
		return err
	}
	return n.WaitChannel(ctx)
}

// WaitChannel waits until both ends of the channel can pay, after a restart too:
// it connects them by hand, which is sooner than they would.
func (n *Network) WaitChannel(ctx context.Context) error {
	return n.Bob.Until(ctx, "the channel is active", func(ctx context.Context) error {
		if err := n.Bob.Connect(ctx, n.Alice); err != nil {
			return err
		}
		return errors.Join(n.Bob.CanPay(ctx), n.Alice.CanPay(ctx))
	})
}
