package daemon_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/proof/checkpoint"
	"sandglass/testutil/daemon"
)

// TestAStoreIsPutBackWithItsStateFolder: where neither the log in use nor the copy of its last checkpoint is
// there any more, the log is signed by nobody until it is forked: whatever is killed, and once.
func TestAStoreIsPutBackWithItsStateFolder(t *testing.T) {
	s := newSigned(t)
	plans := 0
	publish := func() {
		t.Helper()
		plans++
		s.command("plan", "publish", fmt.Sprintf("small-%d", plans), "--price", "3600sat", "--per", "1h", "--min", "1m", "--max", "30d",
			"--warn", "10m", "--grace", "1d")
	}
	s.Start()
	s.WaitReady(t.Context())
	publish()
	first := s.until("all is signed", whole)
	backup := filepath.Join(t.TempDir(), "backup.db")
	s.command("store", "backup", backup)
	publish()
	s.until("more is signed", func(l *wire.Log) bool { return whole(l) && l.Signed > first.Signed })
	s.Kill()
	for _, lost := range []string{"sandglass.db", "sandglass.db-wal", "sandglass.db-shm", "log"} {
		if err := os.RemoveAll(filepath.Join(s.Dir, lost)); err != nil {
			t.Fatal(err)
		}
	}
	s.killsRestores(backup)
	s.command("store", "restore", backup)
	s.Start()
	s.WaitReady(t.Context()) // which it is: money is taken
	alarm := func(l *wire.Log) bool { return l.Alarm == "restored" && l.Signed == first.Signed }
	s.until("an alarm", alarm)
	publish()
	s.Kill()
	s.Start()
	s.WaitReady(t.Context())
	s.until("an alarm, still", alarm)
	if text := s.get("/readyz"); !strings.Contains(text, "sandglass log fork") {
		t.Errorf("/readyz says %s", text)
	}
	for wait := time.Duration(0); ; wait += 5 * time.Millisecond { // until a fork is answered before the kill
		if s.forkKilled(wait) {
			break
		}
	}
	now := s.until("it goes on", func(l *wire.Log) bool { return whole(l) && len(l.Forks) == 2 })
	if one := now.Forks[1]; one.Fork != 1 || one.Left != first.Checkpoint {
		t.Errorf("%+v", one)
	}
	vkey := strings.TrimSpace(s.command("log", "key"))
	if _, err := checkpoint.Open([]byte(s.get("/log/1/checkpoint")), vkey); err != nil {
		t.Error(err)
	}
	if out, err := s.Command(t.Context(), "log", "fork", "--reason", "once more"); err == nil || !strings.Contains(out, "put_back") {
		t.Errorf("a fork without need: %s, %v", out, err)
	}
	s.command("log", "fork", "--put-back", "--reason", "an image of the disk runs")
	s.until("it goes on", func(l *wire.Log) bool { return whole(l) && len(l.Forks) == 3 })
	s.command("audit", "replay")
}

// killsRestores kills restores ever later, until one is done: then and before there is no log, or one that
// has the mark.
func (s *signed) killsRestores(backup string) {
	s.t.Helper()
	log := filepath.Join(s.Dir, "sandglass.db")
	for wait := time.Duration(0); ; wait += 20 * time.Millisecond {
		ctx, cancel := context.WithTimeout(s.t.Context(), wait)
		cmd := exec.CommandContext(ctx, daemon.Binary(s.t), "store", "restore", backup)
		cmd.Dir, cmd.Env = s.Dir, s.Env
		err := cmd.Run()
		cancel()
		if _, there := os.Stat(log); there != nil {
			continue
		}
		kept, readErr := os.ReadFile(log)
		if readErr != nil || !strings.Contains(string(kept), "put back with ") {
			s.t.Fatalf("a restore that was killed after %s left a log without a mark: %v, %v", wait, err, readErr)
		}
		return
	}
}

// forkKilled has the log forked if it is not yet, and the daemon killed after so long. It reports whether the log was
// forked before.
func (s *signed) forkKilled(after time.Duration) bool {
	s.t.Helper()
	s.WaitReady(s.t.Context())
	l := s.until("it has looked", func(l *wire.Log) bool { return l.Alarm != "" || len(l.Forks) > 1 })
	if len(l.Forks) > 1 {
		if l.Alarm != "" {
			s.t.Fatalf("it was forked, and there is an alarm: %+v", l)
		}
		return true
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = s.Client().ForkLog(s.t.Context(), wire.ForkRequest{Reason: "the backup was restored"}) // killed, or not
	}()
	kill := time.NewTimer(after)
	defer kill.Stop()
	select {
	case <-kill.C:
	case <-done:
	}
	s.Kill()
	<-done
	s.Start()
	return false
}
