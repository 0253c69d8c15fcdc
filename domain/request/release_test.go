package request_test

import (
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/request"
	"sandglass/testutil/storetest"
)

// What an order gave out that is released is the order's no more, and is found by its name: an
// invoice until it lapses, an address for good. Another daemon, and one that starts anew, may hear
// of it in any order.
func TestWhatIsReleasedIsOfNothing(t *testing.T) {
	now, kept := epoch, new(storetest.Memory)
	open := func() *request.Set {
		return request.New(request.Options{Store: kept, Now: func() instant.Time { return now }, Most: 10})
	}
	asked, addr := invoice("00", "vm-1"), invoice("", "vm-1")
	addr.Key, addr.Address, addr.Invoice, addr.Expiry = "", "bcrt1q", "", 0
	keep := func(s *request.Set, records ...*request.Record) {
		t.Helper()
		for _, r := range records {
			if err := s.Keep(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
	}
	released := func(r *request.Record) *request.Record {
		c := *r
		c.Released = now + 1
		return &c
	}
	for name, records := range map[string][]*request.Record{
		"as it was":   {asked, addr, released(asked), released(addr)},
		"twice":       {asked, addr, released(asked), released(addr), asked, addr, released(asked)},
		"out of turn": {released(addr), addr, released(asked), asked},
	} {
		now = epoch
		s := open()
		keep(s, records...)
		if _, _, ok := s.Order("vm-1"); ok || len(s.Of("vm-1")) != 0 || s.CanBePaid("vm-1") || len(s.Hosts()) != 0 {
			t.Errorf("%s: it is an order, %v, %v", name, s.Of("vm-1"), s.Hosts())
		}
		a, ok := s.FindAddress("bcrt1q")
		i, found := s.Find(asked.Key)
		if !ok || a.Released == 0 || !found || i.Released == 0 || s.Open() != (request.Counts{}) {
			t.Errorf("%s: found are %+v, %+v, open are %+v", name, a, i, s.Open())
		}
		if len(s.Addresses()) != 1 || s.AddressesSince(0) != 1 || s.AddressesOf("02aa") != 1 {
			t.Errorf("%s: it is not watched: %v", name, s.Addresses())
		}
		now = now.Add(request.Keep + 2*instant.Hour)
		s.Swept("02aa", now)
		s.Lapse(t.Context())
		_, found = s.Find(asked.Key)
		if _, ok := s.FindAddress("bcrt1q"); !ok || found {
			t.Errorf("%s: after a week the address is there: %t, the invoice: %t", name, ok, found)
		}
	}
}
