package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/cenkalti/backoff/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	// callTimeout bounds a call with all of its attempts; an attempt has a third of it.
	callTimeout = 12 * time.Second
	attempts    = 3
	// firstWrite is the part of a call that the first attempt of a write has, and each later one
	// twice as much: an append that was under way when a leader resigned is never answered, and
	// can be made again.
	firstWrite = 12
	// sessionPause is how long after one session another is begun at the soonest: a cluster
	// that fails all calls at once is not asked for new connections as fast as it fails.
	sessionPause = 100 * time.Millisecond
	// inFlight bounds the calls of one client that are under way at once. They share one
	// connection, on which a server takes 100 by default, the subscriptions among them: what
	// is more would wait in gRPC, and be taken for calls that hang.
	inFlight = 64
)

// Session is one client and the calls that it has not given back.
type Session struct {
	client *esdb.Client
	slots  chan struct{} // one is held by each call that the client has, also if nobody waits for it
	jobs   chan func()   // for a worker that is idle
	ready  chan struct{} // closed when the client has found a node, or failed
	failed error         // set before ready is closed
	gone   chan struct{} // closed when it is retired

	mu      sync.Mutex // guards what follows
	users   int        // calls and subscriptions under way
	retired bool       // no more begin
}

// Client returns the client, which stays open until Release.
func (u *Session) Client() *esdb.Client { return u.client }

// work does a job beside the caller, by a worker that waits for the next one as long as the
// session lives: a call grows its stack, which costs a third of a call to do anew each time.
func (u *Session) work(job func()) {
	select {
	case u.jobs <- job:
	default:
		go func() {
			for {
				job()
				select {
				case job = <-u.jobs:
				case <-u.gone:
					return
				}
			}
		}()
	}
}

// acquire counts a user, if the session still takes any.
func (u *Session) acquire() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.retired {
		return false
	}
	u.users++
	return true
}

// Release gives back what acquire took.
func (u *Session) Release() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.users--
	u.closeUnused()
}

// retire lets nobody begin; the client is closed once nobody uses it.
func (u *Session) retire() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.retired {
		u.retired = true
		close(u.gone)
		u.closeUnused()
	}
}

// closeUnused closes the client of a retired session after its last user: before, the client
// would panic in the calls that are under way. The caller holds mu.
func (u *Session) closeUnused() {
	if u.retired && u.users == 0 {
		_ = u.client.Close() // it has no error to return
	}
}

// Current returns the session, in use, once it has found a node. The first caller that asks for
// one makes it; the others wait with their own patience.
func (c *Cluster) Current(ctx context.Context) (*Session, error) {
	for {
		u, err := c.open()
		if err != nil {
			return nil, err
		}
		select {
		case <-u.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-c.hope.Done():
			return nil, context.Cause(c.hope)
		}
		if u.failed != nil {
			return nil, u.failed
		}
		if u.acquire() {
			return u, nil
		}
		c.Replace(u)
	}
}

// open returns the session, which may not be ready, and makes one if there is none.
func (c *Cluster) open() (*Session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := context.Cause(c.ctx); err != nil {
		return nil, err
	}
	if c.session == nil {
		client, err := esdb.NewClient(c.config)
		if err != nil {
			return nil, fmt.Errorf("eventstoredb: %w", err)
		}
		u := &Session{
			client: client,
			slots:  make(chan struct{}, c.options.InFlight),
			jobs:   make(chan func()),
			ready:  make(chan struct{}),
			gone:   make(chan struct{}),
			users:  1,
		}
		c.session = u
		begin := max(time.Until(c.next), 0)
		c.next = time.Now().Add(begin + sessionPause)
		go c.probe(u, begin)
	}
	return c.session, nil
}

// Replace forgets a session, so that the next call makes another.
func (c *Cluster) Replace(u *Session) {
	c.mu.Lock()
	if c.session == u {
		c.session = nil
	}
	c.mu.Unlock()
	u.retire()
}

// probe makes the first call on a session: the one that finds a node. It alone waits for
// that; a second call would hang in the client if it found none.
func (c *Cluster) probe(u *Session, pause time.Duration) {
	defer u.Release()
	defer close(u.ready)
	if u.failed = c.Sleep(c.ctx, pause); u.failed == nil {
		_, u.failed = Guard(func() (struct{}, error) {
			return struct{}{}, c.options.Probe(c.ctx, u.client, c.AttemptTimeout())
		})
	}
	if Denied(u.failed) { // by a node that was found: calls that need the right are told so
		u.failed = nil
	}
	if u.failed != nil {
		c.failed(u.failed)
		c.Replace(u)
		return
	}
	c.said.Store(nil)
	c.wrong.Store(nil)
}

