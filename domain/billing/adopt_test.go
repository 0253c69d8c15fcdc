package billing_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"sandglass/domain/address"
	"sandglass/domain/billing"
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
