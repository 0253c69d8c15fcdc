package requests

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"sandglass/domain/request"
	"sandglass/domain/stream"

	"zombiezen.com/go/sqlite"
)

const (
	pageSize = 512 // records in one run
	sqlPage  = `SELECT id, name, data, sum FROM requests WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3`
)

// Follow implements [request.Store]. It ends with [ErrClosed] when the store is closed, and
// holds nothing of the store while its caller works or it waits.
func (s *Store) Follow(ctx context.Context) iter.Seq2[[]*request.Record, error] {
	return func(yield func([]*request.Record, error) bool) {
		told := false // that all was yielded that had been kept
		for after := int64(0); ctx.Err() == nil; {
			more := s.news.Wait() // before looking, so as to miss nothing
			last := s.last.Load()
			run, next, err := s.page(after, last)
			after = next
			switch all := after >= last; {
			case err != nil:
				yield(nil, err)
				return
			case len(run) > 0, all && !told:
				told = told || len(run) == 0
				if !yield(run, nil) {
					return
				}
				continue
			case !all:
				continue
			}
			select {
			case <-more:
			case <-ctx.Done():
			case <-s.closing:
				yield(nil, ErrClosed)
				return
			}
		}
	}
}

// page returns records after one id and up to another, and the id up to which it has read.
func (s *Store) page(after, last int64) (run []*request.Record, next int64, err error) {
	if after >= last {
		return nil, after, nil
	}
	s.reading.Lock()
	defer s.reading.Unlock()
	if s.reader == nil {
		return nil, 0, ErrClosed
	}
	st, err := s.reader.Prepare(sqlPage)
	if err != nil {
		return nil, 0, s.unreadable(err)
	}
	defer st.Reset()
	st.BindInt64(1, after)
	st.BindInt64(2, last)
	st.BindInt64(3, pageSize)
	rows := 0
	for {
		row, err := st.Step()
		if err != nil {
			return nil, 0, s.unreadable(err)
		}
		if !row {
			break
		}
		next = st.ColumnInt64(0)
		rows++
		r, err := record(st)
		if err != nil {
			return nil, 0, fmt.Errorf("sqlite: %s, %d: %w", s.path, next, err)
		}
		if r != nil {
			run = append(run, r)
		}
	}
	if rows < pageSize {
		next = last // what is between was forgotten
	}
	return run, next, nil
}

// record returns that of a row, or nil where it is damaged. What is not, and can't be read, is of
// a newer build.
func record(st *sqlite.Stmt) (*request.Record, error) {
	name, data := column(st, 1), column(st, 2)
	if sum := request.Checksum(name, data); !bytes.Equal(sum[:], column(st, 3)) {
		return nil, nil
	}
	r, err := request.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", stream.Unknown(&stream.Record{Event: stream.Event{Type: "request"}}), err)
	}
	return r, nil
}

func column(st *sqlite.Stmt, i int) []byte {
	data := make([]byte, st.ColumnLen(i))
	st.ColumnBytes(i, data)
	return data
}

func (s *Store) unreadable(err error) error { return fmt.Errorf("sqlite: reading %s: %w", s.path, err) }
