package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"

	"github.com/google/go-cmp/cmp"
)

// RequestsHarness makes the stores that [Requests] tests.
type RequestsHarness struct {
	// New makes an empty store and returns what opens it.
	New func(t *testing.T) func() RequestStore
	// Forgets says that the store forgets what it is told to. EventStoreDB does by itself.
	Forgets bool
	// Shared says that several may have the store open at once, and hear of each other.
	Shared bool
	// Fail, if not nil, has the next write of the last store that New made fail.
	Fail func(t *testing.T, f Fault)
}

// RequestStore is a store of requests as the daemon has it.
type RequestStore interface {
	request.Store
	io.Closer
}

// Requests is the contract of a [request.Store].
func Requests(t *testing.T, h RequestsHarness) {
	tests := []struct {
		name string
		run  func(*testing.T, RequestsHarness)
		on   bool
	}{
		{"what is kept is followed", keptIsFollowed, true},
		{"what was kept first stands", firstStands, true},
		{"what is released stays so", staysReleased, true},
		{"what a token is to pay stays so", staysWithCash, true},
		{"a release is lost, or its answer", releaseFails, h.Fail != nil},
		{"bounds", requestBounds, true},
		{"a context that has ended", requestEnds, true},
		{"reopened, it goes on", requestsReopened, true},
		{"many keep at once, and many follow", manyKeep, true},
		{"what is forgotten is gone", forgotten, h.Forgets},
		{"forgetting may do nothing", forgetIsSafe, true},
		{"several have it open", severalOpen, h.Shared},
		{"a write is lost", writeLost, h.Fail != nil},
		{"an answer is lost", answerLost, h.Fail != nil},
	}
	for _, test := range tests {
		if test.on {
			t.Run(test.name, func(t *testing.T) { test.run(t, h) })
		}
	}
}

// Request returns the i-th of requests of all kinds: invoices and addresses, of orders and of
// resources that are there.
func Request(i int) *request.Record {
	price := money.Price{Msat: money.Msat(1000 + i), Per: 1000}
	r := &request.Record{Node: "02" + strings.Repeat("ab", 32), ByHolder: i%3 == 0, Own: i%2 == 0, Request: payment.Request{
		At: began + instant.Time(i), Resource: resource.ID(fmt.Sprintf("vm-%d", i/2)), Amount: money.Msat(i), Price: price,
	}}
	if i%4 < 3 {
		r.Key = payment.LightningKey(fmt.Sprintf("%064x", i))
		r.Expiry, r.Invoice = r.At.Add(instant.Hour), "lnbcrt"+strings.Repeat("q", 300+i%7)
	} else {
		r.Address, r.Height = fmt.Sprintf("bcrt1q%038d", i), int64(1+i)
	}
	if i%4 != 1 {
		r.Order = &resource.Order{
			Plan: "small", Terms: resource.Terms{Price: price, Warn: resource.Warn{Share: 100_000}, Grace: instant.Hour},
			Enforcer: "systemd", Host: "a", Holder: [16]byte{0: 1, 15: byte(i)}, Request: [16]byte{0: 2, 14: byte(i >> 8), 15: byte(i)},
		}
	}
	return r
}

// open opens an empty store for one test.
func (h RequestsHarness) open(t *testing.T) RequestStore {
	t.Helper()
	s := h.New(t)()
	t.Cleanup(func() { closeRequests(t, s) })
	return s
}

func closeRequests(t *testing.T, s RequestStore) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("closing the requests: %v", err)
	}
}

func keep(t *testing.T, s request.Store, records ...*request.Record) {
	t.Helper()
	for _, r := range records {
		if err := s.Keep(t.Context(), r); err != nil {
			t.Fatalf("keeping %s: %v", r.Name(), err)
		}
	}
}

