package fakelnd

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"sandglass/testutil/fakelnd/bolt11"
	"sandglass/testutil/fakelnd/queue"

	"github.com/lightningnetwork/lnd/lnrpc"
)

// holding answers invoicesrpc.
type holding struct{ *Lnd }

// AddHold implements [invoices.Node].
func (l holding) AddHold(in *lnrpc.Invoice) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case len(in.RHash) != 32 || in.CltvExpiry != 0 && in.CltvExpiry < 24:
		return "", fmt.Errorf("CLTV delta of %d must be greater than minimum of 24", in.CltvExpiry)
	case l.db.find(in.RHash) != nil:
		return "", errors.New("invoice with payment hash already exists")
	}
	in.Value, in.CreationDate, in.Expiry = in.ValueMsat/1000, time.Now().Unix(), cmp.Or(in.Expiry, 86400)
	in.PaymentAddr = slices.Clone(in.RHash)
	var err error
	if in.PaymentRequest, err = bolt11.Encode(l.key, in); err != nil {
		return "", err
	}
	l.db.add(in)
	l.dispatch(in, "")
	return in.PaymentRequest, nil
}

// SettleHeld implements [invoices.Node].
func (l holding) SettleHeld(preimage []byte) error {
	hash := sha256.Sum256(preimage)
	l.mu.Lock()
	defer l.mu.Unlock()
	row := l.db.find(hash[:])
	switch {
	case row == nil:
		return errors.New("unable to locate invoice")
	case row.State == lnrpc.Invoice_OPEN:
		return errors.New("invoice still open")
	case row.State == lnrpc.Invoice_CANCELED:
		return errors.New("invoice already canceled")
	case row.State == lnrpc.Invoice_SETTLED:
		return nil
	}
	row.RPreimage = preimage
	l.settle(row)
	return nil
}

// CancelHeld implements [invoices.Node].
func (l holding) CancelHeld(hash []byte) error { return l.Cancel(hex.EncodeToString(hash)) }

// FollowInvoice implements [invoices.Node].
func (l holding) FollowInvoice(ctx context.Context, hash []byte, send func(*lnrpc.Invoice) error) error {
	q := queue.New[*lnrpc.Invoice]()
	l.mu.Lock()
	row := l.db.find(hash)
	if row == nil {
		l.mu.Unlock()
		return errors.New("unable to locate invoice")
	}
	q.Add(shown(row))
	l.followers[q] = string(hash)
	ending := l.ending
	l.mu.Unlock()
	defer l.change(func() { delete(l.followers, q) })
	return queue.Serve(ctx, &l.mu, q, ending, send)
}

// follow tells those who follow an invoice how it is. The caller holds the mutex.
func (l *Lnd) follow(row *lnrpc.Invoice) {
	for q, hash := range l.followers {
		if hash == string(row.RHash) {
			q.Add(shown(row))
		}
	}
}

// Held returns how much is held for an invoice, and what became of it.
func (l *Lnd) Held(hash string) (state lnrpc.Invoice_InvoiceState, msat int64) {
	_ = l.on(hash, func(row *lnrpc.Invoice) error {
		state = row.State
		for _, h := range row.Htlcs {
			if h.State == lnrpc.InvoiceHTLCState_ACCEPTED {
				msat += int64(h.AmtMsat)
			}
		}
		return nil
	})
	return state, msat
}
