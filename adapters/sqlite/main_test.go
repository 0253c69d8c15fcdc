package sqlite_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"sandglass/adapters/sqlite"
	"sandglass/domain/instant"
	"sandglass/testutil/storetest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childPath); path != "" {
		os.Exit(child(path))
	}
	if path := os.Getenv(importPath); path != "" {
		os.Exit(childImport(path))
	}
	if path := os.Getenv(lockPath); path != "" {
		os.Exit(childLock(path))
	}
	if path := os.Getenv(shellPath); path != "" {
		os.Exit(childShell(path))
	}
	goleak.VerifyTestMain(m)
}

func wallClock() instant.Time { return instant.Of(time.Now()) }

// newLog makes an empty log and returns its path.
func newLog(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	if err := sqlite.Create(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// openLog opens a log until the test ends.
func openLog(t testing.TB, path string, opts sqlite.Options) *sqlite.Store {
	t.Helper()
	if opts.Now == nil {
		opts.Now = storetest.NewClock().Now
	}
	s, err := sqlite.Open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
