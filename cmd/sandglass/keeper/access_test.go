package keeper_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"sandglass/adapters/keepersocket"
	"sandglass/domain/enforce"
	"sandglass/domain/enforce/access"
)

// TestAccessAfterAKill holds that the keeper after one that was killed is asked by the same socket.
func TestAccessAfterAKill(t *testing.T) {
	h := newHost(t)
	w := h.up("web-1", 1, time.Hour)
	if err := h.Write(w); err != nil {
		t.Fatal(err)
	}
	isUp := func() bool {
		is, err := h.Is("web-1")
		return err == nil && is.State == enforce.Up
	}
	ask := func() error {
		_, err := keepersocket.Ask(t.Context(), h.Socket(), "web-1")
		return err
	}
	// The stand-in has no verb access, and so prints nothing.
	h.start()
	h.eventually("it is up, and says nothing", func() bool { return isUp() && errors.Is(ask(), access.ErrNone) })
	h.kill(syscall.SIGKILL)
	if err := ask(); !errors.Is(err, access.ErrNoKeeper) {
		t.Errorf("while none is there: %v", err)
	}
	if info, err := os.Lstat(h.Socket()); err != nil || info.Mode().Type() != os.ModeSocket {
		t.Errorf("it left no socket: %v", err)
	}
	h.start()
	h.eventually("the next one answers", func() bool { return errors.Is(ask(), access.ErrNone) })
	h.kill(syscall.SIGTERM)
	if _, err := os.Lstat(filepath.Join(h.runDir, "is", ".keeper.sock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it leaves its socket: %v", err)
	}
}
