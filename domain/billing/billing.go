// Package billing takes the requests of payers, holders and operators and turns each into
// commands: it quotes, opens resources, asks the wallet for invoices and addresses, and
// answers only what the log holds durably.
//
// What an amount buys is quoted in quote.go; an order opens its resource (order.go) and
// asks for an invoice (pay.go), and for an address (address.go); place.go chooses the host.
// What holders and operators do besides is one command each (operate.go). The rules of a
// resource, of a plan and of a payment are left to their packages.
package billing

import (
	"context"
	"errors"
	"hash/maphash"
	"io"
	"sync"

	"sandglass/domain/address"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// Errors of billing. Nothing was changed.
var (
	ErrStarting    = errors.New("billing: starting: the wallet has not been read yet; try again in a moment")
	ErrTooManyOpen = errors.New("billing: too many open invoices or unpaid orders: pay one, or wait until one expires")
	ErrWallet      = errors.New("billing: the wallet gives no invoice now; try again later")
	ErrHost        = errors.New("billing: it can't be had on that host")
	ErrInvalid     = errors.New("billing: invalid request")
)

// Wallet makes invoices.
type Wallet interface {
	Invoice(ctx context.Context, amount money.Msat, memo string, expiry instant.Millis) (Invoice, error)
}

// Invoice is a request for money that the wallet has made.
type Invoice struct {
	Key     payment.Key
	Hash    string // payment_hash
	Request string // BOLT 11
	Amount  money.Msat
	Expiry  instant.Time
}

// Chain makes addresses on the chain.
type Chain interface {
	NewAddress(ctx context.Context) (Address, error)
}

// Address is an address that the wallet has made.
type Address struct {
	Address string
	Node    string // identity_pubkey of the wallet that holds its key
	Height  int64  // of the chain at that time
}

// Views are the read models that billing looks things up in.
type Views interface {
	Plan(name string) (plan.State, bool)
	Resource(id resource.ID) (resource.State, stream.Revision, bool)
	PaymentsOf(id resource.ID) []payment.State
	AddressOf(id resource.ID) (string, bool)
	OpenCount() int
	Counts() map[resource.Status]int
	Hosts() map[string]int
	WaitFor(context.Context, stream.Position) error
}

// Limits bound what strangers can make grow.
type Limits struct {
	OpenPerResource int            // open invoices of one resource
	Open            int            // open invoices in all
	Awaiting        int            // orders that were never paid
	Expiry          instant.Millis // of an invoice
}

// Service takes requests. The fields are set by the caller that makes it, unless they say otherwise.
type Service struct {
	Plans     *plan.Handler
	Payments  *payment.Handler
	Resources *resource.Handler
	Booker    *payment.Booker
	Wallet    Wallet
	Chain     Chain // nil where nothing is paid on the chain
	Addresses *address.Handler
	Finder    Finder // nil where nothing is paid on the chain
	Adopted   func() // is told of an address that was adopted; may be nil
	Views     Views
	Host      string // of this daemon, on which orders are placed first; empty where there is one machine
	Now       func() instant.Time
	Random    io.Reader
	Gap       resource.When   // the policy for gaps; its At is not used
	Swept     <-chan struct{} // closed after the first sweep of the wallet
	Writable  func() error    // says why the log takes no events now; nil where it always does
	Limits    Limits
	// Confirmations is how many a payment on the chain needs to be credited, unless the plan
	// of its resource asks for more.
	Confirmations int
	// AddressFailed, if not nil, is told why a resource got no address yet.
	AddressFailed func(id resource.ID, err error)

	locks [256]sync.Mutex // by resource: one invoice is asked for at a time
	seed  maphash.Seed
	once  sync.Once
}

func (b *Service) when() resource.When {
	w := b.Gap
	w.At = b.Now()
	return w
}

func (b *Service) checkSwept() error {
	select {
	case <-b.Swept:
		return nil
	default:
		return ErrStarting
	}
}

// writable says why the log takes no events now.
func (b *Service) writable() error {
	if b.Writable == nil {
		return nil
	}
	return b.Writable()
}

func (b *Service) lock(id resource.ID) (unlock func()) {
	b.once.Do(func() { b.seed = maphash.MakeSeed() })
	m := &b.locks[maphash.String(b.seed, string(id))%uint64(len(b.locks))]
	m.Lock()
	return m.Unlock
}
