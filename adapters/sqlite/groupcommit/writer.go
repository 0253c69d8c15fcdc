// Package groupcommit appends to a log in SQLite.
//
// One [Writer] owns the only connection that writes. It takes the appends that wait,
// checks each one's expected revision on what the log holds after those before it, writes
// all of them in one transaction and answers after COMMIT: so a group costs one fsync,
// and what was answered is durable. An import is a transaction of its own.
//
// It moves the WAL into the file, stops before the disk is full, and after a failed write
// tries by itself whether it can write again. The file, and what finds an event in it,
// are in logfile; reading is left to others.
package groupcommit

import (
	"cmp"
	"errors"
	"fmt"
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

// Config is what a writer is made of.
type Config struct {
	Path    string
	Conn    *sqlite.Conn    // which the writer owns from now on
	Hold    *logfile.Hold   // on the file, likewise
	Types   *logfile.Types  // which the writer loads and adds to, as it does to Tail
	Tail    *logfile.Tail   //
	Closing <-chan struct{} // closed when the writer is to end

	// The options of the store.
	Now            func() instant.Time
	FreeSpaceFloor int64
	FreeSpace      func(path string) (int64, error)
	Limits         Limits
}

// Limits are when the writer does what is not done at each commit. What is 0 is as this
// package has it; tests come to it sooner.
type Limits struct {
	Tail  int           // events in the tail before they are entered in places
	WAL   int           // bytes in the WAL before they are moved into the file
	Probe time.Duration // how often the file is written to after a failure
}

// Writer is the goroutine that writes, and what only it touches.
type Writer struct {
	path    string
	types   *logfile.Types
	tail    *logfile.Tail
	closing <-chan struct{}
	using   sync.Mutex // guards conn, for tests that reach for it
	conn    *sqlite.Conn
	hold    *logfile.Hold
	now     func() instant.Time
	space   logfile.Space
	queue   chan *request
	imports chan *Batch
	swaps   chan *swap
	stopped chan struct{}
	failure atomic.Pointer[error] // of the last group, nil if it was committed
	head    atomic.Uint64         // position of the last durable event
	news    logfile.Signal        // fires when head has moved

	next     stream.Position // of the next event
	recorded instant.Time    // of the last event
	version  int64           // of what others wrote: see checkHold
	ownIDs   bool            // some stream has ids that do not follow from the content
	wal      logfile.WAL

	tailMax    int
	probeEvery time.Duration
}

// New reads the end of the log. The caller starts Run, and Close follows; after an error
// the connection and the lock are still the caller's.
func New(c Config) (*Writer, error) {
	w := &Writer{
		path:       c.Path,
		types:      c.Types,
		tail:       c.Tail,
		closing:    c.Closing,
		conn:       c.Conn,
		hold:       c.Hold,
		now:        c.Now,
		space:      logfile.NewSpace(c.Path, c.FreeSpaceFloor, c.FreeSpace),
		queue:      make(chan *request, queueSize),
		imports:    make(chan *Batch),
		swaps:      make(chan *swap),
		stopped:    make(chan struct{}),
		wal:        logfile.WAL{Soft: c.Limits.WAL},
		tailMax:    cmp.Or(c.Limits.Tail, tailMax),
		probeEvery: cmp.Or(c.Limits.Probe, probeEvery),
	}
	if err := w.load(); err != nil {
		return nil, logfile.Unreadable(c.Path, err)
	}
	return w, nil
}

// load reads what the writer goes on from.
func (w *Writer) load() error {
	version, err := logfile.QueryInt(w.conn, sqlVersion)
	if err != nil {
		return err
	}
	head, err := logfile.Head(w.conn)
	if err != nil {
		return err
	}
	w.version = version
	recorded, err := logfile.QueryInt(w.conn, `SELECT recorded_at FROM events ORDER BY position DESC LIMIT 1`)
	if err != nil {
		return err
	}
	own, err := logfile.QueryInt(w.conn, `SELECT EXISTS (SELECT 1 FROM own_ids)`)
	if err != nil {
		return err
	}
	if err := errors.Join(w.types.Load(w.conn), w.tail.Load(w.conn)); err != nil {
		return err
	}
	w.next, w.recorded, w.ownIDs = head+1, instant.Time(recorded), own == 1
	w.head.Store(uint64(head))
	return nil
}

// Head returns the position of the last durable event.
func (w *Writer) Head() stream.Position { return stream.Position(w.head.Load()) }

// News returns a channel that is closed when the head moves next.
func (w *Writer) News() <-chan struct{} { return w.news.Wait() }

// Use calls f with the writer's connection between two commits. Tests make writes fail
// by it.
func (w *Writer) Use(f func(*sqlite.Conn) error) error {
	w.using.Lock()
	defer w.using.Unlock()
	return f(w.conn)
}

// Run commits what is appended until the store is closed.
func (w *Writer) Run() {
	defer close(w.stopped)
	for {
		select {
		case r := <-w.queue:
			w.commit(w.gather(r))
		case r := <-w.imports:
			w.writeImport(r)
		case s := <-w.swaps:
			w.writeSwap(s)
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

// Writable returns nil, or an error that wraps [stream.ErrReadOnly] and says why appends
// are refused. It looks at the disk.
func (w *Writer) Writable() error {
	if err := w.hold.Check(); err != nil {
		return err
	}
	if err := w.space.Check(); err != nil {
		return err
	}
	if err := w.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Close waits until Run has ended and leaves the file complete: nothing in the tail,
// nothing in the WAL. A file that is no longer the writer's alone it leaves as it is: to
// write to it, or to let SQLite delete its WAL, would damage what somebody put there.
func (w *Writer) Close() error {
	<-w.stopped
	if w.hold.Lost() {
		return w.hold.Abandon()
	}
	err := w.tail.Flush(w.conn)
	err = errors.Join(err, w.wal.Truncate(w.conn), w.conn.Close(), w.hold.Release())
	if err != nil {
		return fmt.Errorf("sqlite: closing %s: %w", w.path, err)
	}
	return nil
}

// probeEvery is how often the file is written to after a failure, until that succeeds.
const probeEvery = time.Second

// failed returns what tells when to probe, nil while there is no need.
func (w *Writer) failed() <-chan time.Time {
	if w.failure.Load() == nil {
		return nil
	}
	return time.After(w.probeEvery)
}

// probe writes what changes nothing, after a failure: callers that ask [Writer.Writable]
// before they append would else never append again.
func (w *Writer) probe() {
	w.using.Lock()
	defer w.using.Unlock()
	if w.space.Check() != nil {
		return
	}
	g := group{w: w} // whose next is not the writer's, so that it commits
	w.setFailure(g.transact(func() error { return logfile.Exec(w.conn, `UPDATE log SET indexed = indexed`) }))
	w.wal.Grew(logfile.WALPage)
}

// setFailure keeps err for Writable to tell.
func (w *Writer) setFailure(err error) {
	if err == nil {
		w.failure.Store(nil)
		return
	}
	if !errors.Is(err, stream.ErrReadOnly) {
		err = fmt.Errorf("%w: the last write: %w", stream.ErrReadOnly, err)
	}
	w.failure.Store(&err)
}
