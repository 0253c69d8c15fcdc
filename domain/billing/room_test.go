package billing_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"

	"sandglass/domain/billing"
	"sandglass/domain/billing/room"
	"sandglass/domain/instant"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

type networkKey struct{}

// from returns the context of a request of a network.
func from(network int) context.Context {
	return context.WithValue(context.Background(), networkKey{}, netip.AddrFrom4([4]byte{10, byte(network), 0, 0}))
}

// town is a shop that tells networks apart, with so many places.
func town(t *testing.T, capacity int64) *shop {
	s := open(t)
	s.bounded(capacity)
	s.Network = func(ctx context.Context) netip.Addr {
		a, _ := ctx.Value(networkKey{}).(netip.Addr)
		return a
	}
	return s
}

// orderFrom orders from a network.
func (s *shop) orderFrom(network int, id string) (payment.State, error) {
	o, err := s.Order(from(network), stream.Meta{}, few(resource.ID(id)))
	return o.Payment, err
}

// has orders from a network, which has to be given an invoice.
func (s *shop) has(network int, id string) payment.State {
	s.t.Helper()
	p, err := s.orderFrom(network, id)
	s.must(err)
	return p
}

// hasNot orders from a network, for which there is no room.
func (s *shop) hasNot(network int, id string) {
	s.t.Helper()
	if _, err := s.orderFrom(network, id); !errors.Is(err, billing.ErrCapacity) {
		s.t.Errorf("%s of network %d: %v", id, network, err)
	}
}

// payable counts the invoices that can be paid, of those that were given.
func (s *shop) payable(given ...payment.State) (n int) {
	s.t.Helper()
	for _, p := range given {
		if ok, _ := s.wallet.IsOpen(s.t.Context(), p.Key); ok {
			n++
		}
	}
	return n
}

// Who takes all places and pays for none loses them to those who come, the oldest first, and gets none of
// theirs.
func TestWhoDoesNotPayGivesWay(t *testing.T) {
	s := town(t, 8)
	var mine []payment.State
	for i := range 8 {
		mine = append(mine, s.has(1, fmt.Sprint("mine-", i)))
		s.clock.Advance(instant.Second)
	}
	var theirs []payment.State
	for i := range 7 {
		theirs = append(theirs, s.has(2+i, fmt.Sprint("theirs-", i)))
		if n := s.payable(mine...); n != 7-i || s.payable(mine[:i+1]...) != 0 {
			t.Errorf("%d of the attacker's can be paid after %d came", n, i+1)
		}
		s.hasNot(1, "more") // which is too soon, within a network
		if s.available() != 0 {
			t.Errorf("%d can be had", s.available())
		}
	}
	s.clock.Advance(room.Least)
	again := s.has(1, "more")
	if s.payable(mine...) != 0 || s.payable(theirs...) != 7 || s.payable(again) != 1 {
		t.Error("the attacker took another's place than its own")
	}
	for i, p := range theirs {
		s.settle(p, price)
		if r, _ := s.Resource(resource.ID(fmt.Sprint("theirs-", i))); r.Status != resource.StatusRunning {
			t.Errorf("a customer has %s", r.Status)
		}
	}
	s.clock.Advance(instant.Second)
	s.settle(s.has(20, "last"), price)
	s.clock.Advance(instant.Hour)
	s.hasNot(30, "none")
}

// The first order of a network has its place for a time, and gives way to a network that has ordered less
// since, or to its own.
func TestAnOrderHasItsPlaceForATime(t *testing.T) {
	s := town(t, 2)
	a, b := s.has(1, "a"), s.has(2, "b")
	s.clock.Advance(room.Least - 1)
	s.hasNot(3, "c")
	s.clock.Advance(1)
	c := s.has(3, "c")
	if s.payable(a) != 0 || s.payable(b, c) != 2 {
		t.Error("not the oldest gave way")
	}
	s.hasNot(1, "a") // it has ordered as much as the others
	b2 := s.has(2, "b2")
	if s.payable(b) != 0 || s.payable(c, b2) != 2 {
		t.Error("not the network's own gave way")
	}
	s.clock.Advance(room.Least/2 - 1)
	s.hasNot(4, "d")
	s.clock.Advance(1) // half as long for its second one
	d := s.has(4, "d")
	if s.payable(b2) != 0 || s.payable(c, d) != 2 {
		t.Error("not that of the network gave way which ordered most")
	}
	s.clock.Advance(room.Memory)
	if s.has(1, "a"); s.payable(c) != 0 {
		t.Error("what was not paid counts for ever")
	}
}

// An order is of who made it: that others ask for its invoice, or had the id before, makes it neither
// older nor younger.
func TestAnOrderIsOfWhoMadeIt(t *testing.T) {
	s := town(t, 2)
	mine := s.has(1, "web")
	s.clock.Advance(room.Least)
	s.has(2, "other")
	other, err := s.Pay(from(9), "web", 2*hour, 0, false)
	s.must(err)
	if s.has(3, "c"); s.payable(mine, other) != 0 {
		t.Error("a stranger's request kept the order its place")
	}
	s.clock.Advance(room.Least)
	web := s.has(4, "web")
	for range 3 {
		s.hasNot(1, "mine") // whose id it was
	}
	s.clock.Advance(room.Least - 1)
	s.has(5, "d")
	if s.payable(web) != 1 {
		t.Error("the order is taken for that of who had its id")
	}
}