// Guard turns a panic of the client, at an answer that it does not expect, into an error.
func Guard[T any](do func() (T, error)) (res T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("eventstoredb: the client did not understand the server: %v", p)
		}
	}()
	return do()
}

// Call makes a call that may be made again: at another node, with a fresh client, until
// it is answered or its time is over. It does not wait for a client that hangs, nor for a
// cluster that has been away for as long as a call may take.
func Call[T any](ctx context.Context, c *Cluster, do func(context.Context, *esdb.Client) (T, error)) (res T, err error) {
	return call(ctx, c, c.sameTime, do)
}

// Write is [Call] for a write that the server knows again: no attempt waits long for one that
// will never be answered.
func Write[T any](ctx context.Context, c *Cluster, do func(context.Context, *esdb.Client) (T, error)) (res T, err error) {
	return call(ctx, c, c.moreTime, do)
}

// sameTime and moreTime say how long an attempt may take that so many came before.
func (c *Cluster) sameTime(int) time.Duration { return c.AttemptTimeout() }

func (c *Cluster) moreTime(before int) time.Duration {
	return min(c.options.Timeout/firstWrite<<min(before, attempts), c.AttemptTimeout())
}

func call[T any](
	ctx context.Context, c *Cluster, wait func(before int) time.Duration, do func(context.Context, *esdb.Client) (T, error),
) (res T, err error) {
	patience := c.options.Timeout
	if f := c.down.Load(); f != nil && c.opened.Load() {
		if patience = time.Until(f.at.Add(c.options.Timeout)); patience <= 0 {
			return res, c.explain(f.err)
		}
	}
	return persist(ctx, c, patience, wait, do)
}

// persist is call with the patience that it is given.
func persist[T any](
	ctx context.Context, c *Cluster, patience time.Duration, wait func(before int) time.Duration,
	do func(context.Context, *esdb.Client) (T, error),
) (T, error) {
	var last error // that was not the end of the time
	began, before := time.Now(), 0
	if wait(0) < patience {
		if u := c.enterNow(); u != nil { // most calls end here, and need no more
			res, err := run(ctx, c, u, true, wait(0), do)
			if err == nil || !Transient(err) {
				return res, err
			}
			if before, last = 1, err; Over(ctx) {
				last = nil
			}
			patience -= time.Since(began)
		}
	}
	outer := ctx
	ctx, cancel := c.Bound(ctx, patience)
	defer cancel()
	res, err := backoff.Retry(ctx, func() (T, error) {
		res, err := attempt(ctx, c, before == 0, wait(before), do)
		if before == 0 && (moved(err) || swept(err)) {
			res, err = attempt(ctx, c, false, wait(before), do) // at once, at the leader
		}
		before++
		if err != nil && !Transient(err) {
			return res, backoff.Permanent(err)
		}
		if err != nil && !Over(ctx) && (last == nil || !errors.Is(err, errRetired)) { // which says less than what came before
			last = err
		}
		return res, err
	}, backoff.WithBackOff(Pace()), backoff.WithMaxElapsedTime(0))
	switch {
	case err == nil:
		return res, nil
	case outer.Err() != nil:
		return res, outer.Err()
	case Over(outer):
		return res, context.DeadlineExceeded
	case c.ctx.Err() != nil:
		return res, ErrClosed
	case !Transient(err):
		return res, err
	case last != nil:
		err = last
	}
	c.failed(err) // also if it waited for a client that finds no node
	return res, c.explain(err)
}

// Left returns what is left of the time of ctx, for the client, whose own deadlines are
// longer.
func Left(ctx context.Context) time.Duration {
	if end, ok := ctx.Deadline(); ok {
		return time.Until(end)
	}
	return callTimeout
}

// Over reports whether the time of a call is over, which is no fault of its client. gRPC goes
// by the clock, and may say so before the timer of ctx does.
func Over(ctx context.Context) bool { return ctx.Err() != nil || Left(ctx) <= 0 }

// Pace is how fast a call is made again: at once, since most often another node is there,
// and then slower.
func Pace() backoff.BackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval, b.Multiplier = 5*time.Millisecond, time.Second, 2
	return b
}

