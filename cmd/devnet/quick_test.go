package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandglass/testutil/daemon"
)

// TestQuickTour takes the whole tour on the simulated network. It says what is simulated
// before anything else, and leaves nothing.
func TestQuickTour(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := run(t.Context(), []string{"demo", "--quick", "--sandglass", daemon.Binary(t)}, &out, os.Stderr); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	said := out.String()
	if !strings.HasPrefix(said, simulated) || !strings.Contains(said, "\n19 of 19 steps were as they should be") {
		t.Errorf("it said\n%s", said)
	}
}

// TestQuickLeavesNothing is about the folder of a simulated network.
func TestQuickLeavesNothing(t *testing.T) {
	net, _, err := startQuick(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(net.Dir(), "tls.cert")); err != nil {
		t.Error(err)
	}
	if err := net.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(net.Dir()); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", net.Dir(), err)
	}
}
