package lnd_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"sandglass/adapters/lnd"
	"sandglass/domain/billing"
	"sandglass/domain/payment"
	"sandglass/testutil/devnet"
	"sandglass/testutil/fakelnd"

	"github.com/lightningnetwork/lnd/lnrpc"
	"google.golang.org/grpc"
)

// node is a wallet that can be paid: real or not, it does the same.
type node interface {
	config() lnd.Config
	identity() string
	pay(t *testing.T, inv billing.Invoice, msat int64)
	keysend(t *testing.T, preimage [32]byte, msat int64, records map[uint64][]byte)
	amp(t *testing.T) (inv billing.Invoice)
	payAMP(t *testing.T, inv billing.Invoice, msat int64)
	sendAMP(t *testing.T, msat int64, records map[uint64][]byte)
	hold(t *testing.T, msat int64) held
}

// held is a payment that is held until it is settled or cancelled.
type held struct {
	inv            billing.Invoice
	settle, cancel func()
}

// onBoth runs a test on the fake, and on a real lnd.
func onBoth(t *testing.T, test func(*testing.T, node)) {
	t.Run("fake", func(t *testing.T) { test(t, fakeNode{newFake(t)}) })
	t.Run("real", func(t *testing.T) { test(t, realNode{devnet.Shared(t)}) })
}

type fakeNode struct{ *fakelnd.Lnd }

func (n fakeNode) config() lnd.Config { return configOf(n.Lnd) }
func (n fakeNode) identity() string   { return n.Identity() }

func (n fakeNode) pay(t *testing.T, inv billing.Invoice, msat int64) {
	t.Helper()
	check(t, n.Pay(inv.Hash, msat))
}

func (n fakeNode) keysend(_ *testing.T, preimage [32]byte, msat int64, records map[uint64][]byte) {
	n.Keysend(preimage, msat, records)
}

func (n fakeNode) amp(*testing.T) billing.Invoice {
	hash := n.AddAMP(0)
	return billing.Invoice{Key: payment.LightningKey(hash), Hash: hash, Request: "lnbcrt1amp" + hash}
}

func (n fakeNode) payAMP(t *testing.T, inv billing.Invoice, msat int64) {
	t.Helper()
	must(n.PayAMP(inv.Hash, nil, msat))(t)
}

func (n fakeNode) sendAMP(_ *testing.T, msat int64, records map[uint64][]byte) {
	n.SpontaneousAMP(records, msat)
}

func (n fakeNode) hold(t *testing.T, msat int64) held {
	t.Helper()
	hash := n.Add(msat)
	check(t, n.Accept(hash, msat))
	return held{
		inv:    billing.Invoice{Key: payment.LightningKey(hash), Hash: hash, Request: "lnbcrt1hold" + hash},
		settle: func() { check(t, n.Settle(hash)) }, cancel: func() { check(t, n.Cancel(hash)) },
	}
}

type realNode struct{ *devnet.Network }

func (n realNode) identity() string { return n.Alice.Pubkey }

func (n realNode) config() lnd.Config {
	return lnd.Config{Addr: n.Alice.GRPC, TLSCert: n.Alice.TLSCert, WatchMacaroon: n.WatchMacaroon, IssueMacaroon: n.IssueMacaroon}
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func (n realNode) pay(t *testing.T, inv billing.Invoice, msat int64) {
	t.Helper()
	must(n.Bob.PayAmount(within(t), inv.Request, msat))(t)
}

func (n realNode) keysend(t *testing.T, preimage [32]byte, msat int64, records map[uint64][]byte) {
	t.Helper()
	must(n.Bob.Keysend(within(t), n.Alice.Pubkey, msat, records, devnet.WithPreimage(preimage)))(t)
}

func (n realNode) amp(t *testing.T) billing.Invoice {
	t.Helper()
	made := must(n.Alice.AMPInvoice(within(t), 0, t.Name()))(t)
	hash := hex.EncodeToString(made.RHash)
	return billing.Invoice{Key: payment.LightningKey(hash), Hash: hash, Request: made.PaymentRequest}
}

func (n realNode) payAMP(t *testing.T, inv billing.Invoice, msat int64) {
	t.Helper()
	// In parts, so that a set has more than one HTLC.
	must(n.Bob.PayAMP(within(t), inv.Request, msat, devnet.InParts(4, uint64(msat/2))))(t)
}

func (n realNode) sendAMP(t *testing.T, msat int64, records map[uint64][]byte) {
	t.Helper()
	must(n.Bob.SendAMP(within(t), n.Alice.Pubkey, msat, records))(t)
}

func (n realNode) hold(t *testing.T, msat int64) held {
	t.Helper()
	ctx := t.Context() // of a test, in which it is held for several steps
	h := must(n.Alice.HoldInvoice(ctx, msat, t.Name()))(t)
	paid := make(chan struct{})
	go func() {
		defer close(paid)
		_, _ = n.Bob.Pay(ctx, h.PaymentRequest) // it fails when it is cancelled
	}()
	must(n.Alice.WaitInvoice(ctx, h.Hash, lnrpc.Invoice_ACCEPTED))(t)
	hash := hex.EncodeToString(h.Hash)
	return held{
		inv:    billing.Invoice{Key: payment.LightningKey(hash), Hash: hash, Request: h.PaymentRequest},
		settle: func() { check(t, n.Alice.Settle(ctx, h)); <-paid },
		cancel: func() { check(t, n.Alice.Cancel(ctx, h.Hash)); <-paid },
	}
}

// preimageOf is a preimage that no other test, nor another run on the same network, has.
func preimageOf(t *testing.T) [32]byte {
	return sha256.Sum256([]byte(t.Name() + time.Now().String()))
}

// lndConn is a connection that sees what the client is to forget.
func lndConn(n node) (*grpc.ClientConn, error) {
	if r, ok := n.(realNode); ok {
		return r.Alice.Dial(r.Alice.AdminMacaroon)
	}
	f := n.(fakeNode)
	return (&devnet.Node{Info: devnet.NodeInfo{GRPC: f.Addr, TLSCert: f.TLSCert}}).Dial(f.AdminMacaroon)
}
