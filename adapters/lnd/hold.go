package lnd

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"sandglass/adapters/lnd/entry"
	"sandglass/adapters/lnd/invoices"
	"sandglass/adapters/lnd/rights"
	"sandglass/domain/billing"
	"sandglass/domain/lightning/hold"
	"sandglass/domain/money"

	"github.com/lightningnetwork/lnd/lnrpc"
)

// HoldInvoice implements [billing.Holding], but for what carries it to its end.
func (c *Client) HoldInvoice(ctx context.Context, hash [32]byte, r billing.InvoiceRequest) (billing.Invoice, error) {
	seconds, err := c.mayIssue(r.Amount, r.Expiry)
	if err != nil {
		return billing.Invoice{}, err
	}
	if n := len(r.Description); n > maxMemo { // its preimage follows from all of it
		return billing.Invoice{}, fmt.Errorf("lnd: an invoice that is held is described by %d bytes, at most %d", n, maxMemo)
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	c.issue.await(ctx)
	request, err := invoices.Add(ctx, c.issue.conn, invoices.Hold{
		Hash: hash, Msat: int64(r.Amount), Memo: r.Description, Text: r.Text, Expiry: seconds, Blocks: hold.Blocks,
	}, c.issue.right())
	if err != nil {
		return billing.Invoice{}, trouble(err)
	}
	return made("AddHoldInvoice", hash[:], request, r.Amount, seconds)
}

// CanHold says which rights are missing for invoices whose money is held.
func (c *Client) CanHold() error {
	if c.issue == nil {
		return errNoIssuer
	}
	return errors.Join(
		c.watch.macaroon.wants("WATCH", "SubscribeSingleInvoice"),
		c.issue.macaroon.wants("ISSUE", "AddHoldInvoice", "SettleInvoice", "CancelInvoice"))
}

func (m *macaroonFile) wants(setting string, methods ...string) error {
	raw, err := m.read()
	if err != nil {
		return err
	}
	return rights.Want(raw, setting, methods...)
}

// Held implements [hold.Wallet].
func (c *Client) Held(ctx context.Context, hash string) (hold.Invoice, error) {
	inv, err := c.lookup(ctx, hash)
	if err != nil {
		return hold.Invoice{}, err
	}
	e := entry.Of(inv)
	held := hold.Invoice{Status: e.Status, Description: e.Description}
	for _, h := range inv.Htlcs {
		if h.State != lnrpc.InvoiceHTLCState_ACCEPTED {
			continue
		}
		held.Amount = min(held.Amount+money.Msat(min(h.AmtMsat, uint64(money.MaxMsat))), money.MaxMsat)
		held.Since = max(held.Since, entry.FirstOf(h.AcceptTime))
		held.TimesOut = min(cmp.Or(held.TimesOut, int64(h.ExpiryHeight)), int64(h.ExpiryHeight))
	}
	return held, nil
}

// Height implements [hold.Wallet].
func (c *Client) Height(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	info, err := c.watch.lightning.GetInfo(ctx, &lnrpc.GetInfoRequest{}, c.watch.right())
	if err != nil {
		return 0, trouble(err)
	}
	return int64(info.BlockHeight), nil
}

// Take implements [hold.Wallet].
func (c *Client) Take(ctx context.Context, preimage [32]byte) error {
	return c.onHeld(ctx, func(ctx context.Context) error {
		return invoices.Settle(ctx, c.issue.conn, preimage, c.issue.right())
	})
}

// GiveBack implements [hold.Wallet].
func (c *Client) GiveBack(ctx context.Context, hash string) error {
	raw, err := hex.DecodeString(hash)
	if err != nil || len(raw) != 32 {
		return fmt.Errorf("lnd: %.80q is no payment_hash", hash)
	}
	return c.onHeld(ctx, func(ctx context.Context) error {
		return invoices.Cancel(ctx, c.issue.conn, [32]byte(raw), c.issue.right())
	})
}

func (c *Client) onHeld(ctx context.Context, call func(context.Context) error) error {
	if c.issue == nil {
		return errNoIssuer
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	c.issue.await(ctx)
	switch err := call(ctx); {
	case err == nil:
		return nil
	case strings.Contains(err.Error(), "already settled"), strings.Contains(err.Error(), "already canceled"):
		return fmt.Errorf("%w: %w", hold.ErrEnded, err)
	default:
		return trouble(err)
	}
}

// Await implements [hold.Wallet].
func (c *Client) Await(ctx context.Context, hash string) error {
	raw, err := hex.DecodeString(hash)
	if err != nil || len(raw) != 32 {
		return fmt.Errorf("lnd: %.80q is no payment_hash", hash)
	}
	open := func(s lnrpc.Invoice_InvoiceState) bool { return s == lnrpc.Invoice_OPEN }
	return trouble(invoices.Follow(ctx, c.watch.conn, [32]byte(raw), open, c.watch.right()))
}

var _ hold.Wallet = (*Client)(nil)
