// Package requests keeps what was asked for and nobody has paid in a file of SQLite beside the
// log: a [request.Store] for one machine.
//
// One goroutine owns the only connection that writes. It takes what waits to be kept or
// forgotten, writes all of it in one transaction and answers after COMMIT, when it is on the
// disk: so a group costs one fsync. What is forgotten gives its pages back to the disk.
//
// Like the log the file belongs to one process, by whatever name ([logfile.Lock]). All that
// comes to it comes through this store, which is how [Store.Follow] hears of it.
package requests

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"sandglass/adapters/sqlite/logfile"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// ErrClosed says that the store was closed.
var ErrClosed = logfile.ErrClosed

const (
	applicationID = 0x53614e72 // "SaNr", in the header of the file
	schemaVersion = 2
)

const sqlLast = `SELECT coalesce(max(id), 0) FROM requests`

// schema makes an empty file. A record is found by a hash of its name, which stands in its
// data: an entry of the index is small then, however long the name is.
const schema = `
CREATE TABLE requests (
	id   INTEGER PRIMARY KEY, -- in the order in which they were kept
	name BLOB NOT NULL UNIQUE, -- 16 bytes of its SHA-256
	data BLOB NOT NULL,
	sum  BLOB NOT NULL DEFAULT x'' -- request.Checksum of name and data
) STRICT;
` + schemaAside

// Path returns where the requests of the log at a path are: in requests.db beside it.
func Path(log string) string { return filepath.Join(filepath.Dir(log), "requests.db") }

// Create makes an empty file at path, which must not exist. It appears there whole or not at
// all, and is durable when Create returns.
func Create(path string) error {
	script := schema + fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, schemaVersion)
	return logfile.CreateBy(path, script, "PRAGMA auto_vacuum = INCREMENTAL;")
}

// Missing reports whether there is no file at path.
func Missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// Options say how the file is opened. The zero Options will do.
type Options struct {
	// Log is the id of the log that the file is beside. A file of another log is refused; one
	// that is of none yet is that log's from now on. Empty, it is not looked at.
	Log string

	// Told is told what is damaged in the file, which is put aside then. Where it is nil that stays,
	// and is passed over.
	Told func(string)

	// FreeSpaceFloor and FreeSpace are those of the log's store: below that many bytes on the
	// disk nothing is kept. 0 is 256 MiB, a negative number no floor.
	FreeSpaceFloor int64
	FreeSpace      func(path string) (int64, error)

	wal int // bytes in the WAL before they are moved into the file, 0 as usual; tests lower it
}

// Store is an open file. Its methods may be called at the same time.
type Store struct {
	path    string
	hold    *logfile.Hold
	space   logfile.Space
	queue   chan *job
	closing chan struct{}
	stopped chan struct{} // closed when the writing goroutine has ended
	close   sync.Once
	closed  error // what Close answers

	last atomic.Int64 // id of the last record that was kept
	news logfile.Signal

	reading sync.Mutex // guards reader, which is nil once it is closed
	reader  *sqlite.Conn

	using sync.Mutex // guards conn: the writer's, but for [Add] and for tests that reach for it
	conn  *sqlite.Conn
	wal   logfile.WAL
	wrote int         // bytes of the group that is being written, about
	loose atomic.Bool // there may be pages to give back
}

// Open opens the file at path. There is one such Store per file, on this machine, by whatever
// name: a second one is refused.
func Open(path string, o Options) (*Store, error) {
	if Missing(path) {
		return nil, fmt.Errorf(`sqlite: there are no requests at %s: "sandglass init" makes the file`, path)
	}
	hold, err := logfile.Lock(path)
	if err != nil {
		return nil, err
	}
	s := &Store{
		path: path, hold: hold, space: logfile.NewSpace(path, o.FreeSpaceFloor, o.FreeSpace), wal: logfile.WAL{Soft: o.wal},
		queue: make(chan *job, queueSize), closing: make(chan struct{}), stopped: make(chan struct{}),
	}
	if err := s.connect(o.Log, o.Told); err != nil {
		return nil, errors.Join(err, s.disconnect())
	}
	go s.run()
	return s, nil
}