// kept returns by name what a new follower is yielded up to the empty run. What comes twice is
// the same.
func kept(t *testing.T, s request.Store) map[string]*request.Record {
	t.Helper()
	all := map[string]*request.Record{}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for run, err := range s.Follow(ctx) {
		if err != nil {
			t.Fatalf("following, after %d records: %v", len(all), err)
		}
		if len(run) == 0 {
			return all
		}
		gather(t, all, run)
	}
	t.Fatalf("following ended after %d records, without an empty run", len(all))
	return nil
}

func gather(t *testing.T, all map[string]*request.Record, run []*request.Record) {
	t.Helper()
	for _, r := range run {
		before, ok := all[r.Name()]
		if ok && outranks(before, r) {
			continue
		}
		if ok && !outranks(r, before) && !cmp.Equal(r, before) {
			t.Errorf("%s comes twice, and differs:\n%s", r.Name(), cmp.Diff(before, r))
		}
		all[r.Name()] = r
	}
}

// holds checks that a store holds those records and no others.
func holds(t *testing.T, s request.Store, want ...*request.Record) {
	t.Helper()
	sameRequests(t, kept(t, s), want)
}

func sameRequests(t *testing.T, got map[string]*request.Record, want []*request.Record) {
	t.Helper()
	missing := map[string]bool{}
	for _, r := range want {
		missing[r.Name()] = true
		if there := got[r.Name()]; there != nil {
			delete(missing, r.Name())
			if diff := cmp.Diff(r, there); diff != "" {
				t.Errorf("%s (-want +got):\n%s", r.Name(), diff)
			}
		}
	}
	if len(missing) > 0 {
		t.Errorf("%d of %d are missing, such as %v", len(missing), len(want), slices.Sorted(maps.Keys(missing))[0])
	}
	if more := len(got) - (len(want) - len(missing)); more > 0 {
		t.Errorf("%d more than the %d that were kept", more, len(want))
	}
}

func some(from, to int) (list []*request.Record) {
	for i := from; i < to; i++ {
		list = append(list, Request(i))
	}
	return list
}

func keptIsFollowed(t *testing.T, h RequestsHarness) {
	s := h.open(t)
	holds(t, s)
	keep(t, s, some(0, 10)...)
	holds(t, s, some(0, 10)...)
	keep(t, s, some(10, 1300)...) // which are several runs
	holds(t, s, some(0, 1300)...)
	f := followLive(t, s)
	<-f.caughtUp
	keep(t, s, some(1300, 1320)...)
	f.await(t, 1320)
	sameRequests(t, f.stop(), some(0, 1320))
}

func firstStands(t *testing.T, h RequestsHarness) {
	s := h.open(t)
	f := followLive(t, s)
	keep(t, s, some(0, 8)...)
	keep(t, s, some(0, 8)...)
	other := Request(0)
	other.Amount, other.Resource = 77, "vm-other"
	if err := s.Keep(t.Context(), other); err != nil {
		t.Errorf("another record of the same name: %v", err)
	}
	keep(t, s, Request(8))
	f.await(t, 9)
	sameRequests(t, f.stop(), some(0, 9))
	holds(t, s, some(0, 9)...)
}

// release returns the i-th request with its order released.
func release(i int) *request.Record {
	r := Request(i)
	r.Released = r.At + 1
	return r
}

func staysReleased(t *testing.T, h RequestsHarness) {
	open := h.New(t)
	s := open()
	f := followLive(t, s)
	keep(t, s, some(0, 8)...)
	keep(t, s, release(3), release(3), Request(3), release(0))
	want := append(some(1, 3), append(some(4, 8), release(0), release(3), Request(8), Request(11))...)
	keep(t, s, Request(8), Request(11)) // after both, an invoice and an address
	f.await(t, 10)
	sameRequests(t, f.stop(), want)
	holds(t, s, want...)
	closeRequests(t, s)
	s = open()
	defer closeRequests(t, s)
	keep(t, s, release(15)) // though what it was before is not there
	holds(t, s, append(want, release(15))...)
}

