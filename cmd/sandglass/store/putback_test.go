package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandglass/adapters/notefiles"
	"sandglass/cmd/sandglass/config"
	"sandglass/cmd/sandglass/storeurl"
	"sandglass/domain/proof/checkpoint"
	"sandglass/testutil/esdbserver"
)

// configured returns where the configured log is.
func configured(t *testing.T) storeurl.Place {
	t.Helper()
	conf, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	return conf.Log()
}

// sign has the configured log keep a checkpoint of so many events.
func sign(t *testing.T, size int64) string {
	t.Helper()
	s, err := configured(t).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	note := checkpoint.Checkpoint{Origin: "shop.example.org/log", Size: size}.String() + "\n— shop.example.org/log AAAA\n"
	_, version, err := s.Checkpoint(t.Context())
	if err == nil {
		err = s.SwapCheckpoint(t.Context(), version, []byte(note))
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), notefiles.NewCopy(os.Getenv("SANDGLASS_STATE_DIR")).Save([]byte(note))); err != nil {
		t.Fatal(err)
	}
	return note
}

// keeps holds what a log keeps: a mark of so many events, or none if that is negative, and a checkpoint.
func keeps(t *testing.T, what string, at storeurl.Place, events int64, note string) {
	t.Helper()
	got, err := kept(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	own, m, marked := checkpoint.Marked(got)
	if marked != (events >= 0) || marked && m.Events != events || string(own) != note {
		t.Errorf("%s: it keeps %q, want a mark of %d events and %q", what, got, events, note)
	}
}

// well runs a command of store that has to go well.
func well(t *testing.T, args ...string) string {
	t.Helper()
	out, err := run(t, args...)
	if err != nil {
		t.Fatalf("%q: %v: %s", args, err, out)
	}
	return out
}

const doubt = "what was signed since is not known"

func TestWhatARestoredLogKeepsOfWhatWasSigned(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("SANDGLASS_STATE_DIR", dir)
	if err := InitCmd().ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	offer(t, "small")
	first := sign(t, 1)
	backup, place := filepath.Join(t.TempDir(), "copy"), configured(t)
	well(t, "backup", backup)
	offer(t, "large")
	later := sign(t, 2)

	well(t, "restore", backup, "--dry-run")
	keeps(t, "nothing was changed", place, -1, later)
	if out := well(t, "restore", backup); strings.Contains(out, doubt) {
		t.Error(out)
	}
	keeps(t, "the log in use is known", place, -1, later)
	if err := os.RemoveAll(filepath.Join(dir, "log")); err != nil {
		t.Fatal(err)
	}
	if out := well(t, "restore", backup); !strings.Contains(out, doubt) {
		t.Error(out)
	}
	keeps(t, "the log in use may have lost its end", place, 1, later)
	keeps(t, "the backup is left as it is", storeurl.Place{URL: "sqlite:" + backup}, -1, first)

	file := place.Path()
	if err := os.WriteFile(file, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := well(t, "restore", backup); !strings.Contains(out, doubt) {
		t.Error(out)
	}
	keeps(t, "the log in use was damaged", place, 1, first)
	if out := well(t, "restore", backup); !strings.Contains(out, doubt) {
		t.Error(out)
	}
	keeps(t, "that is put back once more", place, 1, first)

	// A copy of what was put back is one too, and so is a backup.
	to := storeurl.Place{URL: "sqlite:" + filepath.Join(t.TempDir(), "log")}
	if err := to.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		well(t, "copy", "--from", "sqlite:"+file, "--to", to.URL)
		keeps(t, "a copy", to, 1, first)
	}
	well(t, "backup", backup+"2")
	keeps(t, "a backup", storeurl.Place{URL: "sqlite:" + backup + "2"}, 1, first)

	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	well(t, "restore", backup+"2", "--newer", to.URL)
	keeps(t, "of what is newer nothing is known", place, 1, first)
	now := sign(t, 2) // as after a fork
	well(t, "copy", "--from", "sqlite:"+file, "--to", to.URL)
	keeps(t, "it is copied again", to, -1, now)
}

func TestWhatALogOfAClusterKeepsThatIsRestored(t *testing.T) {
	c := esdbserver.New(t, esdbserver.Options{SystemEvery: 20})
	t.Setenv("SANDGLASS_STORE", c.ConnectionString())
	t.Setenv("SANDGLASS_STATE_DIR", t.TempDir())
	if err := InitCmd().ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	offer(t, "small")
	sign(t, 1)
	backup := filepath.Join(t.TempDir(), "copy")
	well(t, "backup", backup)
	offer(t, "large")
	later := sign(t, 2)

	t.Setenv("SANDGLASS_STORE_NAMESPACE", "second")
	for range 2 {
		well(t, "restore", backup, "--newer", c.ConnectionString(), "--newer-namespace", "sandglass")
		keeps(t, "the log in use is known", configured(t), -1, later)
	}
	t.Setenv("SANDGLASS_STORE_NAMESPACE", "third")
	for range 2 { // the second time it is there, and is compared
		if out := well(t, "restore", backup); !strings.Contains(out, doubt) {
			t.Error(out)
		}
		keeps(t, "no log is known", configured(t), 1, "")
	}
	now := sign(t, 1) // as a fork does
	well(t, "restore", backup)
	keeps(t, "it was there before", configured(t), -1, now)
	sqlite := storeurl.Place{URL: "sqlite:" + filepath.Join(t.TempDir(), "log")}
	if err := sqlite.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	well(t, "copy", "--from", c.ConnectionString(), "--from-namespace", "second", "--to", sqlite.URL)
	keeps(t, "a copy of a cluster's", sqlite, -1, later)
}

// A restore into a cluster that dies before the events came, or in their midst, leaves the mark.
func TestARestoreIntoAClusterDies(t *testing.T) {
	c := esdbserver.New(t, esdbserver.Options{SystemEvery: 20})
	t.Setenv("SANDGLASS_STATE_DIR", t.TempDir())
	if err := InitCmd().ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		offer(t, fmt.Sprintf("small-%d", i))
	}
	first := sign(t, 2)
	from := configured(t)
	to := storeurl.Place{URL: c.ConnectionString(), Namespace: "second"}
	if err := to.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := &putting{backup: &restored{Backup: &checked{Events: 3}}, path: from.Path(), to: to}
	died := context.Canceled
	dies := func(ctx context.Context, s storeurl.Store) error {
		if err := p.mark(ctx, s, 1_700_000_000_000); err != nil {
			return err
		}
		return died
	}
	if _, err := transfer(t.Context(), from, to, dies); err == nil {
		t.Fatal("it did not die")
	}
	keeps(t, "no event is there", to, 3, first)
	if err := p.putShared(t.Context(), 1_700_000_000_001); err != nil {
		t.Fatal(err)
	}
	keeps(t, "all are", to, 3, first)
	if !p.marked {
		t.Error("it is not told")
	}
}
