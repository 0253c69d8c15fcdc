package host

import (
	"bytes"
	"strings"
	"testing"

	"sandglass/domain/enforce"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/plan/param"
	"sandglass/domain/resource"
	"sandglass/domain/resource/config"
	"sandglass/domain/stream"
	"sandglass/projections"
	"sandglass/testutil/storetest"

	"github.com/rs/zerolog"
)

// TestParametersThatAreLost are told at the start, and with what the keeper found, of this host alone.
func TestParametersThatAreLost(t *testing.T) {
	h, f := newHost(t)
	var log bytes.Buffer
	h.Log, h.Name = zerolog.New(&log), "rack-1"
	lost := config.Hash{7}
	h.Values = func(_ resource.ID, hash config.Hash) (param.Values, bool) { return nil, hash != lost }
	store, _ := storetest.SQLite(t)
	resources := &resource.Handler{Aggregate: resource.Aggregate(), Store: store}
	for id, o := range map[resource.ID]resource.Order{
		"has-none": {Host: "rack-1"}, "lost": {Host: "rack-1", Params: lost}, "kept": {Host: "rack-1", Params: config.Hash{8}},
		"elsewhere": {Host: "rack-2", Params: lost},
	} {
		o.Plan, o.Enforcer = "small", "web"
		o.Terms = resource.Terms{Price: money.Price{Msat: 1, Per: 1}, Grace: instant.Day}
		out, err := resources.Execute(t.Context(), id, stream.Meta{}, resource.Open{When: resource.When{At: 1}, Order: o})
		if err == nil {
			err = projections.Replay(t.Context(), store, h.Views, out.Position)
		}
		if err == nil {
			err = f.SaveIs(&enforce.Is{ID: string(id), State: enforce.Up, Since: 1, Boot: "b", First: 1})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	h.tellMissing()
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, `"resources":1,"first":"lost"`) ||
		!strings.Contains(text, "resource set") {
		t.Errorf("the log has %q", text)
	}
	close(h.read)
	run(t, h)
	for _, id := range []resource.ID{"has-none", "lost", "kept", "elsewhere"} {
		if v := h.Found(id); v == nil || v.ParamsMissing != (id == "lost") {
			t.Errorf("%s is shown as %+v", id, v)
		}
	}
	lost = config.Hash{9}
	log.Reset()
	if h.tellMissing(); log.Len() > 0 || h.Found("lost").ParamsMissing {
		t.Errorf("once they are set: %q, %+v", log.String(), h.Found("lost"))
	}
}