// connect opens both connections of a file that is known to be one of ours.
func (s *Store) connect(log string, told func(string)) (err error) {
	if s.conn, err = logfile.OpenWriter(s.path); err != nil {
		return err
	}
	if err := identify(s.conn, s.path); err != nil {
		return err
	}
	if err := logfile.MakeDurable(s.conn, s.path); err != nil {
		return err
	}
	if err := belong(s.conn, s.path, log); err != nil {
		return err
	}
	if err := mend(s.conn, s.path, told); err != nil {
		return err
	}
	last, err := logfile.QueryInt(s.conn, sqlLast)
	if err != nil {
		return logfile.Unreadable(s.path, err)
	}
	s.last.Store(last)
	if s.reader, err = logfile.OpenReader(s.path); err != nil {
		return err
	}
	return s.hold.Note() // now that it was read there is a WAL
}

func identify(conn *sqlite.Conn, path string) error {
	app, err := logfile.QueryInt(conn, `PRAGMA application_id`)
	if err != nil {
		return logfile.Unreadable(path, err)
	}
	if app != applicationID {
		return fmt.Errorf("sqlite: %s is a database, but holds no requests of Sandglass: move it away", path)
	}
	version, err := logfile.QueryInt(conn, sqlVersion)
	if err != nil {
		return logfile.Unreadable(path, err)
	}
	if version < 1 || version > schemaVersion {
		return fmt.Errorf("sqlite: %s has schema %d, this build knows %d: run a newer build", path, version, schemaVersion)
	}
	return nil
}

// belong gives a file that is no log's yet to the one of that id, if that is not empty. It refuses
// a file of another: what it keeps would open, and be paid for, in this one.
func belong(conn *sqlite.Conn, path, log string) error {
	is, err := owner(conn, "main")
	switch {
	case err != nil:
		return logfile.Unreadable(path, err)
	case log == "" || is == log:
		return nil
	case is != "":
		return fmt.Errorf("sqlite: %s is of the log %s, and this is the log %s: put the requests of this log there, "+
			"or move the file away: then money of orders that nobody had paid yet is unallocated", path, is, log)
	}
	script := fmt.Sprintf("CREATE TABLE log (id TEXT NOT NULL) STRICT; INSERT INTO log VALUES ('%s');", log)
	if err := sqlitex.ExecuteScript(conn, script, nil); err != nil {
		return logfile.WriteError(err)
	}
	return nil
}

// owner returns the id of the log that a file is of, which is attached by that name, or nothing.
// Earlier builds made files without it.
func owner(conn *sqlite.Conn, name string) (id string, err error) {
	known, err := logfile.QueryInt(conn, `SELECT count(*) FROM `+name+`.sqlite_schema WHERE name = 'log'`)
	if err != nil || known == 0 {
		return "", err
	}
	err = sqlitex.ExecuteTransient(conn, `SELECT id FROM `+name+`.log`, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
		id = s.ColumnText(0)
		return nil
	}})
	return id, err
}

// disconnect closes what is open and gives the file back.
func (s *Store) disconnect() error {
	var errs []error
	s.reading.Lock()
	if s.reader != nil {
		errs = append(errs, s.reader.Close())
		s.reader = nil
	}
	s.reading.Unlock()
	if s.hold.Lost() { // to let SQLite delete the WAL would damage what somebody put there
		return errors.Join(append(errs, s.hold.Abandon())...)
	}
	if s.conn != nil {
		errs = append(errs, s.conn.Close())
	}
	return errors.Join(append(errs, s.hold.Release())...)
}

// Close ends those who follow, writes what was taken, moves the WAL into the file and closes it.
func (s *Store) Close() error {
	s.close.Do(func() {
		close(s.closing)
		<-s.stopped
		var moved error
		if !s.hold.Lost() {
			moved = s.wal.Truncate(s.conn)
		}
		if err := errors.Join(moved, s.disconnect()); err != nil {
			s.closed = fmt.Errorf("sqlite: closing %s: %w", s.path, err)
		}
	})
	return s.closed
}

