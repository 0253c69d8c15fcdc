package lnd

import (
	"context"
	"crypto/rand"
	"crypto/sha256"

	"github.com/lightningnetwork/lnd/lnrpc"

	"sandglass/testutil/devnet/process"
)

// Invoice adds an invoice; msat may be 0 for one without an amount. For all else
// that an invoice can be there is d.Lightning.AddInvoice.
func (d *Node) Invoice(ctx context.Context, msat int64, memo string) (*lnrpc.AddInvoiceResponse, error) {
	return d.Lightning.AddInvoice(ctx, &lnrpc.Invoice{ValueMsat: msat, Memo: memo})
}

// AMPInvoice adds an invoice that [Node.PayAMP] can pay many times.
func (d *Node) AMPInvoice(ctx context.Context, msat int64, memo string) (*lnrpc.AddInvoiceResponse, error) {
	return d.Lightning.AddInvoice(ctx, &lnrpc.Invoice{ValueMsat: msat, Memo: memo, IsAmp: true})
}

// A Hold is an invoice whose payments are accepted and kept waiting, until they
// are settled or cancelled by hand.
type Hold struct {
	PaymentRequest string
	Hash           []byte
	Preimage       []byte
}

// HoldInvoice adds a hold invoice.
func (d *Node) HoldInvoice(ctx context.Context, msat int64, memo string) (*Hold, error) {
	preimage := make([]byte, 32)
	rand.Read(preimage)
	hash := sha256.Sum256(preimage)
	var request fields
	request.bytes(1, []byte(memo))
	request.bytes(2, hash[:])
	request.varint(10, uint64(msat))
	if err := d.call(ctx, "/invoicesrpc.Invoices/AddHoldInvoice", request); err != nil {
		return nil, err
	}
	inv, err := d.Lightning.LookupInvoice(ctx, &lnrpc.PaymentHash{RHash: hash[:]})
	if err != nil {
		return nil, err
	}
	return &Hold{inv.PaymentRequest, hash[:], preimage}, nil
}

// Settle takes the payment that a hold invoice has accepted.
func (d *Node) Settle(ctx context.Context, h *Hold) error {
	var request fields
	request.bytes(1, h.Preimage)
	return d.call(ctx, "/invoicesrpc.Invoices/SettleInvoice", request)
}

// Cancel cancels an invoice by its hash, and gives back what it has accepted.
func (d *Node) Cancel(ctx context.Context, hash []byte) error {
	var request fields
	request.bytes(1, hash)
	return d.call(ctx, "/invoicesrpc.Invoices/CancelInvoice", request)
}

// WaitInvoice waits until the invoice with this hash is in state.
func (d *Node) WaitInvoice(ctx context.Context, hash []byte, state lnrpc.Invoice_InvoiceState) (*lnrpc.Invoice, error) {
	ctx, cancel := process.Step(ctx) // which ends the stream
	defer cancel()
	var request fields
	request.bytes(2, hash)
	recv, err := follow[lnrpc.Invoice](ctx, d, "/invoicesrpc.Invoices/SubscribeSingleInvoice", request)
	if err != nil {
		return nil, err
	}
	return recvUntil(recv, func(inv *lnrpc.Invoice) bool { return inv.State == state })
}

// SettledInvoices returns every invoice that was paid, in the order in which they
// were added: the node's own account of what it got. An AMP invoice is among them
// if one of its sets was settled, though lnd calls it open.
func (d *Node) SettledInvoices(ctx context.Context) (settled []*lnrpc.Invoice, err error) {
	all, err := d.AllInvoices(ctx)
	for _, inv := range all {
		if isSettled(inv) {
			settled = append(settled, inv)
		}
	}
	return settled, err
}

// AllInvoices returns every invoice of the node, paid or not, in the order in which they
// were added.
func (d *Node) AllInvoices(ctx context.Context) (all []*lnrpc.Invoice, err error) {
	const page = 1000
	for offset := uint64(0); ; {
		resp, err := d.Lightning.ListInvoices(ctx, &lnrpc.ListInvoiceRequest{IndexOffset: offset, NumMaxInvoices: page})
		if err != nil {
			return nil, err
		}
		all = append(all, resp.Invoices...)
		if len(resp.Invoices) < page {
			return all, nil
		}
		offset = resp.LastIndexOffset
	}
}

func isSettled(inv *lnrpc.Invoice) bool {
	for _, set := range inv.AmpInvoiceState {
		if set.State == lnrpc.InvoiceHTLCState_SETTLED {
			return true
		}
	}
	return inv.State == lnrpc.Invoice_SETTLED
}
