package resource_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/domain/resource/uptime"
)

// outcome is the kinds of the events that a command causes, or its error.
type outcome struct {
	kinds string
	err   error
}

func does(kinds string) outcome { return outcome{kinds: kinds} }
func refuses(err error) outcome { return outcome{err: err} }
func kinds(es []resource.Event) string {
	var names []string
	for _, e := range es {
		names = append(names, strings.TrimPrefix(fmt.Sprintf("%T", e), "*resource."))
	}
	return strings.Join(names, " ")
}

// TestEveryCommandInEveryStatus asks for each command at 30 s: after a running
// resource has run out, and within the grace of one that waits.
func TestEveryCommandInEveryStatus(t *testing.T) {
	statuses := []events{nil, awaiting, running, pausedAt4, suspended, gone}
	unopened := refuses(resource.ErrNotOpened)
	notRuns := refuses(resource.ErrNotRuns)
	notPaused := refuses(resource.ErrNotPaused)
	noTime := refuses(resource.ErrNoTime)
	noCredit := refuses(resource.ErrNoCredit)
	final := refuses(resource.ErrReleased)
	const out = "Debited Exhausted"
	for _, x := range []struct {
		command resource.Command
		want    [6]outcome // none, awaiting, running, paused, suspended, released
	}{
		{resource.Open{When: at(30_000), Order: resource.Order{Plan: "small", Terms: terms(resource.Warn{}), Request: [16]byte{1}}},
			[6]outcome{does("Opened"), does(""), does(""), does(""), does(""), does("")}},
		{credit(30_000, "p2", 500),
			[6]outcome{unopened, does("Credited Started"), does(out + " Credited Started"),
				does("Credited"), does("Credited Started"), final}},
		{credit(30_000, "p1", 10_000),
			[6]outcome{unopened, does("Credited Started"), does(""), does(""), does(""), does("")}},
		{resource.Grant{When: at(30_000), Key: "g", Time: 5},
			[6]outcome{unopened, does("Granted Started"), does(out + " Granted Started"),
				does("Granted"), does("Granted Started"), final}},
		{settle(30_000),
			[6]outcome{unopened, does(""), does(out), does(""), does(""), does("")}},
		{settle(5_000),
			[6]outcome{unopened, does(""), does("Debited"), does(""), does(""), does("")}},
		{settle(3 * 3_600_000),
			[6]outcome{unopened, does("Released"), does(out + " Released"), does(""), does("Released"), does("")}},
		{resource.Pause{When: at(5_000)},
			[6]outcome{unopened, notRuns, does("Debited Paused"), does(""), notRuns, final}},
		{resource.Pause{When: at(30_000)},
			[6]outcome{unopened, notRuns, notRuns, does(""), notRuns, final}},
		{resource.Resume{When: at(5_000)},
			[6]outcome{unopened, notPaused, does(""), does("Started"), notPaused, final}},
		{resource.Resume{When: at(30_000)},
			[6]outcome{unopened, notPaused, noTime, does("Started"), notPaused, final}},
		{resource.Reverse{When: at(5_000), Payment: "p1"},
			[6]outcome{unopened, noCredit, does("Debited Reversed Exhausted"), does("Reversed Exhausted"), does("Reversed"),
				does("Reversed")}},
		{resource.Reprice{When: at(30_000), Price: money.Price{Msat: 2, Per: 1}},
			[6]outcome{unopened, does("Repriced"), does(out + " Repriced"), does("Repriced"), does("Repriced"), final}},
		{resource.Reprice{When: at(30_000), Price: perMilli},
			[6]outcome{unopened, does(""), does(""), does(""), does(""), final}},
		{resource.Place{When: at(30_000), Host: "b"},
			[6]outcome{unopened, does("Placed"), does(out + " Placed"), does("Placed"), does("Placed"), final}},
		{resource.Place{When: at(5_000), Host: "b"},
			[6]outcome{unopened, does("Placed"), does("Debited Placed"), does("Placed"), does("Placed"), final}},
		{resource.Release{When: at(30_000), Reason: "holder"},
			[6]outcome{unopened, does("Released"), does(out + " Released"), does("Released"), does("Released"), does("")}},
	} {
		for i, want := range x.want {
			s := fold(statuses[i]...)
			got, err := resource.Decide(s, x.command)
			if !errors.Is(err, want.err) || kinds(got) != want.kinds {
				t.Errorf("%s: %T %+v: %q, %v; want %q, %v", s.Status, x.command, x.command, kinds(got), err, want.kinds, want.err)
			}
		}
	}
}

