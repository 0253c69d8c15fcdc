package stream

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"

	"sandglass/domain/codec"
)

// Attempts is how often Execute decides anew when another writer was faster.
const Attempts = 5

// Aggregate is what a package of the domain makes of its streams: pure functions.
type Aggregate[ID ~string, S, C any, E Fact] struct {
	Prefix string // of its streams: the stream of id is Prefix + id, as in "resource-"
	New    func(id ID) S
	Decide func(S, C) ([]E, error)
	Evolve func(S, E) S
	Decode func(*Record) (E, error)
	// Copy returns a state that shares nothing with s that Evolve changes, and about how many
	// bytes it takes. It is nil where Evolve changes nothing in place, and a state takes no more
	// than a KiB.
	Copy func(s S) (S, int)
	// Facts says that the events are facts which several may tell: the same at the same
	// revision is the same event, whoever appends it. Else an event belongs to the decision
	// that it came of, and only the very same append, made again within one call to the store,
	// is known again: a decision on an old state is not taken for an earlier one like it.
	Facts bool
}

// Handler executes the commands of one aggregate on a store. It keeps the states of the
// streams that it read and wrote last, some thousands, of 8 MiB at most. It decides on them,
// and reads only where it was refused, or where nothing is to be written: a command on a
// stream that it wrote last takes one round trip.
//
// What it read or wrote once it never takes back: a stream that is shorter now is
// [ErrBehind].
type Handler[ID ~string, S, C any, E Fact] struct {
	Aggregate[ID, S, C, E]
	Store EventStore
	// Warm, if not nil, may return a state that is known already, which the handler then
	// owns, with the revision that it holds: it saves reading the stream. It may be old:
	// an append at an old revision is refused, and the handler reads on from there.
	Warm func(ID) (S, Revision, bool)

	recent recent[ID, S]
}

// Outcome is the stream after a command.
type Outcome[S any] struct {
	State    S
	Revision Revision
	Position Position // of the last event written, 0 if none was
	Events   int      // how many were written
	// Last is the id of the stream's last event, by which another stream's event can say
	// what it was caused by. It is zero where there is none.
	Last EventID
}

// Precondition reports whether what a command rests on holds now, such as what another
// stream says.
type Precondition func(context.Context) (bool, error)

// Execute decides c on the state of id's stream and appends what follows. It starts
// over on [ErrWrongRevision], [Attempts] times at most. A command that has happened
// already writes nothing and is no error.
//
// After any other error of the store it is open whether the events were kept; the same
// command may be executed again, since every command knows its own traces.
func (h *Handler[ID, S, C, E]) Execute(ctx context.Context, id ID, meta Meta, c C) (Outcome[S], error) {
	return h.ExecuteIf(ctx, id, meta, c, nil)
}

// ExecuteIf is Execute, but that it writes nothing where holds, if it is not nil, reports
// false. It is asked once the stream is known, before each decision. So whoever makes it
// false, and then writes to this stream what fits that, either was seen or makes the
// append fail with [ErrWrongRevision], and holds is asked again.
func (h *Handler[ID, S, C, E]) ExecuteIf(ctx context.Context, id ID, meta Meta, c C, holds Precondition) (Outcome[S], error) {
	out, warm := h.begin(id)
	for range Attempts {
		if !warm {
			if err := h.load(ctx, id, &out); err != nil {
				return out, err
			}
		}
		events, err := h.decide(ctx, out.State, c, holds)
		if warm && (err != nil || len(events) == 0) {
			warm = false // an old state may refuse what the present one would not
			continue
		}
		warm = false
		if err != nil || len(events) == 0 {
			return out, err
		}
		err = h.append(ctx, id, meta, events, &out)
		if !errors.Is(err, ErrWrongRevision) {
			return out, err
		}
	}
	return out, fmt.Errorf("stream: %s: %d attempts: %w", h.Prefix+string(id), Attempts, ErrWrongRevision)
}

