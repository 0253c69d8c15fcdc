package tilefiles_test

import (
	"errors"
	"io/fs"
	"testing"

	"sandglass/adapters/tilefiles"
	"sandglass/domain/proof/follow"
)

// Who asks while the daemon ends is told.
func TestReadAfterClose(t *testing.T) {
	files, err := tilefiles.Open(t.TempDir())
	if err == nil {
		err = errors.Join(files.Append(make([]follow.Block, 2)), files.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := files.Read(1, make([]follow.Block, 1)); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("it is told %v", err)
	}
}
