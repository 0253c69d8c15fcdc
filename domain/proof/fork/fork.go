// Package fork guards under which names a log was signed, and what was left behind each time that it
// got another.
//
// A log has one stream, [ID], in itself: [Opened] says by which key its checkpoints are signed, under
// which origin, and how many events were there before. Where the log no longer is what was signed, such
// as after a backup was restored, nothing more is signed under that origin. The operator says why by
// [Forked], from which on it has another: whoever kept a checkpoint of before can see for ever that it
// was left behind, when and why.
package fork

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"sandglass/domain/codec"
	"sandglass/domain/instant"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/stream"
)

// The one stream of this aggregate is Prefix and ID.
const (
	Prefix = "log-"
	ID     = "forks"
)

// Bounds of what an operator says.
const (
	MaxReason = 500 // bytes
	MaxForks  = 1000
)

// Errors of Decide. Nothing was changed.
var (
	ErrInvalid = errors.New("fork: invalid command")
	ErrMoved   = errors.New("fork: the log was forked meanwhile")
)

// Unopened is the number of no fork: the log does not say that it was ever signed, though it was.
const Unopened = -1

// Event is [Opened] or [Forked].
type Event interface{ stream.Fact }

// Opened says that the log is signed from now on.
type Opened struct {
	stream.At
	Origin string // that its checkpoints begin with
	VKey   string // the public key by that name
	Size   int64  // events that were there before: those of an old log, which nobody had signed
}

// Forked says that the log has another origin from now on.
type Forked struct {
	stream.At
	Fork   int64 // its number, from 1: what it was opened as is 0
	Reason string
	Origin string
	VKey   string
	Size   int64    // events that the log had
	Root   [32]byte // of their tree
	Left   string   // the last checkpoint of before, as it was signed; empty if there was none
}

// Type implements [stream.Fact].
func (*Opened) Type() string { return "log.opened.v1" }
func (*Forked) Type() string { return "log.forked.v1" }

// Fields implements [codec.Fielder].
func (e *Opened) Fields(f *codec.Fields) {
	codec.String(f, "origin", &e.Origin)
	codec.String(f, "vkey", &e.VKey)
	codec.Int(f, "size", &e.Size)
}

// Fields implements [codec.Fielder].
func (e *Forked) Fields(f *codec.Fields) {
	codec.Int(f, "fork", &e.Fork)
	codec.String(f, "reason", &e.Reason)
	codec.String(f, "origin", &e.Origin)
	codec.String(f, "vkey", &e.VKey)
	codec.Int(f, "size", &e.Size)
	codec.OptHex(f, "root", e.Root[:])
	codec.OptString(f, "left", &e.Left)
}

// One is a time of the log under one name.
type One struct {
	Number int64
	Origin string
	VKey   string
	Since  instant.Time
	Size   int64  // events that were there before
	Reason string // why it was forked; empty of number 0
	Left   string // the last checkpoint of the one before it
	Gone   string // the origin of that
}

// State is the names of a log, oldest first.
type State struct{ Forks []One }

// Now returns the present one, and whether the log was ever opened.
func (s *State) Now() (One, bool) {
	if len(s.Forks) == 0 {
		return One{}, false
	}
	return s.Forks[len(s.Forks)-1], true
}

// Left reports whether an origin was left behind: it was one of the log's before the present one, or one that
// the log had lost when it was forked. ok says that it is known at all.
func (s *State) Left(origin string) (left, ok bool) {
	for i, one := range s.Forks {
		if one.Gone == origin || one.Origin == origin && i < len(s.Forks)-1 {
			return true, true
		}
	}
	now, opened := s.Now()
	return false, opened && now.Origin == origin
}

// New returns the state of a log that was never signed.
func New(string) State { return State{} }

// Evolve returns s after e.
func Evolve(s State, e Event) State {
	switch e := e.(type) {
	case *Opened:
		s.Forks = []One{{Origin: e.Origin, VKey: e.VKey, Since: e.At.At, Size: e.Size}}
	case *Forked:
		one := One{Number: e.Fork, Origin: e.Origin, VKey: e.VKey, Since: e.At.At, Size: e.Size, Reason: e.Reason, Left: e.Left}
		if c, err := checkpoint.Read([]byte(e.Left)); err == nil {
			one.Gone = c.Origin
		}
		s.Forks = append(s.Forks[:len(s.Forks):len(s.Forks)], one)
	default:
		panic(fmt.Sprintf("fork: unknown event %T", e))
	}
	return s
}

