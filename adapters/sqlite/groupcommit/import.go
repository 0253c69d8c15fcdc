package groupcommit

import (
	"context"
	"fmt"

	"sandglass/adapters/sqlite/logfile"
	"sandglass/domain/instant"
	"sandglass/domain/stream"
)

// What one import takes at most: it is one transaction.
const (
	MaxImport      = 8192     // records
	MaxImportBytes = 64 << 20 // of data and metadata
)

// Batch are records of another log on their way to the writer.
type Batch struct {
	records  []*request // of one event each
	recorded []instant.Time
	done     chan error // holds one
}

// refusal is an error of the caller's, not of the file.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// Import waits until the records are durable, or refused.
func (w *Writer) Import(ctx context.Context, r *Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case w.imports <- r:
		return <-r.done
	case <-ctx.Done():
		return ctx.Err()
	case <-w.closing:
		return logfile.ErrClosed
	}
}

// NewBatch returns records as [Writer.Import] takes them, or what is wrong with them.
func NewBatch(records []stream.Record) (*Batch, error) {
	if len(records) > MaxImport {
		return nil, fmt.Errorf("%w: an import of %d records, at most %d", stream.ErrInvalid, len(records), MaxImport)
	}
	r := &Batch{done: make(chan error, 1)}
	bytes := 0
	for i := range records {
		rec := &records[i]
		one := &request{stream: rec.Stream, expected: rec.Revision - 1, events: []stream.Event{rec.Event}}
		if err := stream.Check(one.stream, one.expected, one.events); err != nil {
			return nil, fmt.Errorf("record %d, position %d: %w", i, rec.Position, err)
		}
		if rec.RecordedAt < instant.Min || rec.RecordedAt > instant.Max {
			return nil, fmt.Errorf("%w: record %d, position %d: recorded_at: %w",
				stream.ErrInvalid, i, rec.Position, instant.ErrRange)
		}
		one.ownIDs = !stream.Follows(rec.Stream, rec.Revision, rec.Event)
		bytes += len(rec.Data) + len(rec.Meta)
		r.records, r.recorded = append(r.records, one), append(r.recorded, rec.RecordedAt)
	}
	if bytes > MaxImportBytes {
		return nil, fmt.Errorf("%w: an import of %d bytes, at most %d", stream.ErrInvalid, bytes, MaxImportBytes)
	}
	return r, nil
}

// writeImport writes an import in a transaction of its own and answers it.
func (w *Writer) writeImport(r *Batch) {
	w.using.Lock()
	defer w.using.Unlock()
	g := group{w: w, next: w.next, recorded: w.recorded}
	err := w.space.Check()
	if err == nil {
		err = g.transact(func() error {
			for i, one := range r.records {
				if err := g.importRecord(one, r.recorded[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if _, ok := err.(refusal); !ok {
			w.setFailure(err)
		}
	}
	if err == nil {
		w.publish(&g)
	}
	r.done <- err
	w.maintain()
}

// importRecord writes a record of another log, or finds that it is there. An error that is
// no refusal is one of SQLite.
func (g *group) importRecord(r *request, recorded instant.Time) error {
	last, err := g.last(r.stream)
	switch {
	case err != nil:
		return err
	case r.expected < last:
		return g.checkSame(r)
	case r.expected > last:
		return refusal{wrongRevision(r, last)}
	case recorded < g.recorded:
		return refusal{fmt.Errorf("sqlite: %s revision %d was recorded at %s, and the last event here at %s: "+
			"records of another log go into one that holds nothing else", r.stream, r.expected+1, recorded, g.recorded)}
	}
	if dup, err := g.duplicate(r); err != nil {
		return err
	} else if dup {
		return refusal{r.err}
	}
	g.recorded = recorded
	return g.insert(r, 0)
}

// checkSame refuses r unless the event at its place bears its id.
func (g *group) checkSame(r *request) error {
	id, _, err := g.at(r.stream, r.expected+1)
	if err == nil && id != r.events[0].ID {
		return refusal{fmt.Errorf("sqlite: %s revision %d is another event, %s and not %s: %w",
			r.stream, r.expected+1, id, r.events[0].ID, stream.ErrWrongRevision)}
	}
	return err
}
