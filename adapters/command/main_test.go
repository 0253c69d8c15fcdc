package command_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestMain runs tests, or is one of the programs that ready-made enforcers call.
func TestMain(m *testing.M) {
	// The race detector has os.Exit sleep for a second, for goroutines that these do not have.
	switch name := filepath.Base(os.Args[0]); name {
	case "virsh":
		syscall.Exit(asVirsh())
	case "wg", "podman", "incus":
		syscall.Exit(asStandIn(name))
	}
	os.Exit(m.Run())
}
