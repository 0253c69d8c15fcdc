package tilefiles_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sandglass/adapters/tilefiles"
	"sandglass/domain/proof"
)

func TestTilesAreReadAsTheyWereWritten(t *testing.T) {
	dir := t.TempDir()
	out := tilefiles.Export(dir)
	var want []proof.Hash
	for n := range 600 {
		leaf := proof.Leaf(proof.Hash{byte(n), byte(n >> 8)})
		if err := out.Add(leaf); err != nil {
			t.Fatal(err)
		}
		if want = append(want, leaf); n == 520 { // of each size that was published there is a file
			if err := out.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	in := tilefiles.Export(dir)
	var got []proof.Hash
	for n := int64(0); ; n++ {
		leaves, err := in.Leaves(n)
		if err != nil {
			t.Fatal(err)
		}
		if len(leaves) == 0 {
			break
		}
		got = append(got, leaves...)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d leaves were read, of %d", len(got), len(want))
	}
	for _, path := range []string{"tile/0/000", "tile/0/002.p/9", "tile/0/002.p/88"} {
		if _, err := os.Stat(filepath.Join(dir, path)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if path := tilefiles.Path(3, 1234067, 256); path != "tile/3/x001/x234/067" {
		t.Errorf("a path is %s", path)
	}
	for _, broken := range []string{"tile/0/000", "tile/0/002.p/88"} {
		if err := os.WriteFile(filepath.Join(dir, broken), make([]byte, 33), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []int64{0, 2} {
		if _, err := in.Leaves(n); err == nil {
			t.Errorf("tile %d was read, which is damaged", n)
		}
	}
}
