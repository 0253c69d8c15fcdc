// Package billing takes the requests of payers, holders and operators and turns each into
// commands: it quotes, opens resources, asks the wallet for invoices, and answers only
// what the log holds durably.
package billing

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
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
	Invoice(ctx context.Context, amount money.Msat, memo string, expiry instant.Millis) (payment.Invoice, error)
}

// Chain makes addresses on the chain.
type Chain interface {
	NewAddress(ctx context.Context) (payment.Address, error)
}

// Views are the read models that billing looks things up in.
type Views interface {
	Plan(name string) (plan.State, bool)
	Resource(id string) (resource.State, stream.Revision, bool)
	PaymentsOf(resource string) []payment.State
	AddressOf(resource string) (string, bool)
	OpenCount() int
	Counts() map[resource.Status]int
	Hosts() map[string]int
	WaitFor(context.Context, stream.Position) error
}

// Plans executes commands on plans.
type Plans = stream.Handler[plan.State, plan.Command, plan.Event]

// Addresses executes commands on addresses.
type Addresses = stream.Handler[address.State, address.Issue, address.Event]

// Limits bound what strangers can make grow.
type Limits struct {
	OpenPerResource int            // open invoices of one resource
	Open            int            // open invoices in all
	Awaiting        int            // orders that were never paid
	Expiry          instant.Millis // of an invoice
}

// Service takes requests. All fields are set by who makes it.
type Service struct {
	Plans     *Plans
	Payments  *payment.Payments
	Resources *payment.Resources
	Booker    *payment.Booker
	Wallet    Wallet
	Chain     Chain // nil where nothing is paid on the chain
	Addresses *Addresses
	Views     Views
	Host      string // of this daemon, on which orders are placed first; empty where there is one machine
	Now       func() instant.Time
	Random    io.Reader
	Gap       resource.When   // the policy for gaps; its At is not used
	Swept     <-chan struct{} // closed after the first sweep of the wallet
	Writable  func() error    // says why the log takes no events now; nil where it always does
	Limits    Limits
	// AddressFailed, if not nil, is told why a resource got no address yet.
	AddressFailed func(id string, err error)

	locks [256]sync.Mutex // by resource: one invoice is asked for at a time
	seed  maphash.Seed
	once  sync.Once
}

// Quote is what a plan gives for an amount, or asks for a time.
type Quote struct {
	Plan   string
	Price  money.Price
	Amount money.Msat
	Time   instant.Millis
}

// Quote prices a time or an amount, of which exactly one is not zero. It changes nothing.
func (b *Service) Quote(name string, time instant.Millis, amount money.Msat) (Quote, error) {
	p, ok := b.Views.Plan(name)
	switch {
	case !ok:
		return Quote{}, fmt.Errorf("%w: %q", plan.ErrUnknown, name)
	case !p.OnOffer:
		return Quote{}, fmt.Errorf("%w: %q", plan.ErrWithdrawn, name)
	}
	return quote(&p, p.Terms.Price, time, amount)
}

func quote(p *plan.State, price money.Price, time instant.Millis, amount money.Msat) (q Quote, err error) {
	q = Quote{Plan: p.Name, Price: price, Amount: amount, Time: time}
	switch {
	case (time == 0) == (amount == 0) || time < 0 || amount < 0:
		return q, fmt.Errorf("%w: give time_ms or amount_msat, one of them, above 0", ErrInvalid)
	case time > 0:
		q.Amount, err = price.CostOf(min(time, money.MaxTime))
	default:
		q.Time, err = price.TimeFor(amount)
	}
	if err == nil && (q.Time < p.Min || q.Time > p.Max) {
		err = fmt.Errorf("%d ms", q.Time)
	}
	if err != nil {
		least, _ := price.CostOf(p.Min)
		most, _ := price.CostOf(p.Max)
		return q, fmt.Errorf("%w: %w: one payment on plan %q buys %d to %d ms, for %d to %d msat", plan.ErrBounds, err, p.Name, p.Min, p.Max, least, most)
	}
	return q, nil
}

