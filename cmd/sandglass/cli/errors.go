package cli

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"sandglass/adapters/httpapi/client"
	"sandglass/cmd/sandglass/show"
)

// ErrDifference says that differences were found, and have been printed.
var ErrDifference = errors.New("differences were found")

// usageError says that a command was not understood.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// Usage returns an error that says that a command was not understood.
func Usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// unfinishedError says that something was begun, and is to be gone on with.
type unfinishedError struct{ error }

// Unfinished returns an error that says that something was begun that the same command goes on with.
func Unfinished(format string, args ...any) error {
	return unfinishedError{fmt.Errorf(format, args...)}
}

// Status prints err and returns the exit status that stands for it: 0 for success, 1 for
// an error or a difference, 2 for a command that was not understood, 3 for one that has begun
// what it is to be run again for.
func Status(err error, stderr io.Writer) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrDifference):
		return 1
	}
	fmt.Fprintln(stderr, "sandglass:", show.EscapeLines(Message(err)))
	if _, ok := errors.AsType[usageError](err); ok {
		return 2
	}
	if _, ok := errors.AsType[unfinishedError](err); ok {
		return 3
	}
	return 1
}

// Message puts an error into words for a person at a terminal.
func Message(err error) string {
	var problem *client.Problem
	var unreachable *url.Error
	switch {
	case errors.As(err, &problem):
		return problemText(problem)
	case errors.As(err, &unreachable):
		u, _ := url.Parse(unreachable.URL)
		return fmt.Sprintf("no answer from %s://%s: %v: is `sandglass serve` running? --url or $%s names another place",
			u.Scheme, u.Host, innermost(err), EnvURL)
	}
	return err.Error()
}

// innermost returns what is at the bottom of an error, such as "connection refused".
func innermost(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err
}

// problemText is the detail of a problem, which says what would be right, and each of
// its faults.
func problemText(p *client.Problem) string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	for _, f := range p.Errors {
		if strings.Contains(text, f.Message) {
			continue
		}
		text += "\n  " + strings.TrimPrefix(f.Location, "body.") + ": " + f.Message
	}
	if p.Status >= 500 && p.RequestID != "" {
		text += "\n  request " + p.RequestID
	}
	return text
}
