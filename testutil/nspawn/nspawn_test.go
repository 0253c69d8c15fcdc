package nspawn_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandglass/testutil/nspawn"
)

// TestTwoMachines boots two at once: they have nothing of each other, start clean, and what they
// leave on this host is what they were given to write to.
func TestTwoMachines(t *testing.T) {
	nspawn.Skip(t)
	state := t.TempDir()
	var machines []*nspawn.Machine
	for range 2 {
		m, err := nspawn.Boot(t.Context(), nspawn.Options{Binds: []string{state + ":/seen"}, State: []string{state + ":/state"}})
		if err != nil {
			t.Fatal(err)
		}
		machines = append(machines, m)
	}
	run := func(m *nspawn.Machine, script string) string {
		out, err := m.Command(t.Context(), "sh", "-c", script).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", script, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	run(machines[0], "echo here >/etc/told && echo kept >/state/told && ! touch /seen/told")
	if got := run(machines[1], "ls /etc/told 2>/dev/null; cat /seen/told"); got != "kept" {
		t.Errorf("the second machine sees %q", got)
	}
	if got := run(machines[1], "systemctl is-active dbus.service; systemctl list-units --failed --no-legend"); got != "active" {
		t.Errorf("a machine runs %q", got)
	}
	for _, m := range machines {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	if kept, err := os.ReadFile(filepath.Join(state, "told")); err != nil || string(kept) != "kept\n" {
		t.Errorf("%q, %v", kept, err)
	}
}
