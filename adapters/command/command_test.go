package command_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sandglass/adapters/command"
	"sandglass/domain/enforce"
)

// limit is far above what any call takes.
const limit = time.Minute

func want() *enforce.Want {
	return &enforce.Want{ID: "vm-7", Enforcer: "box", Plan: "small", Params: map[string]string{"ssh_key": "--a $(id) 'b' \"c\" ; *"}}
}

// box returns an enforcer whose executable, called box, is a shell script.
func box(t *testing.T, script string, environ ...string) (*command.Enforcer, string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "box"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	environ = append(environ, "PATH="+os.Getenv("PATH"))
	return command.New(command.Options{Dir: dir, StateDir: filepath.Join(dir, "state"), Environ: environ}), dir
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// stateful is a script that keeps what it is in a file, as one that works.
const stateful = `
state=$SANDGLASS_STATE_DIR/$2
case $1 in
up | down) echo "$1" >"$state" ;;
gone) rm -f "$state" ;;
status) if [ -e "$state" ]; then cat "$state"; else echo gone; fi ;;
esac
`

func TestVerbs(t *testing.T) {
	e, _ := box(t, stateful)
	w := want()
	for _, step := range []struct {
		verb  enforce.Verb
		state enforce.State
	}{
		{enforce.Stop, enforce.Down}, {enforce.Remove, enforce.Gone}, {enforce.Start, enforce.Up}, {enforce.Start, enforce.Up},
		{enforce.Stop, enforce.Down}, {enforce.Stop, enforce.Down}, {enforce.Start, enforce.Up}, {enforce.Remove, enforce.Gone},
		{enforce.Remove, enforce.Gone},
	} {
		if err := e.Do(within(t, limit), step.verb, w); err != nil {
			t.Fatalf("%s: %v", step.verb, err)
		}
		if s, err := e.Status(within(t, limit), w); err != nil || s != (enforce.Status{State: step.state}) {
			t.Fatalf("after %s: %+v, %v", step.verb, s, err)
		}
	}
}

// TestWhatItIsTold holds what a call has: nothing but what the manual says.
func TestWhatItIsTold(t *testing.T) {
	e, dir := box(t, `env -0 >"$SANDGLASS_STATE_DIR/env"; printf '%s\n' "$@" "$(pwd)" "$(cat)"`,
		"ENFORCER_URI=test:///default", "HOME=/somewhere", "SANDGLASS_OPERATOR_TOKEN=secret", "LD_PRELOAD=evil")
	out, err := e.Access(within(t, limit), want())
	if err != nil || string(out) != "access\nvm-7\n/\n\n" {
		t.Errorf("%q, %v", out, err)
	}
	env, err := os.ReadFile(filepath.Join(dir, "state", "box", "env"))
	if err != nil {
		t.Fatal(err)
	}
	got := slices.Sorted(strings.SplitSeq(strings.TrimSuffix(string(env), "\x00"), "\x00"))
	got = slices.DeleteFunc(got, func(v string) bool { return strings.HasPrefix(v, "PWD=") || strings.HasPrefix(v, "_=") })
	left := 0
	got = slices.DeleteFunc(got, func(v string) bool { n, _ := fmt.Sscanf(v, "SANDGLASS_TIMEOUT=%d", &left); return n == 1 })
	if left < 1 || left > 59 {
		t.Errorf("it was told that %d s are left of a minute", left)
	}
	expected := slices.Sorted(slices.Values(append(want().Environ(), "ENFORCER_URI=test:///default", "HOME=/somewhere",
		"LANG=C.UTF-8", "PATH="+os.Getenv("PATH"), "SANDGLASS_STATE_DIR="+filepath.Join(dir, "state", "box"))))
	if !slices.Equal(got, expected) {
		t.Errorf("it was told %q, want %q", got, expected)
	}
	w := want()
	w.Params["ssh_key"] = "a\x00b"
	if _, err := e.Access(within(t, limit), w); !errors.Is(err, enforce.ErrRefused) {
		t.Errorf("a NUL: %v", err)
	}
}

func TestStatus(t *testing.T) {
	for _, test := range []struct {
		prints string
		want   enforce.Status // none if it can't be told
	}{
		{"up", enforce.Status{State: enforce.Up}},
		{"down\n", enforce.Status{State: enforce.Down}},
		{"starting\nsince 0\n", enforce.Status{State: enforce.Starting}},
		{"up\nsince 12\ninvocation 4711\n", enforce.Status{State: enforce.Up, Since: 12, Invocation: "4711"}},
		{"down\nwhy out of  memory\n", enforce.Status{State: enforce.Down, Why: "out of  memory"}},
		{"", enforce.Status{}},
		{"\nup\n", enforce.Status{}},
		{"unknown\n", enforce.Status{}},
		{"UP\n", enforce.Status{}},
		{"up and running\n", enforce.Status{}},
		{"up\nsince yesterday\n", enforce.Status{}},
		{"up\nsince -1\n", enforce.Status{}},
		{"up\nsince 9000000000000000\n", enforce.Status{}},
		{"down\nerror: no connection\n", enforce.Status{}},
	} {
		e, dir := box(t, `cat "${0%/*}/says"`)
		if err := os.WriteFile(filepath.Join(dir, "says"), []byte(test.prints), 0o644); err != nil {
			t.Fatal(err)
		}
		s, err := e.Status(within(t, limit), want())
		if s != test.want || (err == nil) != (test.want.State != "") {
			t.Errorf("%q: %+v, %v", test.prints, s, err)
		}
	}
}

// TestBadExecutables holds that what goes wrong is told, and that nothing but an answer is taken
// for one.
func TestBadExecutables(t *testing.T) {
	for _, test := range []struct {
		name, script, says string
		refused            bool
	}{
		{"does nothing", "exit 0", `it printed ""`, false},
		{"says it is done and it is not", "[ $1 = status ] && echo down; exit 0", "as if it was done, but its status is down", false},
		{"is still starting", "[ $1 = status ] && echo starting; exit 0", "its status is starting", false},
		{"fails", "echo no room >&2; exit 3", "exit status 3: no room", false},
		{"fails after an answer", "echo up; exit 3", "exit status 3", false},
		{"is configured wrong", "echo no such image >&2; exit 78", "exit status 78: no such image", true},
		{"kills itself", "kill -9 $$", "signal: killed", false},
		{"prints without an end", "exec cat /dev/zero", "it printed more than", false},
		{"complains without an end", "exec cat /dev/zero >&2", "it printed more than", false},
		{"has no interpreter", "", "", false},
	} {
		e, dir := box(t, test.script)
		if test.name == "has no interpreter" {
			if err := os.WriteFile(filepath.Join(dir, "box"), []byte("#!/nowhere\n"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		err := e.Do(within(t, limit), enforce.Start, want())
		if err == nil || errors.Is(err, enforce.ErrRefused) != test.refused || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", test.name, err)
		}
		if len(fmt.Sprint(err)) > 2000 {
			t.Errorf("%s: the error has %d bytes", test.name, len(err.Error()))
		}
	}
}

func TestAccess(t *testing.T) {
	for _, test := range []struct {
		script string
		ok     bool
	}{
		{`echo '{"host": "10.0.0.7"}'`, true},
		{"head -c 16384 /dev/zero | tr '\\0' a", true},
		{"head -c 16385 /dev/zero | tr '\\0' a", false},
		{`printf '\377'`, false},
		{"exit 1", false},
	} {
		e, _ := box(t, test.script)
		if out, err := e.Access(within(t, limit), want()); test.ok != (err == nil) || test.ok != (len(out) > 0) {
			t.Errorf("%s: %.80q, %v", test.script, out, err)
		}
	}
}

// expiring is a context whose deadline is over when the test says so.
type expiring struct {
	context.Context
	over chan struct{}
}

func (e expiring) Done() <-chan struct{} { return e.over }

func (e expiring) Err() error {
	select {
	case <-e.over:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// TestKilledWithItsGroup has a script hang whose children would too: at the deadline, and when it
// is called off, all of them are gone.
func TestKilledWithItsGroup(t *testing.T) {
	changed := errors.New("another thing is wanted")
	for _, test := range []struct {
		name string
		end  func(expiring, context.CancelCauseFunc)
		want error
	}{
		{"at its deadline", func(e expiring, _ context.CancelCauseFunc) { close(e.over) }, context.DeadlineExceeded},
		{"called off", func(_ expiring, cancel context.CancelCauseFunc) { cancel(changed) }, changed},
	} {
		e, dir := box(t, `exec 3>"${0%/*}/alive"; trap '' TERM; sh -c 'trap "" TERM; sleep 1000 & wait' & echo >&3; sleep 1000`)
		fifo := filepath.Join(dir, "alive")
		if err := syscall.Mkfifo(fifo, 0o600); err != nil {
			t.Fatal(err)
		}
		deadline := expiring{within(t, limit), make(chan struct{})}
		ctx, cancel := context.WithCancelCause(deadline)
		failed := make(chan error)
		go func() { failed <- e.Do(ctx, enforce.Start, want()) }()
		alive, err := os.Open(fifo) // waits for the script
		if err != nil {
			t.Fatal(err)
		}
		if _, err := alive.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		test.end(deadline, cancel)
		if err := <-failed; !errors.Is(err, test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
		if rest, err := io.ReadAll(alive); err != nil { // until nobody has it open
			t.Errorf("%s: %q, %v", test.name, rest, err)
		}
		cancel(nil)
		alive.Close()
	}
}

// TestWhatItLeavesRunning has a script leave a program behind, which has a session of its own, and
// forgets that it has its output: the call is over all the same, and the program goes on.
func TestWhatItLeavesRunning(t *testing.T) {
	e, dir := box(t, `echo up; setsid sh -c 'exec 3<"$0"; read -r line <&3; echo "$line" >"$0.out"' "${0%/*}/fifo" &`)
	for _, name := range []string{"fifo", "fifo.out"} {
		if err := syscall.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := e.Status(within(t, limit), want()); err != nil || s.State != enforce.Up {
		t.Errorf("%+v, %v", s, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "fifo"), []byte("still here\n"), 0); err != nil {
		t.Fatal(err)
	}
	if said, err := os.ReadFile(filepath.Join(dir, "fifo.out")); err != nil || string(said) != "still here\n" {
		t.Errorf("%q, %v", said, err)
	}
}
