// Package enforce makes what runs on a host like what is wanted of it.
//
// The daemon leaves a [Want] for each resource, and has no right to start or stop anything. A
// keeper, which is a process of its own, asks an [Enforcer] what is there, has it do what differs,
// and leaves what it found as an [Is]. All of it goes by level and never by edge: what counts is
// the want as it stands and the resource as it is, not what was told of either before.
//
// How an enforcer starts and stops something is left to the adapters, and so are the files.
package enforce

import (
	"context"
	"errors"
	"iter"

	"sandglass/domain/instant"
)

// ErrRefused says that trying again is of no use before somebody has changed the configuration:
// a unit that is not allowed, an executable that is not there. What it wraps says what to do.
var ErrRefused = errors.New("refused")

// Boottime is an instant of one boot of one machine: milliseconds of its CLOCK_BOOTTIME, which
// nobody sets and which counts while the machine sleeps. 0 is not known.
type Boottime instant.Millis

// State is what is wanted of a resource, which is Up, Down or Gone, or what one is.
type State string

// The states. What is Starting is not up yet, and what is Stopping may still run.
const (
	Up       State = "up"
	Down     State = "down" // and what it holds is kept
	Gone     State = "gone" // and nothing is left of it
	Starting State = "starting"
	Stopping State = "stopping"
	Unknown  State = "unknown" // nobody can tell, which is never down
)

// Verb is what an enforcer is told to do.
type Verb string

// The verbs, which are called what they lead to.
const (
	Start  Verb = "up"
	Stop   Verb = "down"
	Remove Verb = "gone" // stops it too
)

// Status is what an enforcer says that a resource is.
type Status struct {
	State      State    // any; Gone where nothing is left of it, so that there is nothing to remove
	Since      Boottime // when it became so; 0 if the enforcer doesn't know
	Invocation string   // names one run from start to stop, so that two are told apart; may be empty
	Why        string   // a few words for people, such as how it ended; may be empty
}

// Enforcer starts, stops and removes resources of one kind. Its methods are called from several
// goroutines, but never twice at once for one resource. A context has a deadline, and may be
// canceled before it because another thing is wanted by then: they return soon after.
type Enforcer interface {
	// Do makes w's resource what v says, and returns nil once [Enforcer.Status] says it too. To
	// do it again is safe, whatever became of the first time. The error is [ErrRefused] where
	// trying again is of no use.
	Do(ctx context.Context, v Verb, w *Want) error
	// Status returns what w's resource is. An error is that it can't be told.
	Status(ctx context.Context, w *Want) (Status, error)
}

// Changer is an [Enforcer] that hears of changes by itself.
type Changer interface {
	// Changes yields the ids of resources whose state may have changed, and "" where any may
	// have. It ends with the first error, or when ctx does.
	Changes(ctx context.Context) iter.Seq2[string, error]
}
