// Package billing takes the requests of payers, holders and operators and turns each into
// commands: it quotes, opens resources, asks the wallet for invoices and addresses, and
// answers only what the log holds durably.
//
// What an amount buys is quoted in quote.go; an order (order.go) asks for an invoice (pay.go),
// and if it is wanted for an address (address.go); place.go chooses the host. All of this is
// kept as requests, and is in the log once somebody pays: look.go shows both as one.
// What holders and operators do besides is one command each (operate.go). The rules of a
// resource, of a plan and of a payment are left to their packages.
package billing

import (
	"context"
	"errors"
	"hash/maphash"
	"io"
	"net/netip"
	"sync"

	"sandglass/domain/address"
	"sandglass/domain/billing/hosts"
	"sandglass/domain/billing/keys"
	"sandglass/domain/billing/params"
	"sandglass/domain/billing/room"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/opening"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/domain/wallet"
)

// Errors of billing. Nothing was changed.
var (
	ErrStarting    = errors.New("billing: starting: the wallet has not been read yet; try again in a moment")
	ErrTooManyOpen = errors.New("billing: too many open invoices or unpaid orders: pay one, or wait until one expires")
	ErrWallet      = errors.New("billing: the wallet gives no invoice now; try again later")
	ErrCapacity    = errors.New("billing: there is no room")
	ErrHost        = hosts.Err
	ErrInvalid     = keys.ErrInvalid
	ErrNoChain     = errors.New("billing: nothing is paid on the chain here")
	ErrPaid        = errors.New("billing: the invoice is paid, or being paid")
	ErrHeld        = errors.New("billing: its first payment is held until it is up: nothing more is taken until that is known")
	ErrFull        = errors.New("billing: as many payments are held as may be, until what they are for is up: try again later")
	ErrNotHeld     = errors.New("billing: its first payment is held, which one on the chain can't be: pay the invoice")
	ErrPayable     = errors.New("billing: an invoice can be paid, and buys time,")
)

// Wallet makes invoices.
type Wallet interface {
	Invoice(ctx context.Context, r InvoiceRequest) (Invoice, error)
	// IsOpen reports whether an invoice can be paid, and nobody has.
	IsOpen(ctx context.Context, key payment.Key) (bool, error)
	// Cancel returns once an invoice can't be paid any more. One that is paid, or is being
	// paid, is [ErrPaid]. One that the wallet does not know is canceled.
	Cancel(ctx context.Context, key payment.Key) error
}

// InvoiceRequest is what an invoice is to be.
type InvoiceRequest struct {
	Amount      money.Msat
	Description string // by which the wallet names the invoice for good, and we know it again
	Text        []byte // SHA-256 of what its payer was shown, which it has in place of that; nil where it has that
	Expiry      instant.Millis
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
	Payment(key payment.Key) (payment.State, stream.Revision, bool)
	PaymentsOf(id resource.ID) []payment.State
	AddressOf(id resource.ID) (address, node string, ok bool)
	Issued(address string) (id resource.ID, height int64, ok bool)
	Watch(id resource.ID, c chan struct{}) (stop func())
	Hosts() map[string]int
	// Taken returns how many of a plan a host has that are not released, with those that are being
	// paid for, and those of the given orders that there are not yet: each once.
	Taken(plan, host string, ordered []resource.ID) int
	WaitFor(context.Context, stream.Position) error
}

// Deposits are payments of orders that are to be seen on the chain, and that no block holds: the
// log has those of blocks.
type Deposits interface {
	UnloggedPayment(key payment.Key) (payment.State, bool)
	// Swept is closed once it is known what there is of them.
	Swept() <-chan struct{}
}

// Holding makes invoices whose money is held, and carries it to its end.
type Holding interface {
	// HoldInvoice makes an invoice whose money is held until it is taken by the preimage of hash,
	// or goes back. Each hash is used once.
	HoldInvoice(ctx context.Context, hash [32]byte, r InvoiceRequest) (Invoice, error)
	// CanHold says why none can be made: the wallet gives no right to.
	CanHold() error
	Given()     // is told of one that is kept
	Full() bool // reports whether no more can be held now
}

// Limits bound what strangers can make grow.
type Limits struct {
	OpenPerResource int            // open invoices of one resource, its holder's apart from others', which share theirs
	Open            int            // open invoices of resources that were paid
	Awaiting        int            // open invoices of orders that were never paid
	Addresses       int            // given to orders that were never paid, in a day
	Expiry          instant.Millis // of an invoice
}

// Ask is a request for an invoice, or an address, that the wallet has yet to make.
type Ask struct {
	Resource resource.ID
	Unpaid   bool // nobody has paid for it yet
	ByHolder bool // whoever holds the resource asks
	Address  bool // else an invoice
}

// Service takes requests. The fields are set by the caller that makes it, unless they say otherwise.
type Service struct {
	Plans     *plan.Handler
	Resources *resource.Handler
	Booker    *payment.Booker
	Opening   *opening.Rule
	Wallet    Wallet
	Chain     Chain // nil where nothing is paid on the chain
	Addresses *address.Handler
	Wallets   *wallet.Handler
	Finder    Finder // nil where nothing is paid on the chain
	Adopted   func() // is told of an address that was adopted; may be nil
	Views     Views
	Requests  *request.Set
	Signer    request.Signer
	// Node returns the identity_pubkey of the present wallet: what another one made can't be
	// paid.
	Node     func() string
	Holding  Holding         // nil where no payment is held
	Deposits Deposits        // that the log does not have; nil where nothing is paid on the chain
	Params   *params.Service // nil where no parameters are kept
	Host     string          // of this daemon, on which orders are placed first; empty where there is one machine
	Now      func() instant.Time
	Random   io.Reader
	Gap      resource.When   // the policy for gaps; its At is not used
	Swept    <-chan struct{} // closed after the first sweep of the wallet
	Writable func() error    // says why the log takes no events now; nil where it always does
	Limits   Limits
	// Confirmations is how many a payment on the chain needs to be credited, unless the plan
	// of its resource asks for more.
	Confirmations int
	// Reports reports whether a keeper's word on what is up becomes commands here: without it no plan
	// bills uptime. Nil is never.
	Reports func() bool
	// Admit, if not nil, says why the wallet is not to be asked for an invoice or an address now,
	// by whoever ctx is the request of.
	Admit func(ctx context.Context, a Ask) error
	// Network, if not nil, returns the network that ctx is the request of.
	Network func(ctx context.Context) netip.Addr
	// AddressFailed, if not nil, is told why a resource got no address yet.
	AddressFailed func(id resource.ID, err error)

	locks [256]sync.Mutex // by resource: one invoice is asked for at a time
	rooms room.Rooms
	seed  maphash.Seed
	once  sync.Once
}

func (b *Service) node() string {
	if b.Node == nil {
		return ""
	}
	return b.Node()
}

func (b *Service) when() resource.When {
	w := b.Gap
	w.At = b.Now()
	return w
}

// Reading returns [ErrStarting] until the wallet was read.
func (b *Service) Reading() error {
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

func (b *Service) admit(ctx context.Context, a Ask) error {
	if b.Admit == nil {
		return nil
	}
	return b.Admit(ctx, a)
}

func (b *Service) lock(id resource.ID) (unlock func()) {
	b.once.Do(func() { b.seed = maphash.MakeSeed() })
	m := &b.locks[maphash.String(b.seed, string(id))%uint64(len(b.locks))]
	m.Lock()
	return func() {
		b.rooms.Free(id)
		m.Unlock()
	}
}
