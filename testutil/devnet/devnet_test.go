package devnet_test

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/lightningnetwork/lnd/lnrpc"
	"golang.org/x/sync/errgroup"

	"sandglass/testutil/devnet"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(helperEnv); role != "" {
		helper(role)
	}
	devnet.Run(m)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func lookup(t *testing.T, d *devnet.Node, hash []byte) *lnrpc.Invoice {
	t.Helper()
	inv, err := d.Lightning.LookupInvoice(t.Context(), &lnrpc.PaymentHash{RHash: hash})
	check(t, err)
	return inv
}

func TestBobPaysAlice(t *testing.T) {
	net, ctx := devnet.Shared(t), t.Context()
	for _, tc := range []struct {
		name       string
		asks, pays int64
	}{
		{"what the invoice asks", 21_001, 0},
		{"an invoice without an amount", 0, 777_500},
		{"more than it asks", 10_000, 10_001},
	} {
		inv, err := net.Alice.Invoice(ctx, tc.asks, tc.name)
		check(t, err)
		want := tc.pays
		if want == 0 {
			want = tc.asks
			_, err = net.Bob.Pay(ctx, inv.PaymentRequest)
		} else {
			_, err = net.Bob.PayAmount(ctx, inv.PaymentRequest, tc.pays)
		}
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		if got := lookup(t, net.Alice, inv.RHash); got.State != lnrpc.Invoice_SETTLED || got.AmtPaidMsat != want {
			t.Errorf("%s: invoice is %s with %d msat, want %d settled", tc.name, got.State, got.AmtPaidMsat, want)
		}
	}
}

func TestAliceRefusesTooLittle(t *testing.T) {
	net, ctx := devnet.Shared(t), t.Context()
	inv, err := net.Alice.Invoice(ctx, 10_000, "")
	check(t, err)
	_, err = net.Bob.PayAmount(ctx, inv.PaymentRequest, 9_999)
	failed := new(devnet.PaymentFailed)
	if !errors.As(err, &failed) ||
		failed.Payment.FailureReason != lnrpc.PaymentFailureReason_FAILURE_REASON_INCORRECT_PAYMENT_DETAILS {
		t.Fatalf("paying too little: %v", err)
	}
}

func TestBobPaysInParts(t *testing.T) {
	net, ctx := devnet.Shared(t), t.Context()
	inv, err := net.Alice.Invoice(ctx, 100_000_000, "parts")
	check(t, err)
	_, err = net.Bob.Pay(ctx, inv.PaymentRequest, devnet.InParts(4, 25_000_000))
	check(t, err)
	if got := len(lookup(t, net.Alice, inv.RHash).Htlcs); got != 4 {
		t.Errorf("paid in %d parts, want 4", got)
	}
}

func TestAlicePaysBob(t *testing.T) {
	net, ctx := devnet.Shared(t), t.Context()
	inv, err := net.Bob.Invoice(ctx, 1_000_000, "refund")
	check(t, err)
	_, err = net.Alice.Pay(ctx, inv.PaymentRequest)
	check(t, err)
}

// TestSixteenPayers is the load that other packages put on the channel.
func TestSixteenPayers(t *testing.T) {
	net, ctx := devnet.Shared(t), t.Context()
	before, err := net.Alice.SettledInvoices(ctx)
	check(t, err)
	const payers, each = 16, 4
	g, ctx := errgroup.WithContext(ctx)
	for range payers {
		g.Go(func() error {
			for i := range each {
				inv, err := net.Alice.Invoice(ctx, 1_000, fmt.Sprint(i))
				if err != nil {
					return err
				}
				if _, err := net.Bob.Pay(ctx, inv.PaymentRequest); err != nil {
					return err
				}
			}
			return nil
		})
	}
	check(t, g.Wait())
	after, err := net.Alice.SettledInvoices(t.Context())
	check(t, err)
	if got := len(after) - len(before); got != payers*each {
		t.Errorf("alice settled %d, want %d", got, payers*each)
	}
}

