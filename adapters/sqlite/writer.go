package sqlite

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"sandglass/adapters/sqlite/logfile"
	"sandglass/domain/instant"
	"sandglass/domain/stream"

	"zombiezen.com/go/sqlite"
)

const (
	queueSize = 1024    // appends that wait
	groupMax  = 1024    // appends in one transaction
	groupSize = 4 << 20 // bytes after which no further append joins it

	// The events of the tail are entered in places when it holds so many: more cost
	// memory and make Open slower, fewer dirty more pages per event.
	tailMax = 8192
)

// writer is the goroutine that writes, and what only it touches.
type writer struct {
	path    string
	types   *logfile.Types
	tail    *logfile.Tail
	closing <-chan struct{}
	using   sync.Mutex // guards conn, for tests that reach for it
	conn    *sqlite.Conn
	lock    *os.File
	now     func() instant.Time
	space   space
	queue   chan *request
	imports chan *importing
	stopped chan struct{}
	failure atomic.Pointer[error] // of the last group, nil if it was committed
	head    atomic.Uint64         // position of the last durable event
	news    signal                // fires when head has moved

	next     stream.Position // of the next event
	recorded instant.Time    // of the last event
	ownIDs   bool            // some stream has ids that stream.NewID did not make
	tailMax  int
	wal      wal

	probeEvery time.Duration
}

// newWriter reads the end of the log. The caller starts run, and close follows.
func newWriter(s *Store, conn *sqlite.Conn, lock *os.File, opts Options) (*writer, error) {
	w := &writer{
		path:       s.path,
		types:      s.types,
		tail:       s.tail,
		closing:    s.closing,
		conn:       conn,
		lock:       lock,
		now:        opts.Now,
		space:      newSpace(s.path, opts),
		queue:      make(chan *request, queueSize),
		imports:    make(chan *importing),
		stopped:    make(chan struct{}),
		tailMax:    cmp.Or(opts.tailMax, tailMax),
		wal:        wal{soft: cmp.Or(opts.walSoft, walSoft)},
		probeEvery: cmp.Or(opts.probeEvery, probeEvery),
	}
	head, err := logfile.Head(conn)
	if err != nil {
		return nil, logfile.Unreadable(s.path, err)
	}
	recorded, err := logfile.QueryInt(conn, `SELECT recorded_at FROM events ORDER BY position DESC LIMIT 1`)
	if err != nil {
		return nil, logfile.Unreadable(s.path, err)
	}
	own, err := logfile.QueryInt(conn, `SELECT EXISTS (SELECT 1 FROM own_ids)`)
	if err != nil {
		return nil, logfile.Unreadable(s.path, err)
	}
	if err := errors.Join(w.types.Load(conn), w.tail.Load(conn)); err != nil {
		return nil, logfile.Unreadable(s.path, err)
	}
	w.next, w.recorded, w.ownIDs = head+1, instant.Time(recorded), own == 1
	w.head.Store(uint64(head))
	return w, nil
}

// run commits what is appended until the store is closed.
func (w *writer) run() {
	defer close(w.stopped)
	for {
		select {
		case r := <-w.queue:
			w.commit(w.gather(r))
		case r := <-w.imports:
			w.writeImport(r)
		case <-w.failed():
			w.probe()
		case <-w.closing:
			for {
				select {
				case r := <-w.queue:
					w.commit(w.gather(r))
				default:
					return
				}
			}
		}
	}
}

// gather takes first and what waits behind it. Those who were answered a moment ago get
// their turn to append again, so that they are in this group and not all in the next.
func (w *writer) gather(first *request) []*request {
	var group []*request
	bytes := 0
	take := func(r *request) {
		if r.state.CompareAndSwap(waiting, taken) {
			group = append(group, r)
			bytes += r.bytes
		}
	}
	take(first)
	for idle := 0; idle < 2 && len(group) < groupMax && bytes < groupSize; {
		select {
		case r := <-w.queue:
			take(r)
			idle = 0
		default:
			runtime.Gosched()
			idle++
		}
	}
	return group
}

// commit writes a group in one transaction and answers it.
func (w *writer) commit(requests []*request) {
	if len(requests) == 0 {
		return
	}
	w.using.Lock()
	defer w.using.Unlock()
	g := group{w: w, next: w.next, recorded: max(w.recorded, min(w.now(), instant.Max))}
	err := w.space.check()
	if err == nil {
		err = g.write(requests)
		w.setFailure(err)
	}
	if err == nil {
		w.publish(&g)
	}
	for _, r := range requests {
		if err != nil {
			r.res, r.err = stream.Appended{}, err
		}
		close(r.done)
	}
	w.maintain()
}

// probeEvery is how often the file is written to after a failure, until that succeeds.
const probeEvery = time.Second

// failed returns what tells when to probe, nil while there is no need.
func (w *writer) failed() <-chan time.Time {
	if w.failure.Load() == nil {
		return nil
	}
	return time.After(w.probeEvery)
}

// probe writes what changes nothing, after a failure: who asks [Store.Writable] before
// they append would else never append again.
func (w *writer) probe() {
	w.using.Lock()
	defer w.using.Unlock()
	if w.space.check() != nil {
		return
	}
	g := group{w: w} // whose next is not the writer's, so that it commits
	w.setFailure(g.transact(func() error { return logfile.Exec(w.conn, `UPDATE log SET indexed = indexed`) }))
	w.wal.grew(walPage)
}

// setFailure keeps err for writable to tell.
func (w *writer) setFailure(err error) {
	if err == nil {
		w.failure.Store(nil)
		return
	}
	if !errors.Is(err, stream.ErrReadOnly) {
		err = fmt.Errorf("%w: the last write: %w", stream.ErrReadOnly, err)
	}
	w.failure.Store(&err)
}

// publish makes a committed group visible.
func (w *writer) publish(g *group) {
	if g.next == w.next {
		return
	}
	for name, id := range g.types {
		w.types.Add(id, name) // within bounds: see typeID
	}
	w.tail.Add(g.runs)
	w.next, w.recorded, w.ownIDs = g.next, g.recorded, g.ownIDs || w.ownIDs
	w.wal.grew(g.bytes)
	w.head.Store(uint64(w.next - 1))
	w.news.fire()
}

// maintain does what can wait until the group is answered. Its errors can wait too: the
// next group meets them, or tries again.
func (w *writer) maintain() {
	if n := w.tail.Len(); n >= w.tailMax {
		if err := w.tail.Flush(w.conn); err != nil {
			w.setFailure(writeError(err))
		}
		w.wal.grew(n * walPage)
	}
	w.wal.checkpoint(w.conn)
}

func (w *writer) writable() error {
	if err := w.space.check(); err != nil {
		return err
	}
	if err := w.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// close leaves the file complete: nothing in the tail, nothing in the WAL.
func (w *writer) close() error {
	err := w.tail.Flush(w.conn)
	err = errors.Join(err, w.wal.truncate(w.conn), w.conn.Close(), logfile.Unlock(w.lock))
	if err != nil {
		return fmt.Errorf("sqlite: closing %s: %w", w.path, err)
	}
	return nil
}

// writeError says what went wrong, and whether it was for lack of space. A refusal is
// nothing that went wrong.
func writeError(err error) error {
	if _, ok := err.(refusal); ok {
		return err
	}
	if sqlite.ErrCode(err).ToPrimary() == sqlite.ResultFull {
		return fmt.Errorf("%w: the disk is full: make room: %w", stream.ErrReadOnly, err)
	}
	return fmt.Errorf("sqlite: writing: %w", err)
}
