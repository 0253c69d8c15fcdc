package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lightningnetwork/lnd/lnrpc"
	"github.com/lightningnetwork/lnd/zpay32"
	"golang.org/x/sys/unix"

	"sandglass/cmd/devnet/tour"
	"sandglass/cmd/devnet/tour/host"
	"sandglass/domain/money"
	"sandglass/testutil/devnet"
	"sandglass/testutil/devnet/process"
	"sandglass/testutil/fakelnd"
	"sandglass/testutil/simchain"
)

// simulated says what a quick tour shows, and what not.
const simulated = `A quick tour: no Bitcoin or Lightning node runs.
  simulated  lnd and its wallet (fakelnd answers in its place), the channel and its payers,
             btcd and the chain: blocks without work, transactions without signatures
  real       sandglass: the daemon, its event log, HTTP API, command line and audit; the keeper and what it starts;
             the gRPC, TLS and macaroons between it and the wallet; BOLT 11 invoices, addresses, blocks
The same tour on real nodes: scripts/demo --once

`

// quick is the network of a quick tour: a node that says it was paid when it is told to.
type quick struct {
	node   *fakelnd.Lnd
	dir    *process.Dir
	wallet *os.File // what is to be paid, if somebody does so by a command
}

var _ tour.Network = (*quick)(nil)

// firstBlocks is how long the chain is at first, so that heights look like heights.
const firstBlocks = 100

func startQuick(context.Context) (tour.Network, string, error) {
	dir, err := process.NewDir("")
	if err != nil {
		return nil, "", err
	}
	node, err := fakelnd.New(dir.Path)
	if err != nil {
		return nil, "", errors.Join(err, dir.Remove())
	}
	node.Mine(firstBlocks)
	return &quick{node: node, dir: dir}, "fakelnd serves gRPC at " + node.Addr, nil
}

// Env implements [tour.Network].
func (q *quick) Env() []string {
	return []string{
		"SANDGLASS_LND_ADDR=" + q.node.Addr, "SANDGLASS_LND_TLS_CERT=" + q.node.TLSCert,
		"SANDGLASS_LND_WATCH_MACAROON=" + q.node.WatchMacaroon, "SANDGLASS_LND_ISSUE_MACAROON=" + q.node.IssueMacaroon,
	}
}

// Dir implements [tour.Network].
func (q *quick) Dir() string { return q.dir.Path }

// Close implements [tour.Network].
func (q *quick) Close() error {
	if q.wallet != nil {
		_ = q.wallet.Close() // nothing is written to it
	}
	q.node.Kill()
	return q.dir.Remove()
}

// Payee implements [tour.Lightning].
func (q *quick) Payee() string { return q.node.Identity() }

// Decode implements [tour.Lightning]. It checks the signature, as a payer's wallet does.
func (q *quick) Decode(_ context.Context, request string) (tour.Invoice, error) {
	inv, err := zpay32.Decode(request, simchain.Params)
	if err != nil {
		return tour.Invoice{}, err
	}
	if inv.MilliSat == nil {
		return tour.Invoice{}, errors.New("the invoice asks no amount")
	}
	return tour.Invoice{
		Hash:   hex.EncodeToString(inv.PaymentHash[:]),
		Payee:  hex.EncodeToString(inv.Destination.SerializeCompressed()),
		Amount: money.Msat(*inv.MilliSat),
	}, nil
}

// Pay implements [tour.Lightning].
func (q *quick) Pay(ctx context.Context, request string) error {
	inv, err := q.Decode(ctx, request)
	if err != nil {
		return err
	}
	return q.node.Pay(inv.Hash, int64(inv.Amount))
}

// Wallet implements [tour.Lightning]: the command has this process pay, by two pipes.
func (q *quick) Wallet() (string, error) {
	asks, says := filepath.Join(q.Dir(), "wallet.asks"), filepath.Join(q.Dir(), "wallet.says")
	if err := errors.Join(unix.Mkfifo(asks, 0o600), unix.Mkfifo(says, 0o600)); err != nil {
		return "", err
	}
	var err error
	if q.wallet, err = os.OpenFile(asks, os.O_RDWR, 0); err != nil { // both ends, so that it waits for nobody
		return "", err
	}
	go func() {
		for lines := bufio.NewScanner(q.wallet); lines.Scan(); {
			if to, err := os.OpenFile(says, os.O_WRONLY, 0); err == nil {
				fmt.Fprintln(to, q.preimage(lines.Text()))
				_ = to.Close() // whoever asked has it, or is gone
			}
		}
	}()
	return fmt.Sprintf("echo {} > %s; cat %s", host.Quote(asks), host.Quote(says)), nil
}

// preimage pays an invoice, and returns its preimage, or why there is none.
func (q *quick) preimage(request string) string {
	inv, err := q.Decode(context.Background(), request)
	if err == nil {
		err = q.node.Pay(inv.Hash, int64(inv.Amount))
	}
	for _, paid := range q.node.Settled() {
		if hex.EncodeToString(paid.RHash) == inv.Hash {
			return hex.EncodeToString(paid.RPreimage)
		}
	}
	return fmt.Sprint("it is not paid: ", err)
}

// PayHeld implements [tour.Lightning].
func (q *quick) PayHeld(ctx context.Context, request string) (back bool, err error) {
	inv, err := q.Decode(ctx, request)
	if err != nil {
		return false, err
	}
	if err := q.node.Accept(inv.Hash, int64(inv.Amount)); err != nil {
		return false, err
	}
	err = devnet.Until(ctx, "what is held is taken or given back", func(context.Context) error {
		state, msat := q.node.Held(inv.Hash)
		if back = state == lnrpc.Invoice_CANCELED; back || state == lnrpc.Invoice_SETTLED {
			return nil
		}
		return fmt.Errorf("%d msat are %s", msat, state)
	})
	return back, err
}

// Keysend implements [tour.Lightning].
func (q *quick) Keysend(_ context.Context, resource string, amount money.Msat) error {
	var preimage [32]byte
	rand.Read(preimage[:])
	q.node.Keysend(preimage, int64(amount), recordOf(resource))
	return nil
}

// Settled implements [tour.Lightning].
func (q *quick) Settled(context.Context) ([]tour.Invoice, error) {
	return paidOf(q.node.Settled()), nil
}

// Send implements [tour.Chain].
func (q *quick) Send(_ context.Context, address string, sat int64) (txid string, err error) {
	return q.node.Send(address, sat)
}

// Mine implements [tour.Chain].
func (q *quick) Mine(_ context.Context, blocks int) error {
	q.node.Mine(blocks)
	return nil
}

// Reorg implements [tour.Chain].
func (q *quick) Reorg(_ context.Context, depth int) error { return q.node.Reorg(depth) }
