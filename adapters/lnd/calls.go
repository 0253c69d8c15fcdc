package lnd

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"sandglass/adapters/lnd/entry"
	"sandglass/domain/instant"
	"sandglass/domain/lightning"
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
			if inv.State == lnrpc.Invoice_SETTLED && !yield(entry.Of(inv), nil) {
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
	inv, err := c.lookup(ctx, hash)
	if err != nil {
		return lightning.Entry{}, err
	}
	return entry.Of(inv), nil
}

func (c *Client) lookup(ctx context.Context, hash string) (*lnrpc.Invoice, error) {
	raw, err := hex.DecodeString(hash)
	if err != nil || len(raw) != 32 {
		return nil, fmt.Errorf("%w: %.80q is no payment_hash", lightning.ErrNoInvoice, hash)
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	inv, err := c.watch.lightning.LookupInvoice(ctx, &lnrpc.PaymentHash{RHash: raw}, c.watch.right())
	switch {
	case err == nil:
		return inv, nil
	case status.Code(err) == codes.NotFound, strings.Contains(err.Error(), "unable to locate invoice"):
		return nil, lightning.ErrNoInvoice
	}
	return nil, trouble(err)
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
		entries[i] = entry.Of(inv)
	}
	if backward {
		slices.Reverse(entries) // lnd gives a page's invoices upwards, either way
	}
	return entries, nil
}
