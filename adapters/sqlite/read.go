package sqlite

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"sandglass/adapters/sqlite/logfile"
	"sandglass/domain/instant"
	"sandglass/domain/stream"

	"zombiezen.com/go/sqlite"
)

const (
	pageSize = 512                    // records that one read takes from the file
	pollTime = 100 * time.Millisecond // between two looks of a read-only store

	columns   = `e.position, e.stream, e.revision, e.type, e.at, e.recorded_at, e.id, e.data, e.meta`
	sqlScan   = `SELECT ` + columns + ` FROM events e WHERE e.position > ?1 ORDER BY e.position LIMIT ?2`
	sqlPage   = `SELECT ` + columns + ` FROM events e WHERE e.position > ?1 AND e.position <= ?2 ORDER BY e.position`
	sqlGap    = `SELECT coalesce(min(position) - 1, 9223372036854775807) FROM events WHERE position > ?1`
	sqlAt     = `SELECT ` + columns + ` FROM events e WHERE e.position = ?1`
	sqlStream = `SELECT ` + columns + ` FROM places p CROSS JOIN events e ON e.position = p.position
		WHERE p.stream = ?1 AND p.revision >= ?2 ORDER BY p.revision LIMIT ?3`
	sqlTail = `SELECT position, revision FROM events
		WHERE position > (SELECT indexed FROM log) AND stream = ?1 ORDER BY position`
)

// page collects records. Their bytes lie in one arena and their names in one string.
type page struct {
	recs  []stream.Record
	arena []byte
	cuts  []cut
	names []byte
}

// cut is where a record's name, data and metadata end.
type cut struct{ name, data, meta int }

func newPage(r *reader, records, bytes int) *page {
	return pageIn(r, &stream.Page{Records: make([]stream.Record, 0, records), Bytes: make([]byte, 0, bytes)})
}

// pageIn returns one in room that was used before.
func pageIn(r *reader, room *stream.Page) *page {
	return &page{recs: room.Records[:0], arena: room.Bytes[:0], cuts: r.cuts[:0], names: r.names[:0]}
}

// add takes the row at which s stands, in the order of columns.
func (p *page) add(r *reader, t *logfile.Types, s *sqlite.Stmt) error {
	typ, err := t.Resolve(r.conn, s.ColumnInt64(3))
	if err != nil {
		return err
	}
	rec := stream.Record{
		Event:      stream.Event{Type: typ, At: instant.Time(s.ColumnInt64(4))},
		Position:   stream.Position(s.ColumnInt64(0)),
		Revision:   stream.Revision(s.ColumnInt64(2)),
		RecordedAt: instant.Time(s.ColumnInt64(5)),
	}
	if n := s.ColumnBytes(6, rec.ID[:]); n != len(rec.ID) {
		return fmt.Errorf("sqlite: the event at position %d has an id of %d bytes: restore a backup", rec.Position, n)
	}
	p.recs = append(p.recs, rec)
	p.names = appendColumn(p.names, s, 1)
	p.arena = appendColumn(p.arena, s, 7)
	data := len(p.arena)
	p.arena = appendColumn(p.arena, s, 8)
	p.cuts = append(p.cuts, cut{len(p.names), data, len(p.arena)})
	return nil
}

// records hands the records out: the page is not used again.
func (p *page) records(r *reader) []stream.Record {
	names := string(p.names)
	r.names, r.cuts = p.names, p.cuts
	var from cut
	for i, to := range p.cuts {
		rec := &p.recs[i]
		rec.Stream = names[from.name:to.name]
		rec.Data = p.arena[from.meta:to.data:to.data]
		rec.Meta = p.arena[to.data:to.meta:to.meta]
		from = to
	}
	return p.recs
}

// appendColumn appends a column. Its length is asked for only where it may not fit: that costs as
// much as the column itself.
func appendColumn(b []byte, s *sqlite.Stmt, col int) []byte {
	if end := len(b) + s.ColumnBytes(col, b[len(b):cap(b)]); end < cap(b) {
		return b[:end]
	}
	n := s.ColumnLen(col)
	b = slices.Grow(b, n)
	return b[:len(b)+s.ColumnBytes(col, b[len(b):len(b)+n])]
}

// Read implements [stream.EventStore].
func (s *Store) Read(ctx context.Context, name string, from stream.Revision) iter.Seq2[stream.Record, error] {
	return func(yield func(stream.Record, error) bool) {
		for from := max(from, 0); ; {
			recs, err := s.readPage(ctx, name, from)
			if err != nil {
				if ctx.Err() == nil {
					yield(stream.Record{}, err)
				}
				return
			}
			for _, rec := range recs {
				if rec.Revision != from {
					yield(stream.Record{}, fmt.Errorf("sqlite: %s has revision %d where %d should follow: restore a backup",
						name, rec.Revision, from))
					return
				}
				if from++; ctx.Err() != nil || !yield(rec, nil) {
					return
				}
			}
			if len(recs) < pageSize {
				return
			}
		}
	}
}

// readPage returns up to pageSize records of the stream, fewer only at its end.
func (s *Store) readPage(ctx context.Context, name string, from stream.Revision) (recs []stream.Record, err error) {
	err = s.readers.use(ctx, s.closing, func(r *reader) error {
		last, err := s.tailOf(r, name) // before places: see tail.flush
		if err != nil {
			return err
		}
		p := newPage(r, 8, 0)
		if len(last.Positions) == 0 || from < last.First {
			err := p.query(r, s.types, sqlStream, func(st *sqlite.Stmt) {
				st.BindText(1, name)
				st.BindInt64(2, int64(from))
				st.BindInt64(3, pageSize)
			})
			if err != nil {
				return err
			}
			from += stream.Revision(len(p.recs))
		}
		for ; len(p.recs) < pageSize && len(last.Positions) > 0 && from < last.Next(); from++ {
			if from < last.First {
				return fmt.Errorf("sqlite: %s lacks revision %d: restore a backup", name, from)
			}
			position := last.Positions[from-last.First]
			err := p.query(r, s.types, sqlAt, func(st *sqlite.Stmt) { st.BindInt64(1, logfile.Bindable(position)) })
			if err != nil {
				return err
			}
		}
		recs = p.records(r)
		return nil
	})
	return recs, err
}

