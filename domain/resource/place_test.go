package resource_test

import (
	"strings"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/resource"
)

func placed(ms instant.Time, host string) *resource.Placed {
	return &resource.Placed{At: stamp(ms), Host: host}
}

func TestPlace(t *testing.T) {
	open := resource.Open{When: at(7), Order: resource.Order{
		Plan: "small", Terms: terms(resource.Warn{}), Request: [16]byte{1}, Host: "a",
	}}
	begun := &resource.Opened{At: stamp(7), Plan: "small", Terms: terms(resource.Warn{}), Request: [16]byte{1}}
	nowhere, elsewhere := open, open
	nowhere.Host, elsewhere.Host = "A host", "b"
	onA := join(running, events{placed(0, "a")})
	move := func(ms instant.Time, host string) resource.Place { return resource.Place{When: at(ms), Host: host} }
	run(t, []example{
		{"a resource is opened on a host", nil, open, events{begun, placed(7, "a")}, nil},
		{"the same order is known wherever it would be placed now", events{begun, placed(7, "a")}, elsewhere, nil, nil},
		{"nothing is opened on a host that has no name", nil, nowhere, nil, resource.ErrInvalid},
		{"what was nobody's is placed", running, move(0, "a"), events{placed(0, "a")}, nil},
		{"it moves, and what was used is debited first", onA, move(4_000, "b"), events{debited(0, 4_000), placed(4_000, "b")}, nil},
		{"it is there already", onA, move(4_000, "a"), nil, nil},
		{"it comes back", join(onA, events{placed(0, "b")}), move(0, "a"), events{placed(0, "a")}, nil},
		{"it moves when its time has run out unseen", onA, move(11_000, "b"),
			events{debited(0, 10_000), exhausted(10_000), placed(11_000, "b")}, nil},
		{"by a clock that is behind", join(onA, events{debited(0, 5_000)}), move(4_000, "b"), events{placed(5_000, "b")}, nil},
		{"to no name", onA, move(4_000, "b.example.org"), nil, resource.ErrInvalid},
		{"to nobody", running, move(4_000, ""), nil, resource.ErrInvalid},
		{"after the end", gone, move(30_000, "b"), nil, resource.ErrReleased},
		{"before the begin", nil, move(0, "b"), nil, resource.ErrNotOpened},
	})
	if s := fold(onA...); s.Host != "a" {
		t.Errorf("it is on %q", s.Host)
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"a", "7", "rack-7", "a--b", strings.Repeat("x", 64)} {
		if !resource.IsName(name) {
			t.Errorf("%q is no name", name)
		}
	}
	for _, name := range []string{"", "-", "-a", "a-", "A", "a b", "a.b", "a,b", "a_b", "ä", "a\x00", strings.Repeat("x", 65)} {
		if resource.IsName(name) {
			t.Errorf("%q is a name", name)
		}
	}
}
