package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/money"
	"sandglass/domain/request"
	"sandglass/domain/resource/uptime"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
)

func TestAnOrderSentAgainIsTheSame(t *testing.T) {
	s := open(t, nil)
	const body = `{"plan":"small","time_ms":3600000}`
	first := s.send("POST", "/v1/orders", body, "Idempotency-Key: "+key)
	again := s.send("POST", "/v1/orders", body, "Idempotency-Key: "+key)
	if first.status != 201 || again.status != 200 || first.body != again.body {
		t.Errorf("first %d %s\nagain %d %s", first.status, first.body, again.status, again.body)
	}
	if at := first.header.Get("Location"); !strings.HasPrefix(at, "/v1/resources/") || s.send("GET", at, "").status != 200 {
		t.Errorf("Location: %q", at)
	}
	other := s.send("POST", "/v1/orders", `{"plan":"small","time_ms":7200000}`, "Idempotency-Key: "+key)
	if other.status != 409 || other.problem.Code != "order_conflict" {
		t.Errorf("with other content: %d %s", other.status, other.body)
	}
	fresh := s.send("POST", "/v1/orders", body)
	if fresh.status != 201 || fresh.body == first.body {
		t.Errorf("without a key: %d %s", fresh.status, fresh.body)
	}
}

// TestAnOrderSentManyTimesAtOnce is made once, and everybody gets it.
func TestAnOrderSentManyTimesAtOnce(t *testing.T) {
	s := open(t, nil)
	c := s.client("")
	orders := make([]wire.Order, 20)
	var wg sync.WaitGroup
	for i := range orders {
		wg.Go(func() {
			var err error
			if orders[i], err = c.Order(t.Context(), wire.OrderRequest{Plan: "small", Time: hour}, key); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, o := range orders {
		if o.HolderKey == "" || o.Resource.ID != orders[0].Resource.ID || o.HolderKey != orders[0].HolderKey ||
			o.Payment.Key != orders[0].Payment.Key {
			t.Errorf("%+v\nand %+v", o, orders[0])
		}
	}
	if s.wallet.made != 1 {
		t.Errorf("%d invoices were made", s.wallet.made)
	}
}

func TestAnOrderThatWasPaid(t *testing.T) {
	s := open(t, nil)
	s.running("web-1")
	o := s.order("web-1")
	if o.Payment != nil || o.HolderKey == "" || o.Resource.Status != "running" {
		t.Errorf("an order that was paid: %+v", o)
	}
}

func TestTheIdOfAnOrderDoesNotShowItsKey(t *testing.T) {
	s := open(t, nil)
	s.order("web-1")
	o, err := s.client("").Order(t.Context(), wire.OrderRequest{Plan: "small", Time: 2 * hour, ID: "web-1"}, "")
	s.must(err)
	if o.HolderKey != "" {
		t.Errorf("somebody else got the holder key")
	}
}

func TestFunding(t *testing.T) {
	s := open(t, nil)
	s.running("web-1")
	c := s.client("")
	p, err := c.Fund(t.Context(), "web-1", wire.FundRequest{Amount: price})
	s.must(err)
	r, err := c.Resource(t.Context(), "web-1")
	s.must(err)
	if p.Status != "requested" || p.Asked != price || len(r.Pending) != 1 || r.Pending[0].Key != p.Key ||
		r.Pending[0].Request != p.Request {
		t.Errorf("the invoice %+v\nand the resource %+v", p, r)
	}
	got, err := c.PaymentOf(t.Context(), "web-1", p.Key)
	if err != nil || got.Status != "requested" || got.URI != "lightning:"+p.Request {
		t.Errorf("the payment: %+v, %v", got, err)
	}
	for i := range 3 { // the oldest gives way
		_, err = c.Fund(t.Context(), "web-1", wire.FundRequest{Amount: price + money.Msat(i+1)})
		s.must(err)
	}
	if r, err = c.Resource(t.Context(), "web-1"); err != nil || len(r.Pending) != 3 || r.Pending[0].Asked != price+1 {
		t.Errorf("three at most: %+v, %v", r.Pending, err)
	}
	s.wallet.err = errors.New("permission denied")
	var refused *client.Problem
	_, err = c.Fund(t.Context(), "web-1", wire.FundRequest{Amount: 2 * price})
	if !errors.As(err, &refused) || refused.Code != "too_many_open" || refused.Status != 429 || refused.RetryAfter == 0 {
		t.Errorf("too many invoices: %v", err)
	}
}

// refuse has the store of requests fail.
func (s *shop) refuse(kept bool, err error) {
	s.kept.Fail = func(context.Context, *request.Record) (bool, error) { return kept, err }
}

// TestRefusalsOfTheDaemon goes through what can be wrong on our side.
func TestRefusalsOfTheDaemon(t *testing.T) {
	const body = `{"plan":"small","time_ms":3600000}`
	for name, test := range map[string]struct {
		spoil  func(*shop)
		status int
		code   string
		retry  bool
	}{
		"a wallet that fails": {
			func(s *shop) { s.wallet.err = errors.New("rpc error: 10.0.0.1 said no") }, 503, "no_wallet", true,
		},
		"a wallet that panics":         {func(s *shop) { s.wallet.panic = true }, 500, "internal_error", false},
		"a store that fails":           {func(s *shop) { s.refuse(false, storetest.ErrFault) }, 500, "internal_error", false},
		"a store whose answer is lost": {func(s *shop) { s.refuse(true, storetest.ErrFault) }, 500, "internal_error", false},
		"a store that is full":         {func(s *shop) { s.refuse(false, stream.ErrReadOnly) }, 503, "read_only", true},
		"a store that is away": {
			func(s *shop) { s.store.EventStore = away{s.store.EventStore} }, 503, "store_unavailable", true,
		},
		"a store that says so":       {func(s *shop) { s.writable = errAway }, 503, "store_unavailable", true},
		"a store that is slow":       {func(s *shop) { s.refuse(false, context.DeadlineExceeded) }, 503, "timeout", true},
		"a store that can't be read": {func(s *shop) { s.store.OnRead = func() bool { return true } }, 500, "internal_error", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, nil)
			inner := s.store.EventStore
			test.spoil(s)
			got := s.send("POST", "/v1/orders", body, "Idempotency-Key: "+key)
			if got.status != test.status || got.problem.Code != test.code || (got.header.Get("Retry-After") != "") != test.retry {
				t.Errorf("%d %v %s", got.status, got.header, got.body)
			}
			wellFormed(t, got)
			if strings.Contains(got.body, "10.0.0.1") || strings.Contains(got.body, "storetest") {
				t.Errorf("the client learns what is ours: %s", got.body)
			}
			if n := strings.Count(s.log.String(), got.problem.RequestID); n != 1 {
				t.Errorf("%d lines of the log tell of it:\n%s", n, s.log)
			}
			s.wallet.err, s.wallet.panic, s.store.OnAppend, s.store.OnRead = nil, false, nil, nil
			s.store.EventStore, s.writable, s.kept.Fail = inner, nil, nil
			if got := s.send("POST", "/v1/orders", body, "Idempotency-Key: "+key); got.status/100 != 2 {
				t.Errorf("sent again: %d %s", got.status, got.body)
			}
		})
	}
}

// away is a store that does not answer.
type away struct{ stream.EventStore }

var errAway = fmt.Errorf("10.0.0.1: no route: %w", stream.ErrUnavailable)

func (away) Append(context.Context, string, stream.Revision, []stream.Event) (stream.Appended, error) {
	return stream.Appended{}, errAway
}

func (away) Read(context.Context, string, stream.Revision) iter.Seq2[stream.Record, error] {
	return func(yield func(stream.Record, error) bool) { yield(stream.Record{}, errAway) }
}

func TestBeforeTheFirstSweepNothingIsSold(t *testing.T) {
	s := build(t, nil)
	s.fold()
	s.publish("small")
	h := s.server.Handler()
	req, _ := http.NewRequest("POST", "/v1/orders", strings.NewReader(`{"plan":"small","time_ms":3600000}`))
	w := newRecorder()
	h.ServeHTTP(w, req)
	if w.status != 503 || !strings.Contains(w.body.String(), `"code":"starting"`) || w.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", w.status, w.body.String())
	}
}

