package lnd

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/lightningnetwork/lnd/lnrpc"

	"sandglass/testutil/devnet/process"
)

// Connect connects the node to another, unless they are connected.
func (d *Node) Connect(ctx context.Context, other *Node) error {
	return d.Until(ctx, d.Name+" is connected to "+other.Name, func(ctx context.Context) error {
		peers, err := d.Lightning.ListPeers(ctx, &lnrpc.ListPeersRequest{})
		if err != nil {
			return err
		}
		for _, peer := range peers.Peers {
			if peer.PubKey == other.Pubkey {
				return nil
			}
		}
		_, err = d.Lightning.ConnectPeer(ctx, &lnrpc.ConnectPeerRequest{
			Addr: &lnrpc.LightningAddress{Pubkey: other.Pubkey, Host: other.P2P},
		})
		return errors.Join(err, errors.New("connecting"))
	})
}

// OpenChannel opens a channel of so many satoshi to another node, whose are push of them.
// It returns when the transaction that funds it is published.
func (d *Node) OpenChannel(ctx context.Context, other *Node, sat, push int64) error {
	pubkey, err := hex.DecodeString(other.Pubkey)
	if err != nil {
		return err
	}
	ctx, cancel := process.Step(ctx) // which ends the stream
	defer cancel()
	updates, err := d.Lightning.OpenChannel(ctx, &lnrpc.OpenChannelRequest{
		NodePubkey:         pubkey,
		LocalFundingAmount: sat,
		PushSat:            push,
		SatPerVbyte:        2,
	})
	if err != nil {
		return err
	}
	_, err = recvUntil(updates.Recv, func(u *lnrpc.OpenStatusUpdate) bool { return u.GetChanPending() != nil })
	return err
}

// Until calls try until it returns nil, or the node or ctx ends, as one step.
func (d *Node) Until(ctx context.Context, what string, try func(context.Context) error) error {
	return d.proc.Until(ctx, what, try)
}

// CanPay is nil if the node has an active channel that its own router knows,
// which it does a second later than it says that it is active.
func (d *Node) CanPay(ctx context.Context) error {
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
