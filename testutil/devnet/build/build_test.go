package build_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandglass/testutil/devnet/build"
)

// fakeGo is a go that keeps what it was to build, and builds files that say so.
const fakeGo = `#!/bin/sh
PATH=/usr/bin:/bin
cp go.mod go.sum "$KEPT" && touch btcd lnd lncli
`

// outside has the test run in an empty folder, with tools alone as programs and a cache of its own.
func outside(t *testing.T, tools string) (cache string) {
	t.Helper()
	cache = t.TempDir()
	t.Chdir(t.TempDir())
	t.Setenv("PATH", tools)
	t.Setenv("SANDGLASS_BIN", "")
	t.Setenv("SANDGLASS_CACHE", cache)
	return cache
}

func TestNodesAreBuiltOutsideACheckout(t *testing.T) {
	want := map[string][]byte{}
	for kept, pinned := range map[string]string{"go.mod": "nodes.mod", "go.sum": "nodes.sum"} {
		var err error
		if want[kept], err = os.ReadFile(pinned); err != nil {
			t.Fatal(err)
		}
	}
	tools, kept := t.TempDir(), t.TempDir()
	t.Setenv("KEPT", kept)
	if err := os.WriteFile(filepath.Join(tools, "go"), []byte(fakeGo), 0o755); err != nil {
		t.Fatal(err)
	}
	cache := outside(t, tools)
	nodes, err := build.Nodes(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{nodes.Btcd, nodes.Lnd, nodes.Lncli} {
		if _, err := os.Stat(path); err != nil || !strings.HasPrefix(path, cache) {
			t.Errorf("built %s, want it in %s: %v", path, cache, err)
		}
	}
	for name, data := range want {
		if got, err := os.ReadFile(filepath.Join(kept, name)); err != nil || !bytes.Equal(got, data) {
			t.Errorf("the %s that was built is not what is pinned: %v", name, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(nodes.Lnd), "build-*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestWithoutGoItSaysWhatIsMissing(t *testing.T) {
	outside(t, t.TempDir())
	_, err := build.Nodes(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "install it") {
		t.Errorf("got %v, want it to say that Go is to be installed", err)
	}
}
