package cli

import (
	"fmt"
	"time"

	"sandglass/cmd/sandglass/show"
)

// Broken tells of a stream whose connection is lost, and when it is made again.
func (e *Env) Broken(lost error, wait time.Duration) {
	fmt.Fprintf(e.Stderr, "%ssandglass: the connection is lost, trying again in %s: %v\n",
		e.ClearLine(), wait.Round(10*time.Millisecond), innermost(lost))
}

// ClearLine returns what begins a line anew where a countdown may stand on it.
func (e *Env) ClearLine() string {
	if show.IsTerminal(e.Stdout) {
		return show.ClearLine
	}
	return ""
}
