package command_test

import (
	"os"
	"path/filepath"
	"testing"
)

// TestMain runs tests, or is one of the programs that ready-made enforcers call.
func TestMain(m *testing.M) {
	switch name := filepath.Base(os.Args[0]); name {
	case "virsh":
		os.Exit(asVirsh())
	case "wg", "podman", "incus":
		os.Exit(asStandIn(name))
	}
	os.Exit(m.Run())
}
