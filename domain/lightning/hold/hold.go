// Package hold carries payments that the wallet holds to their end: until what they open is up they
// are the payer's, then they are taken, and if it does not come up in time they go back.
//
// The wallet decides: it takes what is held or gives it back, once. What is in the log follows it.
//
//	the wallet holds it  ──▶ payment.accepted, and its resource opens: starting, without time
//	the resource is up   ──▶ the wallet is told to take it; it is booked as settled by the watcher
//	it is not up in time ──▶ the wallet is told to give it back; its resource is released, and
//	                         then payment.canceled
//
// All of it goes by level: the wallet's watcher lists what is held with each sweep, and a [Loop] asks
// again and again what became of each payment that the log has as held. A stream, or that a resource
// changed, only wakes it up; what died between two steps goes on with the next look.
// payment.canceled is the last step.
package hold

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/lightning"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/watch"
)

const (
	// Blocks is for how many blocks an invoice lets the payer's money be held: a day.
	Blocks = 144
	// Margin is how many blocks before the channels that hold the money time out it goes back,
	// wherever its resource is: lnd itself gives it back 18 blocks before.
	Margin = 24
)

// ErrEnded says that the wallet has taken the money, or given it back, before.
var ErrEnded = errors.New("hold: it is taken, or went back, already")

// Wallet holds payments. An error that is a [*watch.Trouble] says in which condition it is.
type Wallet interface {
	// Held returns the invoice of a payment_hash, or [lightning.ErrNoInvoice].
	Held(ctx context.Context, hash string) (Invoice, error)
	// Height returns the height of the chain.
	Height(ctx context.Context) (int64, error)
	// Take takes what is held for a preimage, and GiveBack gives it back. Each done again changes
	// nothing, and after the other is [ErrEnded].
	Take(ctx context.Context, preimage [32]byte) error
	GiveBack(ctx context.Context, hash string) error
	// Await returns nil once an invoice is not open any more.
	Await(ctx context.Context, hash string) error
}

// Invoice is one that is held, as the wallet has it.
type Invoice struct {
	Status      lightning.EntryStatus
	Amount      money.Msat   // that is held now
	Since       instant.Time // from when on it is held, 0 if nothing is
	TimesOut    int64        // the height at which the first of what is held goes back by itself, 0 if nothing is
	Description string
}

// Config is what a loop works with. All is required but what has a default.
type Config struct {
	Wallet   Wallet
	Node     func() string // identity_pubkey of the wallet, empty while it is not known
	Booker   *payment.Booker
	Requests *request.Set
	Signer   request.Signer
	// Accepted returns the payments that are held by the log, oldest first.
	Accepted func() []payment.State
	// HeldSince returns when payments came to be held at a node after an instant, by the log, also those that
	// are at their end: what a daemon before this one let be held counts.
	HeldSince func(node string, after instant.Time) []instant.Time
	// Watch gives c, which holds one, a token after a resource has changed, until stop is called.
	Watch func(id resource.ID, c chan struct{}) (stop func())
	// Ready are closed when the log is folded and the requests are read.
	Ready    []<-chan struct{}
	Observer watch.Observer
	Now      func() instant.Time

	AtOnce  int // payments that are held at once: 50
	PerHour int // that are held anew in an hour: 200

	LookEvery time.Duration // between looks at what is held: 15 s
	RetryMin  time.Duration // after an error: 1 s
}

// streams is how many invoices are listened to: of more, the wallet's watcher tells, which lists them.
const streams = 256

// Loop is what carries held payments on.
type Loop struct {
	Config
	woken chan struct{} // holds one: something may have changed

	mu   sync.Mutex      // guards what follows
	told map[string]bool // by hash, of invoices: held it may be, or its stream broke

	// What follows is of the goroutine that runs.
	listening map[string]context.CancelFunc // by hash
	watched   map[payment.Key]func()        // of what is held: stops the watch of its resource
	began     []instant.Time                // when payments came to be held of late, oldest first
	counted   bool                          // what the log has of that is in it
}

// New returns a loop, which [Loop.Run] starts.
func New(c Config) *Loop {
	c.AtOnce, c.PerHour = cmp.Or(c.AtOnce, 50), cmp.Or(c.PerHour, 200)
	c.LookEvery = cmp.Or(c.LookEvery, 15*time.Second)
	c.RetryMin = cmp.Or(c.RetryMin, time.Second)
	if c.Observer == nil {
		c.Observer = watch.Silent{}
	}
	return &Loop{
		Config: c, woken: make(chan struct{}, 1), told: map[string]bool{},
		listening: map[string]context.CancelFunc{}, watched: map[payment.Key]func(){},
	}
}

// Given tells the loop that an invoice was given out that can be held. It may be called from
// anywhere, as may Held and Full.
func (l *Loop) Given() { watch.Signal(l.woken) }

// Held tells the loop that the wallet holds money for an invoice. It may be told again and again.
func (l *Loop) Held(hash string) { l.tell(hash, true) }

// Full reports whether no more payments can be held now: who paid would get his money back at once.
func (l *Loop) Full() bool { return len(l.Accepted()) >= l.AtOnce }

func (l *Loop) tell(hash string, held bool) {
	l.mu.Lock()
	l.told[hash] = l.told[hash] || held
	l.mu.Unlock()
	if held {
		watch.Signal(l.woken)
	}
}
