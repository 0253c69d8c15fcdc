package devnet

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/lightningnetwork/lnd/lnrpc"
)

// fundBob gives bob the channel's money, and some outputs to pay on chain from.
// Alice's wallet stays empty.
func (n *Network) fundBob(ctx context.Context) error {
	addr, err := n.Bob.Address(ctx)
	if err != nil {
		return err
	}
	if _, err := n.Send(ctx, addr, n.opts.ChannelSat+btc/100, btc, btc, btc, btc); err != nil {
		return err
	}
	return n.Mine(ctx, 1)
}

// openChannel opens the channel from bob to alice, deeper than any reorg reaches,
// and waits until both can use it.
func (n *Network) openChannel(ctx context.Context) error {
	if err := n.connect(ctx); err != nil {
		return err
	}
	pubkey, err := hex.DecodeString(n.Alice.Pubkey)
	if err != nil {
		return err
	}
	opening, cancel := step(ctx) // which ends the stream
	defer cancel()
	updates, err := n.Bob.Lightning.OpenChannel(opening, &lnrpc.OpenChannelRequest{
		NodePubkey:         pubkey,
		LocalFundingAmount: n.opts.ChannelSat,
		PushSat:            n.opts.PushSat,
		SatPerVbyte:        2,
	})
	if err != nil {
		return err
	}
	for {
		update, err := updates.Recv()
		if err != nil {
			return err
		}
		if update.GetChanPending() != nil {
			break
		}
	}
	if err := n.Mine(ctx, 1+MaxDepth); err != nil {
		return err
	}
	return n.WaitChannel(ctx)
}

// connect connects bob to alice, unless they are connected.
func (n *Network) connect(ctx context.Context) error {
	return n.Bob.proc.until(ctx, "bob is connected to alice", func(ctx context.Context) error {
		peers, err := n.Bob.Lightning.ListPeers(ctx, &lnrpc.ListPeersRequest{})
		if err != nil {
			return err
		}
		for _, peer := range peers.Peers {
			if peer.PubKey == n.Alice.Pubkey {
				return nil
			}
		}
		_, err = n.Bob.Lightning.ConnectPeer(ctx, &lnrpc.ConnectPeerRequest{
			Addr: &lnrpc.LightningAddress{Pubkey: n.Alice.Pubkey, Host: n.Alice.P2P},
		})
		return errors.Join(err, errors.New("connecting"))
	})
}

// WaitChannel waits until both ends of the channel can pay, after a restart too:
// it connects them by hand, which is sooner than they would.
func (n *Network) WaitChannel(ctx context.Context) error {
	return n.Bob.proc.until(ctx, "the channel is active", func(ctx context.Context) error {
		if err := n.connect(ctx); err != nil {
			return err
		}
		return errors.Join(n.Bob.canPay(ctx), n.Alice.canPay(ctx))
	})
}

// canPay is nil if the node has an active channel that its own router knows,
// which it does a second later than it says that it is active.
func (d *Node) canPay(ctx context.Context) error {
	channels, err := d.Lightning.ListChannels(ctx, &lnrpc.ListChannelsRequest{ActiveOnly: true})
	if err != nil {
		return err
	}
	if len(channels.Channels) == 0 {
		return fmt.Errorf("%s has no active channel", d.Name)
	}
	c := channels.Channels[0] // there is one at most
	edge, err := d.Lightning.GetChanInfo(ctx, &lnrpc.ChanInfoRequest{ChanId: c.ChanId})
	if err != nil {
		return err
	}
	if edge.Node1Policy == nil || edge.Node2Policy == nil {
		return fmt.Errorf("%s doesn't know the channel's policies", d.Name)
	}
	return nil
}

// Address returns a new on-chain address of the node.
func (d *Node) Address(ctx context.Context) (string, error) {
	resp, err := d.Lightning.NewAddress(ctx, &lnrpc.NewAddressRequest{Type: lnrpc.AddressType_WITNESS_PUBKEY_HASH})
	return resp.GetAddress(), err
}

// SendCoins pays sat to addr from the node's wallet, on chain, and returns the
// transaction's id.
func (d *Node) SendCoins(ctx context.Context, addr string, sat int64) (txid string, err error) {
	resp, err := d.Lightning.SendCoins(ctx, &lnrpc.SendCoinsRequest{Addr: addr, Amount: sat, SatPerVbyte: 2})
	return resp.GetTxid(), err
}

// recvUntil reads a stream until stop says so.
func recvUntil[T any](recv func() (T, error), stop func(T) bool) (T, error) {
	for {
		msg, err := recv()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // a stream's end is no answer
		}
		if err != nil || stop(msg) {
			return msg, err
		}
	}
}
