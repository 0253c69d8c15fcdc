package requests

import (
	"fmt"

	"sandglass/adapters/sqlite/logfile"

	"zombiezen.com/go/sqlite/sqlitex"
)

// Hasty makes a store move its WAL often.
func (o Options) Hasty() Options {
	o.wal = 200_000
	return o
}

// LimitPages makes the file full for SQLite when it has n more pages than now; below 0 lifts
// the limit.
func (s *Store) LimitPages(n int64) error {
	s.using.Lock()
	defer s.using.Unlock()
	limit := int64(0xfffffffe)
	if n >= 0 {
		pages, err := logfile.QueryInt(s.conn, sqlPages)
		if err != nil {
			return err
		}
		limit = pages + n
	}
	return sqlitex.ExecuteTransient(s.conn, fmt.Sprintf(`PRAGMA max_page_count = %d`, limit), nil)
}

// GiveBack gives back what the store would when nobody waits.
func (s *Store) GiveBack() {
	for s.loose.Load() {
		s.giveBack()
	}
}
