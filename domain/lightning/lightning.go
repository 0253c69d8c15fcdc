// Package lightning watches a node's invoices, and books in the log what was paid.
//
// A stream is a wake-up; the wallet's own records are the truth, and the log is the
// memory. At start, at every reconnect, on every gap and on a timer a sweep asks the
// wallet about each payment that is still waited for, lists its invoices, and books what
// the log lacks; the live stream only makes it fast.
//
// A settled invoice goes one way, whether the stream or a sweep tells of it: it is an
// [Entry] with its arrivals (wallet.go); what of them the log lacks is found and booked, in
// order for each resource (arrivals.go), by [payment.Booker]; and the settle-index cursor
// (cursor.go) moves on once everything up to it is durably handled. Which of the wallet's
// records are ours at all is decided at a connection (epoch.go).
package lightning

import (
	"cmp"
	"context"
	"errors"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/opening"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/wallet"
	"sandglass/domain/watch"
)

// Watcher is the loop from the wallet to the log.
type Watcher struct {
	Config
	*watch.Progress

	workers *watch.Workers
	ended   watch.Ended

	// What follows is of the goroutine that runs.
	node     string    // identity_pubkey of the last connection
	listed   time.Time // when every invoice was last listed
	listNext time.Time // when every invoice is to be listed
	reusable recent    // invoices that can be paid again
}

// Config is what a watcher works with.
type Config struct {
	Wallet  Wallet
	Wallets *wallet.Handler
	Booker  *payment.Booker
	// Waiting returns the payments that are requested, accepted or settled, oldest first. It may be
	// late, as a projection is.
	Waiting  func(context.Context) ([]Waiting, error)
	Requests *request.Set   // invoices that were given out, and are not in the log
	Signer   request.Signer // reads whose money an invoice brings where they have lost it
	// Late is how long the request of an invoice that we described is looked for, where it is
	// another daemon's and may be late. It is 0 where there is one daemon.
	Late instant.Millis
	// Opening says what is too little: what names an order or a resource with less opens and
	// credits nothing.
	Opening *opening.Rule
	// SweptChain returns up to when all that came to a node on the chain is in the log, 0 if
	// that is not known. It may be nil: then nothing is said of that.
	SweptChain func(node string, now instant.Time) instant.Time
	// Doubted reports whether Now may be another time, by which up to when all that came is
	// known is not told to others. It may be nil.
	Doubted func() bool
	// Held is told, with each sweep, of each invoice whose money the wallet holds. It may be nil.
	Held     func(hash string)
	Observer watch.Observer // may be nil
	Now      func() instant.Time

	// What follows has a default where it is zero.
	SweepEvery time.Duration // between sweeps: 2 minutes
	FullEvery  time.Duration // between sweeps that list every invoice: 24 hours
	CheckEvery time.Duration // between questions whether the wallet answers: 20 s
	GapDelay   time.Duration // before a gap brings a sweep: 1 s
	Retry      watch.Retry
	// LostAfter is how long after its expiry a request that the wallet does not know is
	// given up: 1 hour.
	LostAfter instant.Millis
	Parallel  int // bookings at once: 32
}

// New returns a watcher, which [Watcher.Run] starts.
func New(c Config) (*Watcher, error) {
	if c.Wallet == nil || c.Wallets == nil || c.Booker == nil || c.Waiting == nil || c.Requests == nil ||
		c.Opening == nil || c.Now == nil {
		return nil, errors.New("lightning: a watcher needs a wallet, its log, a booker, what is waited for, prices and a clock")
	}
	c = c.orDefaults()
	return &Watcher{Config: c, Progress: watch.NewProgress(c.Now), workers: watch.NewWorkers(c.Parallel)}, nil
}

func (c Config) orDefaults() Config {
	c.SweepEvery = cmp.Or(c.SweepEvery, 2*time.Minute)
	c.FullEvery = cmp.Or(c.FullEvery, 24*time.Hour)
	c.CheckEvery = cmp.Or(c.CheckEvery, 20*time.Second)
	c.GapDelay = cmp.Or(c.GapDelay, time.Second)
	c.LostAfter = cmp.Or(c.LostAfter, instant.Hour)
	c.Parallel = cmp.Or(c.Parallel, 32)
	c.Retry = c.Retry.OrDefaults()
	if c.Observer == nil {
		c.Observer = watch.Silent{}
	}
	return c
}
