package l402

import (
	"strconv"
	"testing"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
)

// TestRemembered: challenges that are given again are no more than may be, and each until half its time is over.
func TestRemembered(t *testing.T) {
	var m remembered
	c := &challenge{payment: wire.Payment{ExpiresAt: 3000}}
	of := func(i int) asked { return asked{client: strconv.Itoa(i)} }
	most := 0
	for i := range 3*maxOpen + 7 {
		m.put(of(i), c, 1000)
		if m.get(of(i), 1999) != c || m.get(of(i), 2000) != nil {
			t.Fatalf("%d is not remembered for as long as it should be", i)
		}
		most = max(most, len(m.open))
	}
	if most != maxOpen {
		t.Errorf("%d are remembered, want %d", most, maxOpen)
	}
	m.put(of(-1), &challenge{payment: wire.Payment{ExpiresAt: instant.Max}}, 1000)
	for i := range maxOpen - 2 { // more than there is room for beside those that lapsed meanwhile
		m.put(of(4*maxOpen+i), c, 2000)
	}
	if m.get(of(-1), 2000) == nil || len(m.open) != maxOpen-1 {
		t.Error("what can be paid for long was forgotten before what lapsed")
	}
}
