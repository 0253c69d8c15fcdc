package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"iter"

	"sandglass/domain/stream"
)

// What one import carries at most, unless a copier says less.
const (
	copyRecords = 2048
	copyBytes   = 4 << 20
)

// copier copies a log into another store, byte for byte but for the positions, which are
// the store's own. What the other store holds already must be the beginning of the log:
// so a copy that was broken off goes on where it was, and one that is whole is verified.
// Nobody else may write to the destination meanwhile.
type copier struct {
	from   stream.EventStore
	to     importer
	batch  int // records in one import; 0 means copyRecords
	tell   func(what string, n int64, at, of stream.Position)
	report copyReport // as far as it got
}

// copyReport is what a copy comes to.
type copyReport struct {
	Events int64   `json:"events"` // of the log
	Before int64   `json:"before"` // of them were there before
	Bytes  int64   `json:"bytes"`  // of their data and metadata
	Millis int64   `json:"time_ms"`
	From   copyEnd `json:"from"`
	To     copyEnd `json:"to"`
}

// copyEnd is where one side of a copy ends.
type copyEnd struct {
	Store    string          `json:"store"`
	Position stream.Position `json:"position"` // of the last record that was copied
	Head     stream.Position `json:"head"`     // of the log, at the end
	Digest   string          `json:"digest"`
}

// errDiffer says that the destination is not a copy of the source's beginning.
var errDiffer = errors.New("the stores differ")

// run copies what the source holds now.
func (c *copier) run(ctx context.Context) error {
	there, err := c.to.Head(ctx)
	if err != nil {
		return fmt.Errorf("the destination: %w", err)
	}
	until, err := c.from.Head(ctx)
	if err != nil {
		return fmt.Errorf("the source: %w", err)
	}
	both := &abreast{fromSum: sha256.New(), toSum: sha256.New()}
	if err := c.compare(ctx, "compared", both, until, there); err != nil {
		return err
	}
	c.report.Before, c.report.Events = both.events, both.events
	c.report.Bytes, c.report.From.Position = both.bytes, both.from
	if err := c.fill(ctx, both.from, until, both.fromSum); err != nil {
		return err
	}
	// What was imported is read back, and the source a second time.
	c.report.From.Digest = digestOf(both.fromSum)
	both.fromSum = sha256.New()
	if there, err = c.to.Head(ctx); err != nil {
		return fmt.Errorf("the destination: %w", err)
	}
	if err := c.compare(ctx, "verified", both, until, there); err != nil {
		return err
	}
	return c.finish(ctx, both)
}

// abreast is how far both sides were read.
type abreast struct {
	from, to       stream.Position
	fromSum, toSum hash.Hash
	events, bytes  int64
}

// compare reads both sides abreast until the destination ends.
func (c *copier) compare(ctx context.Context, what string, a *abreast, until, there stream.Position) error {
	next, stop := iter.Pull2(between(ctx, c.from, a.from, until))
	defer stop()
	for theirs, err := range between(ctx, c.to, a.to, there) {
		if err != nil {
			return fmt.Errorf("reading the destination after position %d: %w", a.to, err)
		}
		ours, err, more := next()
		switch {
		case !more:
			return fmt.Errorf("%w: the source ends at position %d, and the destination goes on at position %d with %s revision %d", errDiffer, a.from, theirs.Position, theirs.Stream, theirs.Revision)
		case err != nil:
			return fmt.Errorf("reading the source after position %d: %w", a.from, err)
		}
		if field, is, other := differs(&ours, &theirs); field != "" {
			return fmt.Errorf("%w: %s revision %d at position %d of the source has %s %s, and what stands at position %d of the destination has %s",
				errDiffer, ours.Stream, ours.Revision, ours.Position, field, shorten(is), theirs.Position, shorten(other))
		}
		sum(a.fromSum, &ours)
		sum(a.toSum, &theirs)
		a.from, a.to, a.events = ours.Position, theirs.Position, a.events+1
		a.bytes += int64(len(ours.Data) + len(ours.Meta))
		c.tell(what, a.events, ours.Position, until)
	}
	return nil
}