// What is paid, or is being paid, gives way to nobody, and neither does what another wallet made, or what
// is under way.
func TestWhatIsPaidGivesWayToNobody(t *testing.T) {
	s := town(t, 3)
	a, b, c := s.has(1, "a"), s.has(1, "b"), s.has(1, "c")
	s.clock.Advance(room.Least)
	s.wallet.closed[a.Key] = true // which the log does not know yet
	d := s.has(2, "d")
	if s.payable(b) != 0 || s.payable(c, d) != 2 {
		t.Error("what is being paid is in the way")
	}
	s.wallet.closed[c.Key], s.wallet.closed[d.Key] = true, true
	s.clock.Advance(room.Least)
	made := s.wallet.made
	for range 3 { // which does not count against who got none
		if s.hasNot(3, "e"); s.wallet.made != made || s.available() != 0 {
			t.Error("the wallet made an invoice that has no place")
		}
	}
	s.settle(a, price)
	s.settle(c, price)
	s.settle(d, price)
	s.hasNot(3, "e")

	s = town(t, 1)
	s.has(1, "a")
	s.clock.Advance(room.Least)
	s.Node = func() string { return "02bb" }
	s.hasNot(2, "b")
}

// An address alone takes nobody's place.
func TestAnAddressTakesNobodysPlace(t *testing.T) {
	s := town(t, 1)
	s.Chain, s.Node = &chain{}, func() string { return "02aa" }
	s.has(1, "a")
	s.clock.Advance(2 * hour)
	s.has(2, "b")
	s.clock.Advance(room.Least)
	if _, err := s.Address(from(1), stream.Meta{}, "a"); !errors.Is(err, billing.ErrCapacity) {
		t.Errorf("an address of an order without a place: %v", err)
	}
}

// losing is a wallet whose cancellations are lost, or their answers.
type losing struct {
	*fakeWallet
	kept bool
	err  error
}

func (w *losing) Cancel(ctx context.Context, key payment.Key) error {
	if w.err != nil && !w.kept {
		return w.err
	}
	return errors.Join(w.fakeWallet.Cancel(ctx, key), w.err)
}

// However giving way fails, no more can be paid than fit, and it is tried again.
func TestGivingWayFailsBothWays(t *testing.T) {
	for _, kept := range []bool{false, true} {
		s := town(t, 2)
		w := &losing{s.wallet, kept, nil}
		s.Wallet = w
		given := []payment.State{s.has(1, "a"), s.has(1, "b")}
		s.clock.Advance(room.Least)
		w.err = errors.New("lost")
		made := s.wallet.made
		for range 3 {
			if _, err := s.orderFrom(2, "c"); !errors.Is(err, billing.ErrWallet) || s.wallet.made != made {
				t.Errorf("the order that does not give way: %v", err)
			}
		}
		p, _ := s.views.Plan("few")
		if u := s.Usage(&p); u[0].Taken != 2 || s.payable(given...) > 2 {
			t.Errorf("%d are taken", u[0].Taken)
		}
		w.err = nil
		s.kept.Fail = func(context.Context, *request.Record) (bool, error) { return kept, errors.New("lost") }
		if _, err := s.orderFrom(2, "c"); err == nil || s.payable(given...) != 1 || s.available() != 1 {
			t.Errorf("the order was not kept: %v, and %d can be had", err, s.available())
		}
		s.kept.Fail = nil
		if s.has(2, "c"); s.available() != 0 || s.payable(given...) != 1 {
			t.Error("it was not tried again")
		}
	}
}

// After a restart it is not known whose an order is: the oldest gives way, after its time.
func TestGivingWayAfterARestart(t *testing.T) {
	s := town(t, 2)
	a := s.has(1, "a")
	s.clock.Advance(instant.Second)
	b := s.has(1, "b")
	again := town(t, 2)
	again.clock.Advance(s.clock.Now().Sub(again.clock.Now()))
	again.Requests, again.Opening, again.wallet, again.Wallet = s.Requests, s.Opening, s.wallet, s.wallet
	again.hasNot(2, "c")
	s.clock.Advance(room.Least - instant.Second)
	again.clock.Advance(room.Least - instant.Second)
	c := again.has(2, "c")
	if again.payable(a) != 0 || again.payable(b, c) != 2 {
		t.Error("not the oldest gave way")
	}
}

// Whoever comes at once, an invoice is given for each place once.
func TestGivingWayAtOnce(t *testing.T) {
	s := town(t, 4)
	var given []payment.State
	for i := range 4 {
		given = append(given, s.has(1, fmt.Sprint("mine-", i)))
	}
	s.clock.Advance(room.Least)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			p, err := s.orderFrom(2+i%15, fmt.Sprint("theirs-", i))
			if err != nil && !errors.Is(err, billing.ErrCapacity) {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				given = append(given, p)
			}
			if n := s.payable(given...); n > 4 {
				t.Errorf("%d can be paid", n)
			}
		})
	}
	wg.Wait()
	if n := s.payable(given...); n != 4 || s.payable(given[:4]...) != 0 || len(given) != 8 || s.available() != 0 {
		t.Errorf("%d can be paid, of %d", n, len(given))
	}
}
