package histories

import (
	"slices"

	"sandglass/domain/instant"
	"sandglass/domain/resource"
	"sandglass/domain/resource/uptime"
)

// byUptime lets some terms bill uptime, and bound outages and pauses.
func (w *World) byUptime(t *resource.Terms) {
	if t.Uptime = w.chance(40); t.Uptime {
		t.StartWithin = 15 * instant.Minute
		t.MaxOutage = pick(w, []instant.Millis{0, instant.Hour, instant.Day})
		t.Hold = w.chance(50)
	}
	t.MaxPause = pick(w, []instant.Millis{0, 0, instant.Hour, instant.Day})
}

// report says anything of the last hours of a resource, whatever was said before.
func (w *World) report(r *aResource) {
	back := func() instant.Time { return w.Now.Add(-instant.Millis(w.rng.Int64N(int64(6 * instant.Hour)))) }
	at := []instant.Time{back(), back(), back(), back(), back()}
	slices.Sort(at)
	c := resource.Report{When: resource.When{At: w.Now}, Host: r.state.Host, Up: w.chance(70), Since: at[4], Why: "status 1"}
	for pair := range slices.Chunk(at[:4], 2) {
		if pair[0] < pair[1] && w.chance(50) {
			c.Outages = append(c.Outages, uptime.Span{From: pair[0], To: pair[1]})
		}
	}
	must(r.do(w, c))
}
