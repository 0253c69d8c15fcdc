package limit_test

import (
	"errors"
	"fmt"
	"testing"

	"sandglass/adapters/httpapi/limit"
)

// Whoever has a whole network leaves room to others, and what is left is free again.
func TestAQuotaIsOfAddressNetworkAndAll(t *testing.T) {
	for _, networks := range [][3]string{
		{"192.0.2.%d", "198.51.100.%d", "203.0.113.%d"},
		{"2001:db8:0:%d::1", "2001:db8:1:%d::1", "2001:db8:2:%d::1"},
	} {
		const per, inNetwork = 3, limit.InNetwork * 3
		q := limit.NewQuota(2*inNetwork, per)
		var leaves []func()
		fill := func(network string, want error) {
			t.Helper()
			n := 0
			for i := range 100 {
				addr := limit.AddressOf(fmt.Sprintf(network, i))
				for range per {
					leave, err := q.Enter(addr)
					if err == nil {
						leaves, n = append(leaves, leave), n+1
					} else if !errors.Is(err, want) {
						t.Fatalf("%s after %d: %v, want %v", addr, n, err, want)
					}
				}
			}
			if full := map[error]int{limit.ErrAddressFull: inNetwork, limit.ErrFull: 0}[want]; n != full {
				t.Errorf("%s has %d, want %d", network, n, full)
			}
		}
		fill(networks[0], limit.ErrAddressFull)
		fill(networks[1], limit.ErrAddressFull)
		fill(networks[2], limit.ErrFull)
		for _, leave := range leaves {
			leave()
			leave() // is once
		}
		if n := q.Count(); n != 0 {
			t.Errorf("%d are open at the end", n)
		}
		fill(networks[2], limit.ErrAddressFull)
	}
}
