package receipt

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sandglass/domain/payment"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/follow"
	"sandglass/domain/resource"
	"sandglass/domain/stream"

	"golang.org/x/mod/sumdb/tlog"
)

// Errors of an [Issuer] that callers branch on, besides [ErrUnproven] of a log that is not what was signed.
var (
	// ErrNone says that nothing is known yet of what becomes of a payment.
	ErrNone = errors.New("receipt: it has neither bought anything nor been refused: there is a receipt once it has")
	// ErrNotYet says that no checkpoint is signed, and cosigned, yet that the event is under.
	ErrNotYet = errors.New("receipt: no checkpoint of the log that is signed and cosigned is of it yet: " +
		"try again in a moment; GET /v1/log says what is signed")
)

// Tree is the tree of the log.
type Tree interface {
	IndexOf(ctx context.Context, name string, rev stream.Revision) (index int64, rec stream.Record, err error)
	Inclusion(ctx context.Context, index, size int64) (tlog.RecordProof, error)
}

// Issuer makes receipts. All fields but Stopped are required.
type Issuer struct {
	Store stream.EventStore
	Tree  Tree
	// Best returns the latest checkpoint that is signed and cosigned, if there is one.
	Best func() (checkpoint.Checkpoint, []byte, bool)
	// Stopped reports whether nothing more is signed, as in an alarm: then nothing is to be waited for.
	Stopped func() bool
}

// Issue returns the receipt of a payment, by the latest event that says what became of it. It verifies by the
// checkpoint that it carries. It is [ErrNone], [ErrNotYet] or [ErrUnproven] where there is none.
func (i *Issuer) Issue(ctx context.Context, p *payment.State) (*Receipt, error) {
	r, err := i.issue(ctx, p)
	if errors.Is(err, ErrNotYet) && i.Stopped != nil && i.Stopped() {
		err = fmt.Errorf("%w, and nothing more is signed", ErrUnproven)
	}
	return r, err
}

func (i *Issuer) issue(ctx context.Context, p *payment.State) (*Receipt, error) {
	event, err := i.find(ctx, p)
	if err != nil {
		return nil, err
	}
	point, msg, ok := i.Best()
	if !ok {
		return nil, ErrNotYet
	}
	r := &Receipt{Note: msg}
	if r.Record, r.Index, r.Proof, err = i.prove(ctx, &event, point.Size); err != nil {
		return nil, err
	}
	if err := i.paid(ctx, r, point.Size); err != nil {
		return nil, err
	}
	return r, r.in(&point)
}

// prove returns an event as the tree has it, with the proof that it is in the log of a size.
func (i *Issuer) prove(ctx context.Context, e *stream.Record, size int64) (
	rec stream.Record, index int64, path tlog.RecordProof, err error,
) {
	if index, rec, err = i.Tree.IndexOf(ctx, e.Stream, e.Revision); err != nil {
		return rec, 0, nil, ofTree(err)
	}
	rec.Position = 0
	if index >= size {
		return rec, 0, nil, ErrNotYet
	}
	if path, err = i.Tree.Inclusion(ctx, index, size); err != nil {
		return rec, 0, nil, ofTree(err)
	}
	return rec, index, path, nil
}

// paid adds the event that says how much came, where a payment's own stream says what became of it.
func (i *Issuer) paid(ctx context.Context, r *Receipt, size int64) error {
	if !strings.HasPrefix(r.Record.Stream, payment.Prefix) {
		return nil
	}
	var last *stream.Record
	for rec, err := range i.Store.Read(ctx, r.Record.Stream, 0) {
		if err != nil {
			return err
		}
		if rec.Revision >= r.Record.Revision {
			break
		}
		if e, err := settled(&rec); err != nil {
			return err
		} else if e != nil {
			last = &rec
		}
	}
	if last == nil {
		return ctx.Err()
	}
	p := &Paid{}
	var err error
	if p.Record, p.Index, p.Proof, err = i.prove(ctx, last, size); err != nil {
		return err
	}
	r.Paid = p
	return nil
}

func ofTree(err error) error {
	switch {
	case errors.Is(err, follow.ErrNotYet):
		return ErrNotYet
	case errors.Is(err, follow.ErrChanged):
		return fmt.Errorf("%w: %w", ErrUnproven, err)
	}
	return err
}

// find returns the latest event that says what became of a payment: in its own stream, or in that of its resource.
func (i *Issuer) find(ctx context.Context, p *payment.State) (last stream.Record, err error) {
	streams := []string{payment.Prefix + string(p.Key)}
	if p.Resource != "" {
		streams = append(streams, resource.Prefix+string(p.Resource))
	}
	for _, name := range streams {
		for rec, err := range i.Store.Read(ctx, name, 0) {
			if err != nil {
				return last, err
			}
			if s, ok, err := said(&rec); err != nil {
				return last, err
			} else if ok && s.Payment == string(p.Key) && rec.Position > last.Position {
				last = rec
			}
		}
	}
	if last.Position == 0 {
		err = ErrNone
	}
	return last, errors.Join(err, ctx.Err())
}
