// Package daemon runs the real sandglass binary as its users do: as a process of its own,
// configured by the environment, that can be killed at any moment and started again.
package daemon

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/testutil/devnet/process"
	"sandglass/testutil/esdbserver"
)

// Token is the operator's token of every daemon here.
const Token = "the-operator-of-a-test-host"

var binary struct {
	once sync.Once
	path string
	err  error
}

// Binary builds cmd/sandglass once for a test binary, as users do and without the race
// detector, with which each start takes seconds, and returns its path. $SANDGLASS_BIN names
// a folder that has it already.
func Binary(t testing.TB) string {
	t.Helper()
	binary.once.Do(func() {
		if dir := os.Getenv("SANDGLASS_BIN"); dir != "" {
			binary.path = filepath.Join(dir, "sandglass")
			return
		}
		dir, err := os.MkdirTemp("", "sandglass-test-")
		if err != nil {
			binary.err = err
			return
		}
		binary.path = filepath.Join(dir, "sandglass")
		build := exec.Command("go", "build", "-trimpath", "-o", binary.path, "sandglass/cmd/sandglass")
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
		if out, err := build.CombinedOutput(); err != nil {
			binary.err = fmt.Errorf("building the daemon: %w\n%s", err, out)
		}
	})
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	return binary.path
}

// Patience bounds each step of a test: a wait for a daemon, or a command. It is far above
// what any takes, on a loaded machine too, so that it ends only what hangs. Nothing bounds
// a whole test, as how many steps it has says nothing of how long one may take.
const Patience = 2 * time.Minute

// Step returns ctx for one step of a test.
func Step(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, Patience, fmt.Errorf("not done after %s", Patience))
}

// Daemon is a sandglass that runs, or does not.
type Daemon struct {
	Dir string   // its state folder
	URL string   // of its API
	Env []string // added to its environment

	t    testing.TB
	bin  string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	logs *tail

	given []string // what New was given of the environment
}

// New makes an event log and a daemon for it, which does not run yet. env is what it
// needs beside: where its wallet is. Unless env names a store, the log is in the cluster that
// [ServerVariable] names, or, if [StoreVariable] is "esdb", in one of its own, or in a file.
func New(t testing.TB, env ...string) *Daemon {
	t.Helper()
	return NewOf(t, Binary(t), env...)
}

// NewOf is New of another build's binary.
func NewOf(t testing.TB, bin string, env ...string) *Daemon {
	t.Helper()
	namesStore := func(s string) bool { return strings.HasPrefix(s, "SANDGLASS_STORE=") }
	if !slices.ContainsFunc(env, namesStore) {
		env = append(env, store(t)...)
	}
	d := join(t, bin, env...)
	if out, err := d.Command(t.Context(), "init"); err != nil {
		t.Fatalf("init: %v\n%s", err, out)
	}
	return d
}

// StoreVariable is the variable of the environment that says on which store the tests of
// the daemon run: sqlite, which is the default, or esdb.
const StoreVariable = "SANDGLASS_TEST_STORE"

// ServerVariable is the variable that holds the connection string of a real server, on which
// the tests of the daemon then run: each log is in a new namespace, and stays.
const ServerVariable = "SANDGLASS_TEST_ESDB"

// store is the environment that says where the log of a test is; none for a file.
func store(t testing.TB) []string {
	if server := os.Getenv(ServerVariable); server != "" {
		return Served(server)
	}
	if os.Getenv(StoreVariable) == "esdb" {
		return Clustered(esdbserver.New(t, esdbserver.Options{SystemEvery: 20}))
	}
	return nil
}

// Served is the environment of a daemon whose log is in a new namespace of a server.
func Served(conn string) []string {
	namespace := "test_" + strings.ToLower(rand.Text())
	return []string{"SANDGLASS_STORE=" + conn, "SANDGLASS_STORE_NAMESPACE=" + namespace, "SANDGLASS_HOST=host-1"}
}

// Clustered is the environment of a daemon whose log is in a cluster.
func Clustered(c *esdbserver.Cluster) []string {
	return []string{"SANDGLASS_STORE=" + c.ConnectionString(), "SANDGLASS_HOST=host-1"}
}

// Beside returns another daemon on the same log, for another host. It does not run yet.
func (d *Daemon) Beside(env ...string) *Daemon {
	d.t.Helper()
	return join(d.t, d.bin, append(slices.Clone(d.given), env...)...)
}

// join makes a daemon for a log that is there, or will be.
func join(t testing.TB, bin string, env ...string) *Daemon {
	t.Helper()
	dir := t.TempDir()
	listen := freeAddress(t)
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte(Token), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &Daemon{
		Dir: dir, URL: "http://" + listen, t: t, bin: bin, logs: new(tail), given: env,
		Env: append(os.Environ(), append([]string{
			"SANDGLASS_STATE_DIR=" + dir, "SANDGLASS_LISTEN=" + listen, "SANDGLASS_URL=http://" + listen,
			"SANDGLASS_OPERATOR_TOKEN_FILE=" + filepath.Join(dir, "token"), "SANDGLASS_FREE_SPACE_FLOOR=0",
		}, env...)...),
	}
	t.Cleanup(d.Kill)
	return d
}

