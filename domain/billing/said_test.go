package billing_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"sandglass/domain/billing"
	"sandglass/domain/billing/params"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/plan"
	"sandglass/domain/plan/param"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/resource/config"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
)

// shelf keeps values in memory.
type shelf struct {
	kept   map[params.Ref]*params.Kept
	broken error // of every write
}

func (s *shelf) Keep(k *params.Kept) error {
	if s.broken == nil {
		s.kept[k.Ref()] = k
	}
	return s.broken
}
func (s *shelf) Find(r params.Ref) (*params.Kept, error) {
	if k := s.kept[r]; k != nil {
		return k, nil
	}
	return nil, fs.ErrNotExist
}
func (s *shelf) Forget(r params.Ref) error {
	if s.broken == nil {
		delete(s.kept, r)
	}
	return s.broken
}
func (s *shelf) All() iter.Seq2[params.Ref, error] {
	return func(yield func(params.Ref, error) bool) {
		for _, r := range slices.Collect(maps.Keys(s.kept)) {
			if !yield(r, nil) {
				return
			}
		}
	}
}
func (s *shelf) Size() int64 { return int64(100 * len(s.kept)) }

// keeps lets the shop keep values, and publishes a plan that asks for some.
func (s *shop) keeps() *shelf {
	s.t.Helper()
	kept := &shelf{kept: map[params.Ref]*params.Kept{}}
	s.Params = &params.Service{
		Store: kept, Views: s.views, Requests: s.Requests, Resources: s.Resources, Random: rand.Reader,
		When: func() resource.When { return resource.When{At: s.clock.Now()} },
	}
	p := plan.Offer{
		Terms: resource.Terms{Price: money.Price{Msat: price, Per: hour}, Grace: instant.Day},
		Min:   instant.Minute, Max: 30 * instant.Day, Enforcer: "process",
		Params: "image:choice=debian,alpine:default=debian ssh_key:required:max=80",
	}
	out, err := s.Publish(s.t.Context(), stream.Meta{}, "app", p)
	s.must(errors.Join(err, s.views.WaitFor(s.t.Context(), out.Position)))
	s.Limits.Awaiting, s.Limits.Open = 99, 99
	return kept
}

func app(id resource.ID, key string) billing.OrderRequest {
	return billing.OrderRequest{
		Plan: "app", Time: hour, ID: id, IdempotencyKey: "a-random-secret-of-" + string(id), Params: param.Values{"ssh_key": key},
	}
}

// told returns what a resource is told, of which the log must have nothing.
func (s *shop) told(id resource.ID) param.Values {
	s.t.Helper()
	head, err := s.store.Head(s.t.Context())
	s.must(errors.Join(err, s.views.WaitFor(s.t.Context(), head)))
	r, ok := s.Resource(id)
	v, kept := s.Params.Values(id, r.Config.Of())
	if !ok || !kept {
		s.t.Errorf("what %s is told is not kept", id)
	}
	for run, err := range s.store.Subscribe(s.t.Context(), 0) {
		s.must(err)
		for i := range run {
			if strings.Contains(string(run[i].Data), "secret-") {
				s.t.Errorf("the log has %s", run[i].Data)
			}
		}
		if len(run) > 0 && run[len(run)-1].Position >= head {
			break
		}
	}
	return v
}

func TestAnOrderSaysWhatItsPlanDeclares(t *testing.T) {
	s := open(t)
	kept := s.keeps()
	for _, x := range []struct {
		params param.Values
		of     string
	}{
		{nil, "ssh_key"}, {param.Values{"ssh_key": "k", "x": "y"}, "x"}, {param.Values{"ssh_key": "a\x00"}, "ssh_key"},
		{param.Values{"ssh_key": "k", "image": "arch"}, "image"},
	} {
		r := app("a", "")
		r.Params = x.params
		var e *param.Error
		if err := s.try(r); !errors.As(err, &e) || e.Name != x.of || s.wallet.made > 0 || len(kept.kept) > 0 {
			t.Errorf("%v: %v", x.params, err)
		}
	}
	o := s.order(app("a", "secret-1"))
	if again := s.order(app("a", "secret-1")); again.Payment.Key != o.Payment.Key || again.New {
		t.Error("it is not the same order again")
	}
	if err := s.try(app("a", "secret-2")); !errors.Is(err, resource.ErrExists) {
		t.Errorf("it says something else: %v", err)
	}
	s.settle(o.Payment, price)
	if got := s.told("a"); got["ssh_key"] != "secret-1" || got["image"] != "debian" {
		t.Errorf("it is told %v", got)
	}
	plain := billing.OrderRequest{Plan: "small", Time: hour, ID: "b", Params: param.Values{"x": "y"}}
	if err := s.try(plain); !errors.Is(err, param.ErrInvalid) {
		t.Errorf("of a plan that declares nothing: %v", err)
	}
	s.Host = "rack-1"
	elsewhere := app("c", "k")
	elsewhere.Host = "rack-2"
	if err := s.try(elsewhere); !errors.Is(err, billing.ErrHost) {
		t.Errorf("on another host: %v", err)
	}
	if o := s.order(app("c", "k")); o.Resource.Host != "rack-1" {
		t.Errorf("it is on %q", o.Resource.Host)
	}
}