// TestBeforeTheLogIsFolded nothing is said to be missing.
func TestBeforeTheLogIsFolded(t *testing.T) {
	s := build(t, nil)
	for _, path := range []string{
		"/v1/plans", "/v1/quotes?plan=small&time_ms=1", "/v1/resources/web-1",
		"/v1/resources/web-1?as_of=2020-01-02T03:04:05Z", "/v1/resources/web-1/live", "/v1/resources", "/v1/unallocated",
		"/v1/audit/dump",
	} {
		req, _ := http.NewRequest("GET", path, nil)
		req.Body = http.NoBody
		req.Header.Set("Authorization", "Bearer "+operatorToken)
		w := newRecorder()
		s.server.Handler().ServeHTTP(w, req)
		if w.status != 503 || !strings.Contains(w.body.String(), `"code":"starting"`) {
			t.Errorf("GET %s: %d %s", path, w.status, w.body.String())
		}
	}
}

// TestReadModelsThatAreLate are no reason to say that something was not done: the answer
// is what the command returned.
func TestReadModelsThatAreLate(t *testing.T) {
	s := open(t, func(o *httpapi.Options) { o.Limits.Request = 300 * time.Millisecond })
	o := s.running("web-1")
	s.unfold()
	r, err := s.client(o.HolderKey).Pause(t.Context(), "web-1")
	s.must(err)
	shown, err := s.client("").Resource(t.Context(), "web-1")
	s.must(err)
	if r.Status != "paused" || shown.Status != "running" {
		t.Errorf("%+v, and then %+v", r, shown)
	}
}

