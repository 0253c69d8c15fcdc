package reports

import (
	"encoding/json"

	"sandglass/domain/enforce"
	"sandglass/domain/enforce/wants"
	"sandglass/domain/instant"
)

// timeline is our own time at each instant of a boot. An instant is the same each time, also after a
// restart, so that what is reported twice is one outage, to the millisecond. Both clocks run alike,
// but when our own follows a step of the wall clock; then earlier instants stay where they were.
type timeline struct {
	Version int    `json:"version"`
	Boot    string `json:"boot"`
	Steps   []step `json:"steps"` // earliest first, up to maxSteps
}

// step is by how much our own time is ahead of the time since boot, from an instant on.
type step struct {
	From enforce.Boottime `json:"from"`
	By   instant.Millis   `json:"by_ms"`
}

const (
	// stepped is how far the clocks have to run apart for a step. It is less if they were read one a
	// moment after the other.
	stepped = 100
	// maxSteps is how many steps are remembered; earlier instants go by the oldest.
	maxSteps = 64
)

// readTimeline returns what was kept of a boot, and else a new timeline.
func readTimeline(b []byte, boot string) timeline {
	var t timeline
	if json.Unmarshal(b, &t) == nil && t.Version == enforce.Version && t.Boot == boot && len(t.Steps) <= maxSteps {
		return t
	}
	return timeline{Version: enforce.Version, Boot: boot}
}

// see takes notice of what both clocks show, and reports whether that is a step.
func (t *timeline) see(r wants.Reading) bool {
	by := r.Own.Sub(instant.Time(r.Up))
	if n := len(t.Steps); n > 0 {
		if d := by - t.Steps[n-1].By; -stepped < d && d < stepped {
			return false
		}
		if n == maxSteps {
			t.Steps = append(t.Steps[:0], t.Steps[1:]...)
		}
	}
	t.Steps = append(t.Steps, step{r.Up, by})
	return true
}

// own returns our own time at an instant, once something was seen.
func (t *timeline) own(at enforce.Boottime) instant.Time {
	by := t.Steps[0].By
	for _, s := range t.Steps {
		if s.From <= at {
			by = s.By
		}
	}
	return instant.Time(at).Add(by)
}
