package limit_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"sandglass/adapters/httpapi/limit"
)

var begin = time.Unix(1_800_000_000, 0)

// A share is of an address, of its network and of all; a refusal takes nothing.
func TestSharesAreOfAddressNetworkAndAll(t *testing.T) {
	s := limit.NewShares(limit.Share{
		Address: limit.Rate{PerSecond: 0.1, Burst: 2},
		Network: limit.Rate{PerSecond: 0.2, Burst: 3},
		All:     limit.Rate{PerSecond: 1, Burst: 5},
	}, 100)
	now := begin
	take := func(addr string, want time.Duration) {
		t.Helper()
		if got := s.Take(limit.AddressOf(addr), now); got.Round(time.Millisecond) != want {
			t.Errorf("%s waits %s, want %s", addr, got, want)
		}
	}
	take("192.0.2.1", 0)
	take("192.0.2.1", 0)
	for range 3 {
		take("192.0.2.1", 10*time.Second) // and takes nothing of its network
	}
	take("192.0.2.200", 0)
	for range 3 {
		take("192.0.2.201", 5*time.Second) // and takes nothing of all
	}
	take("192.0.3.1", 0)
	take("2001:db8::1", 0)
	for range 3 {
		take("198.51.100.1", time.Second) // and takes nothing of its own
	}
	now = now.Add(time.Second)
	take("198.51.100.1", 0)
	now = now.Add(time.Second)
	take("198.51.100.1", 0)
	now = now.Add(10 * time.Second)
	take("2001:db8:0:1::1", 0)
	take("2001:db8:0:2::1", 0)
	take("2001:db8:0:3::1", 0)
	take("2001:db8:0:4::1", 5*time.Second)
	take("2001:db8:1:4::1", 0)
}

// However many come, those that came last are remembered.
func TestSharesAreBounded(t *testing.T) {
	rate := limit.Rate{PerSecond: 1e-3, Burst: 1}
	s := limit.NewShares(limit.Share{Address: rate, Network: rate, All: limit.Rate{PerSecond: 1e9, Burst: 1e9}}, 50)
	for i := range 10_000 {
		s.Take(netip.MustParseAddr(fmt.Sprintf("10.%d.%d.1", i/256, i%256)), begin)
	}
	if n := s.Len(); n != 100 {
		t.Errorf("%d addresses and networks are remembered, want 50 of each", n)
	}
	if s.Take(netip.MustParseAddr("10.39.15.1"), begin) == 0 {
		t.Error("who came last is forgotten")
	}
}

func TestNetworkOf(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.77":                "192.0.2.0",
		"::ffff:192.0.2.77":         "192.0.2.0",
		"2001:db8:1:2:3:4:5:6":      "2001:db8:1::",
		"[2001:db8:1:ffff::1]:8080": "2001:db8:1::",
	} {
		if got := limit.NetworkOf(limit.AddressOf(addr)); got != netip.MustParseAddr(want) {
			t.Errorf("%s is of %s, want %s", addr, got, want)
		}
	}
	if got := limit.NetworkOf(limit.AddressOf("@")); got.IsValid() {
		t.Errorf("a socket is of %s", got)
	}
}
