// Package access is how the holder of a resource learns how to reach it: the daemon asks the keeper
// of its host, and that one the enforcer, each time anew. Nobody keeps the answer or logs it.
package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"sync"
	"time"

	"sandglass/domain/enforce"
	"sandglass/domain/instant"
	"sandglass/domain/plan/param"
)

// Bounds of asking.
const (
	MaxText = 16 << 10                         // bytes of an answer
	MaxTime = 10 * time.Second                 // for which an enforcer has time
	MaxOpen = 8                                // that are under way at once
	every   = enforce.Boottime(instant.Second) // between two for one resource
	longest = enforce.Boottime(MaxTime / 1e6)  // after which one is over, whatever it does
	manyIDs = 1000                             // above which those that may be asked for again are forgotten
)

// Why there is no answer.
var (
	ErrNoKeeper = errors.New("access: the keeper does not answer")
	ErrNone     = errors.New("access: nothing says how it is reached")
	ErrNotUp    = errors.New("access: it is not up: GET /v1/resources/{id} tells when it is")
	ErrTooSoon  = errors.New("access: it can be asked for once a second, when the last time is answered")
	ErrBusy     = errors.New("access: too many ask at once: try again in a moment")
	ErrFailed   = errors.New("access: how it is reached could not be learned; the log of the keeper says why")
)

// IsJSON reports whether an answer is an object or a list of JSON, and so for programs.
func IsJSON(text string) bool {
	start := strings.TrimSpace(text)
	return (strings.HasPrefix(start, "{") || strings.HasPrefix(start, "[")) && json.Valid([]byte(text))
}

// Folder is what is wanted of resources, and what they are.
type Folder interface {
	// Want returns what is wanted of a resource: [fs.ErrNotExist] if nothing is.
	Want(id string) (*enforce.Want, error)
	// Is returns what a resource is: [fs.ErrNotExist] if it is not known.
	Is(id string) (*enforce.Is, error)
}

// Config is what a [Responder] works with. All fields are required.
type Config struct {
	Folder Folder
	Boot   string                  // the id of this boot
	Now    func() enforce.Boottime // the time of it
	// Ask has the enforcer of a resource say how it is reached: UTF-8, or [ErrNone]. It returns soon
	// after its context ends.
	Ask func(context.Context, *enforce.Want) ([]byte, error)
	// Failed is told why there was no answer where the holder is not.
	Failed func(id string, err error)
}

// Responder answers for a keeper. It may be used by many goroutines.
type Responder struct {
	c Config

	mu   sync.Mutex                  // guards next
	next map[string]enforce.Boottime // when a resource may be asked for again
}

// New returns a responder that was asked nothing yet.
func New(c Config) *Responder { return &Responder{c: c, next: map[string]enforce.Boottime{}} }

// Access returns how a resource is reached, which must be up and is to stay so: text of up to
// [MaxText] bytes, without control characters but tabs and ends of lines. Otherwise the error is one of
// this package.
func (r *Responder) Access(ctx context.Context, id string) (string, error) {
	w, err := r.wanted(id)
	if err != nil {
		return "", err
	}
	done, ok := r.begin(id)
	if !ok {
		return "", ErrTooSoon
	}
	defer done()
	ctx, cancel := context.WithTimeout(ctx, MaxTime)
	defer cancel()
	b, err := r.c.Ask(ctx, w)
	text := string(b)
	switch {
	case errors.Is(err, ErrNone) || err == nil && strings.TrimSpace(text) == "":
		return "", ErrNone
	case err == nil && len(text) > MaxText:
		err = fmt.Errorf("it has %d bytes: want %d at most", len(text), MaxText)
	case err == nil && !param.IsText(strings.ReplaceAll(text, "\t", " ")):
		err = errors.New("it has control characters, or is no UTF-8")
	}
	if err != nil {
		return "", r.failed(id, err)
	}
	return text, nil
}

// wanted returns the want of a resource that is up and is to be.
func (r *Responder) wanted(id string) (*enforce.Want, error) {
	w, err := r.c.Folder.Want(id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotUp
	}
	if err != nil {
		return nil, r.failed(id, err)
	}
	is, err := r.c.Folder.Is(id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotUp
	}
	if err != nil {
		return nil, r.failed(id, err)
	}
	if v, _ := w.Verb(is, r.c.Boot, r.c.Now()); v != enforce.Start || is.State != enforce.Up || is.Boot != r.c.Boot {
		return nil, ErrNotUp
	}
	return w, nil
}

func (r *Responder) failed(id string, err error) error {
	r.c.Failed(id, err)
	return ErrFailed
}

// begin reports whether a resource may be asked for now, which is over with done.
func (r *Responder) begin(id string) (done func(), ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.c.Now()
	if r.next[id] > now {
		return nil, false
	}
	if len(r.next) >= manyIDs {
		maps.DeleteFunc(r.next, func(_ string, next enforce.Boottime) bool { return next <= now })
	}
	r.next[id] = now + longest + every
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.next[id] = now + every
	}, true
}
