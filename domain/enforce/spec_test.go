package enforce_test

import (
	"strings"
	"testing"

	"sandglass/domain/enforce"
)

func TestSpecs(t *testing.T) {
	for spec, name := range map[string]string{
		"systemd:app@.service": "systemd", "systemd:a:b_c.d-e@.service": "systemd", "libvirt": "libvirt", "p2": "p2",
	} {
		if err := enforce.CheckSpec(spec); err != nil {
			t.Error(err)
		}
		if got, unit := enforce.SplitSpec(spec); got != name || (unit == "") != (name != enforce.Systemd) {
			t.Errorf("%s is %s with %q", spec, got, unit)
		}
	}
	for _, spec := range []string{
		"", "systemd", "systemd:", "systemd:app.service", "systemd:app@b.service", "systemd:app@.timer", "systemd:../a@.service",
		"systemd:a b@.service", "systemd:" + strings.Repeat("a", 200) + "@.service", "libvirt:x", "../libvirt", "-x", "x\n", "Libvirt",
	} {
		if err := enforce.CheckSpec(spec); err == nil || !strings.Contains(err.Error(), "systemd:app@.service") {
			t.Errorf("%q: %v", spec, err)
		}
	}
}