// cash returns the i-th request with a token that is to pay it.
func cash(i int) *request.Record {
	r := Request(i)
	r.Cash = payment.Cash{Mint: "https://mint.example.org", Quote: fmt.Sprintf("q-%d", i), Token: [32]byte{31: byte(1 + i)}}
	return r
}

func staysWithCash(t *testing.T, h RequestsHarness) {
	open := h.New(t)
	s := open()
	released := cash(2)
	released.Released = released.At + 1
	keep(t, s, some(0, 3)...)
	keep(t, s, cash(0), Request(0), release(1), cash(1), cash(2), released, cash(2), release(2))
	other := cash(0)
	other.Cash.Quote = "another"
	keep(t, s, other)
	holds(t, s, cash(0), release(1), released)
	closeRequests(t, s)
	s = open()
	defer closeRequests(t, s)
	keep(t, s, cash(0), Request(2))
	holds(t, s, cash(0), release(1), released)
}

func releaseFails(t *testing.T, h RequestsHarness) {
	s := h.open(t)
	keep(t, s, Request(3), Request(7))
	h.Fail(t, Lost)
	if err := s.Keep(t.Context(), release(3)); err != nil {
		holds(t, s, Request(3), Request(7))
		keep(t, s, release(3))
	}
	holds(t, s, release(3), Request(7))
	h.Fail(t, AnswerLost)
	_ = s.Keep(t.Context(), release(7)) // whatever is answered, it was kept
	holds(t, s, release(3), release(7))
	keep(t, s, release(7))
	holds(t, s, release(3), release(7))
}

func requestBounds(t *testing.T, h RequestsHarness) {
	s := h.open(t)
	for what, change := range map[string]func(*request.Record){
		"no name":   func(r *request.Record) { r.Key = "" },
		"two names": func(r *request.Record) { r.Address = "bcrt1q" },
		"too long":  func(r *request.Record) { r.Invoice = strings.Repeat("x", request.MaxBytes) },
	} {
		r := Request(0)
		change(r)
		if err := s.Keep(t.Context(), r); !errors.Is(err, stream.ErrInvalid) {
			t.Errorf("%s: %v, want %v", what, err, stream.ErrInvalid)
		}
	}
	holds(t, s)
	largest := Request(4)
	largest.At, largest.Expiry, largest.Amount = instant.Max, instant.Max, math.MaxInt64
	largest.Price = money.Price{Msat: math.MaxInt64, Per: math.MaxInt64}
	largest.Order.Terms = resource.Terms{Price: largest.Price, Grace: math.MaxInt64, Warn: resource.Warn{
		Time: math.MaxInt64, Amount: math.MaxInt64, Share: math.MaxInt64,
	}, Uptime: true, Hold: true, StartWithin: math.MaxInt64, MaxOutage: math.MaxInt64, MaxPause: math.MaxInt64}
	largest.Invoice = strings.Repeat("x", request.MaxBytes-len(request.Encode(largest))+len(largest.Invoice))
	strange := Request(3)
	strange.Address, strange.Height, strange.Node = "\x00' ; ☂ \"\\", math.MaxInt64, "<&>"
	keep(t, s, largest, strange)
	holds(t, s, largest, strange)
}

