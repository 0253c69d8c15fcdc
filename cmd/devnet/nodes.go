package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/lightningnetwork/lnd/lnrpc"

	"sandglass/cmd/devnet/tour"
	"sandglass/cmd/devnet/tour/host"
	"sandglass/domain/money"
	"sandglass/testutil/devnet"
)

// nodes is the private network of real nodes, for a tour: bob pays alice.
type nodes struct {
	*devnet.Network // nil before it is started
	progress        io.Writer
}

var _ tour.Network = (*nodes)(nil)

func (n *nodes) start(ctx context.Context) (tour.Network, string, error) {
	var err error
	n.Network, err = devnet.Start(ctx, devnet.Options{Progress: n.progress})
	return n, "bob has a channel of 10 BTC to alice", err
}

// leaveInfo leaves the file by which another devnet command finds the network, and returns
// that command.
func (n *nodes) leaveInfo() (command string, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	data, err := json.MarshalIndent(n.Info(), "", "  ")
	if err != nil {
		return "", err
	}
	path := filepath.Join(n.Dir(), "devnet.json")
	return host.Quote(self) + " --info " + host.Quote(path), writeWhole(path, data)
}

// Payee implements [tour.Lightning].
func (n *nodes) Payee() string { return n.Alice.Pubkey }

// Decode implements [tour.Lightning].
func (n *nodes) Decode(ctx context.Context, request string) (tour.Invoice, error) {
	inv, err := n.Bob.Lightning.DecodePayReq(ctx, &lnrpc.PayReqString{PayReq: request})
	if err != nil {
		return tour.Invoice{}, err
	}
	return tour.Invoice{Hash: inv.PaymentHash, Payee: inv.Destination, Amount: money.Msat(inv.NumMsat)}, nil
}

// Pay implements [tour.Lightning].
func (n *nodes) Pay(ctx context.Context, request string) error {
	_, err := n.Bob.Pay(ctx, request)
	return err
}

// Wallet implements [tour.Lightning].
func (n *nodes) Wallet() (string, error) {
	info := n.Info()
	lncli := fmt.Sprintf("%s --network=regtest --rpcserver=%s --lnddir=%s",
		host.Quote(info.Lncli), info.Bob.GRPC, host.Quote(info.Bob.Dir))
	return lncli + " payinvoice --json --force {} || " + lncli + " trackpayment --json {hash}", nil
}

// PayHeld implements [tour.Lightning].
func (n *nodes) PayHeld(ctx context.Context, request string) (back bool, err error) {
	_, err = n.Bob.Pay(ctx, request)
	var failed *devnet.PaymentFailed
	if errors.As(err, &failed) {
		return true, nil
	}
	return false, err
}

// Keysend implements [tour.Lightning].
func (n *nodes) Keysend(ctx context.Context, resource string, amount money.Msat) error {
	_, err := n.Bob.Keysend(ctx, n.Alice.Pubkey, int64(amount), recordOf(resource))
	return err
}

// Settled implements [tour.Lightning].
func (n *nodes) Settled(ctx context.Context) ([]tour.Invoice, error) {
	settled, err := n.Alice.SettledInvoices(ctx)
	return paidOf(settled), err
}

// paidOf is what lnd says was paid for invoices.
func paidOf(settled []*lnrpc.Invoice) (paid []tour.Invoice) {
	for _, inv := range settled {
		paid = append(paid, tour.Invoice{Hash: hex.EncodeToString(inv.RHash), Amount: money.Msat(inv.AmtPaidMsat)})
	}
	return paid
}

// Send implements [tour.Chain].
func (n *nodes) Send(ctx context.Context, address string, sat int64) (txid string, err error) {
	return n.Network.Send(ctx, address, sat)
}

// Reorg implements [tour.Chain].
func (n *nodes) Reorg(ctx context.Context, depth int) error {
	_, err := n.Network.Reorg(ctx, depth)
	return err
}
