package enforce

import (
	"maps"
	"slices"
	"strings"
)

// Environ is what w's resource is told of itself, and an enforcer of it: variables of an
// environment as in NAME=value, in order, each name once. A parameter ssh_key is
// SANDGLASS_PARAM_SSH_KEY. What is not known is empty, and there.
func (w *Want) Environ() []string {
	told := []string{
		"SANDGLASS_RESOURCE=" + w.ID,
		"SANDGLASS_PLAN=" + w.Plan,
		"SANDGLASS_HOST=" + w.Host,
		"SANDGLASS_PAID_UNTIL=" + w.PaidUntil,
	}
	for _, name := range slices.Sorted(maps.Keys(w.Params)) {
		told = append(told, "SANDGLASS_PARAM_"+strings.ToUpper(name)+"="+w.Params[name])
	}
	return told
}
