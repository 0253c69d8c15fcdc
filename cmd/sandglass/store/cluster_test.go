package store

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/config"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/testutil/esdbserver"
)

// run runs a command of store, and returns what it says.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	e := &cli.Env{Stdout: &out, Stderr: &out}
	cmd := Cmd(e)
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SilenceUsage = true
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

// offer appends a plan to the configured log.
func offer(t *testing.T, name string) {
	t.Helper()
	conf, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	s, err := conf.Log().Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	h := plan.Handler{Aggregate: plan.Aggregate(), Store: s}
	_, err = h.Execute(t.Context(), name, stream.Meta{}, plan.Publish{At: 1_700_000_000_000, Offer: plan.Offer{
		Terms: resource.Terms{Price: money.Price{Msat: 1, Per: 1}, Grace: instant.Hour}, Min: 1, Max: instant.Hour,
	}})
	if err != nil {
		t.Fatal(err)
	}
}

// A log of a cluster is copied into a file, and from there into another namespace: what a
// cluster has recorded can't be taken back.
func TestALogOfAClusterIsBackedUpAndRestored(t *testing.T) {
	c := esdbserver.New(t, esdbserver.Options{SystemEvery: 20})
	t.Setenv("SANDGLASS_STORE", c.ConnectionString())
	t.Setenv("SANDGLASS_STATE_DIR", t.TempDir())
	if err := InitCmd().ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	offer(t, "small")
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.Mkdir(to+".part.log", 0o700); err != nil { // as a crash leaves it
		t.Fatal(err)
	}
	if out, err := run(t, "backup", to); err != nil || !strings.Contains(out, "position 1, recorded") {
		t.Fatalf("%v: %s", err, out)
	}
	if left, err := filepath.Glob(to + "*"); err != nil || len(left) != 1 {
		t.Errorf("beside the copy there are %v", left)
	}
	if out, err := run(t, "check", "--store", "sqlite:"+to); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	offer(t, "large")
	out, err := run(t, "restore", to)
	if err == nil || !strings.Contains(err.Error(), "can't be taken back: set another SANDGLASS_STORE_NAMESPACE") {
		t.Errorf("it holds more than the backup: %v: %s", err, out)
	}
	t.Setenv("SANDGLASS_STORE_NAMESPACE", "second")
	for range 2 { // the second time it is there, and is compared
		out, err = run(t, "restore", to, "--newer", c.ConnectionString(), "--newer-namespace", "sandglass")
		if err != nil || !strings.Contains(out, "\nsandglass plan publish large ") || strings.Contains(out, "small") {
			t.Fatalf("%v: %s", err, out)
		}
	}
	if out, err := run(t, "check"); err != nil || !strings.Contains(out, "it is whole") {
		t.Errorf("%v: %s", err, out)
	}
	t.Setenv("SANDGLASS_STORE_NAMESPACE", "third")
	if _, err := run(t, "backup", to+"2"); err == nil || !strings.Contains(err.Error(), "there is no log in the namespace") {
		t.Errorf("what is not was backed up: %v", err)
	}
	if left, err := filepath.Glob(to + "2*"); err != nil || len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}
