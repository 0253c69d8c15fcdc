package billing_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"sandglass/domain/address"
	"sandglass/domain/billing"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
)

var errNotOurs = errors.New("the address is another's")

// finder knows of addresses: those that begin with 1 are none.
type finder struct{ err error }

func (f *finder) FindAddress(_ context.Context, addr string) (billing.Address, error) {
	if addr[0] == '1' {
		return billing.Address{}, fmt.Errorf("%w: no address", billing.ErrInvalid)
	}
	return billing.Address{Address: addr, Node: "02aa", Height: 77}, f.err
}

func TestAnAddressIsAdopted(t *testing.T) {
	s := open(t)
	adopt := func(addr string, id resource.ID, lost bool) (address.State, error) {
		out, err := s.Adopt(t.Context(), stream.Meta{Actor: "operator"}, addr, id, lost)
		return out.State, err
	}
	s.Addresses = &address.Handler{Aggregate: address.Aggregate(), Store: s.store}
	if _, err := adopt("bcrt1qlost", "vm", false); !errors.Is(err, billing.ErrInvalid) {
		t.Errorf("nothing is paid on the chain: %v", err)
	}
	f, told := &finder{}, 0
	s.Finder, s.Adopted = f, func() { told++ }
	if _, err := adopt("bcrt1qlost", "vm", false); !errors.Is(err, resource.ErrNotOpened) {
		t.Errorf("there is no such resource: %v", err)
	}
	s.settle(s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "vm", IdempotencyKey: key}).Payment, price)
	f.err = errNotOurs
	if _, err := adopt("bcrt1qlost", "vm", false); !errors.Is(err, errNotOurs) {
		t.Errorf("it is another's: %v", err)
	}
	f.err = nil
	if _, err := adopt("1", "vm", false); !errors.Is(err, billing.ErrInvalid) {
		t.Errorf("it is none: %v", err)
	}
	for range 2 {
		a, err := adopt("bcrt1qlost", "vm", false)
		if err != nil || a.Resource != "vm" || a.Height != 77 || a.Node != "02aa" {
			t.Errorf("%+v, %v", a, err)
		}
	}
	if id, height, ok := s.views.Issued("bcrt1qlost"); id != "vm" || height != 77 || !ok || told != 2 {
		t.Errorf("it is of %q from height %d, %v; told %d times", id, height, ok, told)
	}
	if _, err := adopt("bcrt1qlost", "other", true); !errors.Is(err, address.ErrConflict) {
		t.Errorf("it is another resource's: %v", err)
	}
	if _, err := adopt("bcrt1qgone", "gone", true); err != nil {
		t.Errorf("the resource is lost too: %v", err)
	}
	if lowest, all := s.views.IssuedAfter(all(s) - 1); lowest != 77 || all < 2 {
		t.Errorf("of %d addresses the last is of height %d", all, lowest)
	}
}

func all(s *shop) int {
	_, n := s.views.IssuedAfter(0)
	return n
}

// The write is lost, or kept while its answer is lost: adopting again does the rest.
func TestAnAddressIsAdoptedThroughFaults(t *testing.T) {
	for _, fault := range []storetest.Fault{storetest.Lost, storetest.AnswerLost} {
		s := open(t)
		s.Addresses, s.Finder = &address.Handler{Aggregate: address.Aggregate(), Store: s.store}, &finder{}
		s.store.OnAppend = storetest.Faults(fault)
		if _, err := s.Adopt(t.Context(), stream.Meta{}, "bcrt1qlost", "gone", true); err == nil {
			t.Error("the answer of a failed append")
		}
		if _, err := s.Adopt(t.Context(), stream.Meta{}, "bcrt1qlost", "gone", true); err != nil {
			t.Error(err)
		}
		head, err := s.store.Head(t.Context())
		s.must(errors.Join(err, s.views.WaitFor(t.Context(), head)))
		if n := all(s); n != 1 {
			t.Errorf("%d addresses", n)
		}
	}
}

// TestNothingIsOpenedForWhatIsRefused: what an operator asks for in vain opens nobody's order.
func TestNothingIsOpenedForWhatIsRefused(t *testing.T) {
	s, trap := trapped(t)
	ctx := t.Context()
	f := &finder{}
	s.Finder = f
	_, err := s.Adopt(ctx, stream.Meta{}, "bcrt1qother", "other", true) // an address of another resource
	s.must(err)
	_, err = s.Release(ctx, stream.Meta{}, "web-1", resource.ReasonHolder) // the order of the trap is no more
	s.must(err)
	s.order(next)
	adopt := func(addr string) error {
		_, err := s.Adopt(ctx, stream.Meta{}, addr, "web-1", false)
		return err
	}
	away := func(addr string) error {
		f.err = errNotOurs
		defer func() { f.err = nil }()
		return adopt(addr)
	}
	grant := func(key string, time instant.Millis) error {
		_, err := s.Grant(ctx, stream.Meta{}, "web-1", key, time, "")
		return err
	}
	_, price := s.Reprice(ctx, stream.Meta{}, "web-1", money.Price{})
	_, move := s.Move(ctx, stream.Meta{}, "web-1", "no host")
	for what, x := range map[string]struct{ got, want error }{
		"what is no address":                  {adopt("1"), billing.ErrInvalid},
		"an address that is not the wallet's": {away("bcrt1qnonsense"), errNotOurs},
		"the address of another resource":     {adopt("bcrt1qother"), address.ErrConflict},
		"that of an order which was released": {adopt(trap), address.ErrConflict},
		"a grant of no time":                  {grant("g", 0), resource.ErrInvalid},
		"a grant of too much":                 {grant("g", money.MaxTime+1), resource.ErrInvalid},
		"a grant without a key":               {grant("", hour), plan.ErrInvalid},
		"a price that is none":                {price, resource.ErrInvalid},
		"a host that can't be":                {move, resource.ErrInvalid},
	} {
		if !errors.Is(x.got, x.want) {
			t.Errorf("%s: %v, want %v", what, x.got, x.want)
		}
	}
	if out, err := s.Resources.Load(ctx, "web-1"); err != nil || out.State.Status != resource.StatusNone {
		t.Errorf("it was opened, and is %s, %v", out.State.Status, err)
	}
	if err := adopt("bcrt1qlost"); err != nil {
		t.Error(err)
	}
	if out, err := s.Resources.Load(ctx, "web-1"); err != nil || out.State.Status != resource.StatusAwaiting {
		t.Errorf("it is %s, %v", out.State.Status, err)
	}
}