// errRetired says that a call waited for a client that was given up.
var errRetired = errors.New("eventstoredb: the connection was given up")

// attempt makes a call once. If it is not answered in its time, the client is taken for
// one that hangs; the call keeps its slot until the client gives it back.
//
// A session is given up before the slot of the call that failed on it is: the next call
// would have the client look for another node, and leave its old connection open for good.
// What may have come of a leader that moved is held against it from the second attempt on.
func attempt[T any](
	ctx context.Context, c *Cluster, first bool, wait time.Duration, do func(context.Context, *esdb.Client) (T, error),
) (res T, err error) {
	u, err := c.Current(ctx)
	if err != nil {
		return res, err
	}
	select {
	case u.slots <- struct{}{}:
	case <-u.gone: // those that have the slots may keep them for good
		u.Release()
		return res, errRetired
	case <-ctx.Done():
		u.Release()
		return res, ctx.Err()
	}
	return run(ctx, c, u, first, wait, do)
}

// enterNow returns the session, in use and with a slot of it taken, if that takes no waiting.
func (c *Cluster) enterNow() *Session {
	c.mu.Lock()
	u := c.session
	c.mu.Unlock()
	if u == nil {
		return nil
	}
	select {
	case <-u.ready:
	default:
		return nil
	}
	if u.failed != nil || !u.acquire() {
		return nil
	}
	select {
	case u.slots <- struct{}{}:
		return u
	default:
		u.Release()
		return nil
	}
}

// run makes a call in a slot of a session, and gives both back.
func run[T any](
	ctx context.Context, c *Cluster, u *Session, first bool, wait time.Duration,
	do func(context.Context, *esdb.Client) (T, error),
) (res T, err error) {
	type answer struct {
		res T
		err error
	}
	timed, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	timed = leading(timed)
	judge := func(err error) {
		if err != nil && !errors.Is(err, errRetired) && !Over(ctx) && Transient(err) && !(first && swept(err)) {
			c.Broken(u, err)
		}
	}
	done := make(chan answer, 1)
	u.work(func() {
		defer u.Release()
		defer func() { <-u.slots }()
		res, err := Guard(func() (res T, err error) {
			select {
			case <-u.gone:
				return res, errRetired
			default:
				return do(timed, u.client)
			}
		})
		judge(err)
		done <- answer{res, err}
	})
	select {
	case a := <-done:
		return a.res, a.err
	case <-c.ctx.Done():
		return res, ErrClosed
	case <-timed.Done():
		if wait < c.AttemptTimeout() && !Over(ctx) {
			c.Replace(u) // it was not waited for long enough to say that the cluster is away
		} else {
			judge(timed.Err())
		}
		return res, timed.Err()
	}
}

// leading returns ctx for calls that only the leader answers. The client has an option for
// that, and puts it where it does not reach the wire; what a context has for it does.
//
// A follower answers from its own copy, which is behind by some milliseconds, or by more: who
// decides on that decides on what is past. No client is at the leader for good, whatever it
// prefers, since a leader that resigns keeps its connections.
func leading(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "requires-leader", "true")
}

// moved reports whether a call ended since the leader is another, which is no fault of the
// cluster. The node has named it, and the client has gone there by itself and closed the old
// connection, which cancels what else was under way.
func moved(err error) bool {
	var e *esdb.Error
	return errors.As(err, &e) && e.Code() == esdb.ErrorCodeNotLeader || status.Code(err) == codes.Canceled
}

// swept reports whether a call may have ended with a connection that the client closed as in
// [moved], while it was being sent or about to be. A server can bring that about too.
func swept(err error) bool {
	return errors.Is(err, io.EOF) || status.Code(err) == codes.Unavailable && strings.Contains(err.Error(), "transport is closing")
}

// Broken does what a failed call asks for: another client, unless the leader has moved.
func (c *Cluster) Broken(u *Session, err error) {
	if !moved(err) {
		c.failed(err)
		c.Replace(u)
	}
}

// Bound returns ctx as it ends with the store, and after d, if d is above 0.
func (c *Cluster) Bound(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(c.ctx, cancel)
	if d > 0 {
		var timeout context.CancelFunc
		ctx, timeout = context.WithTimeout(ctx, d)
		return ctx, func() { stop(); timeout(); cancel() }
	}
	return ctx, func() { stop(); cancel() }
}
