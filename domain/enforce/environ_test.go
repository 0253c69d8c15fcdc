package enforce_test

import (
	"slices"
	"testing"

	"sandglass/domain/enforce"
)

func TestEnviron(t *testing.T) {
	w := enforce.Want{ID: "vm-7", Plan: "small", PaidUntil: "2026-11-28T09:00:00.000Z",
		Params: map[string]string{"ssh_key": "ssh-ed25519 AAAA= a@b", "image": "debian"}}
	want := []string{"SANDGLASS_RESOURCE=vm-7", "SANDGLASS_PLAN=small", "SANDGLASS_HOST=",
		"SANDGLASS_PAID_UNTIL=2026-11-28T09:00:00.000Z",
		"SANDGLASS_PARAM_IMAGE=debian", "SANDGLASS_PARAM_SSH_KEY=ssh-ed25519 AAAA= a@b"}
	if got := w.Environ(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
