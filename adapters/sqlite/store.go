// Package sqlite keeps the log in one file of SQLite: a [stream.EventStore] for one machine.
//
// The table events is the log; it is only ever appended to. One goroutine owns the only
// connection that writes. It takes the appends that wait, checks each one's expected
// revision, writes all of them in one transaction and answers after COMMIT: SQLite has
// then fsynced the WAL (synchronous=FULL), and [Create] has fsynced the folder. So what
// was answered survives a kill and a loss of power, and a group of appends costs one fsync.
//
// What finds the events of a stream, the table places, lags behind by some thousand
// events: those the tail holds in memory, and [Open] reads them from the log again. An
// entry per append would dirty a page per append, which measured costs more than all else.
//
// This package opens the log and reads it. The file is in logfile, the writing goroutine
// in groupcommit.
//
// One process writes a file, whatever names the file has: the file itself is locked
// ([logfile.Lock]). A file that was replaced, or written by another program, is noticed
// before an append is answered; the store is read-only from then on, until it is opened again.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"sandglass/adapters/sqlite/groupcommit"
	"sandglass/adapters/sqlite/logfile"
	"sandglass/domain/instant"
	"sandglass/domain/stream"

	"zombiezen.com/go/sqlite"
)

// ErrClosed says that the store was closed.
var ErrClosed = logfile.ErrClosed

// Create makes an empty log at path, which must not exist. It appears there whole or not
// at all, and is durable when Create returns.
func Create(path string) error { return logfile.Create(path) }

// Options say how a log is opened. Only Now is required.
type Options struct {
	// Now stamps RecordedAt, which never runs backwards all the same.
	Now func() instant.Time
	// FreeSpaceFloor is how many bytes of the disk appends leave free: below it they are
	// refused with [stream.ErrReadOnly], until a quarter more than it is free again, at
	// most 256 MiB more.
	// 0 means [DefaultFreeSpaceFloor], a negative number none.
	FreeSpaceFloor int64
	// FreeSpace returns what is free on the disk of path; nil asks the system.
	FreeSpace func(path string) (int64, error)

	limits groupcommit.Limits // tests lower them
}

// DefaultFreeSpaceFloor is far more than one group of appends and a full WAL take.
const DefaultFreeSpaceFloor = logfile.DefaultFreeSpaceFloor

// What one call of Import takes at most: it is one transaction.
const (
	MaxImport      = groupcommit.MaxImport      // records
	MaxImportBytes = groupcommit.MaxImportBytes // of data and metadata
)

// Store is an open log. Its methods may be called at the same time.
type Store struct {
	path    string
	id      string
	readers *pool
	types   *logfile.Types
	tail    *logfile.Tail       // nil if the store is read-only
	writer  *groupcommit.Writer // likewise
	closing chan struct{}
	close   sync.Once
	closed  error // what Close answers
}

// Open opens the log at path for reading and writing. There is one such Store per file,
// on this machine, by whatever name: a second one is refused. What durability needs is set
// in the file, such as WAL mode, which a copy by VACUUM INTO has lost.
func Open(path string, opts Options) (*Store, error) {
	if opts.Now == nil {
		return nil, errors.New("sqlite: Options.Now is nil: a store has no clock of its own")
	}
	if err := logfile.Exists(path); err != nil {
		return nil, err
	}
	hold, err := logfile.Lock(path)
	if err != nil {
		return nil, err
	}
	s, err := openLocked(path, opts, hold)
	if err != nil {
		return nil, errors.Join(err, hold.Release())
	}
	return s, nil
}

func openLocked(path string, opts Options, hold *logfile.Hold) (*Store, error) {
	conn, err := logfile.OpenWriter(path)
	if err != nil {
		return nil, err
	}
	s := &Store{
		path:    path,
		readers: newPool(path, hold),
		types:   new(logfile.Types),
		tail:    logfile.NewTail(),
		closing: make(chan struct{}),
	}
	if err := s.startOn(conn, hold, opts); err != nil {
		conn.Close()
		return nil, err
	}
	go s.writer.Run()
	return s, nil
}

