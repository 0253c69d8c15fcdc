package stream

import (
	"encoding/json"
	"fmt"
	"strings"

	"sandglass/domain/codec"
	"sandglass/domain/instant"
)

// Fact is an event as its aggregate knows it: a small struct of plain values that embeds
// [At]. Its fields are the payload; type and time stand beside it in the record.
type Fact interface {
	codec.Fielder
	// Type returns the event's type, as in resource.credited.v1.
	Type() string
	// Effective returns where the event keeps when it took effect.
	Effective() *instant.Time
}

// At is when an event took effect. It never runs backwards within a stream.
type At struct{ At instant.Time }

// Effective implements [Fact].
func (a *At) Effective() *instant.Time { return &a.At }

// Encode returns f as it is appended, still without its id and metadata.
func Encode(f Fact) Event {
	return Event{Type: f.Type(), At: *f.Effective(), Data: codec.Encode(f)}
}

// Former is a fact as earlier builds wrote it. It is read, and never written.
//
// The payload of a type goes on saying what it said. A field may come to its end that is left out
// where it is zero, if zero is what all events without it mean, as of resource.Terms.LaterFields:
// a build of before refuses an event that has it, and stops, as at a type that it does not know.
// What has to tell something else gets another version, in these steps, which testutil/golden holds:
//
//   - The event's struct and Fields become what they should be, and Type and blank say .v2.
//   - The struct as it was goes to the package's former.go, unexported, as requestedV1, with
//     its Fields and Type as they were and with Upcast; its blank is returned there, by former.
//   - Upcast leads to the version that came next, which may be a Former itself.
//   - The sample in golden_test.go says the new version, golden.Codec.Former what the file of
//     the former one means now. That file stays.
//   - Decide, Evolve and the read models know the present version alone.
//   - cmd/sandglass/testdata/former gets a log that the last build before it wrote.
type Former[E Fact] interface {
	Fact
	// Upcast returns what the fact says in the next version. It is pure, and for ever: what
	// the former version did not tell is what it was then.
	Upcast() E
}

// UnknownError says that this build does not know a type of event: a newer one wrote it.
type UnknownError struct {
	Type  string
	Build string // that wrote it, empty if it does not say so
}

// Unknown returns the error of a record whose type this build does not know.
func Unknown(r *Record) *UnknownError {
	var meta struct {
		Build string `json:"build"`
	}
	_ = json.Unmarshal(r.Meta, &meta) // of a build that may write them in other ways
	return &UnknownError{Type: r.Type, Build: meta.Build}
}

// Error implements error.
func (e *UnknownError) Error() string {
	if e.Build == "" {
		return fmt.Sprintf("unknown event type %q: run a newer build", e.Type)
	}
	return fmt.Sprintf("unknown event type %q: run %.100q, which wrote it, or a newer build", e.Type, e.Build)
}

// Decode reads a record into blank, an event of the record's type, and returns it, in its
// present version. It refuses a payload that it does not know in full, and, with [Unknown], a
// type that no blank is known for, which is nil: a log that is half understood is not understood.
func Decode[E Fact](r *Record, blank E) (E, error) {
	var none E
	if any(blank) == nil {
		return none, Unknown(r)
	}
	if err := codec.Decode(r.Data, blank); err != nil {
		aggregate, _, _ := strings.Cut(r.Type, ".")
		return none, fmt.Errorf("%s: %s: %w", aggregate, r.Type, err)
	}
	*blank.Effective() = r.At
	for former, ok := any(blank).(Former[E]); ok; former, ok = any(blank).(Former[E]) {
		blank = former.Upcast()
	}
	return blank, nil
}
