package tilefiles_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sandglass/adapters/tilefiles"
	"sandglass/domain/proof/follow"
)

// Who writes while the daemon ends is told.
func TestWriteAfterClose(t *testing.T) {
	files := tilefiles.New(t.TempDir())
	_, _, err := files.Open()
	if err == nil {
		err = files.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	if n, err := files.Write(0, make([]follow.Block, 1)); n != 0 || !errors.Is(err, fs.ErrClosed) {
		t.Errorf("%d are kept, and it is told %v", n, err)
	}
}

// Whatever of it was done before a crash, what was put aside stays, and what is there is new.
func TestRenewIsDoneOnce(t *testing.T) {
	dir := t.TempDir()
	old := []follow.Block{{After: 1}, {After: 2}}
	files := tilefiles.New(dir)
	defer files.Close()
	_, _, err := files.Open()
	if err == nil {
		_, err = files.Write(0, old)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, begun := range []func() error{
		func() error { return nil },
		func() error { return nil }, // all of it was done, and nobody was told
		func() error { return os.Remove(filepath.Join(dir, tilefiles.Name)) },
		func() error { return errors.Join(files.Close(), os.Remove(filepath.Join(dir, tilefiles.Name))) },
	} {
		if err := errors.Join(begun(), files.Renew()); err != nil {
			t.Fatal(err)
		}
		kept, before, err := files.Open()
		if err != nil || len(kept) != 0 || !slices.Equal(before, old) {
			t.Fatalf("%v and, before, %v: %v", kept, before, err)
		}
	}
	if n, err := files.Write(0, old[:1]); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	roots, err := tilefiles.Roots(dir)
	if err != nil || len(roots) != 1 {
		t.Errorf("%d blocks, %v", len(roots), err)
	}
}
