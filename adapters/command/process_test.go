package command_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sandglass/adapters/command"
	"sandglass/domain/enforce"
)

// readyMade returns the enforcer of scripts/enforcers that has a name, and its folder.
func readyMade(t *testing.T, name string, environ ...string) (*command.Enforcer, string) {
	t.Helper()
	script, err := os.ReadFile("../../scripts/enforcers/" + name)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), script, 0o755); err != nil {
		t.Fatal(err)
	}
	environ = append([]string{"PATH=" + os.Getenv("PATH")}, environ...) // the last one counts
	return command.New(command.Options{Dir: dir, StateDir: filepath.Join(dir, "state"), Environ: environ}), dir
}

// must does a verb, and returns what the resource then is.
func must(t *testing.T, e *command.Enforcer, v enforce.Verb, w *enforce.Want) enforce.Status {
	t.Helper()
	if err := e.Do(within(t, limit), v, w); err != nil {
		t.Fatal(err)
	}
	return is(t, e, w, enforce.State(v))
}

func is(t *testing.T, e *command.Enforcer, w *enforce.Want, state enforce.State) enforce.Status {
	t.Helper()
	s, err := e.Status(within(t, limit), w)
	if err != nil || s.State != state {
		t.Fatalf("%+v, %v, want %s", s, err, state)
	}
	return s
}

// TestProcess holds the enforcer that starts programs of this machine.
func TestProcess(t *testing.T) {
	programs := t.TempDir()
	e, dir := readyMade(t, "process", "ENFORCER_PROGRAMS="+programs, "ENFORCER_GRACE=1")
	w := &enforce.Want{ID: "vm-7", Enforcer: "process", Plan: "small", Params: map[string]string{"port": "7000"}}
	if s := is(t, e, w, enforce.Gone); s.Since != 0 {
		t.Errorf("%+v", s)
	}
	err := e.Do(within(t, limit), enforce.Start, w)
	if !errors.Is(err, enforce.ErrRefused) || !strings.Contains(err.Error(), "small") {
		t.Errorf("without a program: %v", err)
	}
	if err := e.Do(within(t, limit), enforce.Stop, w); err != nil {
		t.Error(err)
	}
	is(t, e, w, enforce.Gone)

	// Who reads the FIFO to its end knows that all of it is over.
	fifo := filepath.Join(dir, "alive")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	program := fmt.Sprintf(`#!/bin/sh
exec 3>%q
echo "$SANDGLASS_RESOURCE on $SANDGLASS_PARAM_PORT, $$" >&3
echo "port $SANDGLASS_PARAM_PORT" >"$SANDGLASS_STATE_DIR/$SANDGLASS_RESOURCE.access"
sh -c 'trap "" TERM; sleep 1000 & wait; wait' &
sleep 1000
`, fifo)
	if err := os.WriteFile(filepath.Join(programs, "small"), []byte(program), 0o755); err != nil {
		t.Fatal(err)
	}
	alive := run(t, fifo, func() { must(t, e, enforce.Start, w) })
	up := is(t, e, w, enforce.Up)
	if again := must(t, e, enforce.Start, w); again != up || up.Since == 0 || up.Invocation == "" {
		t.Errorf("started twice it is %+v, and was %+v", again, up)
	}
	if access, err := e.Access(within(t, limit), w); err != nil || string(access) != "port 7000\n" {
		t.Errorf("%q, %v", access, err)
	}

	// It crashes, and leaves a child: that one is ended before another run begins.
	kill(t, up.Invocation)
	if s, err := e.Status(within(t, limit), w); err != nil || s.State != enforce.Stopping {
		t.Errorf("crashed: %+v, %v", s, err)
	}
	if err := os.Rename(fifo, fifo+".first"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	second := run(t, fifo, func() { must(t, e, enforce.Start, w) })
	ended(t, alive)
	if s := is(t, e, w, enforce.Up); s.Invocation == up.Invocation || s.Since < up.Since {
		t.Errorf("%+v after %+v", s, up)
	}

	must(t, e, enforce.Stop, w)
	ended(t, second)
	must(t, e, enforce.Stop, w)
	must(t, e, enforce.Remove, w)
	must(t, e, enforce.Remove, w)
	if left, err := os.ReadDir(filepath.Join(dir, "state", "process")); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
}

// kill kills the process of a run, and waits for its end.
func kill(t *testing.T, invocation string) {
	t.Helper()
	var pid int
	if _, err := fmt.Sscanf(invocation, "%d-", &pid); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil {
		t.Fatal(err)
	}
	for err = unix.EINTR; err == unix.EINTR; {
		_, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// run starts something that writes a line to a FIFO, and returns the FIFO.
func run(t *testing.T, fifo string, start func()) *os.File {
	t.Helper()
	opened := make(chan *os.File)
	go func() {
		f, err := os.Open(fifo)
		if err != nil {
			t.Error(err)
		}
		opened <- f
	}()
	start()
	f := <-opened
	line := make([]byte, 64)
	n, err := f.Read(line)
	if err != nil || !bytes.HasPrefix(line[:n], []byte("vm-7 on 7000, ")) {
		t.Fatalf("it says %q, %v", line[:n], err)
	}
	return f
}

// ended waits until nobody has a FIFO open.
func ended(t *testing.T, f *os.File) {
	t.Helper()
	if n, err := f.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	f.Close()
}
