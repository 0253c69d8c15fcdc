package instant_test

import (
	"testing"

	"sandglass/domain/instant"
)

func TestGapsAddUp(t *testing.T) {
	var g instant.Gap
	if g.Holds(1, instant.Century) {
		t.Error("no gap holds")
	}
	g = g.Then(100, 200)
	if !g.Holds(299, 1000) || g.Holds(300, 1000) || !g.Holds(209, 10) || g.Holds(210, 10) || g.Holds(200, 0) {
		t.Errorf("%+v holds what it should not", g)
	}
	for at, want := range map[instant.Time]instant.Gap{
		250: {End: 260, Length: 60}, // 50 of the first were left
		300: {End: 310, Length: 10},
		900: {End: 910, Length: 10},
	} {
		if got := g.Then(at, at+10); got != want {
			t.Errorf("a gap at %d makes %+v, want %+v", at, got, want)
		}
	}
	if got := g.Then(250, 250); got != g {
		t.Errorf("none makes %+v", got)
	}
}