// tailOf returns where the events of the stream stand that places does not hold.
func (s *Store) tailOf(r *reader, name string) (logfile.Run, error) {
	if s.tail != nil {
		return s.tail.Of(name), nil
	}
	var last logfile.Run
	st, err := r.conn.Prepare(sqlTail)
	if err != nil {
		return last, err
	}
	defer st.Reset()
	st.BindText(1, name)
	for {
		row, err := st.Step()
		if err != nil || !row {
			return last, err
		}
		if len(last.Positions) == 0 {
			last.First = stream.Revision(st.ColumnInt64(1))
		}
		last.Positions = append(last.Positions, stream.Position(st.ColumnInt64(0)))
	}
}

// query adds what the query yields.
func (p *page) query(r *reader, t *logfile.Types, query string, bind func(*sqlite.Stmt)) error {
	st, err := r.conn.Prepare(query)
	if err != nil {
		return fmt.Errorf("sqlite: reading: %w", err)
	}
	defer st.Reset()
	bind(st)
	for {
		row, err := st.Step()
		if err != nil {
			return fmt.Errorf("sqlite: reading: %w", err)
		}
		if !row {
			return nil
		}
		if err := p.add(r, t, st); err != nil {
			return err
		}
	}
}

// Subscribe implements [stream.EventStore]. It ends with [ErrClosed] when the store is
// closed, and holds nothing of the store while its caller works or it waits.
func (s *Store) Subscribe(ctx context.Context, after stream.Position) iter.Seq2[[]stream.Record, error] {
	return func(yield func([]stream.Record, error) bool) {
		bytes := 0 // of the page before
		for after := after; ; {
			head, err := s.await(ctx, after)
			var recs []stream.Record
			if err == nil {
				recs, bytes, err = s.scanPage(ctx, after, head, bytes)
			}
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				yield(nil, err)
				return
			case len(recs) == 0:
				yield(nil, fmt.Errorf("sqlite: %s ends at position %d, where events up to %d should follow: restore a backup",
					s.path, after, head))
				return
			}
			after = recs[len(recs)-1].Position
			if !yield(recs, nil) {
				return
			}
		}
	}
}

// await returns the head once it is after a position.
func (s *Store) await(ctx context.Context, after stream.Position) (stream.Position, error) {
	var poll *time.Timer
	for first := true; ; first = false {
		var news <-chan struct{}
		if s.writer != nil {
			news = s.writer.News() // before looking, so as to miss nothing
		}
		head, err := s.Head(ctx)
		if err != nil || head > after {
			return head, err
		}
		if first && head < after {
			return 0, fmt.Errorf("sqlite: %s ends at position %d, before %d: "+
				"whoever asks for what is after that has read another log, or a newer copy of it", s.path, head, after)
		}
		var tick <-chan time.Time
		if s.writer == nil {
			if poll == nil {
				poll = time.NewTimer(pollTime)
				defer poll.Stop()
			} else {
				poll.Reset(pollTime)
			}
			tick = poll.C
		}
		select {
		case <-news:
		case <-tick:
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-s.closing:
			return 0, ErrClosed
		}
	}
}

// scanPage returns the records after a position, at most pageSize, and their bytes.
func (s *Store) scanPage(ctx context.Context, after, head stream.Position, bytes int) (recs []stream.Record, _ int, err error) {
	err = s.readers.use(ctx, s.closing, func(r *reader) error {
		n := int(min(head-after, pageSize))
		if n < pageSize {
			bytes = 256 * n
		}
		p := newPage(r, n, bytes+bytes/16)
		err := p.query(r, s.types, sqlScan, func(st *sqlite.Stmt) {
			st.BindInt64(1, logfile.Bindable(after))
			st.BindInt64(2, int64(n))
		})
		if err == nil {
			recs, bytes = p.records(r), len(p.arena)
		}
		return err
	})
	return recs, bytes, err
}

// Page reads the records after a position up to another into room, in place of what is there, which
// must not be in use any more. It returns the latter or, if there are none, the position before the
// next record, or the highest where none follows.
func (s *Store) Page(ctx context.Context, room *stream.Page, after, until stream.Position) (next stream.Position, err error) {
	room.Records = room.Records[:0]
	err = s.readers.use(ctx, s.closing, func(r *reader) error {
		p := pageIn(r, room)
		err := p.query(r, s.types, sqlPage, func(st *sqlite.Stmt) {
			st.BindInt64(1, logfile.Bindable(after))
			st.BindInt64(2, logfile.Bindable(until))
		})
		if err != nil {
			return err
		}
		room.Records, room.Bytes = p.records(r), p.arena
		if next = until; len(room.Records) == 0 {
			next, err = gapAfter(r, until)
		}
		return err
	})
	return next, err
}

// gapAfter returns up to which position no record is after another.
func gapAfter(r *reader, after stream.Position) (stream.Position, error) {
	st, err := r.conn.Prepare(sqlGap)
	if err != nil {
		return 0, err
	}
	defer st.Reset()
	st.BindInt64(1, logfile.Bindable(after))
	if _, err := st.Step(); err != nil {
		return 0, fmt.Errorf("sqlite: reading: %w", err)
	}
	return stream.Position(st.ColumnInt64(0)), nil
}