// OrderRequest asks for a resource that is yet to be made.
type OrderRequest struct {
	Plan   string
	Time   instant.Millis // or Amount
	Amount money.Msat
	ID     string // chosen by the caller, or empty
	Host   string // likewise
	// IdempotencyKey names the request: sent again it gives the same order. It is a
	// secret, since the holder key follows from it.
	IdempotencyKey string
}

// Order is a resource that waits for its payment.
type Order struct {
	Resource  resource.State
	HolderKey string        // pauses, resumes and releases; empty where only its first caller may know it
	Payment   payment.State // zero once the resource was paid
	Position  stream.Position
	New       bool
}

// Order opens a resource and asks the wallet for its invoice. The same key or id with
// the same content gives the same order; with other content it is [resource.ErrExists].
func (b *Service) Order(ctx context.Context, meta stream.Meta, r OrderRequest) (Order, error) {
	id, holder, err := b.names(r)
	if err != nil {
		return Order{}, err
	}
	if err := b.started(); err != nil {
		return Order{}, err
	}
	defer b.lock(id)()
	o, err := b.open(ctx, meta, r, id, holder)
	if err != nil {
		return Order{}, err
	}
	if o.Resource.Status == resource.StatusAwaiting {
		q, err := b.priced(o.Resource, r.Time, r.Amount)
		if err != nil {
			return Order{}, err
		}
		if o.Payment, o.Position, err = b.invoice(ctx, meta, id, q); err != nil {
			return Order{}, err
		}
	}
	if Holds(o.Resource, holder) {
		o.HolderKey = holder
	}
	return o, nil
}

// open executes the Open of an order, or finds that it was executed before.
func (b *Service) open(ctx context.Context, meta stream.Meta, r OrderRequest, id, holder string) (Order, error) {
	c := resource.Open{When: b.when(), Plan: r.Plan, Holder: HashKey(holder), Request: requestHash(r)}
	before, err := b.Resources.Load(ctx, id)
	if err != nil {
		return Order{}, err
	}
	if before.State.Status == resource.StatusNone {
		if _, err := b.Quote(r.Plan, r.Time, r.Amount); err != nil {
			return Order{}, err
		}
		if b.Views.Counts()[resource.StatusAwaiting] >= b.Limits.Awaiting {
			return Order{}, ErrTooManyOpen
		}
		if err := b.writable(); err != nil {
			return Order{}, err
		}
		p, _ := b.Views.Plan(r.Plan)
		c.Terms, c.Enforcer = p.Terms, p.Enforcer
		if c.Host, err = b.place(&p, r.Host); err != nil {
			return Order{}, err
		}
	}
	out, err := b.Resources.Execute(ctx, id, meta, c)
	if err != nil {
		return Order{}, err
	}
	if err := b.Views.WaitFor(ctx, out.Position); err != nil {
		return Order{}, err
	}
	return Order{Resource: out.State, Position: out.Position, New: out.Events > 0}, nil
}

// Pay asks the wallet for another invoice of a resource. An open one of the same
// amount that lasts for at least half its time is given again.
func (b *Service) Pay(ctx context.Context, meta stream.Meta, id string, time instant.Millis, amount money.Msat) (payment.State, stream.Position, error) {
	if err := b.started(); err != nil {
		return payment.State{}, 0, err
	}
	defer b.lock(id)()
	out, err := b.Resources.Load(ctx, id)
	switch {
	case err != nil:
		return payment.State{}, 0, err
	case out.State.Status == resource.StatusNone:
		return payment.State{}, 0, resource.ErrNotOpened
	case out.State.Status == resource.StatusReleased:
		return payment.State{}, 0, resource.ErrReleased
	}
	q, err := b.priced(out.State, time, amount)
	if err != nil {
		return payment.State{}, 0, err
	}
	return b.invoice(ctx, meta, id, q)
}

// priced quotes at the resource's own price, within the bounds of its plan.
func (b *Service) priced(s resource.State, time instant.Millis, amount money.Msat) (Quote, error) {
	p, ok := b.Views.Plan(s.Plan)
	if !ok {
		return Quote{}, fmt.Errorf("%w: %q", plan.ErrUnknown, s.Plan)
	}
	return quote(&p, s.Terms.Price, time, amount)
}

