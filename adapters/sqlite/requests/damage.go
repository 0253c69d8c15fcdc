package requests

import (
	"errors"
	"fmt"
	"strings"

	"sandglass/adapters/sqlite/logfile"
	"sandglass/domain/request"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// A record that was damaged on the disk is nobody's order any more: read as it is, it would pay
// for another, or at another price. It is put aside when the file is opened, and the others stand:
// one that is lost is what this store is made for, and to refuse the file would be to lose them all.

// schemaAside makes the table of what was put aside, as it was.
const schemaAside = `
CREATE TABLE damaged (id INTEGER NOT NULL, name BLOB NOT NULL, data BLOB NOT NULL, sum BLOB NOT NULL) STRICT;
`

const (
	sqlVersion = `PRAGMA user_version`
	// sqlUpgrade brings a file of the first version, which has no checksums, to the second. What it
	// can't read stays without one, which is damage.
	sqlUpgrade = `ALTER TABLE requests ADD COLUMN sum BLOB NOT NULL DEFAULT x''; ` + schemaAside + `
		UPDATE requests SET sum = checksum(name, data) WHERE legible(name, data);
		PRAGMA user_version = 2;`
	sqlAside = `INSERT INTO damaged SELECT id, name, data, sum FROM requests WHERE sum <> checksum(name, data);
		DELETE FROM requests WHERE sum <> checksum(name, data);`
)

// sqlWhole is the condition that a record is as it was written, in a file of a version.
func sqlWhole(version int64) string {
	if version < 2 {
		return `legible(name, data)`
	}
	return `sum = checksum(name, data)`
}

// define lets SQL call checksum and legible, which reports whether a record can be read, and has
// that name.
func define(conn *sqlite.Conn) error {
	sum := func(_ sqlite.Context, args []sqlite.Value) (sqlite.Value, error) {
		sum := request.Checksum(args[0].Blob(), args[1].Blob())
		return sqlite.BlobValue(sum[:]), nil
	}
	legible := func(_ sqlite.Context, args []sqlite.Value) (sqlite.Value, error) {
		r, err := request.Decode(args[1].Blob())
		if err != nil {
			return sqlite.IntegerValue(0), nil
		}
		if name := hashOf(r.Name()); string(name[:]) != string(args[0].Blob()) {
			return sqlite.IntegerValue(0), nil
		}
		return sqlite.IntegerValue(1), nil
	}
	return errors.Join(
		conn.CreateFunction("checksum", &sqlite.FunctionImpl{NArgs: 2, Deterministic: true, Scalar: sum}),
		conn.CreateFunction("legible", &sqlite.FunctionImpl{NArgs: 2, Deterministic: true, Scalar: legible}))
}

// mend brings a file that is open for writing to the present version. It tells of what is damaged
// in it, and puts that aside then: where nobody is told, it stays, and is passed over.
func mend(conn *sqlite.Conn, path string, told func(string)) error {
	if err := define(conn); err != nil {
		return err
	}
	switch version, err := logfile.QueryInt(conn, sqlVersion); {
	case err != nil:
		return logfile.Unreadable(path, err)
	case version < schemaVersion:
		if err := sqlitex.ExecuteScript(conn, sqlUpgrade, nil); err != nil {
			return fmt.Errorf("sqlite: bringing %s up to date: %w", path, logfile.WriteError(err))
		}
	}
	if told == nil {
		return nil
	}
	found, err := damaged(conn, path, schemaVersion)
	if err != nil || found.Count == 0 {
		return err
	}
	told(found.String() + ". It is put aside, and the others stand: what is paid for it by Lightning will be unallocated, " +
		"and what comes to its address is shown by \"sandglass audit reconcile\" alone. Look at the disk")
	if err := sqlitex.ExecuteScript(conn, sqlAside, nil); err != nil {
		return fmt.Errorf("sqlite: putting aside what is damaged in %s: %w", path, logfile.WriteError(err))
	}
	return nil
}

// Damage is what is not as it was written in a file.
type Damage struct {
	Path  string
	Count int
	First []string // up to mostTold of them
}

// mostTold is how many damaged records are told one by one.
const mostTold = 8

// String says what is damaged, or nothing.
func (d *Damage) String() string {
	if d.Count == 0 {
		return ""
	}
	more := ""
	if n := d.Count - len(d.First); n > 0 {
		more = fmt.Sprintf(", and %d more", n)
	}
	return fmt.Sprintf("%s: damaged: %s%s", d.Path, strings.Join(d.First, ", "), more)
}

// damaged reads all records of a file of a version.
func damaged(conn *sqlite.Conn, path string, version int64) (Damage, error) {
	d := Damage{Path: path}
	query := `SELECT id, data FROM requests WHERE NOT (` + sqlWhole(version) + `) ORDER BY id`
	err := sqlitex.ExecuteTransient(conn, query, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
		if d.Count++; d.Count <= mostTold {
			data := make([]byte, s.ColumnLen(1))
			s.ColumnBytes(1, data)
			d.First = append(d.First, fmt.Sprintf("record %d, which reads %.300q", s.ColumnInt64(0), data))
		}
		return nil
	}})
	if err != nil {
		return d, logfile.Unreadable(path, err)
	}
	return d, nil
}