// What can't be kept is not ordered, and nobody fills the disk.
func TestWhatAnOrderSaysIsKeptFirst(t *testing.T) {
	s := open(t)
	kept := s.keeps()
	kept.broken = errors.New("no space left on device")
	if err := s.try(app("a", "k")); !errors.Is(err, kept.broken) || len(s.Requests.Of("a")) > 0 {
		t.Errorf("it was ordered: %v", err)
	}
	kept.broken = nil
	s.Params.MaxBytes = 200
	s.order(app("a", "k"))
	s.order(app("b", "k"))
	if err := s.try(app("c", "k")); !errors.Is(err, params.ErrFull) {
		t.Errorf("it was ordered: %v", err)
	}
	s.order(app("b", "k"))
}

func (s *shop) set(id resource.ID, changed param.Values) error {
	s.t.Helper()
	out, err := s.Params.Set(s.t.Context(), stream.Meta{Actor: "holder"}, id, changed)
	if err == nil {
		s.must(s.views.WaitFor(s.t.Context(), out.Position))
	}
	return err
}

func TestParametersAreSet(t *testing.T) {
	s := open(t)
	kept := s.keeps()
	if err := s.set("a", param.Values{"image": "alpine"}); !errors.Is(err, resource.ErrNotOpened) {
		t.Errorf("of none: %v", err)
	}
	o := s.order(app("a", "k"))
	if err := s.set("a", param.Values{"image": "alpine"}); !errors.Is(err, resource.ErrNoTime) {
		t.Errorf("before it is paid: %v", err)
	}
	s.settle(o.Payment, price)
	before := s.views.Position()
	for _, x := range []struct {
		changed param.Values
		want    error
	}{
		{param.Values{"image": "debian"}, nil}, // as it is
		{param.Values{"image": "arch"}, param.ErrInvalid},
		{param.Values{"ssh_key": ""}, param.ErrInvalid},
		{param.Values{"image": "alpine"}, config.ErrTooSoon},
	} {
		if err := s.set("a", x.changed); !errors.Is(err, x.want) || s.views.Position() != before || len(kept.kept) != 1 {
			t.Errorf("%v: %v, %d are kept", x.changed, err, len(kept.kept))
		}
	}
	s.clock.Advance(instant.Minute)
	s.must(s.set("a", param.Values{"image": "alpine"}))
	if got := s.told("a"); got["image"] != "alpine" || got["ssh_key"] != "k" || len(kept.kept) != 1 {
		t.Errorf("it is told %v, %d are kept", got, len(kept.kept))
	}
	s.Params.Host = "rack-1"
	if err := s.set("a", param.Values{"image": "debian"}); !errors.Is(err, params.ErrElsewhere) {
		t.Errorf("elsewhere: %v", err)
	}
	s.Params.Host = ""
	for range 2 {
		out, err := s.Params.Delete(t.Context(), stream.Meta{}, "a")
		s.must(errors.Join(err, s.views.WaitFor(t.Context(), out.Position)))
		if got := s.told("a"); len(got) > 0 || len(kept.kept) > 0 {
			t.Errorf("after they were deleted: %v", got)
		}
	}
	s.clock.Advance(instant.Minute)
	if err := s.set("a", param.Values{"image": "alpine"}); !errors.Is(err, param.ErrInvalid) {
		t.Errorf("without what is required: %v", err)
	}
	s.must(s.set("a", param.Values{"ssh_key": "l"}))
	if got := s.told("a"); got["image"] != "debian" || got["ssh_key"] != "l" {
		t.Errorf("it is told %v", got)
	}
}

// Whatever write fails, what the log names is kept, or nothing was changed; what is left over is forgotten.
func TestParametersAreSetOrNot(t *testing.T) {
	for _, fault := range []storetest.Fault{storetest.Lost, storetest.AnswerLost} {
		s := open(t)
		shelf := s.keeps()
		s.settle(s.order(app("a", "k")).Payment, price)
		s.clock.Advance(instant.Minute)
		s.store.OnAppend = storetest.Faults(fault)
		err := s.set("a", param.Values{"image": "alpine"})
		if err == nil {
			t.Error("no append failed")
		}
		s.must(s.set("a", param.Values{"image": "alpine"}))
		if got := s.told("a"); got["image"] != "alpine" {
			t.Errorf("it is told %v", got)
		}
		for range 5 {
			s.Params.Tidy()
		}
		if got := s.told("a"); got["image"] != "alpine" || len(shelf.kept) != 1 {
			t.Errorf("it is told %v, and %d are kept", got, len(shelf.kept))
		}
	}
}

// What nothing needs is forgotten: of orders that can't be paid, and of what was released. What is being
// ordered is needed.
func TestTidy(t *testing.T) {
	s := open(t)
	kept := s.keeps()
	tidy := func(want int) {
		t.Helper()
		for range 4 {
			s.Params.Tidy()
		}
		s.must(s.Params.Keep(&params.Kept{Resource: "being-ordered", Values: param.Values{"image": "debian"}}))
		s.Params.Tidy()
		if len(kept.kept) != want+1 {
			t.Errorf("%d are kept, want %d", len(kept.kept), want+1)
		}
		delete(kept.kept, (&params.Kept{Resource: "being-ordered", Values: param.Values{"image": "debian"}}).Ref())
	}
	o := s.order(app("paid", "k"))
	s.settle(o.Payment, price)
	s.order(app("unpaid", "k"))
	tidy(2)
	s.clock.Advance(hour + request.Settling + 1)
	tidy(1)
	if _, ok := s.Params.Values("unpaid", s.Requests.Of("unpaid")[0].Order.Params); ok {
		t.Error("what an order says is kept that can't be paid")
	}
	s.order(app("unpaid", "k")) // and again it is
	tidy(2)
	out, err := s.Release(context.Background(), stream.Meta{}, "paid", resource.ReasonHolder)
	s.must(errors.Join(err, s.views.WaitFor(context.Background(), out.Position)))
	tidy(1)
}
