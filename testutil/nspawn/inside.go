package nspawn

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Env is the variable that has tests boot a systemd: 1 if they may.
const Env = "SANDGLASS_TEST_SYSTEMD"

const inside = "inside" // what it is in the machine

// Skip skips a test that needs a systemd where none may be booted.
func Skip(t *testing.T) {
	t.Helper()
	if os.Getenv(Env) == "" {
		t.Skip("no systemd is booted here: as root, with systemd-container and debootstrap, set " + Env + "=1")
	}
}

// Inside reports whether t runs in a machine. Where it doesn't, Inside boots one, runs t alone
// in there by its own program, as root, and fails t if that fails. Files are in the same place
// as on this host if o binds them there.
func Inside(t *testing.T, o Options) bool {
	t.Helper()
	Skip(t)
	if os.Getenv(Env) == inside {
		return true
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o.Binds = append(o.Binds, program+":/test/"+filepath.Base(program))
	m, err := Boot(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{Env + "=" + inside, "GORACE=" + os.Getenv("GORACE"),
		"/test/" + filepath.Base(program), "-test.run=" + only(t.Name()), "-test.timeout=1h"}
	if testing.Verbose() {
		args = append(args, "-test.v")
	}
	out, err := m.Command(t.Context(), "env", args...).CombinedOutput()
	t.Logf("in the machine:\n%s", out)
	if err := errors.Join(err, m.Close()); err != nil {
		t.Fatal(err)
	}
	return false
}

// only is the pattern of a test, and of those of its parts that were asked for.
func only(name string) string {
	_, parts, found := strings.Cut(flag.Lookup("test.run").Value.String(), "/")
	if found {
		return "^" + name + "$/" + parts
	}
	return "^" + name + "$"
}
