package keeper_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sandglass/adapters/clock"
	"sandglass/adapters/runfiles"
	"sandglass/domain/enforce"
	"sandglass/domain/instant"
	"sandglass/testutil/daemon"
)

// standIn is an enforcer whose resources are files: what has one runs. Each takes a while to start
// and to stop, so that a keeper dies while it waits. It leaves a line for whatever it does, with the generation of the
// want that it was told by.
const standIn = `#!/bin/sh
run=$ENFORCER_WORLD/run/$2
did() { echo "$(date +%s%3N) $1 $2 $SANDGLASS_PAID_UNTIL" >>"$ENFORCER_WORLD/did"; }
case $1 in
up) [ -e "$run" ] || { did up "$2"; sleep 0.05; echo $$ >"$run"; } ;;
down) [ ! -e "$run" ] || { did down "$2"; sleep 0.05; rm -f "$run"; } ;;
gone) did gone "$2"; rm -f "$run" ;;
status) if [ -e "$run" ]; then echo up; echo "invocation $(cat "$run")"; else echo down; fi ;;
esac
`

// host is a machine with a keeper of its own process.
type host struct {
	*runfiles.Folder
	t             *testing.T
	dir, boot     string
	world, runDir string

	mu  sync.Mutex
	cmd *exec.Cmd
}

// logs are what all keepers of this host logged.
func (h *host) logs() string {
	b, _ := os.ReadFile(filepath.Join(h.dir, "log"))
	return string(b)
}

func newHost(t *testing.T) *host {
	dir := t.TempDir()
	h := &host{
		t: t, dir: dir, boot: clock.BootID(), world: filepath.Join(dir, "world"), runDir: filepath.Join(dir, "sandglass"),
	}
	for _, sub := range []string{"world/run", "enforcers", "sandglass", "state"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "enforcers", "stand-in"), []byte(standIn), 0o755); err != nil {
		t.Fatal(err)
	}
	var err error
	if h.Folder, err = runfiles.Open(h.runDir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.kill(syscall.SIGKILL)
		if t.Failed() {
			t.Logf("the keeper's log:\n%s", h.logs())
		}
	})
	return h
}

// sandglass is a command of the binary on this host.
func (h *host) sandglass(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, daemon.Binary(h.t), args...)
	cmd.Env = []string{
		"SANDGLASS_RUN_DIR=" + h.runDir, "SANDGLASS_ENFORCERS=" + filepath.Join(h.dir, "enforcers"),
		"SANDGLASS_KEEPER_STATE_DIR=" + filepath.Join(h.dir, "state"),
		"ENFORCER_WORLD=" + h.world, "PATH=" + os.Getenv("PATH"), "HOME=" + h.dir,
	}
	return cmd
}

// start starts the keeper.
func (h *host) start() {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cmd = h.sandglass(context.Background(), "keeper")
	log, err := os.OpenFile(filepath.Join(h.dir, "log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		h.t.Fatal(err)
	}
	defer log.Close()
	h.cmd.Stderr = log
	if err := h.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
}

// kill ends the keeper by a signal, and waits for it.
func (h *host) kill(s os.Signal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cmd == nil {
		return
	}
	_ = h.cmd.Process.Signal(s) // it may have ended
	_ = h.cmd.Wait()
	h.cmd = nil
}

// up is a want of a resource that ends after a while.
func (h *host) up(id string, generation int64, lasts time.Duration) *enforce.Want {
	now, err := clock.SinceBoot()
	if err != nil {
		h.t.Fatal(err)
	}
	return &enforce.Want{
		ID: id, State: enforce.Up, Enforcer: "stand-in", Boot: h.boot, Generation: generation, Plan: "small",
		PaidUntil: instant.Time(generation).String(), // which the stand-in is told
		Until:     enforce.Boottime(now) + enforce.Boottime(lasts.Milliseconds()),
	}
}

func (h *host) runs(id string) bool {
	_, err := os.Stat(filepath.Join(h.world, "run", id))
	return err == nil
}

// eventually waits until something is so.
func (h *host) eventually(what string, is func() bool) {
	h.t.Helper()
	ctx, cancel := daemon.Step(h.t.Context())
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			h.t.Fatalf("it did not come to this: %s", what)
		}
	}
}

// did is something that the stand-in did.
type did struct {
	at         time.Time
	verb, id   string
	generation int64
}

func (h *host) did() (all []did) {
	h.t.Helper()
	b, err := os.ReadFile(filepath.Join(h.world, "did"))
	if err != nil {
		h.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) != 4 {
			h.t.Fatalf("%q", line)
		}
		ms, err := strconv.ParseInt(f[0], 10, 64)
		generation, err2 := instant.Parse(f[3])
		if err := errors.Join(err, err2); err != nil {
			h.t.Fatal(err)
		}
		all = append(all, did{time.UnixMilli(ms), f[1], f[2], int64(generation)})
	}
	return all
}

func (d did) String() string {
	return fmt.Sprintf("%s was told %s at %s, by its want %d", d.id, d.verb, d.at.Format("05.000"), d.generation)
}
