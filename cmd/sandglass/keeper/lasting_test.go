package keeper_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sandglass/adapters/keeperstate"
	"sandglass/domain/enforce"
	"sandglass/domain/enforce/lasting"
)

// TestSignsOutlastAKeeper: when it was last well, and what went down, is on disk, also what an earlier keeper
// found; and where that can't be written the keeper says so, and does all else.
func TestSignsOutlastAKeeper(t *testing.T) {
	h := newHost(t)
	state := filepath.Join(h.dir, "state")
	before := new(lasting.Signs)
	before.Set(lasting.Boot{ID: "before", At: 5})
	if err := keeperstate.Save(state, before); err != nil {
		t.Fatal(err)
	}
	if err := h.Write(h.up("vm-1", 1, time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := h.SaveIs(&enforce.Is{
		ID: "vm-1", State: enforce.Up, Since: 30_000, Boot: h.boot, Generation: 1, First: 1_000,
		Outages: []enforce.Outage{{From: 5_000, To: 20_000}, {From: 25_000, To: 26_000}},
	}); err != nil {
		t.Fatal(err)
	}
	h.start()
	sign := func() (b lasting.Boot) {
		s, err := keeperstate.Load(state)
		if err != nil {
			t.Fatal(err)
		}
		if was, ok := s.Of("before"); !ok || was.At != 5 {
			t.Errorf("of the boot before it says %+v", was)
		}
		b, _ = s.Of(h.boot)
		return b
	}
	h.eventually("a sign on disk", func() bool { return sign().At > 0 })
	if down := sign().Down["vm-1"]; len(down) == 0 || down[0] != 5_000 {
		t.Errorf("it went down at %d", down)
	}
	h.kill(syscall.SIGKILL)

	heard := lasting.Heard{Boot: h.boot, At: enforce.Boottime(time.Hour.Milliseconds()) * 1_000_000}
	b, err := heard.Marshal()
	if err == nil {
		err = h.SaveHeard(b)
	}
	if err != nil {
		t.Fatal(err)
	}
	last := sign().At
	h.start()
	h.eventually("a later sign, without what the daemon has heard", func() bool {
		s := sign()
		return s.At > last && len(s.Down) == 0
	})
	h.kill(syscall.SIGKILL)

	if err := os.RemoveAll(state); err != nil {
		t.Fatal(err)
	}
	if err := h.Write(h.up("vm-2", 1, time.Hour)); err != nil {
		t.Fatal(err)
	}
	h.start()
	h.eventually("the other starts", func() bool { return h.runs("vm-2") })
	h.eventually("a line about the folder", func() bool {
		return strings.Contains(h.logs(), "a power cut while the daemon is dead would count")
	})
	h.kill(syscall.SIGTERM)
}