// fill imports what follows a position of the source.
func (c *copier) fill(ctx context.Context, after, until stream.Position, digest hash.Hash) error {
	most := c.batch
	if most == 0 {
		most = copyRecords
	}
	var batch []stream.Record
	size := 0
	for rec, err := range between(ctx, c.from, after, until) {
		if err != nil {
			return fmt.Errorf("reading the source after position %d: %w", c.report.From.Position, err)
		}
		n := len(rec.Data) + len(rec.Meta)
		if len(batch) == most || len(batch) > 0 && size+n > copyBytes {
			if err := c.put(ctx, batch, until); err != nil {
				return err
			}
			batch, size = batch[:0], 0
		}
		sum(digest, &rec)
		batch, size = append(batch, rec), size+n
	}
	return c.put(ctx, batch, until)
}

// put imports a batch.
func (c *copier) put(ctx context.Context, batch []stream.Record, until stream.Position) error {
	if len(batch) == 0 {
		return nil
	}
	first, last := &batch[0], &batch[len(batch)-1]
	if err := c.to.Import(ctx, batch); err != nil {
		if errors.Is(err, stream.ErrWrongRevision) {
			err = fmt.Errorf("%w: somebody else writes to the destination", err)
		}
		return fmt.Errorf("importing positions %d to %d of the source: %w", first.Position, last.Position, err)
	}
	for i := range batch {
		c.report.Bytes += int64(len(batch[i].Data) + len(batch[i].Meta))
		c.report.Events++
		c.tell("copied", c.report.Events, batch[i].Position, until)
	}
	c.report.From.Position = last.Position
	return nil
}

// finish completes the report, and holds the sides against each other a last time.
func (c *copier) finish(ctx context.Context, both *abreast) (err error) {
	r := &c.report
	r.To.Position, r.To.Digest = both.to, digestOf(both.toSum)
	switch {
	case both.events != r.Events:
		return fmt.Errorf("%w: %d events were read back of %d", errDiffer, both.events, r.Events)
	case r.To.Digest != r.From.Digest:
		return fmt.Errorf("%w: the source gave other records when it was read again: its digest was %s, and that of the destination is %s", errDiffer, r.From.Digest, r.To.Digest)
	}
	if r.From.Head, err = c.from.Head(ctx); err != nil {
		return fmt.Errorf("the source: %w", err)
	}
	if r.To.Head, err = c.to.Head(ctx); err != nil {
		return fmt.Errorf("the destination: %w", err)
	}
	return nil
}

// differs returns the first field in which two records differ, and what they have there.
func differs(a, b *stream.Record) (field, is, other string) {
	switch {
	case a.Stream != b.Stream:
		return "stream", a.Stream, b.Stream
	case a.Revision != b.Revision:
		return "revision", fmt.Sprint(a.Revision), fmt.Sprint(b.Revision)
	case a.Type != b.Type:
		return "type", a.Type, b.Type
	case a.At != b.At:
		return "at", a.At.String(), b.At.String()
	case !bytes.Equal(a.Data, b.Data):
		return "data", string(a.Data), string(b.Data)
	case a.ID != b.ID:
		return "id", a.ID.String(), b.ID.String()
	case !bytes.Equal(a.Meta, b.Meta):
		return "meta", string(a.Meta), string(b.Meta)
	case a.RecordedAt != b.RecordedAt:
		return "recorded_at", a.RecordedAt.String(), b.RecordedAt.String()
	}
	return "", "", ""
}

// sum adds a record to a digest: stream, type, data and meta, each after its length, the
// 16 bytes of the id, revision, at and recorded_at. Numbers are 8 bytes, the highest first.
func sum(h hash.Hash, r *stream.Record) {
	b := make([]byte, 0, 128+len(r.Stream)+len(r.Type)+len(r.Data)+len(r.Meta))
	for _, part := range []string{r.Stream, r.Type, string(r.Data), string(r.Meta)} {
		b = append(binary.BigEndian.AppendUint64(b, uint64(len(part))), part...)
	}
	b = append(b, r.ID[:]...)
	for _, n := range []int64{int64(r.Revision), int64(r.At), int64(r.RecordedAt)} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	h.Write(b) // never fails
}

func digestOf(h hash.Hash) string { return "sha256:" + hex.EncodeToString(h.Sum(nil)) }
