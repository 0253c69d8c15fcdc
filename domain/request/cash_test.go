package request_test

import (
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/testutil/storetest"
)

// What a token is to pay is found by its hash: before it is paid and for a week after, by another daemon and
// by one that starts anew.
func TestWhatATokenPaysIsFound(t *testing.T) {
	now, kept := epoch, new(storetest.Memory)
	open := func() *request.Set {
		s := request.New(request.Options{Store: kept, Now: func() instant.Time { return now }, Most: 10})
		return s
	}
	token := [32]byte{7}
	asked, second := invoice("00", "vm-1"), invoice("01", "vm-1")
	second.At++
	s := open()
	keep := func(r *request.Record) {
		t.Helper()
		if err := s.Keep(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	finds := func(keys ...payment.Key) {
		t.Helper()
		found := s.OfToken(token)
		if len(found) != len(keys) {
			t.Fatalf("%d are found, want %v", len(found), keys)
		}
		for i, r := range found {
			if r.Key != keys[i] || r.Cash.Token != token {
				t.Errorf("found is %+v, want %s", r, keys[i])
			}
		}
	}
	keep(asked)
	keep(second)
	finds()
	for _, r := range []*request.Record{second, asked} {
		c := *r
		c.Cash = payment.Cash{Mint: "https://mint.example.org", Quote: "q", Token: token}
		keep(&c)
		keep(&c)
		keep(r) // late
	}
	finds(asked.Key, second.Key)
	if n := s.Open(); n.Orders != 2 {
		t.Errorf("open are %+v", n)
	}
	s.Done(t.Context(), asked.Name(), 0)
	finds(asked.Key, second.Key)
	if _, ok := s.Find(asked.Key); ok || len(s.Of("vm-1")) != 1 || len(kept.Names()) == 0 {
		t.Errorf("what is done is among what is asked for: %v", s.Of("vm-1"))
	}
	keep(asked) // as a store that forgets nothing yields it
	now = asked.Expiry.Add(request.Keep)
	s.Swept("02aa", now.Add(-instant.Day))
	s.Lapse(t.Context())
	finds(asked.Key, second.Key)
	now++
	s.Lapse(t.Context())
	finds()
	if names := kept.Names(); len(names) != 0 {
		t.Errorf("left are %v", names)
	}
}

// What gave way before its token paid is kept for no longer than it would have been open: it cost nobody anything.
func TestWhatATokenDidNotPayLapses(t *testing.T) {
	now, kept := epoch, new(storetest.Memory)
	s := request.New(request.Options{Store: kept, Now: func() instant.Time { return now }, Most: 10})
	r := invoice("00", "vm-1")
	r.Cash = payment.Cash{Mint: "https://mint.example.org", Quote: "q", Token: [32]byte{7}}
	if err := s.Keep(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	s.Canceled(t.Context(), r.Name())
	left := func(n int) {
		t.Helper()
		s.Lapse(t.Context())
		if of, names := s.OfToken([32]byte{7}), kept.Names(); len(of) != n || len(names) != n {
			t.Errorf("want %d: %v, %v", n, of, names)
		}
	}
	if _, ok := s.Find(r.Key); ok || s.Open() != (request.Counts{}) {
		t.Error("it is open")
	}
	now = r.Expiry.Add(request.Settling)
	left(1)
	now++
	left(0)
}