func TestKeysendTwiceWithOnePreimage(t *testing.T) {
	net, ctx := devnet.Shared(t), t.Context()
	var preimage [32]byte
	rand.Read(preimage[:])
	hash := sha256.Sum256(preimage[:])
	records := map[uint64][]byte{0x676c6173: []byte("vm-1")}
	for range 2 {
		_, err := net.Bob.Keysend(ctx, net.Alice.Pubkey, 5_000, records, devnet.WithPreimage(preimage))
		check(t, err)
	}
	inv := lookup(t, net.Alice, hash[:])
	if len(inv.Htlcs) != 2 {
		t.Errorf("alice has %d HTLCs for the hash, want 2", len(inv.Htlcs))
	}
	for _, htlc := range inv.Htlcs {
		if got := string(htlc.CustomRecords[0x676c6173]); got != "vm-1" || htlc.State != lnrpc.InvoiceHTLCState_SETTLED {
			t.Errorf("HTLC is %s with record %q", htlc.State, got)
		}
	}
}

func TestAMPPaidTwice(t *testing.T) {
	net, ctx := devnet.Shared(t), t.Context()
	inv, err := net.Alice.AMPInvoice(ctx, 0, "again and again")
	check(t, err)
	for range 2 {
		_, err := net.Bob.PayAMP(ctx, inv.PaymentRequest, 5_000_000)
		check(t, err)
	}
	got := lookup(t, net.Alice, inv.RHash)
	if len(got.AmpInvoiceState) != 2 || got.AmtPaidMsat != 10_000_000 {
		t.Errorf("%d sets worth %d msat, want 2 worth 10000000", len(got.AmpInvoiceState), got.AmtPaidMsat)
	}
}

func TestSpontaneousAMP(t *testing.T) {
	net, ctx := devnet.Shared(t), t.Context()
	before, err := net.Alice.SettledInvoices(ctx)
	check(t, err)
	_, err = net.Bob.SendAMP(ctx, net.Alice.Pubkey, 3_000_000, map[uint64][]byte{0x676c6173: []byte("vm-1")})
	check(t, err)
	after, err := net.Alice.SettledInvoices(ctx)
	check(t, err)
	if len(after) != len(before)+1 || !after[len(after)-1].IsAmp {
		t.Errorf("alice settled %d, want %d, the last by AMP", len(after), len(before)+1)
	}
}

func TestHoldInvoice(t *testing.T) {
	net, ctx := devnet.Shared(t), t.Context()
	for _, tc := range []struct {
		end   lnrpc.Invoice_InvoiceState
		doing func(*devnet.Hold) error
		pays  bool
	}{
		{lnrpc.Invoice_SETTLED, func(h *devnet.Hold) error { return net.Alice.Settle(ctx, h) }, true},
		{lnrpc.Invoice_CANCELED, func(h *devnet.Hold) error { return net.Alice.Cancel(ctx, h.Hash) }, false},
	} {
		hold, err := net.Alice.HoldInvoice(ctx, 2_000_000, "deposit")
		check(t, err)
		paid := make(chan error, 1)
		go func() {
			_, err := net.Bob.Pay(ctx, hold.PaymentRequest)
			paid <- err
		}()
		_, err = net.Alice.WaitInvoice(ctx, hold.Hash, lnrpc.Invoice_ACCEPTED)
		check(t, err)
		check(t, tc.doing(hold))
		_, err = net.Alice.WaitInvoice(ctx, hold.Hash, tc.end)
		check(t, err)
		if err := <-paid; (err == nil) != tc.pays {
			t.Errorf("%s: bob's payment: %v", tc.end, err)
		}
	}
}

func TestPaymentOnChain(t *testing.T) {
	net, ctx := devnet.Shared(t), t.Context()
	addr, err := net.Alice.Address(ctx)
	check(t, err)
	txid, err := net.Send(ctx, addr, 100_000, 200_000)
	check(t, err)
	check(t, net.Mine(ctx, 3))
	txs, err := net.Alice.Lightning.GetTransactions(ctx, &lnrpc.GetTransactionsRequest{})
	check(t, err)
	for _, tx := range txs.Transactions {
		if tx.TxHash == txid && tx.Amount == 300_000 && tx.NumConfirmations == 3 {
			return
		}
	}
	t.Errorf("alice doesn't have %s of 300000 sat with 3 confirmations: %v", txid, txs.Transactions)
}
