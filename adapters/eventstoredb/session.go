package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/cenkalti/backoff/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// callTimeout bounds a call with all of its attempts; an attempt has a third of it.
	callTimeout = 12 * time.Second
	attempts    = 3
	// sessionPause is how long after one session another is begun at the soonest: a cluster
	// that fails all calls at once is not asked for new connections as fast as it fails.
	sessionPause = 100 * time.Millisecond
	// inFlight bounds the calls of one client that are under way at once. They share one
	// connection, on which a server takes 100 by default, the subscriptions among them: what
	// is more would wait in gRPC, and be taken for calls that hang.
	inFlight = 64
)

// session is one client and the calls that it has not given back.
type session struct {
	client *esdb.Client
	slots  chan struct{} // one is held by each call that the client has, also if nobody waits for it
	ready  chan struct{} // closed when the client has found a node, or failed
	failed error         // set before ready is closed
	gone   chan struct{} // closed when it is retired

	mu      sync.Mutex // guards what follows
	users   int        // calls and subscriptions under way
	retired bool       // no more begin
}

// acquire counts a user, if the session still takes any.
func (u *session) acquire() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.retired {
		return false
	}
	u.users++
	return true
}

// release gives back what acquire took.
func (u *session) release() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.users--
	u.closeUnused()
}

// retire lets nobody begin; the client is closed once nobody uses it.
func (u *session) retire() {
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
func (u *session) closeUnused() {
	if u.retired && u.users == 0 {
		_ = u.client.Close() // it has no error to return
	}
}

// current returns the session, in use, once it has found a node. The first caller that asks for
// one makes it; the others wait with their own patience.
func (s *Store) current(ctx context.Context) (*session, error) {
	for {
		u, err := s.open()
		if err != nil {
			return nil, err
		}
		select {
		case <-u.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if u.failed != nil {
			return nil, u.failed
		}
		if u.acquire() {
			return u, nil
		}
		s.replace(u)
	}
}

// open returns the session, which may not be ready, and makes one if there is none.
func (s *Store) open() (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := context.Cause(s.ctx); err != nil {
		return nil, err
	}
	if s.session == nil {
		client, err := esdb.NewClient(s.config)
		if err != nil {
			return nil, fmt.Errorf("eventstoredb: %w", err)
		}
		u := &session{
			client: client,
			slots:  make(chan struct{}, s.inFlight),
			ready:  make(chan struct{}),
			gone:   make(chan struct{}),
			users:  1,
		}
		s.session = u
		begin := max(time.Until(s.next), 0)
		s.next = time.Now().Add(begin + sessionPause)
		go s.probe(u, begin)
	}
	return s.session, nil
}

// replace forgets a session, so that the next call makes another.
func (s *Store) replace(u *session) {
	s.mu.Lock()
	if s.session == u {
		s.session = nil
	}
	s.mu.Unlock()
	u.retire()
}

// probe makes the first call on a session: the one that finds a node. It alone waits for
// that; a second call would hang in the client if it found none.
func (s *Store) probe(u *session, pause time.Duration) {
	defer u.release()
	defer close(u.ready)
	if u.failed = sleep(s.ctx, s.ctx, pause); u.failed == nil {
		_, u.failed = guard(func() ([]*esdb.RecordedEvent, error) {
			return readStream(s.ctx, u.client, s.namespace, 0, 1, s.timeout/attempts)
		})
	}
	if u.failed != nil {
		s.failed(u.failed)
		s.replace(u)
		return
	}
	s.said.Store(nil)
}

// guard turns a panic of the client, at an answer that it does not expect, into an error.
func guard[T any](do func() (T, error)) (res T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("eventstoredb: the client did not understand the server: %v", p)
		}
	}()
	return do()
}

