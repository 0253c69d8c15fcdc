package daemon_test

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"sandglass/domain/instant"
	"sandglass/testutil/daemon"
	"sandglass/testutil/devnet"
)

// metric returns what /metrics says of a name.
func (s *shore) metric(name string) float64 {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.ctx, http.MethodGet, s.URL+"/metrics", nil)
	s.must(err)
	req.Header.Set("Authorization", "Bearer "+daemon.Token)
	res, err := http.DefaultClient.Do(req)
	s.must(err)
	defer func() { _ = res.Body.Close() }()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			v, err := strconv.ParseFloat(value, 64)
			s.must(err)
			return v
		}
	}
	s.t.Fatalf("/metrics has no %s", name)
	return 0
}

// sweeps waits until the chain was swept so many times more.
func (s *shore) sweeps(n int) {
	s.t.Helper()
	const last = "sandglass_chain_last_sweep_timestamp_seconds"
	for seen := s.metric(last); n > 0; n-- {
		s.Until(s.ctx, "the chain is swept", func() error {
			at := s.metric(last)
			if at == seen {
				return fmt.Errorf("the last sweep is still that of %f", at)
			}
			seen = at
			return nil
		})
	}
}

// What replaced another payment is on its way, however often the wallet lists both, and sweeps
// find nothing where nothing comes.
func TestTheReplacementStaysPending(t *testing.T) {
	s := newShore(t, "SANDGLASS_SWEEP_EVERY=1s")
	s.address("unpaid")
	o := s.order("paid", instant.Hour)
	s.pay(o.Payment.Request)
	s.status("paid", "running")
	s.asks(o)
	for id, replaced := range map[string]func(*devnet.Tx){
		"unpaid": func(tx *devnet.Tx) { s.forgets(tx, 0) },
		"paid":   func(tx *devnet.Tx) { s.becomes(tx, 0, "replaced") },
	} {
		tx := s.sends(id, 5000)
		s.becomes(tx, 0, "seen")
		bumped, err := s.net.Bump(s.ctx, tx, devnet.To(s.address(id), 9000))
		s.must(err)
		s.becomes(bumped, 0, "seen")
		replaced(tx)
		found := s.metric("sandglass_reconcile_found_total") // a sweep may have been before the stream
		s.sweeps(3)
		replaced(tx)
		if n := s.metric("sandglass_reconcile_found_total"); n != found {
			t.Errorf("%s: %v found by a sweep alone", id, n-found)
		}
		if p, err := s.Client().Payment(s.ctx, key(bumped, 0)); err != nil || p.Status != "seen" {
			t.Errorf("%s: after three sweeps it is %s (%s): %v", id, p.Status, p.Reason, err)
		}
		s.mine(3)
		s.becomes(bumped, 0, "credited")
		s.has(id, 9000)
	}
	s.proves()
}
