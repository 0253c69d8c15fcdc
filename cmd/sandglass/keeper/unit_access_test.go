package keeper

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"sandglass/adapters/runfiles"
	"sandglass/domain/enforce"
	"sandglass/domain/enforce/access"
)

// A unit is reached as the file says that it left.
func TestAUnitLeavesAFile(t *testing.T) {
	dir := t.TempDir()
	folder, err := runfiles.Open(dir)
	must(t, err)
	with, w := &enforcers{}, &enforce.Want{ID: "web-1", Enforcer: enforce.Systemd, Unit: "app@.service"}
	if _, err := with.access(t.Context(), folder, w); !errors.Is(err, access.ErrNone) {
		t.Errorf("it left none: %v", err)
	}
	must(t, os.Mkdir(filepath.Join(dir, "access"), 0o750))
	must(t, os.WriteFile(filepath.Join(dir, "access", "web-1"), []byte("here\n"), 0o640))
	if b, err := with.access(t.Context(), folder, w); err != nil || string(b) != "here\n" {
		t.Errorf("%q, %v", b, err)
	}
}
