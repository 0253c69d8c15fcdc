package logfile

import (
	"errors"

	"sandglass/domain/proof/checkpoint"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// The table of the latest checkpoint, of one row, comes with the first one: logs of earlier builds have
// none, and those builds pass it over. A copy of the file has it.
const (
	sqlHasCheckpoint = `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'checkpoint'`
	sqlCheckpoint    = `SELECT version, note FROM checkpoint`
	sqlMakeTable     = `CREATE TABLE IF NOT EXISTS checkpoint (
		one     INTEGER PRIMARY KEY CHECK (one = 1),
		version INTEGER NOT NULL,
		note    BLOB    NOT NULL
	) STRICT`
	sqlKeepCheckpoint = `INSERT INTO checkpoint VALUES (1, ?, ?)
		ON CONFLICT (one) DO UPDATE SET version = excluded.version, note = excluded.note`
)

// Checkpoint returns the latest checkpoint of the log and its version, 0 if there is none. What somebody else
// wrote there it returns as it stands.
func Checkpoint(conn *sqlite.Conn) (note []byte, version int64, err error) {
	there, err := QueryInt(conn, sqlHasCheckpoint)
	if err != nil || there == 0 {
		return nil, 0, err
	}
	err = sqlitex.Execute(conn, sqlCheckpoint, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
		version = s.ColumnInt64(0)
		note = make([]byte, min(s.ColumnLen(1), checkpoint.MaxNote+1)) // of one that is none, enough to tell that
		s.ColumnBytes(1, note)
		return nil
	}})
	if err == nil && version < 0 {
		err = errors.New("sqlite: the latest checkpoint is damaged")
	}
	return note, version, err
}

// KeepCheckpoint keeps the latest checkpoint, in the transaction that is open.
func KeepCheckpoint(conn *sqlite.Conn, version int64, note []byte) error {
	if err := Exec(conn, sqlMakeTable); err != nil {
		return err
	}
	return sqlitex.Execute(conn, sqlKeepCheckpoint, &sqlitex.ExecOptions{Args: []any{version, note}})
}

// PutCheckpoint gives a file that no store has open what next makes of its checkpoint, nil if it has none: it is
// left alone where next returns nil. It is not yet on the disk for good.
func PutCheckpoint(path string, next func(own []byte) ([]byte, error)) (err error) {
	conn, err := openConn(path, sqlite.OpenReadWrite, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	own, version, err := Checkpoint(conn)
	if err != nil {
		return err
	}
	note, err := next(own)
	if err != nil || note == nil {
		return err
	}
	defer sqlitex.Transaction(conn)(&err)
	return KeepCheckpoint(conn, version+1, note)
}