// freeAddress returns an address that nobody else gets before the test ends, whether the daemon runs or not.
func freeAddress(t testing.TB) (addr string) {
	t.Helper()
	ports := new(process.Ports)
	t.Cleanup(ports.Release)
	if err := ports.Take(&addr); err != nil {
		t.Fatal(err)
	}
	return addr
}

// Command runs another command of the binary with the daemon's environment, and returns
// what it printed.
func (d *Daemon) Command(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := Step(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, d.bin, args...)
	cmd.Env = d.Env
	out, err := cmd.CombinedOutput()
	return string(out), errors.Join(err, context.Cause(ctx))
}

// Client returns a client of the daemon's API with the operator's token.
func (d *Daemon) Client() *client.Client {
	c, err := client.New(d.URL, Token)
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

// Events yields the log so far, and fails the test if that can't be read.
func (d *Daemon) Events(ctx context.Context) iter.Seq[wire.Event] {
	d.t.Helper()
	return func(yield func(wire.Event) bool) {
		ctx, cancel := Step(ctx)
		defer cancel()
		for e, err := range d.Client().Events(ctx, 0, false) {
			if err != nil {
				d.t.Fatalf("reading the log: %v\n%s", err, d.Log())
			}
			if !yield(e) {
				return
			}
		}
	}
}

// Start starts the process. It dies with the test binary.
func (d *Daemon) Start() {
	d.t.Helper()
	d.cmd = exec.Command(d.bin, "serve")
	d.cmd.Env, d.cmd.Stderr = d.Env, d.logs
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	d.done = make(chan struct{})
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait() // how it ended is for whoever ended it
		close(done)
	}(d.cmd, d.done)
}

// Kill ends the process with SIGKILL, if it runs.
func (d *Daemon) Kill() {
	if d.cmd == nil {
		return
	}
	_ = d.cmd.Process.Kill() // it may have ended by itself
	<-d.done
	d.cmd = nil
}

// Stop ends the process with SIGTERM, and fails the test if it does not end well.
func (d *Daemon) Stop() {
	d.t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := Step(d.t.Context())
	defer cancel()
	select {
	case <-d.done:
	case <-ctx.Done():
		d.t.Fatalf("waited until the daemon ends: %v\n%s", context.Cause(ctx), d.Log())
	}
	if code := d.cmd.ProcessState.ExitCode(); code != 0 {
		d.t.Fatalf("the daemon ended with %d\n%s", code, d.Log())
	}
	d.cmd = nil
}

// Signal sends the process a signal, such as SIGSTOP.
func (d *Daemon) Signal(s os.Signal) error { return d.cmd.Process.Signal(s) }

// Ended returns a channel that is closed when the process has ended.
func (d *Daemon) Ended() <-chan struct{} { return d.done }

// Use has the next start take another build's binary, as after an upgrade.
func (d *Daemon) Use(bin string) { d.bin = bin }

// ExitCode returns the status with which the process ended by itself.
func (d *Daemon) ExitCode() int {
	<-d.done
	return d.cmd.ProcessState.ExitCode()
}

// Log returns the end of what the daemon has logged.
func (d *Daemon) Log() string { return d.logs.String() }

// WaitReady returns when every component of the daemon is ready, or fails the test.
func (d *Daemon) WaitReady(ctx context.Context) {
	d.t.Helper()
	d.Until(ctx, "the daemon is ready", func() error {
		r, err := d.Client().Ready(ctx)
		if err == nil && !r.Ready {
			err = fmt.Errorf("%+v", r.Components)
		}
		return err
	})
}

// Until tries until it works, and fails the test when the patience or ctx ends before.
func (d *Daemon) Until(ctx context.Context, what string, try func() error) {
	d.t.Helper()
	ctx, cancel := Step(ctx)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var last error // that is not of the end of ctx
	for {
		err := try()
		if err == nil {
			return
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			d.t.Fatalf("waited until %s: %v: %v\n%s", what, context.Cause(ctx), last, d.Log())
		case <-d.done:
			d.t.Fatalf("waited until %s, and the daemon has ended: %v\n%s", what, errors.Join(err), d.Log())
		case <-tick.C:
		}
	}
}

// tail keeps the last bytes that were written to it.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const keep = 16 << 10

// Write implements [io.Writer].
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf.Write(p)
	if over := t.buf.Len() - keep; over > 0 {
		t.buf.Next(over)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(t.buf.String())
}
