package proving

import (
	"strings"
	"testing"

	"sandglass/domain/proof/signing"
)

// TestWhatToDo: each alarm comes with what it is about, and what ends it.
func TestWhatToDo(t *testing.T) {
	words := map[signing.Alarm]string{
		signing.NoKey: "put log.key back", signing.OtherKey: "the right log.key", signing.Foreign: "who wrote there",
		signing.Witnessed: "which other daemon",
	}
	for _, a := range signing.Alarms {
		said := advice(&signing.Status{Alarm: a, Detail: "so it is", Where: "there"})
		for _, want := range []string{words[a], "so it is: by what is there now, there", "sandglass log "} {
			if !strings.Contains(said, want) {
				t.Errorf("of %s it says %q, and not %q", a, said, want)
			}
		}
	}
}
