package plan_test

import (
	"errors"
	"strings"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/plan"
	"sandglass/domain/resource"

	"github.com/google/go-cmp/cmp"
)

// epoch is 2026-01-01T00:00:00Z: times in these tests are milliseconds after it.
const epoch instant.Time = 1_767_225_600_000

type (
	given []plan.Event
	then  []plan.Event
)

func at(ms instant.Time) plan.At { return plan.At{At: epoch + ms} }

// small costs 1 sat an hour.
func small(ms instant.Time) *plan.Published {
	return &plan.Published{
		At:  at(ms),
		Min: instant.Hour, Max: instant.Year, Enforcer: "systemd", Title: "Kleine Maschine, 1 Kern",
		Terms: resource.Terms{Price: money.Price{Msat: money.Sat, Per: instant.Hour}, Warn: resource.Warn{Share: 100_000}, Grace: instant.Day},
	}
}

func dear(ms instant.Time) *plan.Published {
	p := small(ms)
	p.Terms.Price.Msat *= 2
	return p
}

func withdrawn(ms instant.Time) *plan.Withdrawn { return &plan.Withdrawn{At: at(ms)} }

func fold(name string, events ...plan.Event) plan.State {
	s := plan.New(name)
	for _, e := range events {
		s = plan.Evolve(s, e)
	}
	return s
}

func TestDecide(t *testing.T) {
	publish := func(p *plan.Published) plan.Publish { return plan.Publish{Published: *p} }
	withdraw := plan.Withdraw{Withdrawn: *withdrawn(20)}
	offer := given{small(0)}
	ended := given{small(0), withdrawn(10)}
	for _, x := range []struct {
		name string
		given
		when plan.Command
		then
		err error
	}{
		{"a plan is published", nil, publish(small(0)), then{small(0)}, nil},
		{"again", offer, publish(small(5)), nil, nil},
		{"with other terms", offer, publish(dear(5)), then{dear(5)}, nil},
		{"by a clock that is behind", given{small(9)}, publish(dear(5)), then{dear(9)}, nil},
		{"after it was withdrawn", ended, publish(small(20)), then{small(20)}, nil},
		{"after 9999", nil, publish(small(instant.Max)), nil, plan.ErrInvalid},
		{"with terms that can't be", nil, publish(&plan.Published{At: at(0), Min: 1, Max: 1}), nil, plan.ErrInvalid},
		{"a plan is withdrawn", offer, withdraw, then{withdrawn(20)}, nil},
		{"that was published at the epoch", given{small(-epoch)}, withdraw, then{withdrawn(20)}, nil},
		{"again", ended, withdraw, nil, nil},
		{"by a clock that is behind", given{small(99)}, withdraw, then{withdrawn(99)}, nil},
		{"one that was never published", nil, withdraw, nil, plan.ErrUnknown},
	} {
		t.Run(x.name, func(t *testing.T) {
			s := fold("small", x.given...)
			got, err := plan.Decide(s, x.when)
			if !errors.Is(err, x.err) {
				t.Fatalf("error %v, want %v", err, x.err)
			}
			if diff := cmp.Diff(x.then, then(got)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if again, err := plan.Decide(fold("small", append(x.given, got...)...), x.when); x.err == nil && (len(again) > 0 || err != nil) {
				t.Errorf("again: %+v, %v", again, err)
			}
		})
	}
}

func TestState(t *testing.T) {
	for _, x := range []struct {
		given
		offered bool
		price   money.Msat
	}{
		{nil, false, 0},
		{given{small(0)}, true, money.Sat},
		{given{small(0), dear(1)}, true, 2 * money.Sat},
		{given{small(0), withdrawn(1)}, false, money.Sat}, // what was sold runs on
		{given{small(0), withdrawn(1), dear(2)}, true, 2 * money.Sat},
	} {
		if s := fold("small", x.given...); s.Name != "small" || s.OnOffer != x.offered || s.Terms.Price.Msat != x.price {
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
	for _, name := range []string{"", "-", "-a", "a-", "A", "a b", "a.b", "a/b", "a_b", "ä", "a\x00", "a\xff", "..", strings.Repeat("x", 65)} {
		if err := plan.CheckName(name); !errors.Is(err, plan.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
		if _, err := plan.Decide(plan.New(name), plan.Publish{Published: *small(0)}); !errors.Is(err, plan.ErrInvalid) {
			t.Errorf("%q is published: %v", name, err)
		}
	}
}

func TestBounds(t *testing.T) {
	with := func(change func(*plan.Published)) *plan.Published {
		p := small(0)
		change(p)
		return p
	}
	for name, p := range map[string]*plan.Published{
		"as it is":         small(0),
		"one millisecond":  with(func(p *plan.Published) { p.Min, p.Max = 1, 1 }),
		"250 years":        with(func(p *plan.Published) { p.Max = money.MaxTime }),
		"a long title":     with(func(p *plan.Published) { p.Title = strings.Repeat("x", 200) }),
		"no title":         with(func(p *plan.Published) { p.Title = "" }),
		"nothing enforced": with(func(p *plan.Published) { p.Enforcer = "" }),
		"no grace":         with(func(p *plan.Published) { p.Terms.Grace = 0 }),
	} {
		if err := p.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, p := range map[string]*plan.Published{
		"no minimum":                  with(func(p *plan.Published) { p.Min = 0 }),
		"a negative minimum":          with(func(p *plan.Published) { p.Min = -1 }),
		"a maximum below it":          with(func(p *plan.Published) { p.Max = p.Min - 1 }),
		"more than 250 years":         with(func(p *plan.Published) { p.Max = money.MaxTime + 1 }),
		"more than 21 million BTC":    with(func(p *plan.Published) { p.Terms.Price = money.Price{Msat: money.BTC, Per: instant.Second} }),
		"no price":                    with(func(p *plan.Published) { p.Terms.Price.Msat = 0 }),
		"negative grace":              with(func(p *plan.Published) { p.Terms.Grace = -1 }),
		"two warnings":                with(func(p *plan.Published) { p.Terms.Warn.Time = 1 }),
		"a title that is too long":    with(func(p *plan.Published) { p.Title = strings.Repeat("x", 201) }),
		"a title that is no text":     with(func(p *plan.Published) { p.Title = "\xff" }),
		"an enforcer that is too":     with(func(p *plan.Published) { p.Enforcer = strings.Repeat("x", 65) }),
		"an enforcer that is no text": with(func(p *plan.Published) { p.Enforcer = "\xff" }),
	} {
		if err := p.Check(); !errors.Is(err, plan.ErrInvalid) || strings.Contains(err.Error(), "%!") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
