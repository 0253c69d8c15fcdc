package plan_test

import (
	"errors"
	"strings"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
	"sandglass/testutil/given"
)

// epoch is 2026-01-01T00:00:00Z: times in these tests are milliseconds after it.
const epoch instant.Time = 1_767_225_600_000

func at(ms instant.Time) plan.At { return plan.At{At: epoch + ms} }

// offer costs 1 sat an hour.
func offer() plan.Offer {
	return plan.Offer{
		Min: instant.Hour, Max: instant.Year, Enforcer: "systemd:app@.service", Title: "Kleine Maschine, 1 Kern",
		Terms: resource.Terms{
			Price: money.Price{Msat: money.Sat, Per: instant.Hour}, Warn: resource.Warn{Share: 100_000}, Grace: instant.Day,
		},
	}
}

func small(ms instant.Time) *plan.Published { return &plan.Published{At: at(ms), Offer: offer()} }

func dear(ms instant.Time) *plan.Published {
	p := small(ms)
	p.Terms.Price.Msat *= 2
	return p
}

func withdrawn(ms instant.Time) *plan.Withdrawn { return &plan.Withdrawn{At: at(ms)} }

func TestDecide(t *testing.T) {
	type events = []plan.Event
	publish := func(p *plan.Published) plan.Publish { return plan.Publish{At: p.At.At, Offer: p.Offer} }
	withdraw := plan.Withdraw{At: epoch + 20}
	offered := events{small(0)}
	ended := events{small(0), withdrawn(10)}
	stream := given.Of(plan.Aggregate(), "small")
	stream.Check(t, "a plan is published", nil, publish(small(0)), events{small(0)}, nil)
	stream.Check(t, "published again", offered, publish(small(5)), nil, nil)
	stream.Check(t, "with other terms", offered, publish(dear(5)), events{dear(5)}, nil)
	stream.Check(t, "by a clock that is behind", events{small(9)}, publish(dear(5)), events{dear(9)}, nil)
	stream.Check(t, "after it was withdrawn", ended, publish(small(20)), events{small(20)}, nil)
	stream.Check(t, "after 9999", nil, publish(small(instant.Max)), nil, plan.ErrInvalid)
	stream.Check(t, "with terms that can't be", nil,
		plan.Publish{At: epoch, Offer: plan.Offer{Min: 1, Max: 1}}, nil, plan.ErrInvalid)
	stream.Check(t, "a plan is withdrawn", offered, withdraw, events{withdrawn(20)}, nil)
	stream.Check(t, "that was published at the epoch", events{small(-epoch)}, withdraw, events{withdrawn(20)}, nil)
	stream.Check(t, "withdrawn again", ended, withdraw, nil, nil)
	stream.Check(t, "withdrawn by a clock that is behind", events{small(99)}, withdraw, events{withdrawn(99)}, nil)
	stream.Check(t, "one that was never published", nil, withdraw, nil, plan.ErrUnknown)
}

