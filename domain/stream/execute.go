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
type Aggregate[S, C, E any] struct {
	Prefix string // of its streams: the stream of id is Prefix + id, as in "resource-"
	New    func(id string) S
	Decide func(S, C) ([]E, error)
	Evolve func(S, E) S
	Encode func(E) Event // with type, time and data
	Decode func(*Record) (E, error)
}

// Handler executes the commands of one aggregate on a store.
type Handler[S, C, E any] struct {
	Aggregate[S, C, E]
	Store EventStore
	// Warm, if not nil, may return a state that is known already, which the handler then
	// owns, with the revision that it holds: it saves reading the stream. It may be old:
	// an append at an old revision is refused, and the handler reads on from there.
	Warm func(id string) (S, Revision, bool)
}

// Outcome is the stream after a command.
type Outcome[S any] struct {
	State    S
	Revision Revision
	Position Position // of the last event written, 0 if none was
	Events   int      // how many were written
}

// Execute decides c on the state of id's stream and appends what follows. It starts
// over on [ErrWrongRevision], [Attempts] times at most. A command that has happened
// already writes nothing and is no error.
//
// After any other error of the store it is open whether the events were kept; the same
// command may be executed again, since every command knows its own traces.
func (h *Handler[S, C, E]) Execute(ctx context.Context, id string, meta Meta, c C) (Outcome[S], error) {
	name := h.Prefix + id
	out := Outcome[S]{Revision: NoStream}
	warm := false
	if h.Warm != nil {
		out.State, out.Revision, warm = h.Warm(id)
	}
	if !warm {
		out.State, out.Revision = h.New(id), NoStream
	}
	for range Attempts {
		if !warm {
			if err := h.load(ctx, name, &out); err != nil {
				return out, err
			}
		}
		events, err := h.Decide(out.State, c)
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

// Load returns the present state of id's stream.
func (h *Handler[S, C, E]) Load(ctx context.Context, id string) (Outcome[S], error) {
	out := Outcome[S]{State: h.New(id), Revision: NoStream}
	return out, h.load(ctx, h.Prefix+id, &out)
}

// load folds into out what the stream holds after out.Revision.
func (h *Handler[S, C, E]) load(ctx context.Context, name string, out *Outcome[S]) error {
	for rec, err := range h.Store.Read(ctx, name, out.Revision+1) {
		if err != nil {
			return fmt.Errorf("stream: reading %s: %w", name, err)
		}
		e, err := h.Decode(&rec)
		if err != nil {
			return fmt.Errorf("stream: %s revision %d: %w", name, rec.Revision, err)
		}
		out.State, out.Revision = h.Evolve(out.State, e), rec.Revision
	}
	return ctx.Err()
}

func (h *Handler[S, C, E]) append(ctx context.Context, name string, meta Meta, events []E, out *Outcome[S]) error {
	batch := make([]Event, len(events))
	for i, e := range events {
		batch[i] = h.Encode(e)
		batch[i].ID = NewID(name, out.Revision+1+Revision(i), batch[i])
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
	return nil
}
