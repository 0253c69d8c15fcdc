package billing_test

import (
	"errors"
	"strings"
	"testing"

	"sandglass/domain/billing"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// offer publishes a plan on some hosts.
func (s *shop) offer(name string, hosts ...string) {
	s.t.Helper()
	p := plan.Offer{
		Terms: resource.Terms{Price: money.Price{Msat: price, Per: hour}, Grace: instant.Day},
		Min:   instant.Minute,
		Max:   30 * instant.Day,
		Hosts: plan.HostsOf(hosts...),
	}
	out, err := s.Publish(s.t.Context(), stream.Meta{}, name, p)
	s.must(errors.Join(err, s.views.WaitFor(s.t.Context(), out.Position)))
}

// TestWhereAnOrderIsPlaced orders one after the other on one log, so that each finds the
// resources of those before it.
func TestWhereAnOrderIsPlaced(t *testing.T) {
	s := open(t)
	s.Limits.Awaiting, s.Limits.Open = 99, 99
	s.offer("racks", "b", "c")
	for _, x := range []struct {
		daemon, plan, asked string
		id                  resource.ID
		want                string
	}{
		{"", "small", "", "one-machine", ""},
		{"a", "small", "", "its-own", "a"},
		{"a", "small", "a", "its-own-by-name", "a"},
		{"", "small", "a", "one-that-is-known", "a"},
		{"b", "racks", "", "its-own-of-the-plans", "b"},
		{"a", "racks", "", "the-other-has-fewer", "c"},
		{"", "racks", "", "both-have-one", "b"},
		{"", "racks", "", "b-has-two", "c"},
		{"b", "racks", "c", "another-by-name", "c"},
		{"b", "small", "c", "any-that-is-known", "c"},
	} {
		s.Host = x.daemon
		o := s.order(billing.OrderRequest{Plan: x.plan, Time: hour, ID: x.id, Host: x.asked})
		if o.Resource.Host != x.want {
			t.Errorf("%s: it is on %q, want %q", x.id, o.Resource.Host, x.want)
		}
	}
	if got := s.Requests.Hosts(); got[""] != 1 || got["a"] != 3 || got["b"] != 2 || got["c"] != 4 {
		t.Errorf("resources by host: %v", got)
	}
}

// A host that is not known would never meter what is placed on it.
func TestAnOrderOnAHostThatIsNone(t *testing.T) {
	s := open(t)
	s.offer("racks", "b", "c")
	before := s.views.Position()
	for _, x := range []struct{ daemon, plan, asked, says string }{
		{"", "small", "a", `there are no hosts to choose from, so not "a"`},
		{"a", "small", "b", `there is no host "b": choose one of a,`},
		{"a", "racks", "a", `plan "racks" is not offered on "a": choose one of b, c,`},
		{"a", "racks", "b,c", "choose one of b, c,"},
		{"a", "racks", "../c", "choose one of b, c,"},
	} {
		s.Host = x.daemon
		err := s.try(billing.OrderRequest{Plan: x.plan, Time: hour, Host: x.asked})
		if !errors.Is(err, billing.ErrHost) || !strings.Contains(err.Error(), x.says) {
			t.Errorf("%s at %q on %q: %v", x.plan, x.daemon, x.asked, err)
		}
	}
	if head, _ := s.store.Head(t.Context()); head != before {
		t.Errorf("the log went from %d to %d", before, head)
	}
}

// A host that was emptied may be gone, and then nobody would meter what is placed on it.
func TestAnOrderOnAHostThatWasEmptied(t *testing.T) {
	s := open(t)
	s.Host = "old"
	o := s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "vm"})
	s.settle(o.Payment, price)
	s.Host = "new"
	out, err := s.Move(t.Context(), stream.Meta{}, o.Resource.ID, "new")
	s.must(errors.Join(err, s.views.WaitFor(t.Context(), out.Position)))
	err = s.try(billing.OrderRequest{Plan: "small", Time: hour, Host: "old"})
	if !errors.Is(err, billing.ErrHost) || !strings.Contains(err.Error(), "choose one of new,") {
		t.Errorf("an order there: %v", err)
	}
	s.order(billing.OrderRequest{Plan: "small", Time: hour, Host: "new", ID: "vm-2"})
}

// An order is the same order wherever it would be placed now, and wherever it is.
func TestAnOrderThatMovedIsTheSameOrder(t *testing.T) {
	s := open(t)
	s.offer("racks", "b", "c")
	r := billing.OrderRequest{Plan: "racks", Time: hour, IdempotencyKey: key}
	named := billing.OrderRequest{Plan: "racks", Time: hour, IdempotencyKey: key + "-2", Host: "b"}
	first, onB := s.order(r), s.order(named)
	s.offer("racks", "d")
	s.Host = "d"
	for id, o := range map[resource.ID]billing.OrderRequest{first.Resource.ID: r, onB.Resource.ID: named} {
		moved, err := s.Move(t.Context(), stream.Meta{}, id, "d")
		s.must(errors.Join(err, s.views.WaitFor(t.Context(), moved.Position)))
		again := s.order(o)
		if again.New || again.Resource.ID != id || again.Resource.Host != "d" || moved.State.Host != "d" || again.HolderKey == "" {
			t.Errorf("moved to %q, then %+v", moved.State.Host, again)
		}
	}
	for _, host := range []string{"b", "c", "d"} {
		other := r
		other.Host = host
		if err := s.try(other); !errors.Is(err, resource.ErrExists) {
			t.Errorf("the same key, but on %s: %v", host, err)
		}
	}
	named.Host = ""
	if err := s.try(named); !errors.Is(err, resource.ErrExists) {
		t.Errorf("the same key, but anywhere: %v", err)
	}
}

func TestMove(t *testing.T) {
	s := open(t)
	o := s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "vm"})
	s.settle(o.Payment, o.Payment.Asked)
	for _, x := range []struct {
		id   resource.ID
		host string
		want error
	}{{"vm", "b", nil}, {"vm", "b", nil}, {"vm", "B", resource.ErrInvalid}, {"nobody", "b", resource.ErrNotOpened}} {
		got, err := s.Move(t.Context(), stream.Meta{}, x.id, x.host)
		if !errors.Is(err, x.want) || err == nil && got.State.Host != x.host {
			t.Errorf("%s to %s: %q, %v", x.id, x.host, got.State.Host, err)
		}
	}
	s.Swept = make(chan struct{})
	if _, err := s.Move(t.Context(), stream.Meta{}, "vm", "c"); !errors.Is(err, billing.ErrStarting) {
		t.Errorf("before the wallet was read: %v", err)
	}
}

// The request of an order without a host is what it was before there were hosts.
func TestTheRequestIsKept(t *testing.T) {
	s := open(t)
	o := s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "vm", IdempotencyKey: key})
	want := [16]byte{0x65, 0x9b, 0x6c, 0x49, 0xf5, 0x4f, 0xbb, 0xc6, 0x45, 0xb3, 0xc6, 0x93, 0x42, 0x50, 0x7f, 0x79}
	if o.Resource.Request != want {
		t.Errorf("it is %#v", o.Resource.Request)
	}
}
