package l402_test

import (
	"strings"
	"testing"
	"time"

	"sandglass/domain/instant"
)

// TestADeathAtEachStep: the daemon dies before one step of a purchase, or before each, and what was paid is there.
func TestADeathAtEachStep(t *testing.T) {
	for _, dies := range []int{0b00001, 0b00010, 0b00100, 0b01000, 0b10000, 0b11111} { // before which of them
		s := open(t, func(s *shop) { s.wait = 10 * time.Millisecond })
		at := 0
		step := func() {
			if dies&(1<<at) != 0 {
				s.restart()
			}
			at++
		}
		d := s.send("POST", "/v1/buy", buys)
		credential := l402Of(d.demand.Token, s.preimage(&d.demand.Payment))
		step() // it is paid, and asked for before the watcher has heard of it
		if r := s.send("POST", "/v1/buy", buys, credential); r.status != 503 || r.header.Get("Retry-After") == "" {
			t.Fatalf("%05b: not credited: %d %s", dies, r.status, r.body)
		}
		step()
		s.settle(&d.demand.Payment)
		step()
		got := s.send("POST", "/v1/buy", buys, credential)
		step()
		s.clock.Advance(instant.Minute)
		again := s.send("POST", "/v1/buy", buys, credential)
		id := got.bought.Resource.ID
		if got.status != 200 || again.status != 200 || got.bought.HolderKey == "" || got.bought.HolderKey != again.bought.HolderKey ||
			again.bought.Resource.ID != id || again.bought.Resource.Credited != 2*price {
			t.Fatalf("%05b: %d %s\n%d %s", dies, got.status, got.body, again.status, again.body)
		}
		more := s.send("POST", "/v1/buy", asks(id), credential)
		step()
		renewed := s.pays(more)
		r := s.send("POST", "/v1/buy", asks(id), renewed)
		if r.status != 200 || r.bought.Resource.Credited != 3*price || r.bought.HolderKey != got.bought.HolderKey {
			t.Fatalf("%05b: %d %s", dies, r.status, r.body)
		}
		if n := s.wallet.made(); n != 2 || strings.Contains(again.body, `"payment_request"`) {
			t.Fatalf("%05b: %d invoices were made, of which it was asked for one too many", dies, n)
		}
		s.stop()
		s.stop = func() {}
	}
}
