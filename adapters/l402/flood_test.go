package l402_test

import (
	"fmt"
	"net/http"
	"testing"

	"sandglass/adapters/httpapi/limit"
	"sandglass/domain/instant"
	"sandglass/domain/request"
	"sandglass/testutil/fakemint"
)

// TestChallengesThatNobodyPays leave nothing in the log, and what is kept of them has bounds: of a gate by plan the
// orders that may be open, and by resource the share of that one, and what is kept of those that can't be paid any
// more. A million of them costs as much: with a daemon's bounds that is 100,000 orders of about 1 kB each, in memory
// and on disk, 1,000 invoices of a resource, and the 16,384 challenges that are given again, of 3 kB.
func TestChallengesThatNobodyPays(t *testing.T) {
	s := open(t, nil)
	_, got := s.bought()
	ofResource := "/v1/auth?time_ms=3600000&resource=" + got.Resource.ID
	before, err := s.store.Head(t.Context())
	s.must(err)
	const visitors = 600
	for round := range 3 {
		for i := range visitors {
			from := fmt.Sprintf("X-Forwarded-For: 10.%d.%d.%d", round, i/250, 1+i%250)
			for _, at := range []string{gate, ofResource} {
				if r := s.send("GET", at, "", from); r.status != 401 {
					t.Fatalf("visitor %d: %d %s", i, r.status, r.body)
				}
			}
		}
		if n := s.asked.Open(); n.Orders != 400 || n.Invoices != 5 {
			t.Errorf("open are %+v", n)
		}
		if n := len(s.kept.Names()); n > 1000+400+5 {
			t.Errorf("%d are kept", n)
		}
		s.clock.Advance(hour + request.Settling + instant.Minute)
		s.asked.Swept("", s.clock.Now())
		s.asked.Lapse(t.Context())
	}
	if n := len(s.kept.Names()); n > 1000 {
		t.Errorf("%d are kept of those that can't be paid any more", n)
	}
	if head, err := s.store.Head(t.Context()); head != before || err != nil {
		t.Errorf("the log went from %d to %d, %v", before, head, err)
	}
}

// TestAForgedTokenSentAgain asks its mint no more often than its address may write: its invoice was made once, and is
// there.
func TestAForgedTokenSentAgain(t *testing.T) {
	m := openTill(t, func(s *shop) { s.writes = limit.Rate{PerSecond: 1, Burst: 10} })
	proofs := m.mint.Proofs(fakemint.Active, 7_500)
	proofs[0].Secret = "forged"
	token := m.mint.Token(proofs...)
	melts := func() int { return m.mint.Calls("POST /v1/melt/bolt11") }
	refused := map[string]int{}
	for range 100 {
		r := m.buys(buys, token)
		refused[r.demand.Code]++
		if r.status == http.StatusTooManyRequests && r.header.Get("Retry-After") != "1" {
			t.Fatalf("%v %s", r.header, r.body)
		}
	}
	if refused["mint_refused"]+refused["rate_limited"] != 100 || refused["mint_refused"] < 2 || melts() != refused["mint_refused"] ||
		melts() > 10 {
		t.Errorf("%d were melted: %v", melts(), refused)
	}
	m.clock.Advance(second)
	if r := m.buys(buys, token); r.demand.Code != "mint_refused" {
		t.Errorf("a second later: %d %s", r.status, r.body)
	}
}