// CopyTo copies the file at path into another, as [logfile.CopyFile] does, and looks for damage
// in the copy.
func CopyTo(ctx context.Context, path, to string) error {
	if err := logfile.CopyFile(ctx, path, to, identify); err != nil {
		return err
	}
	conn, err := logfile.OpenReader(to)
	if err != nil {
		return err
	}
	return errors.Join(integrity(conn), conn.Close())
}

// Check looks for damage in the file at path, which it only reads, and returns the id of the log
// that it is of, or nothing where it is no log's yet. Records that are damaged are no error: the
// others can be used. A daemon may have the file open.
func Check(path string) (log string, d Damage, err error) {
	conn, err := logfile.OpenReader(path)
	if err != nil {
		return "", d, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := errors.Join(identify(conn, path), define(conn)); err != nil {
		return "", d, err
	}
	if err := integrity(conn); err != nil {
		return "", d, fmt.Errorf("sqlite: %s is damaged: %w", path, err)
	}
	version, err := logfile.QueryInt(conn, sqlVersion)
	if err == nil {
		log, err = owner(conn, "main")
	}
	if err != nil {
		return "", d, logfile.Unreadable(path, err)
	}
	d, err = damaged(conn, path, version)
	return log, d, err
}

// sqlAdd passes over what is damaged.
const sqlAdd = `INSERT INTO requests (name, data, sum) SELECT name, data, checksum(name, data) FROM copied.requests
	WHERE %s ORDER BY id ON CONFLICT (name) DO UPDATE SET data = excluded.data, sum = excluded.sum WHERE ` + sqlStands

// Add keeps in the file at path, which nobody may have open, what a copy of it by [CopyTo] has
// besides: all of it or, after an error, nothing. Done again it changes nothing. Both are of one
// log, as far as they say of which.
func Add(ctx context.Context, path, copied string) (err error) {
	s, err := Open(path, Options{FreeSpaceFloor: -1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	s.using.Lock()
	defer s.using.Unlock()
	defer s.conn.SetInterrupt(s.conn.SetInterrupt(ctx.Done()))
	err = sqlitex.ExecuteTransient(s.conn, `ATTACH ? AS copied`, &sqlitex.ExecOptions{Args: []any{copied}})
	var of string
	if err == nil {
		of, err = owner(s.conn, "copied")
	}
	if err == nil {
		err = belong(s.conn, path, of)
	}
	var version int64
	if err == nil {
		version, err = logfile.QueryInt(s.conn, `PRAGMA copied.user_version`)
	}
	if err == nil {
		err = sqlitex.ExecuteTransient(s.conn, fmt.Sprintf(sqlAdd, sqlWhole(version)), nil)
	}
	if err != nil {
		return fmt.Errorf("sqlite: adding requests to %s: %w", path, err)
	}
	return nil
}

// Writable returns nil, or an error that wraps [stream.ErrReadOnly] and says why nothing is kept
// now. It looks at the disk.
func (s *Store) Writable() error {
	if err := s.hold.Check(); err != nil {
		return err
	}
	return s.space.Check()
}

// Size returns how many bytes the file takes on disk, its WAL included.
func (s *Store) Size() (int64, error) { return logfile.Size(s.path) }

// Verify has SQLite look for damage.
func (s *Store) Verify() error {
	s.reading.Lock()
	defer s.reading.Unlock()
	if s.reader == nil {
		return ErrClosed
	}
	return integrity(s.reader)
}

func integrity(conn *sqlite.Conn) error {
	var found []error
	err := sqlitex.Execute(conn, `PRAGMA integrity_check`, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
		if line := s.ColumnText(0); line != "ok" {
			found = append(found, errors.New(line))
		}
		return nil
	}})
	return errors.Join(append(found, err)...)
}
