// Package cluster keeps the connection to EventStoreDB: clients that come and go, calls that
// are made again, and whether writes are taken.
//
// The client surprises. After it has looked for a node in vain it is dead for good, and
// calls under way then hang for ever, whatever their context says; closing it while a call
// is under way panics. When it follows a node's word to another leader it closes the
// connection under the calls that are under way. So calls are made through a [Session], which
// waits no longer than it wants to, and gets a new client for an old one.
//
// Calls are for the leader: a follower says who that is, and the client goes there.
//
// What is read and written is left to the caller, who gives [Call] functions of a client, and
// [Cluster.Follow] what to subscribe to.
package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// ErrClosed says that the log was closed, and the connection with it.
var ErrClosed = errors.New("eventstoredb: the log is closed")

// Options say how a cluster is used.
type Options struct {
	// Log is told in a sentence when the cluster goes away and comes back.
	Log func(string)
	// Probe is the first call of each client: the one that finds a node, for which it waits
	// as long as that takes. Once it is found, the call may take that long.
	Probe func(context.Context, *esdb.Client, time.Duration) error
	// Touch writes what is there already, so that nothing is written: it tells whether the
	// cluster takes writes.
	Touch func(context.Context, *esdb.Client) error

	Timeout  time.Duration // of a call with all its attempts; 0 means 12 s
	InFlight int           // calls of one client under way at once; 0 means 64
	Discover int           // how often a client looks for a node; 0 means for ever
}

// Cluster is a connection to one. Its methods may be called at the same time.
type Cluster struct {
	options Options
	config  *esdb.Configuration
	said    atomic.Pointer[string] // the last complaint of a client that looks for a node
	wrong   atomic.Pointer[error]  // why no node can be spoken to, if that is known
	shaking atomic.Bool            // it is being looked at

	ctx   context.Context // ends with Close
	close context.CancelCauseFunc

	hope   context.Context // ends with ctx, or before it with what no other try mends
	giveUp context.CancelCauseFunc

	mu      sync.Mutex // guards session and next
	session *Session   // nil until one is asked for
	next    time.Time  // when another session may begin

	down    atomic.Pointer[failure] // nil while all goes well
	opened  atomic.Bool             // a failure is looked after
	looking sync.WaitGroup
}

// New returns the cluster at a connection string, of which it has asked nothing yet.
func New(conn string, o Options) (*Cluster, error) {
	o.Timeout, o.InFlight = cmp.Or(o.Timeout, callTimeout), cmp.Or(o.InFlight, inFlight)
	c := &Cluster{options: o}
	var err error
	if c.config, err = parse(conn); err != nil {
		return nil, err
	}
	c.config.MaxDiscoverAttempts = cmp.Or(o.Discover, forEver)
	c.config.Logger = func(level esdb.LogLevel, format string, args ...any) {
		if level == esdb.LogWarn { // its errors are what calls return
			c.complained(fmt.Sprintf(format, args...))
		}
	}
	c.ctx, c.close = context.WithCancelCause(context.Background())
	c.hope, c.giveUp = context.WithCancelCause(c.ctx)
	return c, nil
}

// Opened says that the caller is content with what it found: from now on a failure has the
// cluster looked for until it takes a write, and one that nobody comes upon is looked for.
func (c *Cluster) Opened() {
	c.opened.Store(true)
	c.Forget()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() == nil {
		c.looking.Go(c.watch)
	}
}

// Forget has c know of no failure.
func (c *Cluster) Forget() { c.down.Store(nil) }

// Timeout returns how long a call may take with all its attempts.
func (c *Cluster) Timeout() time.Duration { return c.options.Timeout }

// AttemptTimeout returns how long one attempt may take.
func (c *Cluster) AttemptTimeout() time.Duration { return c.options.Timeout / attempts }

// Closed reports whether the cluster was closed.
func (c *Cluster) Closed() bool { return c.ctx.Err() != nil }

// Close ends the calls that are under way. A client that looks for a node looks on until it
// has found one, which nothing but the end of the process ends.
func (c *Cluster) Close() {
	c.mu.Lock()
	c.close(ErrClosed)
	u := c.session
	c.session = nil
	c.mu.Unlock()
	if u != nil {
		u.retire()
	}
	c.looking.Wait()
}

// Sleep waits for d, or returns the error of what ends before: ctx, or the cluster.
func (c *Cluster) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.ctx.Done():
		return ErrClosed
	}
}
