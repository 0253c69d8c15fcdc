// Package httpapi is the HTTP API: requests become commands of billing, and the read
// models become answers.
//
// There is one typed definition of each call, next to its handler; its route, its validation
// and its part of the OpenAPI document follow from that and from the structs of package wire.
// An answer to a command is given after the durable append, and reads show what was answered.
// What strangers can make grow has a bound: bodies, rates, streams and connections.
//
// A request goes through [limit.Listener], middleware, and openapi with the guard of auth, to
// a handler here; what it returns is made by view, or is a problem.
//
// Prices, balances and who may hold what are decided in domain; the pages for people are
// built on this API and not part of it.
package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"sandglass/adapters/httpapi/about"
	"sandglass/adapters/httpapi/admission"
	"sandglass/adapters/httpapi/auth"
	"sandglass/adapters/httpapi/daemon"
	"sandglass/adapters/httpapi/limit"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/httpapi/mount"
	"sandglass/adapters/httpapi/view"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/billing"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/proof/receipt"
	"sandglass/domain/proof/signing"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// Options are what a server works with. Billing, Views, Store, Now and Registry are required.
type Options struct {
	Billing *billing.Service // whose Admit is set
	Views   *projections.Views
	Store   stream.EventStore

	// Components tells /readyz how the parts of the daemon are, besides the read models.
	// It is asked for each request, and must not block.
	Components func() []wire.Component

	// Tip returns the height of the chain, 0 if it is not known. It may be nil where
	// nothing is paid on the chain. It is asked often, and must not block.
	Tip func() int64

	// Required returns how many confirmations a payment on the chain needs to be credited,
	// where a reorg can take that sum of its resource, the payment included. It may be nil:
	// then nothing is said of them.
	Required func(p *payment.State, sum money.Msat) int

	// Found returns what the keeper of this host found of a resource, nil if it said nothing. It
	// may be nil where there is no keeper, and must not block.
	Found func(resource.ID) *wire.Found

	// Access asks the keeper how a resource is reached, which must not be kept: see package access of
	// the domain. It may be nil where there is no keeper.
	Access func(context.Context, resource.ID) (string, error)

	// Links returns by what people reach a resource. It may be nil, and must not block.
	Links func(resource.ID) view.Links

	// Signer has the log signed. It may be nil: then it is not.
	Signer *signing.Signer

	// Receipts makes the receipts of payments. It may be nil: then there are none.
	Receipts *receipt.Issuer

	// Operator and Auditor are the hashes of the tokens. A zero hash is of no token: the
	// calls that need one are then refused to all.
	Operator, Auditor TokenHash

	// TrustProxy takes the client's address from the last entry of X-Forwarded-For. It
	// is for a server that only a proxy of the operator can reach: anybody else could
	// name any address, and so have no limits.
	TrustProxy bool

	// PublicURL is where clients reach the API, with the path that a proxy puts before its own
	// and takes off again, and no slash at the end: https://pay.example.org/shop. It begins
	// every link that is answered; empty: links are paths, as without a proxy.
	PublicURL string

	// Credential returns the holder key that a credential of another kind is as good as: see package auth.
	Credential func(*http.Request) (key string, err error)

	// Mounts are what is served beside the calls, behind the same middleware.
	Mounts []Mount

	Limits   Limits // what is zero has its default
	Version  string // of the build, shown at /
	Now      func() instant.Time
	Log      zerolog.Logger
	Registry *prometheus.Registry
}

// Limits bound what clients can make grow. Rates are per client address, which for IPv6
// is its /64. Requests with the operator's or the auditor's token are not limited.
type Limits struct {
	Reads     Rate             // 50/s, burst 100
	Writes    Rate             // of what is no GET, HEAD or OPTIONS: 1/s, burst 10
	Addresses int              // addresses that are remembered: 65,536
	Unpaid    admission.Limits // of invoices and addresses that nobody has paid yet
	Live      int              // event streams in all: 2,048
	LivePer   int              // event streams of one address: 64; of its network: four times that
	Conns     int              // connections in all: 4,096
	ConnsPer  int              // connections of one address, without TrustProxy: 512; of its network: four times that
	Body      int64            // bytes of a request's body: 64 KiB
	Request   time.Duration    // for one request that is not a stream: 30 s
	Write     time.Duration    // for one write to a stream: 10 s
	Heartbeat time.Duration    // between signs of life on a stream: 15 s
	Drain     time.Duration    // for requests under way at the end: 10 s
}

