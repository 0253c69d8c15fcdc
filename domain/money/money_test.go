package money_test

import (
	"errors"
	"math/big"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"

	"pgregory.net/rapid"
)

func price(t *rapid.T) money.Price {
	return money.Price{
		Msat: money.Msat(rapid.Int64Range(1, int64(money.MaxMsat)).Draw(t, "price_msat")),
		Per:  instant.Millis(rapid.Int64Range(1, int64(instant.Century)).Draw(t, "per_ms")),
	}
}

func amount(t *rapid.T, name string) money.Msat {
	return money.Msat(rapid.Int64Range(0, int64(money.MaxMsat)).Draw(t, name))
}

// floor returns a × b / c by big integers.
func floor(a, b, c int64) *big.Int {
	x := new(big.Int).Mul(big.NewInt(a), big.NewInt(b))
	return x.Div(x, big.NewInt(c))
}

func TestTimeForAgreesWithBigIntegers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, a := price(t), amount(t, "amount_msat")
		want := floor(int64(a), int64(p.Per), int64(p.Msat))
		got, err := p.TimeFor(a)
		if want.Cmp(big.NewInt(int64(money.MaxTime))) > 0 {
			if !errors.Is(err, money.ErrTooLong) {
				t.Fatalf("%s at %s = %d, %v; want ErrTooLong", a, p, got, err)
			}
			return
		}
		if err != nil || big.NewInt(int64(got)).Cmp(want) != 0 {
			t.Fatalf("%s at %s = %d, %v; want %s", a, p, got, err, want)
		}
	})
}

func TestCostOfIsTheLeastThatBuysTheTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := price(t)
		d := instant.Millis(rapid.Int64Range(1, int64(money.MaxTime)).Draw(t, "time_ms"))
		cost, err := p.CostOf(d)
		if err != nil {
			if floor(int64(d), int64(p.Msat), int64(p.Per)).Cmp(big.NewInt(int64(money.MaxMsat-1))) <= 0 {
				t.Fatalf("CostOf(%d) at %s: %v", d, p, err)
			}
			return
		}
		if got := floor(int64(cost), int64(p.Per), int64(p.Msat)); got.Cmp(big.NewInt(int64(d))) < 0 {
			t.Fatalf("%s buys %s ms at %s, less than %d", cost, got, p, d)
		}
		if got := floor(int64(cost)-1, int64(p.Per), int64(p.Msat)); got.Cmp(big.NewInt(int64(d))) >= 0 {
			t.Fatalf("one msat less than %s buys %s ms at %s too", cost, got, p)
		}
	})
}

func TestReachIsTheFirstInstantOfAShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := money.Msat(rapid.Int64Range(1, int64(money.MaxMsat)).Draw(t, "total"))
		whole := instant.Millis(rapid.Int64Range(1, int64(money.MaxTime)).Draw(t, "whole"))
		moved := money.Msat(rapid.Int64Range(0, int64(total)).Draw(t, "moved"))
		at := money.Reach(total, moved, whole)
		if at < 0 || at > whole || money.Share(total, at, whole) < moved {
			t.Fatalf("at %d of %d only %s of %s has moved, want %s", at, whole, money.Share(total, at, whole), total, moved)
		}
		if at > 0 && money.Share(total, at-1, whole) >= moved {
			t.Fatalf("%s of %s has moved before %d of %d", moved, total, at, whole)
		}
	})
}

func TestLimits(t *testing.T) {
	century := money.Price{Msat: 1, Per: instant.Century}
	if got, err := century.TimeFor(2); err != nil || got != 2*instant.Century {
		t.Errorf("2 msat at 1 msat a century = %d, %v", got, err)
	}
	if _, err := century.TimeFor(money.MaxMsat); !errors.Is(err, money.ErrTooLong) {
		t.Errorf("21 million BTC at 1 msat a century: %v", err)
	}
	second := money.Price{Msat: money.BTC, Per: instant.Second}
	if got, err := second.TimeFor(money.MaxMsat); err != nil || got != 21_000_000*instant.Second {
		t.Errorf("21 million BTC at 1 BTC a second = %d, %v", got, err)
	}
	if _, err := second.CostOf(instant.Century); !errors.Is(err, money.ErrTooMuch) {
		t.Errorf("a century at 1 BTC a second: %v", err)
	}
	if _, err := money.MaxMsat.Add(1); !errors.Is(err, money.ErrTooMuch) {
		t.Errorf("MaxMsat + 1: %v", err)
	}
	if money.Msat(-1).Check() == nil || (money.MaxMsat+1).Check() == nil || money.MaxMsat.Check() != nil {
		t.Error("Check draws its bounds elsewhere")
	}
}