func TestOpen(t *testing.T) {
	open := resource.Open{
		When: at(7),
		Order: resource.Order{
			Plan:     "small",
			Terms:    terms(resource.Warn{Time: 9}),
			Enforcer: "systemd",
			Holder:   [16]byte{2},
			Request:  [16]byte{1},
		},
	}
	other, dear, none := open, open, resource.Open{When: at(7), Order: resource.Order{Plan: "small", Request: [16]byte{1}}}
	other.Request[15] = 9
	dear.Plan = "large"
	run(t, []example{
		{"a resource is opened", nil, open, events{&resource.Opened{
			At: stamp(7), Plan: "small", Terms: terms(resource.Warn{Time: 9}), Enforcer: "systemd",
			Holder: [16]byte{2}, Request: [16]byte{1}}}, nil},
		{"the same order is known", awaiting, open, nil, nil},
		{"the same order is known without its terms", awaiting, none, nil, nil},
		{"the same order is known after the end", gone, open, nil, nil},
		{"another order is told that the id is taken", awaiting, other, nil, resource.ErrExists},
		{"an order on another plan too", awaiting, dear, nil, resource.ErrExists},
		{"an order without terms is not opened", nil, none, nil, resource.ErrInvalid},
	})
}

func TestTermsAreBounded(t *testing.T) {
	ok := []resource.Terms{
		{Price: perMilli},
		{Price: money.Price{Msat: 1, Per: instant.Century}, Grace: instant.Century, Warn: resource.Warn{Time: money.MaxTime}},
		{Price: money.Price{Msat: money.MaxMsat, Per: 1}, Warn: resource.Warn{Amount: money.MaxMsat}},
		{Price: perMilli, Warn: resource.Warn{Share: 1_000_000}},
		{Price: perMilli, MaxPause: uptime.Period},
		{Price: perMilli, Uptime: true, StartWithin: uptime.Period, MaxOutage: uptime.Period, MaxPause: uptime.Period},
	}
	for _, x := range ok {
		if err := x.Check(); err != nil {
			t.Errorf("%+v: %v", x, err)
		}
	}
	for _, x := range []resource.Terms{
		{},
		{Price: money.Price{Msat: 0, Per: 1}},
		{Price: money.Price{Msat: money.MaxMsat + 1, Per: 1}},
		{Price: money.Price{Msat: 1, Per: instant.Century + 1}},
		{Price: perMilli, Grace: -1},
		{Price: perMilli, Grace: instant.Century + 1},
		{Price: perMilli, Warn: resource.Warn{Time: -1}},
		{Price: perMilli, Warn: resource.Warn{Time: money.MaxTime + 1}},
		{Price: perMilli, Warn: resource.Warn{Amount: -1}},
		{Price: perMilli, Warn: resource.Warn{Amount: money.MaxMsat + 1}},
		{Price: perMilli, Warn: resource.Warn{Share: -1}},
		{Price: perMilli, Warn: resource.Warn{Share: 1_000_001}},
		{Price: perMilli, Warn: resource.Warn{Time: 1, Share: 1}},
		{Price: perMilli, Warn: resource.Warn{Amount: 1, Time: 1}},
		{Price: perMilli, MaxPause: -1},
		{Price: perMilli, MaxPause: uptime.Period + 1},
		{Price: perMilli, StartWithin: 1},
		{Price: perMilli, MaxOutage: 1},
		{Price: perMilli, Uptime: true, StartWithin: -1},
		{Price: perMilli, Uptime: true, StartWithin: uptime.Period + 1},
		{Price: perMilli, Uptime: true, MaxOutage: -1},
		{Price: perMilli, Uptime: true, MaxOutage: uptime.Period + 1},
	} {
		_, err := resource.Decide(resource.New("vm"), resource.Open{When: at(1), Order: resource.Order{Terms: x}})
		if x.Check() == nil || !errors.Is(err, resource.ErrInvalid) {
			t.Errorf("%+v: %v, want ErrInvalid", x, err)
		}
	}
}

