// Package logcopy copies a log into another store, byte for byte but for the positions,
// which are each store's own, and verifies the copy.
//
// What the other store holds already must be the beginning of the log: so a copy that was
// broken off goes on where it was, and one that is whole is verified. What was imported is
// read back. Nothing is ever overwritten. Both stores are the caller's.
package logcopy

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"iter"

	"sandglass/domain/stream"
)

// What one import carries at most, unless a [Copier] says less.
const (
	maxRecords = 2048
	maxBytes   = 4 << 20
)

// ErrDiffer says that the destination is not a copy of the source's beginning.
var ErrDiffer = errors.New("the stores differ")

// ErrNotWhole says that the source lacks events, so that it can't be copied.
var ErrNotWhole = errors.New("the source is not whole")

// Destination is a store that takes the records of another log as they are.
type Destination interface {
	stream.EventStore
	// Import appends records with their ids and times, and returns once they are durable.
	// A revision that does not follow is [stream.ErrWrongRevision], but what is there
	// already with the same id is passed over.
	Import(ctx context.Context, records []stream.Record) error
}

// Phase is what is done to a record.
type Phase string

// The phases of a copy, in their order.
const (
	Compared Phase = "compared" // it was there before
	Copied   Phase = "copied"
	Verified Phase = "verified" // it was read back
)

// Copier copies what From holds when [Copier.Copy] begins into To, to which nobody else
// may write meanwhile.
type Copier struct {
	From     stream.EventStore
	To       Destination
	Batch    int                                              // records in one import; 0 is 2048
	Progress func(did Phase, n int64, at, of stream.Position) // of the source; after each record
}

// Report is what a copy comes to.
type Report struct {
	Events   int64 // of the log
	Before   int64 // of them were there before
	Bytes    int64 // of their data and metadata
	From, To End
}

// End is where one side of a copy ends.
type End struct {
	Position stream.Position // of the last record that was copied
	Head     stream.Position // of the log, at the end
	Digest   string
}

// copying is one copy under way.
type copying struct {
	*Copier
	report Report // as far as it got
}

// Copy copies, and reads back what it copied. Where the sides are not the same, the error
// is [ErrDiffer]; where the source lacks events, [ErrNotWhole]; after any other, copying again goes on from what was imported.
func (c *Copier) Copy(ctx context.Context) (Report, error) {
	do := copying{Copier: c}
	err := do.run(ctx)
	return do.report, err
}

func (c *copying) run(ctx context.Context) error {
	there, err := c.To.Head(ctx)
	if err != nil {
		return fmt.Errorf("the destination: %w", err)
	}
	until, err := c.From.Head(ctx)
	if err != nil {
		return fmt.Errorf("the source: %w", err)
	}
	both := &cursors{fromSum: sha256.New(), toSum: sha256.New()}
	if err := c.compare(ctx, Compared, both, until, there); err != nil {
		return err
	}
	c.report.Before, c.report.Events, c.report.Bytes = both.events, both.events, both.bytes
	c.report.From.Position = both.from
	if err := c.fill(ctx, both.from, until, both.fromSum); err != nil {
		return err
	}
	// What was imported is read back, and the source a second time.
	c.report.From.Digest = digestOf(both.fromSum)
	both.fromSum = sha256.New()
	if there, err = c.To.Head(ctx); err != nil {
		return fmt.Errorf("the destination: %w", err)
	}
	if err := c.compare(ctx, Verified, both, until, there); err != nil {
		return err
	}
	return c.finish(ctx, both)
}

// cursors are how far both sides were read.
type cursors struct {
	from, to       stream.Position
	fromSum, toSum hash.Hash
	events, bytes  int64
}