func TestState(t *testing.T) {
	type events = []plan.Event
	for _, x := range []struct {
		given   events
		offered bool
		price   money.Msat
	}{
		{nil, false, 0},
		{events{small(0)}, true, money.Sat},
		{events{small(0), dear(1)}, true, 2 * money.Sat},
		{events{small(0), withdrawn(1)}, false, money.Sat}, // what was sold runs on
		{events{small(0), withdrawn(1), dear(2)}, true, 2 * money.Sat},
	} {
		s := given.Of(plan.Aggregate(), "small").Fold(x.given...)
		if s.Name != "small" || s.OnOffer != x.offered || s.Terms.Price.Msat != x.price {
			t.Errorf("%+v", s)
		}
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"a", "7", "small", "vm-1", "a--b", strings.Repeat("x", 64)} {
		if err := plan.CheckName(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{
		"", "-", "-a", "a-", "A", "a b", "a.b", "a/b", "a_b",
		"ä", "a\x00", "a\xff", "..", strings.Repeat("x", 65),
	} {
		if err := plan.CheckName(name); !errors.Is(err, plan.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
		if _, err := plan.Decide(plan.New(name), plan.Publish{At: epoch, Offer: offer()}); !errors.Is(err, plan.ErrInvalid) {
			t.Errorf("%q is published: %v", name, err)
		}
	}
}

func TestBounds(t *testing.T) {
	with := func(change func(*plan.Offer)) *plan.Offer {
		o := offer()
		change(&o)
		return &o
	}
	for name, o := range map[string]*plan.Offer{
		"as it is":          with(func(*plan.Offer) {}),
		"one millisecond":   with(func(o *plan.Offer) { o.Min, o.Max = 1, 1 }),
		"250 years":         with(func(o *plan.Offer) { o.Max = money.MaxTime }),
		"a long title":      with(func(o *plan.Offer) { o.Title = strings.Repeat("x", 200) }),
		"a title of theirs": with(func(o *plan.Offer) { o.Title = "آلة صغيرة, می\u200cخواهم 👩‍💻" }),
		"no title":          with(func(o *plan.Offer) { o.Title = "" }),
		"nothing enforced":  with(func(o *plan.Offer) { o.Enforcer = "" }),
		"no grace":          with(func(o *plan.Offer) { o.Terms.Grace = 0 }),
	} {
		if err := o.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, o := range map[string]*plan.Offer{
		"no minimum":                  with(func(o *plan.Offer) { o.Min = 0 }),
		"a negative minimum":          with(func(o *plan.Offer) { o.Min = -1 }),
		"a maximum below it":          with(func(o *plan.Offer) { o.Max = o.Min - 1 }),
		"more than 250 years":         with(func(o *plan.Offer) { o.Max = money.MaxTime + 1 }),
		"more than 21 million BTC":    with(func(o *plan.Offer) { o.Terms.Price = money.Price{Msat: money.BTC, Per: instant.Second} }),
		"no price":                    with(func(o *plan.Offer) { o.Terms.Price.Msat = 0 }),
		"negative grace":              with(func(o *plan.Offer) { o.Terms.Grace = -1 }),
		"two warnings":                with(func(o *plan.Offer) { o.Terms.Warn.Time = 1 }),
		"a title that is too long":    with(func(o *plan.Offer) { o.Title = strings.Repeat("x", 201) }),
		"a title that is no text":     with(func(o *plan.Offer) { o.Title = "\xff" }),
		"a title that clears screens": with(func(o *plan.Offer) { o.Title = "\x1b[2Jsmall" }),
		"one that does in 8 bits":     with(func(o *plan.Offer) { o.Title = "\u009b2Jsmall" }),
		"a title of two lines":        with(func(o *plan.Offer) { o.Title = "small\nlarge" }),
		"one by another separator":    with(func(o *plan.Offer) { o.Title = "small\u2028large" }),
		"a title with a tab":          with(func(o *plan.Offer) { o.Title = "small\tlarge" }),
		"a title that ends with DEL":  with(func(o *plan.Offer) { o.Title = "small\x7f" }),
		"a title that turns around":   with(func(o *plan.Offer) { o.Title = "\u202ellams" }),
		"an enforcer that rings":      with(func(o *plan.Offer) { o.Enforcer = "\a" }),
		"an enforcer that is too":     with(func(o *plan.Offer) { o.Enforcer = strings.Repeat("x", 65) }),
		"an enforcer that is no text": with(func(o *plan.Offer) { o.Enforcer = "\xff" }),
	} {
		if err := o.Check(); !errors.Is(err, plan.ErrInvalid) || strings.Contains(err.Error(), "%!") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWholeSatoshi holds that what wallets may pay at the ends is what a plan takes.
func TestWholeSatoshi(t *testing.T) {
	for _, x := range []struct {
		msat        money.Msat
		per         instant.Millis
		min, max    instant.Millis
		least, most money.Msat
	}{
		{money.Sat, instant.Hour, instant.Hour, instant.Year, money.Sat, 8_766 * money.Sat},
		{1_500, instant.Hour, instant.Hour, 3 * instant.Hour, 2_000, 4_000}, // 1,500 and 4,500
		{1_500, instant.Hour, instant.Hour, 2 * instant.Hour, 2_000, 3_000}, // exactly 3,000
		{7, 1_000, 1, 300_000, money.Sat, 2 * money.Sat},                    // 2,100
		{1_000, instant.Hour, 1, instant.Hour - 1, 0, 0},                    // 1,000 buys an hour, which is too much
		{1_000, instant.Hour, 1, 2*instant.Hour - 1, money.Sat, money.Sat},  // and so do 2,000
		{1, instant.Hour, instant.Hour, 999 * instant.Hour, 0, 0},           // 1 to 999
	} {
		s := plan.State{Name: "small", Offer: plan.Offer{Min: x.min, Max: x.max}}
		price := money.Price{Msat: x.msat, Per: x.per}
		least, most, err := s.Bounds(price)
		if least != x.least || most != x.most || (err != nil) != (x.least == 0) || err != nil && !errors.Is(err, plan.ErrBounds) {
			t.Errorf("%+v: %d to %d, %v", x, least, most, err)
		}
		for _, amount := range []money.Msat{least, most} {
			if _, err := s.Quote(price, 0, amount); err != nil && x.least > 0 {
				t.Errorf("%+v: %d is refused: %v", x, amount, err)
			}
		}
		for _, amount := range []money.Msat{least - money.Sat, most + money.Sat} {
			if _, err := s.Quote(price, 0, amount); err == nil && x.least > 0 && amount > 0 {
				t.Errorf("%+v: %d is not within the bounds, and taken", x, amount)
			}
		}
	}
}
