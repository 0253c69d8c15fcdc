package lnd

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"sandglass/domain/billing"
	"sandglass/domain/instant"
	"sandglass/domain/lightning"
	"sandglass/domain/money"
	"sandglass/domain/payment"

	"github.com/lightningnetwork/lnd/lnrpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/emptypb"
)

// maxMemo keeps an invoice small enough for a QR code that a phone can read.
const maxMemo = 200

// Invoice asks the wallet for an invoice; amount 0 leaves it to the payer. A memo is cut
// at 200 bytes. After an error it is open whether an invoice was made: one that nobody
// was shown is never paid.
func (c *Client) Invoice(ctx context.Context, amount money.Msat, memo string, expiry instant.Millis) (billing.Invoice, error) {
	if c.issue == nil {
		return billing.Invoice{}, errNoIssuer
	}
	if err := amount.Check(); err != nil || expiry < instant.Second {
		return billing.Invoice{}, errors.Join(err, fmt.Errorf(
			"lnd: an invoice of %s for %d ms: want 0 msat to 21 million bitcoin, and 1 s or more", amount, expiry))
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	c.issue.await(ctx)
	seconds := int64((expiry + instant.Second - 1) / instant.Second)
	answer, err := c.issue.lightning.AddInvoice(ctx, &lnrpc.Invoice{
		ValueMsat: int64(amount), Memo: cut(memo, maxMemo), Expiry: seconds, Private: true,
	}, c.issue.right())
	if err != nil {
		return billing.Invoice{}, trouble(err)
	}
	made, ok := stamp(answer.PaymentRequest)
	if len(answer.RHash) != 32 || !ok {
		return billing.Invoice{}, fmt.Errorf("lnd: AddInvoice answers with a payment_hash of %d bytes and %.40q",
			len(answer.RHash), answer.PaymentRequest)
	}
	hash := hex.EncodeToString(answer.RHash)
	return billing.Invoice{
		Key: payment.LightningKey(hash), Hash: hash, Request: answer.PaymentRequest, Amount: amount,
		Expiry: instant.Of(made.Add(time.Duration(seconds) * time.Second)),
	}, nil
}

// cut shortens s to n bytes, and leaves no half of a character.
func cut(s string, n int) string {
	return strings.ToValidUTF8(s[:min(len(s), n)], "")
}

// stamp reads when an invoice was made: the first seven characters, of five bits each,
// after the last '1' of its BOLT 11 text. So the expiry is the one that payers see.
func stamp(request string) (time.Time, bool) {
	const alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	i := strings.LastIndexByte(request, '1')
	if i < 0 || len(request) < i+8 {
		return time.Time{}, false
	}
	var seconds int64
	for _, c := range request[i+1 : i+8] {
		v := strings.IndexRune(alphabet, c)
		if v < 0 {
			return time.Time{}, false
		}
		seconds = seconds<<5 | int64(v)
	}
	return time.Unix(seconds, 0), true
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

// cancelInvoice is a method of invoicesrpc, whose package would bring half of lnd with it: its
// request is written by hand, and its answer is empty.
const cancelInvoice = "/invoicesrpc.Invoices/CancelInvoice"

// Cancel implements [billing.Wallet]. lnd cancels what was accepted and is not settled too, so
// it is asked for its state first: what is being paid is not taken away. In the moment between
// the two it can be accepted; then the payer gets it back, and nobody has lost anything.
func (c *Client) Cancel(ctx context.Context, key payment.Key) error {
	if c.issue == nil {
		return errNoIssuer
	}
	hash, _ := key.Hash()
	raw, err := hex.DecodeString(hash)
	if err != nil || len(raw) != 32 {
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
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	request := new(emptypb.Empty)
	request.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), raw))
	err = c.issue.conn.Invoke(ctx, cancelInvoice, request, new(emptypb.Empty), c.issue.right())
	if err != nil && strings.Contains(err.Error(), "already settled") {
		return billing.ErrPaid
	}
	if err != nil {
		return trouble(err)
	}
	return nil
}
