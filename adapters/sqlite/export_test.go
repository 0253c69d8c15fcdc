package sqlite

import (
	"fmt"
	"time"

	"sandglass/adapters/sqlite/logfile"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// Hasty makes a store move its tail and its WAL often.
func (o Options) Hasty() Options {
	o.limits.Tail, o.limits.WAL = 50, 200_000
	return o
}

// Probing makes a store look every so often whether it can write again.
func (o Options) Probing(every time.Duration) Options {
	o.limits.Probe = every
	return o
}

// LimitPages makes the file full for SQLite when it has n more pages than now; 0 lifts
// the limit. No append may be under way.
func (s *Store) LimitPages(n int64) error {
	return s.writer.Use(func(conn *sqlite.Conn) error {
		limit := int64(0xfffffffe)
		if n > 0 {
			pages, err := logfile.QueryInt(conn, `PRAGMA page_count`)
			if err != nil {
				return err
			}
			limit = pages + n
		}
		return sqlitex.ExecuteTransient(conn, fmt.Sprintf(`PRAGMA max_page_count = %d`, limit), nil)
	})
}

// WriterSQL runs a statement on the writer's connection.
func (s *Store) WriterSQL(query string) error {
	return s.writer.Use(func(conn *sqlite.Conn) error { return sqlitex.ExecuteTransient(conn, query, nil) })
}