// Command is [Open] or [Leave].
type Command interface{ command() }

type (
	// Open has the log signed, if it is not yet.
	Open struct {
		At   instant.Time
		Name string // the origin
		Key  *checkpoint.Key
		Size int64
	}
	// Leave leaves the present name behind, for another.
	Leave struct {
		At     instant.Time
		From   int64  // number of the fork that is left, or [Unopened]
		Least  int64  // number that the next one has at least: others may have been, which a rollback took away
		Base   string // what the next origin begins with
		Key    *checkpoint.Key
		Reason string
		Size   int64
		Root   [32]byte
		Left   string
	}
)

func (Open) command()  {}
func (Leave) command() {}

// Decide returns the events that c causes: none where they have happened already.
func Decide(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	case Open:
		return open(s, c)
	case Leave:
		return leave(s, c)
	}
	panic(fmt.Sprintf("fork: unknown command %T", c))
}

func open(s State, c Open) ([]Event, error) {
	if _, opened := s.Now(); opened {
		return nil, nil
	}
	if c.Size < 0 {
		return nil, fmt.Errorf("%w: %d events", ErrInvalid, c.Size)
	}
	vkey, err := c.Key.VKey(c.Name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return []Event{&Opened{stream.At{At: c.At}, c.Name, vkey, c.Size}}, nil
}

func leave(s State, c Leave) ([]Event, error) {
	now, opened := s.Now()
	if !opened {
		now.Number = Unopened
	}
	switch reason := strings.TrimSpace(c.Reason); {
	case reason == "" || len(reason) > MaxReason || !utf8.ValidString(reason):
		return nil, fmt.Errorf("%w: the reason has %d bytes of text: want 1 to %d", ErrInvalid, len(reason), MaxReason)
	case c.Size < 0 || len(c.Left) > checkpoint.MaxNote:
		return nil, fmt.Errorf("%w: %d events, and a checkpoint of %d bytes", ErrInvalid, c.Size, len(c.Left))
	case len(s.Forks) > MaxForks:
		return nil, fmt.Errorf("%w: the log was forked %d times", ErrInvalid, MaxForks)
	case now.Number != c.From:
		return nil, fmt.Errorf("%w: it is fork %d, not %d", ErrMoved, now.Number, c.From)
	}
	at := max(c.At, now.Since)
	number := max(now.Number+1, c.Least, 1)
	origin := Origin(c.Base, number, at)
	vkey, err := c.Key.VKey(origin)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return []Event{&Forked{
		stream.At{At: at}, number, strings.TrimSpace(c.Reason), origin, vkey, c.Size, c.Root, c.Left,
	}}, nil
}

// Origin returns the name of a fork of a log. When it began is in it, so that no name comes twice even
// where a rollback took away the numbers that there were.
func Origin(base string, number int64, at instant.Time) string {
	return fmt.Sprintf("%s/fork/%d/%s", base, number, at.Std().UTC().Format("20060102T150405.000Z"))
}

// Base returns what the origin of a fork begins with, and its number: 0 of one that is no fork's.
func Base(origin string) (base string, number int64) {
	base, rest, forked := strings.Cut(origin, "/fork/")
	var when string
	if forked {
		if n, _ := fmt.Sscanf(rest, "%d/%s", &number, &when); n == 2 && number > 0 {
			return base, number
		}
	}
	return origin, 0
}

// Decode returns the event of a record, or says what in it is unknown.
func Decode(r *stream.Record) (Event, error) { return stream.Decode(r, blank(r.Type)) }

func blank(kind string) Event {
	switch kind {
	case "log.opened.v1":
		return new(Opened)
	case "log.forked.v1":
		return new(Forked)
	}
	return nil
}

// Aggregate is the package as [stream.Handler] takes it.
func Aggregate() stream.Aggregate[string, State, Command, Event] {
	return stream.Aggregate[string, State, Command, Event]{
		Prefix: Prefix, New: New, Decide: Decide, Evolve: Evolve, Decode: Decode, Copy: size,
	}
}

// size is what a state takes: nothing of it is changed in place.
func size(s State) (State, int) {
	bytes := 0
	for _, one := range s.Forks {
		bytes += 200 + len(one.Origin) + len(one.VKey) + len(one.Reason) + len(one.Left)
	}
	return s, bytes
}

// Handler executes commands on the names of a log.
type Handler = stream.Handler[string, State, Command, Event]
