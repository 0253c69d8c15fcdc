package httpapi_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/admission"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// squatters take all places of a plan, from so many networks, and pay for none.
type squatters struct {
	*shop
	networks int
	places   int64
	ids      []string
	n        int
}

func newSquatters(t *testing.T, networks int, places int64) *squatters {
	s := build(t, func(o *httpapi.Options) {
		o.TrustProxy = true
		o.Limits.Unpaid = admission.Limits{} // as they are by default
	})
	s.fold()
	close(s.swept)
	out, err := s.billing.Publish(t.Context(), stream.Meta{}, "few", plan.Offer{
		Terms: resource.Terms{Price: money.Price{Msat: price, Per: hour}, Grace: hour}, Min: 1, Max: instant.Day, Capacity: places,
	})
	s.must(errors.Join(err, s.views.WaitFor(t.Context(), out.Position)))
	return &squatters{s, networks, places, nil, 0}
}

// post asks from an address.
func (s *squatters) post(from, path, body string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	r.Header.Set("X-Forwarded-For", from)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.server.Handler().ServeHTTP(w, r)
	return w
}

// order orders from an address.
func (s *squatters) order(id, from string) int {
	s.t.Helper()
	return s.post(from, "/v1/orders", fmt.Sprintf(`{"plan":"few","time_ms":3600000,"id":%q}`, id)).Code
}

// squat has each network order one more, and ask for one of its orders again.
func (s *squatters) squat() {
	s.t.Helper()
	for i := range s.networks {
		from := fmt.Sprintf("10.0.%d.1", i)
		s.n++
		id := fmt.Sprint("squat-", s.n)
		if s.order(id, from) == http.StatusCreated {
			s.ids = append(s.ids, id)
		}
		again := s.ids[(s.n*7)%len(s.ids)]
		s.post(from, "/v1/resources/"+again+"/payments", fmt.Sprintf(`{"amount_msat":%d}`, price+s.n))
	}
	s.fits()
}

// fits holds that no more can be paid than fit, beside what was paid.
func (s *squatters) fits() {
	s.t.Helper()
	if n := s.billing.Requests.Open().Orders; s.views.Taken("few", "", nil) > int(s.places) || n < s.wallet.payable() {
		s.t.Errorf("%d are taken, and %d of %d invoices can be paid", s.views.Taken("few", "", nil), s.wallet.payable(), n)
	}
	p, _ := s.views.Plan("few")
	if u := s.billing.Usage(&p); u[0].Taken > s.places {
		s.t.Errorf("%d of %d places are given out", u[0].Taken, s.places)
	}
}

// A plan's places are not for those who do not pay: whoever comes from elsewhere is served, at once where
// one network has them all, and soon where 40 have them, and has time to pay.
func TestSquattersKeepNobodyOut(t *testing.T) {
	for _, x := range []struct {
		networks int
		wait     instant.Millis // at most
	}{{1, 0}, {40, 2 * instant.Minute}} {
		t.Run(fmt.Sprint("from ", x.networks), func(t *testing.T) {
			const tick = 10 * instant.Second
			s := newSquatters(t, x.networks, 10)
			for range 6 {
				s.squat()
			}
			for i := range 6 { // customers, who pay a little before their time is up
				id, from := fmt.Sprint("customer-", i), fmt.Sprintf("192.0.%d.7", i)
				var waited instant.Millis
				for code := s.order(id, from); code != http.StatusCreated; code = s.order(id, from) {
					if waited >= x.wait {
						t.Fatalf("customer %d is refused with %d after %d ms", i, code, waited)
					}
					s.squat()
					s.clock.Advance(tick)
					waited += tick
				}

				for range 2*instant.Minute/tick - 1 {
					s.squat()
					s.clock.Advance(tick)
				}
				s.paid(id)
				s.fits()
			}
		})
	}
}

// paid pays the invoice of an order, which has to be one that can be paid.
func (s *squatters) paid(id string) {
	s.t.Helper()
	payable := s.requests.OrderedBy(resource.ID(id))
	if len(payable) != 1 {
		s.t.Fatalf("%s has %d invoices", id, len(payable))
	}
	if ok, err := s.wallet.IsOpen(s.t.Context(), payable[0].Key); !ok {
		s.t.Fatalf("the invoice of %s can't be paid: %v", id, err)
	}
	s.settle(string(payable[0].Key), price)
	if r, _, _ := s.views.Resource(resource.ID(id)); r.Status != resource.StatusRunning {
		s.t.Fatalf("%s is %s", id, r.Status)
	}
}

// To ask for another invoice of an order is as much as to order: who has used up his share gets none.
func TestAnotherInvoiceOfAnOrderIsAnOrder(t *testing.T) {
	s := newSquatters(t, 1, 10)
	if code := s.order("mine", "10.0.0.1"); code != http.StatusCreated {
		t.Fatal(code)
	}
	codes := map[int]int{}
	for i := range 30 {
		codes[s.post("10.0.0.1", "/v1/resources/mine/payments", fmt.Sprintf(`{"amount_msat":%d}`, price+i+1)).Code]++
	}
	if codes[http.StatusCreated] != 19 || codes[http.StatusTooManyRequests] != 11 {
		t.Errorf("answers: %v", codes)
	}
}