// call makes a call that may be made again: at another node, with a fresh client, until
// it is answered or its time is over. It does not wait for a client that hangs, nor for a
// cluster that has been away for as long as a call may take.
func call[T any](ctx context.Context, s *Store, do func(context.Context, *esdb.Client) (T, error)) (res T, err error) {
	patience := s.timeout
	if f := s.down.Load(); f != nil && s.opened.Load() {
		if patience = time.Until(f.at.Add(s.timeout)); patience <= 0 {
			return res, s.explain(f.err)
		}
	}
	return persist(ctx, s, patience, do)
}

// persist is call with the patience that it is given.
func persist[T any](
	ctx context.Context, s *Store, patience time.Duration, do func(context.Context, *esdb.Client) (T, error),
) (T, error) {
	outer := ctx
	ctx, cancel := s.bound(ctx, patience)
	defer cancel()
	var last error // that was not the end of the time
	res, err := backoff.Retry(ctx, func() (T, error) {
		res, err := attempt(ctx, s, do)
		if err != nil && !transient(err) {
			return res, backoff.Permanent(err)
		}
		if err != nil && !over(ctx) && (last == nil || !errors.Is(err, errRetired)) { // which says less than what came before
			last = err
		}
		return res, err
	}, backoff.WithBackOff(pace()), backoff.WithMaxElapsedTime(0))
	switch {
	case err == nil:
		return res, nil
	case outer.Err() != nil:
		return res, outer.Err()
	case over(outer):
		return res, context.DeadlineExceeded
	case s.ctx.Err() != nil:
		return res, ErrClosed
	case !transient(err):
		return res, err
	case last != nil:
		err = last
	}
	s.failed(err) // also if it waited for a client that finds no node
	return res, s.explain(err)
}

// over reports whether the time of a call is over, which is no fault of its client. gRPC goes
// by the clock, and may say so before the timer of ctx does.
func over(ctx context.Context) bool { return ctx.Err() != nil || left(ctx) <= 0 }

// pace is how fast a call is made again: at once, since most often another node is there,
// and then slower.
func pace() backoff.BackOff {
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
func attempt[T any](ctx context.Context, s *Store, do func(context.Context, *esdb.Client) (T, error)) (res T, err error) {
	u, err := s.current(ctx)
	if err != nil {
		return res, err
	}
	select {
	case u.slots <- struct{}{}:
	case <-u.gone: // those that have the slots may keep them for good
		u.release()
		return res, errRetired
	case <-ctx.Done():
		u.release()
		return res, ctx.Err()
	}
	type answer struct {
		res T
		err error
	}
	timed, cancel := context.WithTimeout(ctx, s.timeout/attempts)
	defer cancel()
	judge := func(err error) {
		if err != nil && !errors.Is(err, errRetired) && !over(ctx) && transient(err) {
			s.broken(u, err)
		}
	}
	done := make(chan answer, 1)
	go func() {
		defer u.release()
		defer func() { <-u.slots }()
		res, err := guard(func() (res T, err error) {
			select {
			case <-u.gone:
				return res, errRetired
			default:
				return do(timed, u.client)
			}
		})
		judge(err)
		done <- answer{res, err}
	}()
	select {
	case a := <-done:
		return a.res, a.err
	case <-timed.Done():
		judge(timed.Err())
		return res, timed.Err()
	}
}

// broken does what a failed call asks for: another client. Where the node has named the
// leader, the client has gone there by itself, which cancels what else was under way; it is
// kept if no gossip would lead there.
func (s *Store) broken(u *session, err error) {
	var e *esdb.Error
	moved := errors.As(err, &e) && e.Code() == esdb.ErrorCodeNotLeader || status.Code(err) == codes.Canceled
	if !moved {
		s.failed(err)
	}
	if !moved || s.config.DnsDiscover || len(s.config.GossipSeeds) > 0 {
		s.replace(u)
	}
}

// bound returns ctx as it ends with the store, and after d, if d is above 0.
func (s *Store) bound(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.ctx, cancel)
	if d > 0 {
		var timeout context.CancelFunc
		ctx, timeout = context.WithTimeout(ctx, d)
		return ctx, func() { stop(); timeout(); cancel() }
	}
	return ctx, func() { stop(); cancel() }
}