func TestReadsShowWhatWasAnswered(t *testing.T) {
	s := open(t, nil)
	o := s.running("web-1")
	for range 5 {
		s.clock.Advance(uptime.MinRun)
		r, err := s.client(o.HolderKey).Pause(t.Context(), "web-1")
		s.must(err)
		shown, err := s.client("").Resource(t.Context(), "web-1")
		s.must(err)
		if r.Status != "paused" || shown.Status != "paused" {
			t.Fatalf("%+v, and then %+v", r, shown)
		}
		r, err = s.client(o.HolderKey).Resume(t.Context(), "web-1")
		s.must(err)
		if shown, err = s.client("").Resource(t.Context(), "web-1"); err != nil || r.Status != "running" || shown.Status != "running" {
			t.Fatalf("%+v, and then %+v, %v", r, shown, err)
		}
	}
}

// TestPausedTooSoon says when it can be paused again, in words and in seconds.
func TestPausedTooSoon(t *testing.T) {
	s := open(t, nil)
	holder := s.client(s.running("web-1").HolderKey)
	_, err := holder.Pause(t.Context(), "web-1")
	s.must(err)
	_, err = holder.Resume(t.Context(), "web-1")
	s.must(err)
	again := s.clock.Now().Add(uptime.MinRun)
	s.clock.Advance(uptime.MinRun / 4)
	_, err = holder.Pause(t.Context(), "web-1")
	refused, ok := errors.AsType[*client.Problem](err)
	if !ok || refused.Status != 429 || refused.Code != "too_soon" || refused.RetryAfter != 45*time.Second ||
		!strings.HasSuffix(refused.Detail, "try again at "+again.String()) {
		t.Errorf("%+v, %v", refused, err)
	}
	s.clock.Advance(3 * uptime.MinRun / 4)
	_, err = holder.Pause(t.Context(), "web-1")
	s.must(err)
}

func TestAPaymentThatExpired(t *testing.T) {
	s := open(t, nil)
	o := s.order("web-1")
	s.clock.Advance(hour)
	p, err := s.client("").Payment(t.Context(), o.Payment.Key)
	s.must(err)
	if p.Status != "expired" || p.URI != "" || p.ChangedAt != p.ExpiresAt {
		t.Errorf("%+v", p)
	}
}
