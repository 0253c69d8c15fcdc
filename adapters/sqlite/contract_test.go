package sqlite_test

import (
	"io"
	"path/filepath"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Harness{
		UniqueIDs: true,
		Stamps:    true,
		New: func(t *testing.T, now func() instant.Time) storetest.Opener {
			path := filepath.Join(t.TempDir(), "log")
			return func() (stream.EventStore, io.Closer) {
				s := storetest.SQLiteAt(t, path, now)
				return s, s
			}
		},
	})
}
