package host

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sandglass/adapters/clock"
	"sandglass/adapters/keeperstate"
	"sandglass/adapters/runfiles"
	rules "sandglass/domain/clock"
	"sandglass/domain/enforce"
	"sandglass/domain/enforce/lasting"
	"sandglass/domain/instant"
	"sandglass/projections"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// newHost returns a host with the folder of a keeper.
func newHost(t *testing.T) (*Host, *runfiles.Folder) {
	t.Helper()
	dir := t.TempDir()
	c, err := clock.Open(clock.Options{
		Dir: filepath.Join(dir, "state"), Boot: "b", Rules: rules.Rules{MaxStep: instant.Minute, MaxGap: instant.Hour},
		Told: func(clock.Change) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	f, err := runfiles.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	close(done)
	return New(Options{
		RunDir: dir, Views: projections.New(instant.Hour), Clock: c, Swept: []<-chan struct{}{done}, Log: zerolog.Nop(),
		Failed: func(err error) *zerolog.Event {
			t.Error(err)
			return nil
		},
		Works: func() {},
	}), f
}

// run reads what is until the test ends, from when all was read once.
func run(t *testing.T, h *Host) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.reader.Run(ctx) }()
	<-h.Begun()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func (h *Host) state(t *testing.T) string {
	t.Helper()
	all := h.Health()
	if len(all) == 0 {
		return ""
	}
	return all[0].State
}

// TestHealth: a keeper matters where something was left for it, and lives by its last sign.
func TestHealth(t *testing.T) {
	h, f := newHost(t)
	if got := h.state(t); got != "" {
		t.Errorf("where nothing is wanted the keeper is %s", got)
	}
	h.wantsPassed(map[enforce.State]int{enforce.Up: 2})
	if got := h.state(t); got != "silent" {
		t.Errorf("a keeper that never lived is %s", got)
	}
	now := h.now().Up
	for want, b := range map[string]*enforce.Beat{
		"well":      {Boot: "b", At: now},
		"differing": {Boot: "b", At: now, Differ: 1},
		"silent":    {Boot: "before", At: now},
	} {
		if err := f.SaveBeat(b); err != nil {
			t.Fatal(err)
		}
		if got := h.state(t); got != want || h.Health()[0].Ready != (want != "silent") {
			t.Errorf("by %+v it is %s", b, got)
		}
	}
	if old := now - enforce.Boottime(silent); old > 0 {
		if err := f.SaveBeat(&enforce.Beat{Boot: "b", At: old}); err != nil {
			t.Fatal(err)
		}
		if got := h.state(t); got != "silent" {
			t.Errorf("after 30 s it is %s", got)
		}
	}
}

// TestWhatIsFound is shown and counted as it stands in the files.
func TestWhatIsFound(t *testing.T) {
	h, f := newHost(t)
	now := h.now()
	is := &enforce.Is{
		ID: "web-1", State: enforce.Up, Since: now.Up, Boot: "b", First: 1, Why: "well",
		Outages: []enforce.Outage{{From: 1, To: 20_001}, {From: now.Up - 3, To: now.Up}},
	}
	if err := f.SaveIs(is); err != nil {
		t.Fatal(err)
	}
	if err := f.SaveBeat(&enforce.Beat{Boot: "b", At: now.Up, Differ: 1, Oldest: now.Up - 5000, Done: 7}); err != nil {
		t.Fatal(err)
	}
	close(h.read) // the wallet is
	run(t, h)
	v := h.Found("web-1")
	if v == nil || v.State != "up" || v.Why != "well" || len(v.Outages) != 1 || v.Outages[0].To.Sub(v.Outages[0].From) != 20_000 {
		t.Errorf("%+v", v)
	} else if d := time.Duration(v.Since.Sub(now.Own)) * time.Millisecond; d < -time.Second || d > time.Second {
		t.Errorf("it is up since %s, at %s", v.Since, now.Own)
	}
	if h.Found("web-2") != nil {
		t.Error("something is found of what is not there")
	}
	r := prometheus.NewRegistry()
	r.MustRegister(h.Collectors()...)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, m := range families {
		text.WriteString(m.String())
	}
	for _, want := range []string{"sandglass_keeper_alive", "sandglass_enforce_found", "sandglass_enforce_differing",
		"sandglass_enforce_oldest_difference_seconds", "sandglass_enforce_actions_total"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%s is missing in %s", want, text.String())
		}
	}
}

// TestWhatWentDown in a former boot is known in our own time, by when that was last seen to run.
func TestWhatWentDown(t *testing.T) {
	dir := t.TempDir()
	off := rules.Off{Boot: "a", Up: 50_000, At: 1_000_000}
	if down := wentDown(dir, off); down != nil {
		t.Errorf("nothing was left: %v", down)
	}
	s := new(lasting.Signs)
	s.Set(lasting.Boot{ID: "a", At: 45_000, Down: map[string][]enforce.Boottime{"web-1": {10_000, 40_000}}})
	s.Set(lasting.Boot{ID: "b", At: 9_000, Down: map[string][]enforce.Boottime{"web-2": {1_000}}})
	if err := keeperstate.Save(dir, s); err != nil {
		t.Fatal(err)
	}
	down := wentDown(dir, off)
	if len(down) != 1 || !slices.Equal(down["web-1"], []instant.Time{960_000, 990_000}) {
		t.Errorf("they went down %v", down)
	}
}
