package lnd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"sandglass/adapters/lnd/invoices"
	"sandglass/domain/billing"
	"sandglass/domain/instant"
	"sandglass/domain/lightning"
	"sandglass/domain/lightning/hold"
	"sandglass/domain/money"
	"sandglass/domain/payment"

	"github.com/lightningnetwork/lnd/lnrpc"
)

// maxMemo keeps an invoice small enough for a QR code that a phone can read.
const maxMemo = 200

// Invoice asks the wallet for an invoice; amount 0 leaves it to the payer. A description is cut
// at 200 bytes: lnd keeps it as the memo, also of an invoice that has the hash of a text in its
// place. After an error it is open whether an invoice was made: one that nobody was shown is never
// paid.
func (c *Client) Invoice(ctx context.Context, r billing.InvoiceRequest) (billing.Invoice, error) {
	seconds, err := c.mayIssue(r.Amount, r.Expiry)
	if err != nil {
		return billing.Invoice{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	c.issue.await(ctx)
	answer, err := c.issue.lightning.AddInvoice(ctx, &lnrpc.Invoice{
		ValueMsat: int64(r.Amount), Memo: cut(r.Description, maxMemo), DescriptionHash: r.Text, Expiry: seconds, Private: true,
	}, c.issue.right())
	if err != nil {
		return billing.Invoice{}, trouble(err)
	}
	return made("AddInvoice", answer.RHash, answer.PaymentRequest, r.Amount, seconds)
}

// mayIssue returns for how many seconds an invoice is to be made, or why none can be.
func (c *Client) mayIssue(amount money.Msat, expiry instant.Millis) (seconds int64, err error) {
	if c.issue == nil {
		return 0, errNoIssuer
	}
	if err := amount.Check(); err != nil || expiry < instant.Second {
		return 0, errors.Join(err, fmt.Errorf(
			"lnd: an invoice of %s for %d ms: want 0 msat to 21 million bitcoin, and 1 s or more", amount, expiry))
	}
	return int64((expiry + instant.Second - 1) / instant.Second), nil
}

// made is the invoice that lnd's answer to a call has made.
func made(call string, hash []byte, request string, amount money.Msat, seconds int64) (billing.Invoice, error) {
	at, ok := invoices.Made(request)
	if len(hash) != 32 || !ok {
		return billing.Invoice{}, fmt.Errorf("lnd: %s answers with a payment_hash of %d bytes and %.40q", call, len(hash), request)
	}
	text := hex.EncodeToString(hash)
	return billing.Invoice{
		Key: payment.LightningKey(text), Hash: text, Request: request, Amount: amount,
		Expiry: instant.Of(at.Add(time.Duration(seconds) * time.Second)),
	}, nil
}

// cut shortens s to n bytes, and leaves no half of a character.
func cut(s string, n int) string {
	return strings.ToValidUTF8(s[:min(len(s), n)], "")
}

// IsOpen implements [billing.Wallet].
func (c *Client) IsOpen(ctx context.Context, key payment.Key) (bool, error) {
	hash, _ := key.Hash()
	e, err := c.Lookup(ctx, hash)
	if errors.Is(err, lightning.ErrNoInvoice) {
		return false, nil
	}
	return err == nil && e.Status == lightning.EntryOpen, err
}

// Preimage returns the secret of an invoice with the hash of a text that is settled. lnd tells that of an
// open one too, to whoever may read: it stays here, and so does that of any other invoice, which may be half of
// a credential of whoever paid. All these are [lightning.ErrNoInvoice].
func (c *Client) Preimage(ctx context.Context, hash string) (preimage [32]byte, err error) {
	inv, err := c.lookup(ctx, hash)
	switch {
	case err != nil:
		return preimage, err
	case inv.State != lnrpc.Invoice_SETTLED || len(inv.RPreimage) != 32 || len(inv.DescriptionHash) == 0:
		return preimage, fmt.Errorf("%w: %s is not settled, or has no text's hash", lightning.ErrNoInvoice, hash)
	}
	preimage = [32]byte(inv.RPreimage)
	if sum := sha256.Sum256(preimage[:]); hex.EncodeToString(sum[:]) != hash {
		return [32]byte{}, fmt.Errorf("lnd: the preimage of %s is of another invoice", hash)
	}
	return preimage, nil
}

// Cancel implements [billing.Wallet]. lnd cancels what was accepted and is not settled too, so
// it is asked for its state first: what is being paid is not taken away. In the moment between
// the two it can be accepted; then the payer gets it back, and nobody has lost anything.
func (c *Client) Cancel(ctx context.Context, key payment.Key) error {
	if c.issue == nil {
		return errNoIssuer
	}
	hash, ok := key.Hash()
	if !ok {
		return fmt.Errorf("lnd: payment %.80q has no invoice", key)
	}
	switch e, err := c.Lookup(ctx, hash); {
	case errors.Is(err, lightning.ErrNoInvoice), err == nil && e.Status == lightning.EntryCanceled:
		return nil
	case err != nil:
		return err
	case e.Status != lightning.EntryOpen:
		return billing.ErrPaid
	}
	err := c.GiveBack(ctx, hash)
	if errors.Is(err, hold.ErrEnded) {
		return billing.ErrPaid
	}
	return err
}
