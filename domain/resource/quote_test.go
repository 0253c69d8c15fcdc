package resource_test

import (
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
)

// A quote of 1 msat a ms for 1,000 msat, at a resource whose own price is 3 msat for 2 ms.
func TestAQuoteHoldsForWhatItAsked(t *testing.T) {
	quote, own := money.Price{Msat: 1, Per: 1}, money.Price{Msat: 3, Per: 2}
	for _, x := range []struct {
		what         string
		amount, debt money.Msat
		quoted       money.Msat
		own          money.Price
		time         instant.Millis
		above        money.Msat
	}{
		{"what was asked", 1_000, 0, 1_000, own, 1_000, 0},
		{"less", 999, 0, 1_000, own, 999, 0},
		{"more", 1_301, 0, 1_000, own, 1_200, 301}, // 301 × 2 / 3 is rounded down
		{"more, of which nothing buys a millisecond", 1_001, 0, 1_000, own, 1_000, 1},
		{"more, of which debt is paid first", 1_301, 200, 1_000, own, 1_067, 101},
		{"more, of which all is debt", 1_301, 301, 1_000, own, 1_000, 0},
		{"more, and debt for more than that", 1_301, 500, 1_000, own, 801, 0},
		{"more, at the same price", 1_301, 0, 1_000, quote, 1_301, 0},
		{"more, at less than was quoted", 1_301, 0, 1_000, money.Price{Msat: 1, Per: 2}, 1_602, 301},
		{"a quote for any amount", 1_301, 0, 0, own, 1_301, 0},
		{"nothing but debt", 300, 300, 1_000, own, 0, 0},
	} {
		s := decided(t, resource.New("vm-1"), resource.Open{When: at(0), Order: resource.Order{
			Plan: "small", Terms: resource.Terms{Price: x.own},
		}})
		s.Debt = x.debt
		es, err := resource.Decide(s, resource.Credit{
			When: at(1), Payment: "p1", Amount: x.amount, Paid: zero + 1, Price: quote, Quoted: x.quoted,
		})
		if err != nil {
			t.Fatalf("%s: %v", x.what, err)
		}
		want := resource.Credited{
			At: stamp(1), Payment: "p1", Amount: x.amount, Time: x.time, Price: quote, DebtPaid: min(x.debt, x.amount), Above: x.above,
		}
		if x.above > 0 {
			want.AbovePrice = x.own
		}
		if got := es[0].(*resource.Credited); *got != want {
			t.Errorf("%s: %+v, want %+v", x.what, *got, want)
		}
	}
	bad := resource.Credit{When: at(1), Payment: "p2", Amount: 1, Price: quote, Quoted: -1}
	if es, err := resource.Decide(paidFor(t, 1), bad); err == nil {
		t.Errorf("a negative quote: %+v", es)
	}
}
