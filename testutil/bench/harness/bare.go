package harness

import (
	"os"

	"sandglass/domain/stream"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// BareFile appends bytes to a file, and has each write on the disk before the next: the
// least that durability costs here.
type BareFile struct {
	f   *os.File
	buf []byte
}

func NewBareFile(path string) (*BareFile, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	return &BareFile{f: f}, err
}

func (b *BareFile) Write(e stream.Event) error {
	b.buf = append(append(append(b.buf[:0], e.ID[:]...), e.Data...), e.Meta...)
	if _, err := b.f.Write(b.buf); err != nil {
		return err
	}
	return b.f.Sync()
}

func (b *BareFile) Close() { b.f.Close() }

// BareTable commits the columns of an event to a table, by the same library and with the
// same durability as the store, and without anything around it. Its WAL is not moved.
type BareTable struct {
	conn *sqlite.Conn
	stmt *sqlite.Stmt
}

func NewBareTable(path string) (*BareTable, error) {
	conn, err := sqlite.OpenConn(path) // in WAL mode
	if err != nil {
		return nil, err
	}
	for _, q := range []string{
		`PRAGMA synchronous=FULL`, `PRAGMA wal_autocheckpoint=0`,
		`CREATE TABLE t (position INTEGER PRIMARY KEY, stream TEXT, revision INTEGER, type INTEGER,
			at INTEGER, recorded_at INTEGER, id BLOB, data BLOB, meta BLOB) STRICT`,
	} {
		if err := sqlitex.ExecuteTransient(conn, q, nil); err != nil {
			conn.Close()
			return nil, err
		}
	}
	stmt, err := conn.Prepare(`INSERT INTO t (stream, revision, type, at, recorded_at, id, data, meta)
		VALUES (?, ?, 1, ?, ?, ?, ?, ?)`)
	return &BareTable{conn, stmt}, err
}

func (b *BareTable) Insert(name string, rev stream.Revision, e stream.Event) error {
	b.stmt.BindText(1, name)
	b.stmt.BindInt64(2, int64(rev))
	b.stmt.BindInt64(3, int64(e.At))
	b.stmt.BindInt64(4, int64(e.At))
	b.stmt.BindBytes(5, e.ID[:])
	b.stmt.BindBytes(6, e.Data)
	b.stmt.BindBytes(7, e.Meta)
	if _, err := b.stmt.Step(); err != nil {
		return err
	}
	return b.stmt.Reset()
}

func (b *BareTable) Close() { b.conn.Close() }

// bareScan reads every column of every event of a log, as SQLite gives them, and returns
// how many there are.
func BareScan(path string) (n int, err error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	st, err := conn.Prepare(`SELECT position, stream, revision, type, at, recorded_at, id, data, meta
		FROM events ORDER BY position`)
	if err != nil {
		return 0, err
	}
	buf := make([]byte, stream.MaxData)
	for {
		row, err := st.Step()
		if err != nil || !row {
			return n, err
		}
		for _, col := range []int{0, 2, 3, 4, 5} {
			st.ColumnInt64(col)
		}
		for _, col := range []int{1, 6, 7, 8} {
			st.ColumnBytes(col, buf)
		}
		n++
	}
}
