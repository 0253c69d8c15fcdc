// Package command starts and stops resources by executables of the operator's: one for each
// name of an enforcer, in a folder of his.
//
// It is called with a verb and the id of a resource, as in libvirt up vm-7:
//
//	up      makes it run, and ends once it does
//	down    makes it not run, and keeps what it holds
//	gone    stops it and removes what is left
//	status  prints what it is
//	access  prints how its holder reaches it: JSON or text; nothing, where nothing is to be told
//
// Each may be called again, whatever became of the call before, and must then do what is left to
// do. One resource has one call at a time, but for one that a keeper left behind which was killed, and
// for access, which changes nothing.
// Exit status 0 says that it is done, 78 that it can't be before somebody changes the configuration,
// and any other one that it is to be tried again; what was written to stderr is the reason.
//
// What status prints is a line with up, down, gone, starting or stopping, and then maybe these:
//
//	since 123456       milliseconds of CLOCK_BOOTTIME (/proc/uptime, times 1000)
//	invocation 4711    names this run
//	why out of memory  for people
//
// Whatever else it prints, and nothing at all, says that it can't be told, which is never down.
// Nobody is believed: what a verb has done is asked of status.
package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"sandglass/domain/enforce"
	"sandglass/domain/resource"
)

// MaxAccess is how many bytes access may print.
const MaxAccess = 16 << 10

// Options says where things are.
type Options struct {
	Dir      string   // of the executables: /etc/sandglass/enforcers
	StateDir string   // in which each has a folder for what it keeps until the next boot
	Environ  []string // of this process: what of it they are handed is said at environ
}

// Enforcer is an [enforce.Enforcer] for resources of executables.
type Enforcer struct{ o Options }

// New returns an enforcer. What is wrong with an executable is told when it is needed.
func New(o Options) *Enforcer { return &Enforcer{o} }

// Do implements [enforce.Enforcer].
func (e *Enforcer) Do(ctx context.Context, v enforce.Verb, w *enforce.Want) error {
	if _, err := e.run(ctx, string(v), w); err != nil {
		return err
	}
	s, err := e.Status(ctx, w)
	if err == nil && !done(v, s.State) {
		err = fmt.Errorf("%s %s ended as if it was done, but its status is %s", w.Enforcer, v, s.State)
	}
	return err
}

// done reports whether s is what v leads to.
func done(v enforce.Verb, s enforce.State) bool {
	return s == enforce.State(v) || v == enforce.Stop && s == enforce.Gone
}

// Status implements [enforce.Enforcer].
func (e *Enforcer) Status(ctx context.Context, w *enforce.Want) (enforce.Status, error) {
	out, err := e.run(ctx, "status", w)
	if err != nil {
		return enforce.Status{}, err
	}
	s, err := parseStatus(out)
	if err != nil {
		return s, fmt.Errorf("%s status: %w", w.Enforcer, err)
	}
	return s, nil
}

// Access returns how the holder of w's resource reaches it: text, up to [MaxAccess] bytes.
func (e *Enforcer) Access(ctx context.Context, w *enforce.Want) ([]byte, error) {
	out, err := e.run(ctx, "access", w)
	if err == nil && (len(out) > MaxAccess || !utf8.Valid(out)) {
		err = fmt.Errorf("%s access: it printed %d bytes: want UTF-8 of up to %d", w.Enforcer, len(out), MaxAccess)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// parseStatus reads what status prints.
func parseStatus(out []byte) (s enforce.Status, err error) {
	first, rest, _ := strings.Cut(strings.TrimSuffix(string(out), "\n"), "\n")
	switch s.State = enforce.State(first); s.State {
	case enforce.Up, enforce.Down, enforce.Gone, enforce.Starting, enforce.Stopping:
	default:
		return enforce.Status{}, fmt.Errorf("it printed %.80q: want up, down, gone, starting or stopping", first)
	}
	for line := range strings.SplitSeq(rest, "\n") {
		switch name, value, _ := strings.Cut(line, " "); name {
		case "":
		case "since":
			s.Since, err = parseSince(value)
		case "invocation":
			s.Invocation = value
		case "why":
			s.Why = value
		default:
			err = fmt.Errorf("it printed %.80q: want since, invocation or why", line)
		}
		if err != nil {
			return enforce.Status{}, err
		}
	}
	return s, nil
}

func parseSince(value string) (enforce.Boottime, error) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0, fmt.Errorf("CLOCK_BOOTTIME: %w", err)
	}
	ms, err := strconv.ParseInt(value, 10, 64)
	if err != nil || ms < 0 || ms > now.Nano()/1e6 {
		return 0, fmt.Errorf("it printed since %.80q: want milliseconds since boot, up to now", value)
	}
	return enforce.Boottime(ms), nil
}

// executable returns the one of w, if nobody else can have made it.
func (e *Enforcer) executable(w *enforce.Want) (string, error) {
	if !resource.IsName(w.Enforcer) || !resource.IsName(w.ID) {
		return "", fmt.Errorf("%w: an enforcer %.80q, a resource %.80q: want names", enforce.ErrRefused, w.Enforcer, w.ID)
	}
	path, err := trusted(filepath.Join(e.o.Dir, w.Enforcer))
	if err != nil {
		return "", fmt.Errorf("%w: the enforcer %s: %w", enforce.ErrRefused, w.Enforcer, err)
	}
	return path, nil
}

// environ is what an executable finds in its environment besides what the resource is told: where
// it may keep something, in how many seconds it will be killed, and of the keeper's environment
// only what tells programs their folders, and what is called ENFORCER_… for its sake.
func (e *Enforcer) environ(ctx context.Context, w *enforce.Want, state string) ([]string, error) {
	environ := append(w.Environ(), "LANG=C.UTF-8", "SANDGLASS_STATE_DIR="+state)
	if deadline, ok := ctx.Deadline(); ok {
		environ = append(environ, "SANDGLASS_TIMEOUT="+strconv.Itoa(secondsUntil(deadline)))
	}
	for _, variable := range e.o.Environ {
		name, _, _ := strings.Cut(variable, "=")
		if name == "PATH" || name == "HOME" || name == "XDG_RUNTIME_DIR" || strings.HasPrefix(name, "ENFORCER_") {
			environ = append(environ, variable)
		}
	}
	for _, variable := range environ {
		if strings.Contains(variable, "\x00") {
			return nil, fmt.Errorf("%w: %.80q has a NUL", enforce.ErrRefused, variable)
		}
	}
	return environ, nil
}

// run calls w's executable and returns what it printed.
func (e *Enforcer) run(ctx context.Context, verb string, w *enforce.Want) ([]byte, error) {
	path, err := e.executable(w)
	if err != nil {
		return nil, err
	}
	state := filepath.Join(e.o.StateDir, w.Enforcer)
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, err
	}
	environ, err := e.environ(ctx, w, state)
	if err != nil {
		return nil, err
	}
	out, said, err := call(ctx, environ, path, verb, w.ID)
	if err == nil {
		return out, nil
	}
	if reason := bytes.TrimSpace(said); len(reason) > 0 {
		err = fmt.Errorf("%w: %s", err, reason)
	}
	if errors.Is(err, errConfiguration) {
		err = fmt.Errorf("%w: %w", enforce.ErrRefused, err)
	}
	return nil, fmt.Errorf("%s %s: %w", w.Enforcer, verb, err)
}
