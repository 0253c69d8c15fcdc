// Package chain watches the chain for payments to our addresses, credits them, and takes
// back what a reorg takes from us.
//
// An output is credited when enough blocks stand on it, and is watched until so many do
// that it counts as final. The wallet's streams and the blocks are wake-ups. At start, at
// every reconnect, on every block and transaction and on a timer a sweep compares what
// the wallet lists with the log, both ways. What decides is the chain alone: an output
// counts as long as the block that holds it is the active chain's at its height, whatever
// the wallet believes.
//
// A sweep goes one way, in four steps (sweep.go):
//
//	view.go       what the wallet lists, put where the active chain has it: in a block or in none
//	conflicts.go  what blocks tell of outputs that are in none: somebody may have spent them twice
//	compare.go    each payment against that: out of a lost block and its credit back, into
//	              its block, credited once it is deep enough, or given up
//	holds.go      which resources a payment is on its way to: the meter does not release them
package chain

import (
	"cmp"
	"errors"
	"sync"
	"time"

	"sandglass/domain/address"
	"sandglass/domain/chain/unlogged"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/opening"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/watch"
)

// Watcher is the loop from the chain to the log.
type Watcher struct {
	Config
	*watch.Progress

	final watch.Ended // payments that are final

	// What follows is of the goroutine that runs, and of the sweep that it makes.
	issued     int            // addresses that were looked for from their heights on
	leftOut    int            // sweeps in a row that left out a resource
	lastTip    Tip            // of the last sweep
	sweptTip   Tip            // of the last sweep that was finished
	unlistable map[int64]bool // heights that the wallet can't list, as was told
	fullAt     time.Time      // when all heights are due
	blocks     blockCache
	conflicts  conflicts
	held       map[resource.ID]payment.Key // payments for which the meter may hold a resource
	connected  time.Time                   // when: the wallet opens its streams from then on
	news       chan struct{}               // the wallet told something

	mu      sync.Mutex // guards pending
	pending map[resource.ID]payment.Key

	unlogged.Payments // that pay orders
}

// Config is what a watcher works with.
type Config struct {
	Wallet Wallet
	Booker *payment.Booker
	// Issued returns for which resource an address was issued, and at which height.
	Issued func(address string) (id resource.ID, height int64, ok bool)
	// Lowest returns the lowest height at which an address was issued.
	Lowest func() (height int64, ok bool)
	// IssuedAfter returns the lowest height at which an address was issued, of those that the
	// log has after the first n, and how many it has. It may be nil: then an address that was
	// adopted, and had been paid before, is looked for by a sweep of all heights.
	IssuedAfter func(n int) (lowest int64, all int)
	// OnlyIssued says that no address is given out here: the wallet is asked nothing as long as
	// none ever was. What was given out before is watched for ever.
	OnlyIssued bool
	// Requests has the addresses that were given out, and are not in the log.
	Requests *request.Set
	// Addresses is the log of those that are.
	Addresses *address.Handler
	// Waiting returns the payments on the chain for which [payment.State.Waits]. This, Issued,
	// Lowest and IssuedAfter may be late, as projections are.
	Waiting func() []payment.State
	// Required returns how many confirmations a payment needs, its own block counted: 1 or
	// more. The sum is all that a reorg can take of its resource, the payment included.
	Required func(p *payment.State, sum money.Msat) int
	// Opening says what is too little: such an output opens no order and credits no resource.
	Opening  *opening.Rule
	Observer watch.Observer // may be nil
	Now      func() instant.Time

	// What follows has a default where it is zero.
	FinalDepth int           // confirmations after which a payment is not watched any more: 100
	SweepEvery time.Duration // between sweeps: 2 minutes
	FullEvery  time.Duration // between sweeps of all heights: 24 hours
	CheckEvery time.Duration // between questions for the tip: 10 s
	Retry      watch.Retry
}

// New returns a watcher, which [Watcher.Run] starts.
func New(c Config) (*Watcher, error) {
	if c.Wallet == nil || c.Booker == nil || c.Issued == nil || c.Lowest == nil ||
		c.Requests == nil || c.Addresses == nil || c.Waiting == nil || c.Required == nil || c.Opening == nil || c.Now == nil {
		return nil, errors.New("chain: a watcher needs a wallet, a booker, the addresses, the waiting payments, " +
			"the confirmations to wait for, the least that is sold and a clock")
	}
	c.FinalDepth = cmp.Or(c.FinalDepth, 100)
	c.SweepEvery = cmp.Or(c.SweepEvery, 2*time.Minute)
	c.FullEvery = cmp.Or(c.FullEvery, 24*time.Hour)
	c.CheckEvery = cmp.Or(c.CheckEvery, 10*time.Second)
	c.Retry = c.Retry.OrDefaults()
	if c.Observer == nil {
		c.Observer = watch.Silent{}
	}
	return &Watcher{
		Config: c, Progress: watch.NewProgress(c.Now), blocks: newBlockCache(), conflicts: newConflicts(),
		unlistable: map[int64]bool{}, held: map[resource.ID]payment.Key{},
	}, nil
}

// Tip returns the height of the active chain as of the last sweep, 0 before it.
func (w *Watcher) Tip() int64 { return w.Health().Height }

// Pending returns a payment that was seen on the chain and is on its way to a resource,
// or false if there is none.
func (w *Watcher) Pending(id resource.ID) (key payment.Key, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key, ok = w.pending[id]
	return key, ok
}