// invoice gives an open invoice for q, or makes one. The caller holds the lock of id.
// While the log takes nothing, no invoice is given and the wallet is asked for none:
// money that is paid then could not be recorded.
func (b *Service) invoice(ctx context.Context, meta stream.Meta, id string, q Quote) (payment.State, stream.Position, error) {
	if err := b.writable(); err != nil {
		return payment.State{}, 0, err
	}
	now, open := b.Now(), 0
	for _, p := range b.Views.PaymentsOf(id) {
		if p.Status != payment.StatusRequested {
			continue
		}
		if p.Asked == q.Amount && p.Price == q.Price && p.Expiry.Sub(now) > b.Limits.Expiry/2 {
			<-b.issue(ctx, meta, id) // which may have failed when the invoice was made
			return p, 0, nil
		}
		open++
	}
	if open >= b.Limits.OpenPerResource || b.Views.OpenCount() >= b.Limits.Open {
		return payment.State{}, 0, ErrTooManyOpen
	}
	issued := b.issue(ctx, meta, id)
	inv, err := b.Wallet.Invoice(ctx, q.Amount, "sandglass "+id, b.Limits.Expiry)
	<-issued
	if err != nil {
		return payment.State{}, 0, fmt.Errorf("%w: %w", ErrWallet, err)
	}
	out, err := b.Payments.Execute(ctx, inv.Key, meta, payment.Request{Requested: payment.Requested{
		At: payment.At{At: b.Now()}, Resource: id, Amount: q.Amount, Price: q.Price, Expiry: inv.Expiry, Invoice: inv.Request,
	}})
	if err != nil {
		return payment.State{}, 0, err // the invoice was shown to nobody, and will expire
	}
	return out.State, out.Position, b.Views.WaitFor(ctx, out.Position)
}

// names returns the id of the order and its holder key. Both follow from the
// idempotency key, if there is one, else they are random.
func (b *Service) names(r OrderRequest) (id, holder string, err error) {
	seed := []byte(r.IdempotencyKey)
	if len(seed) == 0 {
		seed = make([]byte, 32)
		if _, err := io.ReadFull(b.Random, seed); err != nil {
			return "", "", fmt.Errorf("billing: reading random bytes: %w", err)
		}
	} else if len(seed) < 20 || len(seed) > 128 {
		return "", "", fmt.Errorf("%w: an Idempotency-Key is a random secret of 20 to 128 characters, such as a UUID", ErrInvalid)
	}
	id = r.ID
	if id == "" {
		id = derive("order", seed)[:20]
	}
	return id, derive("holder", seed), plan.CheckName(id)
}

// derive returns 256 bits that follow from a secret for one purpose, in letters and
// digits that are hard to mistake.
func derive(purpose string, seed []byte) string {
	sum := sha256.Sum256(append([]byte("sandglass "+purpose+"\x00"), seed...))
	return base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding).EncodeToString(sum[:])
}

func requestHash(r OrderRequest) [16]byte {
	text := fmt.Appendf(nil, "%s\x00%d\x00%d", r.Plan, r.Time, r.Amount)
	if r.Host != "" { // without one it is what it was before there were hosts
		text = append(append(text, 0), r.Host...)
	}
	sum := sha256.Sum256(text)
	return [16]byte(sum[:16])
}

// HashKey returns what is stored of a holder key: the first 128 bits of its SHA-256.
func HashKey(key string) [16]byte {
	sum := sha256.Sum256([]byte(key))
	return [16]byte(sum[:16])
}

// Holds says in constant time whether key is the holder key of s.
func Holds(s resource.State, key string) bool {
	h := HashKey(key)
	return subtle.ConstantTimeCompare(h[:], s.Holder[:]) == 1
}

func (b *Service) when() resource.When {
	w := b.Gap
	w.At = b.Now()
	return w
}

func (b *Service) started() error {
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

func (b *Service) lock(id string) (unlock func()) {
	b.once.Do(func() { b.seed = maphash.MakeSeed() })
	m := &b.locks[maphash.String(b.seed, id)%uint64(len(b.locks))]
	m.Lock()
	return m.Unlock
}