// TokenHash is the SHA-256 of a token. The zero hash is of no token.
type TokenHash = auth.TokenHash

// HashToken returns the hash of a token, of which "" has the zero one.
func HashToken(token string) TokenHash { return auth.HashToken(token) }

// Mount is what is served at a pattern beside the calls.
type Mount = mount.Mount

// Rate is so many requests a second, and a burst of so many at once.
type Rate = limit.Rate

func (l Limits) orDefaults() Limits {
	set := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	last := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	if l.Reads == (Rate{}) {
		l.Reads = Rate{PerSecond: 50, Burst: 100}
	}
	if l.Writes == (Rate{}) {
		l.Writes = Rate{PerSecond: 1, Burst: 10}
	}
	if l.Body == 0 {
		l.Body = 64 << 10
	}
	set(&l.Addresses, 65_536)
	set(&l.Live, 2048)
	set(&l.LivePer, 64)
	set(&l.Conns, 4096)
	set(&l.ConnsPer, 512)
	last(&l.Request, 30*time.Second)
	last(&l.Write, 10*time.Second)
	last(&l.Heartbeat, 15*time.Second)
	last(&l.Drain, 10*time.Second)
	return l
}

// Server answers HTTP.
type Server struct {
	Options
	presenter *view.Presenter
	mux       *mount.Mux
	daemon    *daemon.Calls
	traits    map[string]middleware.Traits // by pattern
	handler   *middleware.Handler
	openapi   []byte
	metrics   *metrics
	live      *limit.Quota
	desk      *admission.Desk

	stopping context.Context // ends the streams
	stop     context.CancelFunc
}

// New returns a server, whose metrics are then in the registry.
func New(o Options) (*Server, error) {
	if o.Billing == nil || o.Views == nil || o.Store == nil || o.Now == nil || o.Registry == nil {
		return nil, errors.New("httpapi: a server needs billing, views, a store, a clock and a registry")
	}
	o.Limits = o.Limits.orDefaults()
	s := &Server{
		Options: o,
		presenter: &view.Presenter{
			Views: o.Views, Billing: o.Billing, Now: o.Now, Tip: o.Tip, Required: o.Required, Found: o.Found, Links: o.Links,
		},
		mux:  mount.New(o.Mounts, o.Limits.Body),
		live: limit.NewQuota(o.Limits.Live, o.Limits.LivePer),
	}
	s.stopping, s.stop = context.WithCancel(context.Background())
	var err error
	if s.metrics, err = newMetrics(s); err != nil {
		return nil, err
	}
	requests, err := middleware.NewMetrics(o.Registry)
	if err != nil {
		return nil, err
	}
	s.desk = admission.New(o.Limits.Unpaid, o.Limits.Addresses, o.Now, requests.CountLimited)
	o.Billing.Admit, o.Billing.Network = s.desk.Admit, admission.NetworkOf
	s.daemon = &daemon.Calls{
		About: about.Root(o.Version, o.PublicURL), Ready: s.readiness, Metrics: s.metrics.page,
		Document: func() []byte { return s.openapi },
	}
	if err = s.define(); err != nil {
		return nil, err
	}
	s.handler = middleware.New(middleware.Options{
		Mux:        s.mux.ServeMux,
		Traits:     s.traits,
		Tokens:     auth.Tokens{Operator: o.Operator, Auditor: o.Auditor, Credential: o.Credential},
		Reads:      limit.NewRates[netip.Addr](o.Limits.Reads, o.Limits.Addresses),
		Writes:     limit.NewRates[netip.Addr](o.Limits.Writes, o.Limits.Addresses),
		TrustProxy: o.TrustProxy,
		PublicURL:  o.PublicURL,
		MaxBody:    o.Limits.Body,
		Now:        o.Now,
		Log:        o.Log,
		Metrics:    requests,
	})
	return s, nil
}
