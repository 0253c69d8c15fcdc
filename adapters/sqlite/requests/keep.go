package requests

import (
	"context"
	"crypto/sha256"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"sandglass/adapters/sqlite/logfile"
	"sandglass/domain/request"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

const (
	queueSize = 1024    // jobs that wait
	groupMax  = 1024    // jobs in one transaction
	groupSize = 4 << 20 // bytes after which no further job joins it

	// Who keeps a record waits for no more than these: names that are forgotten in one job; pages
	// that are given back to the disk at once, while more than one in freeShare of all is free;
	// and bytes of the WAL that are moved into the file at once, while groups are smaller than
	// fewJobs. Larger ones have it moved as seldom as a log's, which costs less in all. After
	// pages were given back the store rests, so many times as long as that took.
	forgetMax  = 50
	vacuumMax  = 32
	vacuumRest = 3
	freeShare  = 16
	fewJobs    = 16
	walFew     = 1 << 20

	sqlKeep = `INSERT INTO requests (id, name, data, sum) VALUES (?, ?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET id = excluded.id, data = excluded.data, sum = excluded.sum WHERE ` + sqlStands
	sqlStands = sqlRank + ` < ` + sqlNewRank // the one that comes
	// These are [request.Record.Rank]: in canonical JSON no text holds what is looked for.
	sqlRank = `2 * (instr(requests.data, CAST('"released_at":' AS BLOB)) > 0) +
		(instr(requests.data, CAST('"melt_quote":' AS BLOB)) > 0)`
	sqlNewRank = `2 * (instr(excluded.data, CAST('"released_at":' AS BLOB)) > 0) +
		(instr(excluded.data, CAST('"melt_quote":' AS BLOB)) > 0)`

	sqlForget = `DELETE FROM requests WHERE name = ?`
	sqlFree   = `PRAGMA freelist_count`
	sqlPages  = `PRAGMA page_count`
	sqlVacuum = `PRAGMA incremental_vacuum(32)` // vacuumMax
)

// hash is what a record is found by.
type hash [16]byte

func hashOf(name string) hash {
	sum := sha256.Sum256([]byte(name))
	return hash(sum[:16])
}

// job is a record to be kept, or names to be forgotten, on the way to the writer.
type job struct {
	name   hash
	data   []byte // nil if it is names
	forget []hash
	state  atomic.Int32 // of waiting, taken, abandoned
	done   chan struct{}
	err    error // valid when done is closed
}

// The states of a job. Who moves it out of waiting decides what becomes of it.
const (
	waiting int32 = iota
	taken
	abandoned
)

// Keep implements [request.Store]. When ctx ends while the record waits for its turn, nothing
// is written. Once the writer has taken it, Keep answers what became of it.
func (s *Store) Keep(ctx context.Context, r *request.Record) error {
	data, err := request.Pack(r)
	if err != nil {
		return err
	}
	return s.do(ctx, &job{name: hashOf(r.Name()), data: data})
}

// Forget implements [request.Store].
func (s *Store) Forget(ctx context.Context, names []string) error {
	for part := range slices.Chunk(names, forgetMax) {
		hashes := make([]hash, len(part))
		for i, name := range part {
			hashes[i] = hashOf(name)
		}
		if err := s.do(ctx, &job{forget: hashes}); err != nil {
			return err
		}
	}
	return nil
}

// do waits until a job is done, and durable, or refused.
func (s *Store) do(ctx context.Context, j *job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j.done = make(chan struct{})
	select {
	case s.queue <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return ErrClosed
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		if j.state.CompareAndSwap(waiting, abandoned) {
			return ctx.Err()
		}
		<-j.done
	case <-s.stopped:
		if j.state.CompareAndSwap(waiting, abandoned) {
			return ErrClosed
		}
		<-j.done
	}
	return j.err
}

// run does jobs until the store is closed, and gives space back in between.
func (s *Store) run() {
	defer close(s.stopped)
	rested := time.NewTimer(0)
	for {
		var due <-chan time.Time
		if s.loose.Load() {
			due = rested.C
		}
		select {
		case j := <-s.queue:
			s.commit(s.gather(j))
		case <-due:
			began := time.Now()
			s.giveBack()
			rested.Reset(vacuumRest * time.Since(began))
		case <-s.closing:
			s.drain()
			return
		}
	}
}

// drain does the jobs that were taken when the store was closed.
func (s *Store) drain() {
	for {
		select {
		case j := <-s.queue:
			s.commit(s.gather(j))
		default:
			return
		}
	}
}

// gather takes first and what waits behind it. Those who were answered a moment ago get their
// turn to ask again, so that they are in this group and not all in the next.
func (s *Store) gather(first *job) (group []*job) {
	bytes := 0
	take := func(j *job) {
		if j.state.CompareAndSwap(waiting, taken) {
			group = append(group, j)
			bytes += len(j.data) + len(j.forget)*len(hash{})
		}
	}
	take(first)
	for idle := 0; idle < 2 && len(group) < groupMax && bytes < groupSize; {
		select {
		case j := <-s.queue:
			take(j)
			idle = 0
		default:
			runtime.Gosched()
			idle++
		}
	}
	return group
}

// commit does the jobs of a group in one transaction and answers them.
func (s *Store) commit(group []*job) {
	if len(group) == 0 {
		return
	}
	s.using.Lock()
	defer s.using.Unlock()
	last, forgot, err := s.write(group)
	if err == nil && last > s.last.Load() {
		s.last.Store(last)
		s.news.Fire()
	}
	if forgot {
		s.loose.Store(true)
	}
	for _, j := range group {
		if err != nil {
			j.err = err
		}
		close(j.done)
	}
	s.moveWAL(len(group))
}

// moveWAL moves the WAL into the file once it is long for so many jobs in a group.
func (s *Store) moveWAL(jobs int) {
	if (s.wal.Due() || jobs < fewJobs && s.wal.Holds(walFew)) && s.hold.Check() == nil {
		s.wal.Checkpoint(s.conn)
	}
}

// write returns the id of the last record, once it is durable, and whether some were forgotten.
// The file is looked at before, so as not to write to another's, and again before anybody is
// answered: what was committed to a file that is gone meanwhile is lost.
func (s *Store) write(group []*job) (last int64, forgot bool, err error) {
	if err := s.hold.Check(); err != nil {
		return 0, false, err
	}
	if err := logfile.Begin(s.conn); err != nil {
		return 0, false, logfile.WriteError(err)
	}
	last, full := s.last.Load(), s.space.Check()
	for _, j := range group {
		switch {
		case j.data == nil: // which makes room
			forgot, err = true, s.forget(j)
		case full != nil:
			j.err = full
		default:
			err = s.keep(j, &last)
		}
		if err != nil {
			break
		}
	}
	if err == nil {
		err = logfile.Commit(s.conn)
	}
	s.wal.Grew(s.wrote)
	s.wrote = 0
	if err != nil {
		logfile.Rollback(s.conn)
		return 0, false, logfile.WriteError(err)
	}
	return last, forgot, s.hold.Check()
}

// keep writes a record after the last one, unless one of its name is there that stands: see [request.Record.Rank].
func (s *Store) keep(j *job, last *int64) error {
	err := s.exec(sqlKeep, func(st *sqlite.Stmt) {
		st.BindInt64(1, *last+1)
		st.BindBytes(2, j.name[:])
		st.BindBytes(3, j.data)
		sum := request.Checksum(j.name[:], j.data)
		st.BindBytes(4, sum[:])
	})
	if err == nil && s.conn.Changes() > 0 {
		*last++
		s.wrote += len(j.data) + logfile.WALPage // of the index
	}
	return err
}

func (s *Store) forget(j *job) error {
	for _, name := range j.forget {
		if err := s.exec(sqlForget, func(st *sqlite.Stmt) { st.BindBytes(1, name[:]) }); err != nil {
			return err
		}
		s.wrote += logfile.WALPage
	}
	return nil
}

// giveBack gives some free pages back to the disk if they are many, until they are few. Its
// errors can wait: after names were forgotten again it is tried again.
func (s *Store) giveBack() {
	s.using.Lock()
	defer s.using.Unlock()
	gave, err := s.vacuum()
	if gave {
		s.moveWAL(0)
		return
	}
	if err == nil {
		_ = s.wal.Truncate(s.conn) // which makes the file as short as it is
	}
	s.loose.Store(false) // last: who sees it false finds the file short
}

func (s *Store) vacuum() (gave bool, err error) {
	if err := s.hold.Check(); err != nil {
		return false, err
	}
	free, err := logfile.QueryInt(s.conn, sqlFree)
	if err != nil {
		return false, err
	}
	pages, err := logfile.QueryInt(s.conn, sqlPages)
	if err != nil || free*freeShare <= pages {
		return false, err
	}
	s.wal.Grew(vacuumMax * logfile.WALPage)
	err = sqlitex.ExecuteTransient(s.conn, sqlVacuum, nil)
	return err == nil, err
}

// exec runs a prepared statement that returns no rows.
func (s *Store) exec(query string, bind func(*sqlite.Stmt)) error {
	st, err := s.conn.Prepare(query)
	if err != nil {
		return err
	}
	bind(st)
	_, err = st.Step()
	st.Reset() // its error is that of Step
	return err
}