// begin returns the stream as it is known without reading it, and reports whether that is
// more than nothing.
func (h *Handler[ID, S, C, E]) begin(id ID) (Outcome[S], bool) {
	out, ok := h.recall(id)
	if h.Warm != nil {
		if state, revision, warm := h.Warm(id); warm && (revision > out.Revision || !ok) {
			return Outcome[S]{State: state, Revision: revision}, true
		}
	}
	return out, ok
}

// recall returns the stream as it was read or written last, and whether that is known.
func (h *Handler[ID, S, C, E]) recall(id ID) (Outcome[S], bool) {
	k, ok := h.recent.get(id)
	if !ok {
		return Outcome[S]{State: h.New(id), Revision: NoStream}, false
	}
	state, _ := h.copy(k.state)
	return Outcome[S]{State: state, Revision: k.revision, Last: k.last}, true
}

// remember keeps the stream as it is now.
func (h *Handler[ID, S, C, E]) remember(id ID, out *Outcome[S]) {
	if out.Revision == NoStream {
		return
	}
	state, bytes := h.copy(out.State)
	h.recent.put(known[ID, S]{id: id, state: state, revision: out.Revision, last: out.Last, bytes: bytes})
}

func (h *Handler[ID, S, C, E]) copy(s S) (S, int) {
	if h.Copy == nil {
		return s, plainBytes
	}
	return h.Copy(s)
}

func (h *Handler[ID, S, C, E]) decide(ctx context.Context, s S, c C, holds Precondition) ([]E, error) {
	if holds != nil {
		if ok, err := holds(ctx); err != nil || !ok {
			return nil, err
		}
	}
	return h.Decide(s, c)
}

// Load returns the present state of id's stream.
func (h *Handler[ID, S, C, E]) Load(ctx context.Context, id ID) (Outcome[S], error) {
	out, _ := h.recall(id)
	err := h.load(ctx, id, &out)
	return out, err
}

// load folds into out what the stream holds after out.Revision, which it has to hold too.
func (h *Handler[ID, S, C, E]) load(ctx context.Context, id ID, out *Outcome[S]) error {
	name := h.Prefix + string(id)
	known := out.Revision
	there := known == NoStream
	for rec, err := range h.Store.Read(ctx, name, max(known, 0)) {
		if err != nil {
			return fmt.Errorf("stream: reading %s: %w", name, err)
		}
		if rec.Revision == known {
			out.Last, there = rec.ID, true
			continue
		}
		e, err := h.Decode(&rec)
		if err != nil {
			return fmt.Errorf("stream: %s revision %d: %w", name, rec.Revision, err)
		}
		out.State = h.Evolve(out.State, e)
		out.Revision, out.Last = rec.Revision, rec.ID
	}
	switch err := ctx.Err(); {
	case err != nil:
		return err
	case !there:
		return fmt.Errorf("stream: %s: revision %d is not there any more: %w", name, known, ErrBehind)
	}
	h.remember(id, out)
	return nil
}

func (h *Handler[ID, S, C, E]) append(ctx context.Context, id ID, meta Meta, events []E, out *Outcome[S]) error {
	name := h.Prefix + string(id)
	var attempt Attempt
	binary.BigEndian.PutUint64(attempt[:], rand.Uint64()) // not of the decision: it is its name
	batch := make([]Event, len(events))
	salts := make([]byte, len(events)*len(meta.Salt))
	_, _ = crand.Read(salts) // it never fails
	for i, e := range events {
		batch[i] = Encode(e)
		if rev := out.Revision + 1 + Revision(i); h.Facts {
			batch[i].ID = NewID(name, rev, batch[i])
		} else {
			batch[i].ID = NewAttemptID(attempt, name, rev, batch[i])
		}
		meta.Salt = [len(meta.Salt)]byte(salts[i*len(meta.Salt):])
		batch[i].Meta = codec.Encode(&meta)
	}
	res, err := h.Store.Append(ctx, name, out.Revision, batch)
	if err != nil {
		return fmt.Errorf("stream: appending to %s: %w", name, err)
	}
	for _, e := range events {
		out.State = h.Evolve(out.State, e)
	}
	out.Revision, out.Position, out.Events = res.Revision, res.Position, len(events)
	out.Last = batch[len(batch)-1].ID
	h.remember(id, out)
	return nil
}
