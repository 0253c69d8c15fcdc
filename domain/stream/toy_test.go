package stream_test

import (
	"context"
	"errors"
	"iter"
	"maps"
	"sync"

	"sandglass/domain/codec"
	"sandglass/domain/instant"
	"sandglass/domain/stream"
)

// The toy is a jar that holds a hundred: each key is added once, until it is emptied.
type (
	jar struct {
		sum  int64
		keys map[string]bool
	}
	add struct {
		key string
		n   int64
	}
	empty   struct{}
	command any

	added struct {
		stream.At
		key string
		n   int64
	}
	emptied struct{ stream.At }
	event   = stream.Fact
)

var errFull = errors.New("toy: the jar is full")

const noon instant.Time = 1_767_355_200_000

func (a *added) Fields(f *codec.Fields) {
	codec.String(f, "key", &a.key)
	codec.Int(f, "n", &a.n)
}

func (*emptied) Fields(*codec.Fields) {}

func (*added) Type() string   { return "toy.added.v1" }
func (*emptied) Type() string { return "toy.emptied.v1" }

func decide(s jar, c command) ([]event, error) {
	switch c := c.(type) {
	case add:
		if s.keys[c.key] {
			return nil, nil
		}
		if s.sum+c.n > 100 {
			return nil, errFull
		}
		return []event{&added{stream.At{At: noon}, c.key, c.n}}, nil
	case empty:
		return []event{&emptied{stream.At{At: noon}}}, nil
	}
	panic("toy: unknown command")
}

func evolve(s jar, e event) jar {
	switch e := e.(type) {
	case *added:
		s.sum += e.n
		s.keys[e.key] = true
	case *emptied:
		s = newJar("")
	}
	return s
}

func newJar(string) jar { return jar{keys: map[string]bool{}} }

func handler(store stream.EventStore) *stream.Handler[string, jar, command, event] {
	return &stream.Handler[string, jar, command, event]{
		Store: store,
		Aggregate: stream.Aggregate[string, jar, command, event]{
			Prefix: "toy-", New: newJar, Decide: decide, Evolve: evolve,
			Copy: func(s jar) (jar, int) { return jar{s.sum, maps.Clone(s.keys)}, 100 },
			Decode: func(r *stream.Record) (event, error) {
				if r.Type == "toy.emptied.v1" {
					return stream.Decode[event](r, new(emptied))
				}
				return stream.Decode[event](r, new(added))
			},
		},
	}
}

// observed is a store that notes what it is asked, and lets a rival go first.
type observed struct {
	stream.EventStore
	rival func() // called before each append, if not nil

	mu      sync.Mutex
	reads   []stream.Revision
	appends []stream.Revision
}

func (o *observed) Read(ctx context.Context, name string, from stream.Revision) iter.Seq2[stream.Record, error] {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reads = append(o.reads, from)
	return o.EventStore.Read(ctx, name, from)
}

func (o *observed) Append(
	ctx context.Context, name string, expected stream.Revision, events []stream.Event,
) (stream.Appended, error) {
	o.mu.Lock()
	o.appends = append(o.appends, expected)
	o.mu.Unlock()
	if o.rival != nil {
		o.rival()
	}
	return o.EventStore.Append(ctx, name, expected, events)
}