// startOn makes the writer, once the file is known to be a log of ours and durable.
func (s *Store) startOn(conn *sqlite.Conn, hold *logfile.Hold, opts Options) (err error) {
	if s.id, err = logfile.Identify(conn, s.path); err != nil {
		return err
	}
	if err := logfile.MakeDurable(conn, s.path); err != nil {
		return err
	}
	if s.writer, err = groupcommit.New(s.config(conn, hold, opts)); err != nil {
		return err
	}
	return hold.Note() // now that the log was read there is a WAL
}

func (s *Store) config(conn *sqlite.Conn, hold *logfile.Hold, opts Options) groupcommit.Config {
	return groupcommit.Config{
		Path:           s.path,
		Conn:           conn,
		Hold:           hold,
		Types:          s.types,
		Tail:           s.tail,
		Closing:        s.closing,
		Now:            opts.Now,
		FreeSpaceFloor: opts.FreeSpaceFloor,
		FreeSpace:      opts.FreeSpace,
		Limits:         opts.limits,
	}
}

// OpenReadOnly opens the log at path beside the daemon that writes it, or without one.
// Its appends are refused with [stream.ErrReadOnly]; its subscriptions look for news
// ten times a second.
func OpenReadOnly(path string) (*Store, error) {
	if err := logfile.Exists(path); err != nil {
		return nil, err
	}
	hold, err := logfile.Share(path)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, readers: newPool(path, hold), types: new(logfile.Types), closing: make(chan struct{})}
	err = s.readers.use(context.Background(), s.closing, func(r *reader) (err error) {
		s.id, err = logfile.Identify(r.conn, path)
		return err
	})
	if err != nil {
		s.readers.close()
		return nil, errors.Join(err, hold.Release())
	}
	return s, nil
}

// Close ends the subscriptions, commits the appends that were taken, moves the WAL into
// the file and closes it.
func (s *Store) Close() error {
	s.close.Do(func() {
		close(s.closing)
		s.readers.close()
		if s.writer != nil {
			s.closed = s.writer.Close()
		} else {
			s.closed = s.readers.hold.Release()
		}
	})
	return s.closed
}

// ID returns the 32 hex digits that Create drew for this log: what is kept beside a log,
// such as a snapshot, bears the id of the log that it belongs to.
func (s *Store) ID() string { return s.id }

// Writable returns nil, or an error that wraps [stream.ErrReadOnly] and says why appends
// are refused. It looks at the disk.
func (s *Store) Writable() error {
	if s.writer == nil {
		return fmt.Errorf("sqlite: %s is open for reading only: %w", s.path, stream.ErrReadOnly)
	}
	return s.writer.Writable()
}

// Append implements [stream.EventStore]. When ctx ends while the append waits for its
// turn, nothing is written. Once the writer has taken it, Append answers what became of
// it, even though ctx has ended meanwhile: that takes a commit, and leaves no doubt.
func (s *Store) Append(
	ctx context.Context, name string, expected stream.Revision, events []stream.Event,
) (stream.Appended, error) {
	if err := stream.Check(name, expected, events); err != nil {
		return stream.Appended{}, err
	}
	if s.writer == nil {
		return stream.Appended{}, s.Writable()
	}
	return s.writer.Append(ctx, name, expected, events)
}

// Import appends records of another log, all or none, with all that they were there but
// for their positions. Each must stand at the end of its stream at exactly its revision:
// else it is [stream.ErrWrongRevision], but one that is there already with the same id is
// passed over, so that what was broken off can be done again. They come in the order of
// the other log: RecordedAt, which is kept, never runs backwards here either.
//
// Like Append it writes nothing if ctx ends while it waits for its turn, and answers what
// became of it thereafter.
func (s *Store) Import(ctx context.Context, records []stream.Record) error {
	batch, err := groupcommit.NewBatch(records)
	if err != nil || len(records) == 0 {
		return err
	}
	if s.writer == nil {
		return s.Writable()
	}
	return s.writer.Import(ctx, batch)
}

// Size returns how many bytes the log takes on disk, its WAL included.
func (s *Store) Size() (int64, error) { return logfile.Size(s.path) }

// Head implements [stream.EventStore].
func (s *Store) Head(ctx context.Context) (stream.Position, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	select {
	case <-s.closing:
		return 0, ErrClosed
	default:
	}
	if s.writer != nil {
		return s.writer.Head(), nil
	}
	var head stream.Position
	err := s.readers.use(ctx, s.closing, func(r *reader) (err error) {
		head, err = logfile.Head(r.conn)
		return err
	})
	return head, err
}
