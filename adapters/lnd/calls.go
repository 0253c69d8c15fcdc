package lnd

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"sandglass/domain/billing"
	"sandglass/domain/instant"
	"sandglass/domain/lightning"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/watch"

	"github.com/lightningnetwork/lnd/lnrpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Connect implements [lightning.Wallet].
func (c *Client) Connect(ctx context.Context) (watch.Identity, error) {
	c.watch.conn.Connect()
	if err := c.awake(ctx); err != nil {
		return watch.Identity{}, err
	}
	if c.issue != nil {
		c.issue.conn.Connect() // now that lnd answers
	}
	id, err := c.identify(ctx)
	if status.Code(errors.Unwrap(err)) == codes.DeadlineExceeded {
		return id, &watch.Trouble{Condition: watch.Syncing, Advice: adviceChain, Err: err}
	}
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.last = id
	}
	return id, err
}

// Check implements [lightning.Wallet]. An lnd whose chain's node is down still settles
// invoices, so that it is only not in step with the chain.
func (c *Client) Check(ctx context.Context) (watch.Identity, error) {
	if err := c.awake(ctx); err != nil {
		return watch.Identity{}, err
	}
	id, err := c.identify(ctx)
	if ctx.Err() == nil && status.Code(errors.Unwrap(err)) == codes.DeadlineExceeded {
		c.mu.Lock()
		defer c.mu.Unlock()
		id, err = c.last, nil
		id.Synced = false
	}
	return id, err
}

// awake asks the State service, which answers in every state and needs no macaroon.
func (c *Client) awake(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	answer, err := c.watch.state.GetState(ctx, &lnrpc.GetStateRequest{})
	if err != nil {
		return trouble(err)
	}
	return active(answer.State)
}

func (c *Client) identify(ctx context.Context) (watch.Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	info, err := c.watch.lightning.GetInfo(ctx, &lnrpc.GetInfoRequest{}, c.watch.right())
	if err != nil {
		return watch.Identity{}, trouble(err)
	}
	if raw, err := hex.DecodeString(info.IdentityPubkey); err != nil || len(raw) != 33 || len(info.Chains) != 1 {
		return watch.Identity{}, fmt.Errorf("lnd: GetInfo tells of node %.80q and %d chains", info.IdentityPubkey, len(info.Chains))
	}
	return watch.Identity{
		Node: strings.ToLower(info.IdentityPubkey), Network: info.Chains[0].Network, Synced: info.SyncedToChain,
	}, nil
}

// HeaderTime returns the time of the header of the last block that lnd has. Where it does not
// say, it is an error.
func (c *Client) HeaderTime(ctx context.Context) (instant.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	info, err := c.watch.lightning.GetInfo(ctx, &lnrpc.GetInfoRequest{}, c.watch.right())
	if err != nil {
		return 0, trouble(err)
	}
	if at := info.BestHeaderTimestamp; at > 0 && at <= int64(instant.Max)/1000 {
		return instant.Time(at * 1000), nil
	}
	return 0, fmt.Errorf("lnd: GetInfo tells of a block header of %d s", info.BestHeaderTimestamp)
}

// Settlements implements [lightning.Wallet]. It never asks for what was added: that would
// only bring everything twice.
func (c *Client) Settlements(ctx context.Context, after int64) iter.Seq2[lightning.Entry, error] {
	return func(yield func(lightning.Entry, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := c.watch.lightning.SubscribeInvoices(ctx, &lnrpc.InvoiceSubscription{SettleIndex: uint64(after)}, c.watch.right())
		for err == nil {
			var inv *lnrpc.Invoice
			if inv, err = stream.Recv(); err != nil {
				break
			}
			if inv.State == lnrpc.Invoice_SETTLED && !yield(entry(inv), nil) {
				return
			}
		}
		if ctx.Err() == nil {
			yield(lightning.Entry{}, trouble(err))
		}
	}
}

// Lookup implements [lightning.Wallet].
func (c *Client) Lookup(ctx context.Context, hash string) (lightning.Entry, error) {
	raw, err := hex.DecodeString(hash)
	if err != nil || len(raw) != 32 {
		return lightning.Entry{}, fmt.Errorf("%w: %.80q is no payment_hash", lightning.ErrNoInvoice, hash)
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	inv, err := c.watch.lightning.LookupInvoice(ctx, &lnrpc.PaymentHash{RHash: raw}, c.watch.right())
	switch {
	case err == nil:
		return entry(inv), nil
	case status.Code(err) == codes.NotFound, strings.Contains(err.Error(), "unable to locate invoice"):
		return lightning.Entry{}, lightning.ErrNoInvoice
	}
	return lightning.Entry{}, trouble(err)
}

// List implements [lightning.Wallet].
func (c *Client) List(ctx context.Context, from int64, limit int, backward bool) ([]lightning.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.ListTimeout)
	defer cancel()
	page, err := c.watch.lightning.ListInvoices(ctx, &lnrpc.ListInvoiceRequest{
		IndexOffset: uint64(from), NumMaxInvoices: uint64(limit), Reversed: backward,
	}, c.watch.right())
	if err != nil {
		return nil, trouble(err)
	}
	entries := make([]lightning.Entry, len(page.Invoices))
	for i, inv := range page.Invoices {
		entries[i] = entry(inv)
	}
	if backward {
		slices.Reverse(entries) // lnd gives a page's invoices upwards, either way
	}
	return entries, nil
}

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