func requestEnds(t *testing.T, h RequestsHarness) {
	s := h.open(t)
	keep(t, s, Request(0))
	ended, end := context.WithCancel(t.Context())
	end()
	if err := s.Keep(ended, Request(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("keeping when ctx has ended: %v", err)
	}
	for run, err := range s.Follow(ended) {
		t.Errorf("following when ctx has ended: %v, %v", run, err)
	}
	f := followLive(t, s)
	<-f.caughtUp
	f.stop() // which waits until it has ended, without an error
	holds(t, s, Request(0))
}

func requestsReopened(t *testing.T, h RequestsHarness) {
	open := h.New(t)
	for round := range 4 {
		s := open()
		holds(t, s, some(0, 3*round)...)
		keep(t, s, some(3*round, 3*round+3)...)
		keep(t, s, Request(0))
		f := followLive(t, s)
		<-f.caughtUp
		closeRequests(t, s)
		if err := s.Keep(t.Context(), Request(100)); err == nil {
			t.Error("it was closed, and keeps")
		}
		if err := f.ended(); err == nil {
			t.Error("it was closed, and following has ended without an error")
		}
	}
}

func manyKeep(t *testing.T, h RequestsHarness) {
	const writers, each = 32, 12
	s := h.open(t)
	followers := []*requestFollower{followLive(t, s), followLive(t, s), followLive(t, s)}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if err := s.Keep(t.Context(), Request(w*each+i)); err != nil {
					t.Error(err)
				}
				if err := s.Keep(t.Context(), Request(i)); err != nil { // that others keep too
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, f := range followers {
		f.await(t, writers*each)
		sameRequests(t, f.stop(), some(0, writers*each))
	}
	holds(t, s, some(0, writers*each)...)
}

func names(records []*request.Record) (list []string) {
	for _, r := range records {
		list = append(list, r.Name())
	}
	return list
}

func forgotten(t *testing.T, h RequestsHarness) {
	open := h.New(t)
	s := open()
	keep(t, s, some(0, 2000)...)
	f := followLive(t, s)
	f.await(t, 2000)
	if err := s.Forget(t.Context(), names(some(5, 1990))); err != nil {
		t.Fatal(err)
	}
	holds(t, s, append(some(0, 5), some(1990, 2000)...)...)
	if err := s.Forget(t.Context(), names(some(0, 2010))); err != nil { // of which most are gone
		t.Fatal(err)
	}
	holds(t, s)
	keep(t, s, some(2000, 2003)...) // who follows hears of those too
	keep(t, s, Request(5))          // a name that was forgotten may be kept
	f.await(t, 2003)
	f.stop()
	closeRequests(t, s)
	s = open()
	defer closeRequests(t, s)
	holds(t, s, append(some(2000, 2003), Request(5))...)
}

func forgetIsSafe(t *testing.T, h RequestsHarness) {
	s := h.open(t)
	keep(t, s, some(0, 3)...)
	for _, list := range [][]string{nil, {}, {"unknown"}, names(some(1, 2)), names(some(1, 2))} {
		if err := s.Forget(t.Context(), list); err != nil {
			t.Errorf("forgetting %q: %v", list, err)
		}
	}
	if all := kept(t, s); all[Request(0).Name()] == nil || all[Request(2).Name()] == nil {
		t.Error("others were forgotten")
	}
}

func severalOpen(t *testing.T, h RequestsHarness) {
	open := h.New(t)
	a, b := open(), open()
	defer closeRequests(t, a)
	defer closeRequests(t, b)
	keep(t, a, some(0, 20)...)
	f := followLive(t, b)
	<-f.caughtUp
	keep(t, b, some(20, 40)...)
	keep(t, a, some(40, 60)...)
	f.await(t, 60)
	sameRequests(t, f.stop(), some(0, 60))
	holds(t, a, some(0, 60)...)
}

func writeLost(t *testing.T, h RequestsHarness) {
	s := h.open(t)
	keep(t, s, Request(0))
	for i := 1; i < 5; i++ {
		h.Fail(t, Lost)
		if err := s.Keep(t.Context(), Request(i)); err == nil {
			holds(t, s, some(0, i+1)...) // it was tried again
			continue
		}
		holds(t, s, some(0, i)...)
		keep(t, s, Request(i))
	}
	holds(t, s, some(0, 5)...)
}

func answerLost(t *testing.T, h RequestsHarness) {
	s := h.open(t)
	f := followLive(t, s)
	for i := range 5 {
		h.Fail(t, AnswerLost)
		_ = s.Keep(t.Context(), Request(i)) // whatever is answered, it was kept
		holds(t, s, some(0, i+1)...)
		keep(t, s, Request(i))
	}
	holds(t, s, some(0, 5)...)
	f.await(t, 5)
	sameRequests(t, f.stop(), some(0, 5))
}