// compare reads both sides side by side until the destination ends.
func (c *copying) compare(ctx context.Context, did Phase, a *cursors, until, there stream.Position) error {
	next, stop := iter.Pull2(stream.Between(ctx, c.From, a.from, until))
	defer stop()
	for theirs, err := range stream.Between(ctx, c.To, a.to, there) {
		if err != nil {
			return fmt.Errorf("reading the destination after position %d: %w", a.to, err)
		}
		ours, err, more := next()
		switch {
		case !more:
			return fmt.Errorf("%w: the source ends at position %d, and the destination goes on at position %d with %s revision %d",
				ErrDiffer, a.from, theirs.Position, theirs.Stream, theirs.Revision)
		case err != nil:
			return fmt.Errorf("reading the source after position %d: %w", a.from, err)
		}
		if field, is, other := differs(&ours, &theirs); field != "" {
			return fmt.Errorf("%w: %s revision %d at position %d of the source has %s %s, "+
				"and what stands at position %d of the destination has %s",
				ErrDiffer, ours.Stream, ours.Revision, ours.Position, field, shorten(is), theirs.Position, shorten(other))
		}
		sum(a.fromSum, &ours)
		sum(a.toSum, &theirs)
		a.from, a.to, a.events = ours.Position, theirs.Position, a.events+1
		a.bytes += int64(len(ours.Data) + len(ours.Meta))
		c.tell(did, a.events, ours.Position, until)
	}
	return nil
}

func (c *copying) tell(did Phase, n int64, at, of stream.Position) {
	if c.Progress != nil {
		c.Progress(did, n, at, of)
	}
}

// fill imports what follows a position of the source.
func (c *copying) fill(ctx context.Context, after, until stream.Position, digest hash.Hash) error {
	most := c.Batch
	if most == 0 {
		most = maxRecords
	}
	var batch []stream.Record
	size := 0
	for rec, err := range stream.Between(ctx, c.From, after, until) {
		if err != nil {
			return fmt.Errorf("reading the source after position %d: %w", c.report.From.Position, err)
		}
		n := len(rec.Data) + len(rec.Meta)
		if len(batch) == most || len(batch) > 0 && size+n > maxBytes {
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
func (c *copying) put(ctx context.Context, batch []stream.Record, until stream.Position) error {
	if len(batch) == 0 {
		return nil
	}
	first, last := &batch[0], &batch[len(batch)-1]
	if err := c.To.Import(ctx, batch); err != nil {
		if errors.Is(err, stream.ErrWrongRevision) {
			if lacks := c.whole(ctx, batch); lacks != nil {
				return lacks
			}
			err = fmt.Errorf("%w: somebody else writes to the destination", err)
		}
		return fmt.Errorf("importing positions %d to %d of the source: %w", first.Position, last.Position, err)
	}
	for i := range batch {
		c.report.Bytes += int64(len(batch[i].Data) + len(batch[i].Meta))
		c.report.Events++
		c.tell(Copied, c.report.Events, batch[i].Position, until)
	}
	c.report.From.Position = last.Position
	return nil
}

// whole returns an error if the source lacks the beginning of a stream that a batch goes on
// with: then it is the source, and nobody who writes to the destination, that does not fit.
func (c *copying) whole(ctx context.Context, batch []stream.Record) error {
	checked := map[string]bool{}
	for i := range batch {
		r := &batch[i]
		if checked[r.Stream] {
			continue
		}
		checked[r.Stream] = true
		next := stream.Revision(0)
		for rec, err := range c.From.Read(ctx, r.Stream, 0) {
			if err != nil {
				return fmt.Errorf("%w: %w", ErrNotWhole, err)
			}
			if rec.Revision != next || next == r.Revision {
				break
			}
			next++
		}
		if next != r.Revision {
			return fmt.Errorf("%w: %s goes on with revision %d at position %d, and has no revision %d: "+
				"it was deleted or truncated: restore a backup", ErrNotWhole, r.Stream, r.Revision, r.Position, next)
		}
	}
	return nil
}

// finish completes the report, and holds the sides against each other a last time.
func (c *copying) finish(ctx context.Context, both *cursors) (err error) {
	r := &c.report
	r.To.Position, r.To.Digest = both.to, digestOf(both.toSum)
	switch {
	case both.events != r.Events:
		return fmt.Errorf("%w: %d events were read back of %d", ErrDiffer, both.events, r.Events)
	case r.To.Digest != r.From.Digest:
		return fmt.Errorf("%w: the source gave other records when it was read again: "+
			"its digest was %s, and that of the destination is %s",
			ErrDiffer, r.From.Digest, r.To.Digest)
	}
	if r.From.Head, err = c.From.Head(ctx); err != nil {
		return fmt.Errorf("the source: %w", err)
	}
	if r.To.Head, err = c.To.Head(ctx); err != nil {
		return fmt.Errorf("the destination: %w", err)
	}
	return nil
}
