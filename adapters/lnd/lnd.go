// Package lnd is the wallet of a Lightning node, lnd, over gRPC.
//
// It puts lnd's words into ours: nothing of lnrpc leaves it. Where lnd surprises: to
// SubscribeInvoices a settle_index of 0 means "only what is new"; nearly all of its
// errors have the code Unknown, so that their text is what tells them apart; a stream
// that ends cleanly is a lost connection; what needs the chain's node hangs while that is
// down; SubscribeTransactions tells nothing of what was, nor of what a reorg undoes, so
// that it is only a wake-up. Preimages are neither kept nor logged.
package lnd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sandglass/adapters/lnd/cert"
	"sandglass/adapters/lnd/rights"
	"sandglass/domain/lightning"
	"sandglass/domain/watch"

	"github.com/lightningnetwork/lnd/lnrpc"
	"github.com/lightningnetwork/lnd/lnrpc/chainrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/keepalive"
)

// Config says where lnd is, and with which right it is asked. The files are read again
// for every connection, since lnd renews its certificate, and a macaroon may be baked
// anew.
type Config struct {
	Addr          string // host:port of its gRPC
	TLSCert       string // path
	WatchMacaroon string // path; may only read
	IssueMacaroon string // path; may only make invoices and addresses; empty: both are refused
	AllowSpending bool   // takes macaroons that may do more

	// What follows has a default where it is zero.
	Timeout          time.Duration // of a call: 10 s
	ListTimeout      time.Duration // of a page of invoices or transactions, or a block: 1 minute
	KeepaliveTime    time.Duration // of silence before a ping: 30 s; lnd allows 5 s and more
	KeepaliveTimeout time.Duration // before a ping without an answer ends it: 20 s
}

// maxMessage is what lnd itself takes; gRPC's own limit is 4 MiB.
const maxMessage = 200 << 20

// Defaults returns c with its defaults filled in.
func (c Config) Defaults() Config {
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	c.ListTimeout = cmp.Or(c.ListTimeout, time.Minute)
	c.KeepaliveTime = cmp.Or(c.KeepaliveTime, 30*time.Second)
	c.KeepaliveTimeout = cmp.Or(c.KeepaliveTimeout, 20*time.Second)
	return c
}

func (c *Config) check() error {
	if c.Addr == "" || c.TLSCert == "" || c.WatchMacaroon == "" {
		return errors.New("lnd: want an address, a TLS certificate and a macaroon that watches")
	}
	for _, d := range []time.Duration{c.Timeout, c.ListTimeout, c.KeepaliveTime, c.KeepaliveTimeout} {
		if d < 0 {
			return errors.New("lnd: a negative time")
		}
	}
	return nil
}

// Client is one lnd. It implements [lightning.Wallet] and [chain.Wallet]. Watching and issuing have a
// connection and a macaroon each.
type Client struct {
	config       Config
	watch, issue *link // issue may be nil

	mu   sync.Mutex // guards last
	last watch.Identity
}

var _ lightning.Wallet = (*Client)(nil)

// Dial returns a client, which connects when it is first needed. It refuses macaroons
// that may spend; files that are not there yet are waited for.
func Dial(c Config) (*Client, error) {
	c = c.Defaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	client := &Client{config: c}
	var err error
	if client.watch, err = dial(&c, c.WatchMacaroon, rights.Watching); err != nil {
		return nil, err
	}
	if c.IssueMacaroon == "" {
		return client, nil
	}
	if client.issue, err = dial(&c, c.IssueMacaroon, rights.Issuing); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return client, nil
}

// Close ends the connections.
func (c *Client) Close() error {
	err := c.watch.conn.Close()
	if c.issue != nil {
		err = errors.Join(err, c.issue.conn.Close())
	}
	return err
}

// link is a connection with its macaroon.
type link struct {
	conn      *grpc.ClientConn
	lightning lnrpc.LightningClient
	state     lnrpc.StateClient
	kit       chainrpc.ChainKitClient
	notifier  chainrpc.ChainNotifierClient
	macaroon  *macaroonFile
}

func dial(c *Config, path string, role rights.Role) (*link, error) {
	if c.AllowSpending {
		role = nil
	}
	mac := &macaroonFile{path: path, role: role}
	if _, err := mac.read(); errors.Is(err, rights.ErrTooMighty) {
		return nil, err
	}
	conn, err := grpc.NewClient(c.Addr,
		grpc.WithTransportCredentials(&cert.File{Path: c.TLSCert}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: c.KeepaliveTime, Timeout: c.KeepaliveTimeout}),
		grpc.WithConnectParams(grpc.ConnectParams{
			// The watchers have a backoff of their own, which this one must not prolong.
			// (ResetConnectBackoff is no way out: it reads a map that others write.)
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: c.Timeout,
		}),
		grpc.WithDisableServiceConfig(),
	)
	if err != nil {
		return nil, fmt.Errorf("lnd: address %q: %w", c.Addr, err)
	}
	return &link{
		conn: conn, lightning: lnrpc.NewLightningClient(conn), state: lnrpc.NewStateClient(conn),
		kit: chainrpc.NewChainKitClient(conn), notifier: chainrpc.NewChainNotifierClient(conn), macaroon: mac,
	}, nil
}

// connectTime is how long a call waits for its connection, before it fails.
const connectTime = 2 * time.Second

// await waits for a connection that is being made, so that a call does not fail only
// because lnd has just come back. Whether it was made, the call will tell.
func (l *link) await(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	l.conn.Connect()
	for state := l.conn.GetState(); state != connectivity.Ready && l.conn.WaitForStateChange(ctx, state); {
		state = l.conn.GetState()
	}
}

// right is the option of a call that needs the macaroon.
func (l *link) right() grpc.CallOption { return grpc.PerRPCCredentials(l.macaroon) }
