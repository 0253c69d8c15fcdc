package httpapi_test

import (
	"testing"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
)

// TestADepositCoversAnInvoice that was asked for before it was seen, and none of later.
func TestADepositCoversAnInvoice(t *testing.T) {
	s, _ := openOnChain(t)
	s.settle(s.order("web-1").Payment.Key, 2*price)
	fund := func(time instant.Millis) wire.Payment {
		p, err := s.client("").Fund(t.Context(), "web-1", wire.FundRequest{Time: time})
		s.must(err)
		s.clock.Advance(instant.Second)
		return p
	}
	covered := func(p wire.Payment) string {
		got, err := s.client("").PaymentOf(t.Context(), "web-1", p.Key)
		s.must(err)
		if anonymous, err := s.client("").Payment(t.Context(), p.Key); err != nil || anonymous.CoveredBy != "" {
			t.Errorf("a stranger is told of another payment: %+v, %v", anonymous, err)
		}
		return got.CoveredBy
	}
	before := fund(instant.Hour)
	s.pays(deposit, s.seen(2*price), s.confirmed(800))
	if by := covered(before); by != "" {
		t.Errorf("before it counts: %s", by)
	}
	s.bookDeposit()
	s.clock.Advance(instant.Second)
	after := fund(2 * instant.Hour)
	if by := covered(before); by != string(deposit) {
		t.Errorf("it is covered by %q", by)
	}
	if by := covered(after); by != "" {
		t.Errorf("one that was asked for later is covered by %s", by)
	}
	s.pays(deposit, s.reorged(800))
	if by := covered(before); by != "" {
		t.Errorf("what was taken back covers it: %s", by)
	}
}
