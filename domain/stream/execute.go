package stream

import (
	"context"
	"errors"
	"fmt"

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
}

// Handler executes the commands of one aggregate on a store.
type Handler[ID ~string, S, C any, E Fact] struct {
	Aggregate[ID, S, C, E]
	Store EventStore
	// Warm, if not nil, may return a state that is known already, which the handler then
	// owns, with the revision that it holds: it saves reading the stream. It may be old:
	// an append at an old revision is refused, and the handler reads on from there.
	Warm func(ID) (S, Revision, bool)
}

// Outcome is the stream after a command.
type Outcome[S any] struct {
	State    S
	Revision Revision
	Position Position // of the last event written, 0 if none was
	Events   int      // how many were written
	// Last is the id of the stream's last event, by which another stream's event can say
	// what it was caused by. It is zero where there is none, and where [Handler.Warm] knew
	// all of the stream and nothing was written.
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
// false. It is asked once the stream was read, before each decision. So whoever makes it
// false, and then writes to this stream what fits that, either was seen or makes the
// append fail with [ErrWrongRevision], and holds is asked again.
func (h *Handler[ID, S, C, E]) ExecuteIf(ctx context.Context, id ID, meta Meta, c C, holds Precondition) (Outcome[S], error) {
	name := h.Prefix + string(id)
	out, warm := h.begin(id)
	for range Attempts {
		if !warm {
			if err := h.load(ctx, name, &out); err != nil {
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
		err = h.append(ctx, name, meta, events, &out)
		if !errors.Is(err, ErrWrongRevision) {
			return out, err
		}
	}
	return out, fmt.Errorf("stream: %s: %d attempts: %w", name, Attempts, ErrWrongRevision)
}

// begin returns the stream as it is known without reading it, and reports whether that is
// more than nothing.
func (h *Handler[ID, S, C, E]) begin(id ID) (Outcome[S], bool) {
	if h.Warm != nil {
		if state, revision, ok := h.Warm(id); ok {
			return Outcome[S]{State: state, Revision: revision}, true
		}
	}
	return Outcome[S]{State: h.New(id), Revision: NoStream}, false
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
	out := Outcome[S]{State: h.New(id), Revision: NoStream}
	err := h.load(ctx, h.Prefix+string(id), &out)
	return out, err
}

// load folds into out what the stream holds after out.Revision.
func (h *Handler[ID, S, C, E]) load(ctx context.Context, name string, out *Outcome[S]) error {
	for rec, err := range h.Store.Read(ctx, name, out.Revision+1) {
		if err != nil {
			return fmt.Errorf("stream: reading %s: %w", name, err)
		}
		e, err := h.Decode(&rec)
		if err != nil {
			return fmt.Errorf("stream: %s revision %d: %w", name, rec.Revision, err)
		}
		out.State = h.Evolve(out.State, e)
		out.Revision, out.Last = rec.Revision, rec.ID
	}
	return ctx.Err()
}

func (h *Handler[ID, S, C, E]) append(ctx context.Context, name string, meta Meta, events []E, out *Outcome[S]) error {
	batch := make([]Event, len(events))
	encoded := codec.Encode(&meta)
	for i, e := range events {
		batch[i] = Encode(e)
		batch[i].ID = NewID(name, out.Revision+1+Revision(i), batch[i])
		batch[i].Meta = encoded
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
	return nil
}
