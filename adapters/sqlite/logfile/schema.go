package logfile

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

const (
	applicationID = 0x53614e64 // "SaNd", in the header of the file
	schemaVersion = 1
)

// schema makes an empty log. The log table has one row: the log's id, and the position
// up to which places is complete. The view serves people with a SQLite shell.
const schema = `
CREATE TABLE log (
	id      BLOB    NOT NULL,
	indexed INTEGER NOT NULL
) STRICT;
CREATE TABLE types (
	id   INTEGER PRIMARY KEY,
	name TEXT    NOT NULL UNIQUE
) STRICT;
CREATE TABLE events (
	position    INTEGER PRIMARY KEY,
	stream      TEXT    NOT NULL,
	revision    INTEGER NOT NULL,
	type        INTEGER NOT NULL REFERENCES types,
	at          INTEGER NOT NULL, -- ms since 1970, UTC
	recorded_at INTEGER NOT NULL, -- the same
	id          BLOB    NOT NULL, -- 16 bytes
	data        BLOB    NOT NULL,
	meta        BLOB    NOT NULL
) STRICT;
CREATE TABLE places (
	stream   TEXT    NOT NULL,
	revision INTEGER NOT NULL,
	position INTEGER NOT NULL,
	PRIMARY KEY (stream, revision)
) STRICT, WITHOUT ROWID;
CREATE TABLE own_ids ( -- streams with an id that stream.NewID did not make
	stream TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
CREATE VIEW readable AS
	SELECT position, stream, revision, types.name AS type,
		strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') AS at,
		strftime('%Y-%m-%dT%H:%M:%fZ', recorded_at / 1000.0, 'unixepoch') AS recorded_at,
		lower(hex(events.id)) AS id, CAST(data AS TEXT) AS data, CAST(meta AS TEXT) AS meta
	FROM events JOIN types ON types.id = events.type;
`

const sqlTables = `SELECT count(*) FROM sqlite_schema
	WHERE type = 'table' AND name IN ('log', 'types', 'events', 'places', 'own_ids')`

// Create makes an empty log at path, which must not exist. It appears there whole or not
// at all, and is durable when Create returns.
func Create(path string) error {
	id := make([]byte, 16)
	rand.Read(id) // never fails
	return CreateBy(path, schema+
		fmt.Sprintf("INSERT INTO log VALUES (x'%x', 0);", id)+
		fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, schemaVersion))
}

// CreateBy makes at path, which must not exist, the file that a script makes of an empty one.
// It appears there whole or not at all, and is durable when CreateBy returns. Settings of the
// file that must be there before its tables are set first.
func CreateBy(path, script string, settings ...string) error {
	for _, p := range []string{path, path + "-wal"} {
		if _, err := os.Lstat(p); err == nil {
			return fmt.Errorf("sqlite: %s exists: choose another path, or move it away", p)
		}
	}
	dir := filepath.Dir(path)
	tmp, err := os.MkdirTemp(dir, filepath.Base(path)+".new-*")
	if err != nil {
		return fmt.Errorf("sqlite: making %s: %w", path, err)
	}
	defer os.RemoveAll(tmp)
	made := filepath.Join(tmp, "file")
	if err := write(made, script, settings); err != nil {
		return fmt.Errorf("sqlite: making %s: %w", path, err)
	}
	if err := os.Link(made, path); err != nil { // unlike a rename, this replaces nothing
		return fmt.Errorf("sqlite: making %s: %w", path, err)
	}
	return syncDir(dir)
}

func write(path, script string, settings []string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	f.Close()
	conn, err := openConn(path, sqlite.OpenReadWrite, strings.Join(settings, "")+`PRAGMA synchronous=FULL; PRAGMA journal_mode=WAL;`)
	if err != nil {
		return err
	}
	return errors.Join(sqlitex.ExecuteScript(conn, script, nil), conn.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sqlite: syncing the folder: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// Size returns how many bytes the file at path takes on disk, its WAL included.
func Size(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, fmt.Errorf("sqlite: size of the file: %w", err)
	}
	size := info.Size()
	if wal, err := os.Stat(path + "-wal"); err == nil { // there is none once all is moved
		size += wal.Size()
	}
	return size, nil
}

// Exists returns nil if there is a file at path, and else what an operator does about it.
func Exists(path string) error {
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf(`sqlite: no event log at %s: "sandglass init" makes one`, path)
	case err != nil:
		return fmt.Errorf("sqlite: the event log: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("sqlite: %s is not a file: give the path of the event log", path)
	}
	return nil
}

// Identify checks that the file is a whole log of this schema and returns its id.
func Identify(conn *sqlite.Conn, path string) (string, error) {
	app, err := QueryInt(conn, `PRAGMA application_id`)
	if err != nil {
		return "", Unreadable(path, err)
	}
	if app != applicationID {
		return "", fmt.Errorf("sqlite: %s is a database, but no event log of Sandglass: give another path", path)
	}
	version, err := QueryInt(conn, `PRAGMA user_version`)
	if err != nil {
		return "", Unreadable(path, err)
	}
	if version != schemaVersion {
		return "", fmt.Errorf("sqlite: %s has schema %d, this build knows %d: run a newer build or restore a backup",
			path, version, schemaVersion)
	}
	tables, err := QueryInt(conn, sqlTables)
	if err == nil && tables != 5 {
		err = fmt.Errorf("it has %d of 5 tables", tables)
	}
	if err != nil {
		return "", Unreadable(path, err)
	}
	var id []byte
	err = sqlitex.Execute(conn, `SELECT id FROM log`, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
		id = make([]byte, s.ColumnLen(0))
		s.ColumnBytes(0, id)
		return nil
	}})
	if err == nil && len(id) != 16 {
		err = fmt.Errorf("its id has %d bytes", len(id))
	}
	if err != nil {
		return "", Unreadable(path, err)
	}
	return hex.EncodeToString(id), nil
}

// Unreadable says what an operator does about a file that SQLite does not understand.
func Unreadable(path string, err error) error {
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultNotADB:
		return fmt.Errorf("sqlite: %s is no database: give another path or restore a backup: %w", path, err)
	case sqlite.ResultCantOpen, sqlite.ResultPerm, sqlite.ResultReadOnly:
		return fmt.Errorf("sqlite: %s can't be opened: "+
			"look at the permissions of the file, of its folder and of %s-wal and -shm: %w", path, path, err)
	}
	return fmt.Errorf("sqlite: %s is damaged: restore a backup: %w", path, err)
}