func TestCommandsAreBounded(t *testing.T) {
	long := resource.Credit{When: at(1), Payment: "p2", Amount: money.BTC, Price: money.Price{Msat: 1, Per: instant.Century}}
	full := join(awaiting, events{&resource.Credited{At: stamp(0), Payment: "p1", Amount: 5, Time: money.MaxTime, Price: perMilli}})
	rich := join(awaiting, events{&resource.Credited{At: stamp(0), Payment: "p1", Amount: money.MaxMsat, Time: 1, Price: perMilli}})
	negative := credit(1, "p2", 5)
	negative.Paid = -1
	priced := credit(1, "p2", 5)
	priced.Price.Msat = 3
	run(t, []example{
		{"a time before 1970", awaiting, resource.Settle{When: resource.When{At: -1}}, nil, resource.ErrInvalid},
		{"a time after 9999", awaiting, resource.Settle{When: resource.When{At: instant.Max + 1}}, nil, instant.ErrRange},
		{"a negative gap", awaiting, resource.Settle{When: resource.When{At: zero, MaxGap: -1}}, nil, resource.ErrInvalid},
		{"no money", awaiting, credit(1, "p2", 0), nil, resource.ErrInvalid},
		{"negative money", awaiting, credit(1, "p2", -1), nil, money.ErrNegative},
		{"more than there is", awaiting, credit(1, "p2", money.MaxMsat+1), nil, money.ErrTooMuch},
		{"more than there is, in two payments", rich, credit(1, "p2", 1), nil, money.ErrTooMuch},
		{"a payment without a name", awaiting, credit(1, "", 1), nil, resource.ErrInvalid},
		{"paid before 1970", awaiting, negative, nil, resource.ErrInvalid},
		{"half a price", awaiting, priced, nil, money.ErrPrice},
		{"more than 250 years", awaiting, long, nil, money.ErrTooLong},
		{"more than 250 years, in two payments", full, credit(1, "p2", 1), nil, money.ErrTooLong},
		{"more than 250 years, with a grant", full, resource.Grant{When: at(1), Key: "g", Time: 1}, nil, money.ErrTooLong},
		{"a grant without a key", awaiting, resource.Grant{When: at(1), Time: 1}, nil, resource.ErrInvalid},
		{"a grant of nothing", awaiting, resource.Grant{When: at(1), Key: "g"}, nil, resource.ErrInvalid},
		{"a grant of more than 250 years", awaiting, resource.Grant{When: at(1), Key: "g", Time: money.MaxTime + 1},
			nil, resource.ErrInvalid},
		{"a price of nothing", awaiting, resource.Reprice{When: at(1)}, nil, resource.ErrInvalid},
	})
}

// Errors are shown to people.
func TestErrorsAreReadable(t *testing.T) {
	for _, c := range []resource.Command{
		credit(1, "", 1), credit(1, "p", 0), credit(1, "p", -1),
		resource.Reprice{When: at(1)}, resource.Grant{When: at(1)},
	} {
		_, err := resource.Decide(fold(awaiting...), c)
		if err == nil || strings.ContainsAny(err.Error(), "%\n") {
			t.Errorf("%T: %q", c, err)
		}
	}
}

func TestRelease(t *testing.T) {
	free := events{&resource.Opened{At: stamp(0), Plan: "free", Terms: resource.Terms{Price: perMilli}}}
	run(t, []example{
		{"by its holder, debited until then", running, resource.Release{When: at(4_000), Reason: "holder"},
			events{debited(0, 4_000), released(4_000, "holder")}, nil},
		{"when grace is over, at the computed instant", suspended, settle(9 * hour),
			events{released(10_000+2*hour, "grace_over")}, nil},
		{"not before", suspended, settle(10_000 + 2*hour - 1), nil, nil},
		{"of a resource that ran out unseen", running, settle(9 * hour),
			events{debited(0, 10_000), exhausted(10_000), released(10_000+2*hour, "grace_over")}, nil},
		{"when nobody paid", awaiting, settle(2 * hour), events{released(2*hour, "never_paid")}, nil},
		{"an order waits an hour for its payment, whatever the grace", free, settle(hour - 1), nil, nil},
		{"and no longer", free, settle(hour), events{released(hour, "never_paid")}, nil},
		{"without grace it ends with its time", join(free, events{bought(0, "p1", 10), started(0, "paid")}), settle(15),
			events{debited(0, 10), exhausted(10), released(10, "grace_over")}, nil},
		{"a paused resource is kept", pausedAt4, settle(9 * hour), nil, nil},
		{"money that is too little for a millisecond holds nothing off",
			join(awaiting, events{&resource.Credited{At: stamp(3 * hour), Payment: "p1", Amount: 1, Price: money.Price{Msat: 2, Per: 1}}}),
			settle(3 * hour), events{released(3*hour, "never_paid")}, nil},
	})
}
