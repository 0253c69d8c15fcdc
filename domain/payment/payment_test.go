package payment_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/stream"

	"github.com/google/go-cmp/cmp"
)

// epoch is 2026-01-01T00:00:00Z: times in these tests are milliseconds after it.
const epoch instant.Time = 1_767_225_600_000

// quote is 1 msat a millisecond.
var quote = money.Price{Msat: 1000, Per: 1000}

type (
	given []payment.Event
	then  []payment.Event
)

// example is given events, when a command, then events or an error.
type example struct {
	name string
	given
	when payment.Command
	then
	err error
}

func check(t *testing.T, examples []example) {
	t.Helper()
	for _, x := range examples {
		t.Run(x.name, func(t *testing.T) {
			s := fold(x.given...)
			got, err := payment.Decide(s, x.when)
			if !errors.Is(err, x.err) {
				t.Fatalf("error %v, want %v", err, x.err)
			}
			if err != nil && strings.ContainsAny(err.Error(), "%\n") {
				t.Errorf("nobody can read %q", err)
			}
			if diff := cmp.Diff(x.then, then(got)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			for _, e := range got {
				s = payment.Evolve(s, e)
			}
			if again, err := payment.Decide(s, x.when); x.err == nil && (len(again) > 0 || err != nil) {
				t.Errorf("again: %+v, %v", again, err)
			}
		})
	}
}

func fold(events ...payment.Event) payment.State {
	s := payment.New("ln-00")
	for _, e := range events {
		rec := stream.Record{Event: payment.Encode(e)}
		back, err := payment.Decode(&rec)
		if err != nil || !reflect.DeepEqual(back, e) {
			panic(err)
		}
		s = payment.Evolve(s, back)
	}
	return s
}

func at(ms instant.Time) payment.At { return payment.At{At: epoch + ms} }

func requested(ms instant.Time) *payment.Requested {
	return &payment.Requested{At: at(ms), Resource: "vm-1", Amount: 500, Price: quote, Expiry: epoch + 100, Invoice: "lnbc1"}
}

func settled(ms instant.Time, amount money.Msat) *payment.Settled {
	return &payment.Settled{At: at(ms), Amount: amount, Via: "bolt11", Node: "02aa", Index: 7}
}

func credited(ms instant.Time, to string) *payment.Credited {
	return &payment.Credited{At: at(ms), Resource: to}
}

func unallocated(ms instant.Time, to, why string) *payment.Unallocated {
	return &payment.Unallocated{At: at(ms), Resource: to, Reason: why}
}

func allocated(ms instant.Time, to string) *payment.Allocated {
	return &payment.Allocated{At: at(ms), Resource: to}
}

// The statuses of a payment of 500 msat for vm-1.
var (
	open  = given{requested(0)}
	paid  = given{requested(0), settled(10, 500)}
	had   = given{requested(0), settled(10, 500), credited(11, "vm-1")}
	stray = given{requested(0), settled(10, 500), unallocated(11, "vm-1", "released")}
	dead  = given{requested(0), &payment.Expired{At: at(101), Reason: "canceled"}}
)

func TestRequest(t *testing.T) {
	other := func(change func(*payment.Requested)) payment.Request {
		e := *requested(0)
		change(&e)
		return payment.Request{Requested: e}
	}
	same := payment.Request{Requested: *requested(0)}
	check(t, []example{
		{"an invoice is asked for", nil, same, then{requested(0)}, nil},
		{"the payer may choose the amount", nil, other(func(e *payment.Requested) { e.Amount = 0 }),
			then{&payment.Requested{At: at(0), Resource: "vm-1", Price: quote, Expiry: epoch + 100, Invoice: "lnbc1"}}, nil},
		{"again", open, same, nil, nil},
		{"again at another time", open, other(func(e *payment.Requested) { e.At = at(9) }), nil, nil},
		{"again when paid", paid, same, nil, nil},
		{"again when credited", had, same, nil, nil},
		{"again when unallocated", stray, same, nil, nil},
		{"again when expired", dead, same, nil, nil},
		{"for another resource", open, other(func(e *payment.Requested) { e.Resource = "vm-2" }), nil, payment.ErrConflict},
		{"of another amount", open, other(func(e *payment.Requested) { e.Amount++ }), nil, payment.ErrConflict},
		{"at another price", open, other(func(e *payment.Requested) { e.Price.Msat++ }), nil, payment.ErrConflict},
		{"with another expiry", open, other(func(e *payment.Requested) { e.Expiry++ }), nil, payment.ErrConflict},
		{"by another invoice", open, other(func(e *payment.Requested) { e.Invoice = "lnbc2" }), nil, payment.ErrConflict},
		{"for no resource", nil, other(func(e *payment.Requested) { e.Resource = "" }), nil, payment.ErrInvalid},
		{"of a negative amount", nil, other(func(e *payment.Requested) { e.Amount = -1 }), nil, money.ErrNegative},
		{"without a price", nil, other(func(e *payment.Requested) { e.Price = money.Price{} }), nil, payment.ErrInvalid},
		{"that expires before 1970", nil, other(func(e *payment.Requested) { e.Expiry = -1 }), nil, payment.ErrInvalid},
		{"that expires after 9999", nil, other(func(e *payment.Requested) { e.Expiry = instant.Max + 1 }), nil, payment.ErrInvalid},
		{"after 9999", nil, other(func(e *payment.Requested) { e.At = payment.At{At: instant.Max + 1} }), nil, payment.ErrInvalid},
	})
}

func TestSettle(t *testing.T) {
	settle := func(change func(*payment.Settled)) payment.Settle {
		e := *settled(10, 500)
		change(&e)
		return payment.Settle{Settled: e}
	}
	same := settle(func(*payment.Settled) {})
	keysend := &payment.Settled{At: at(10), Amount: 500, Via: "keysend", Resource: "vm-2"}
	check(t, []example{
		{"what was requested", open, same, then{settled(10, 500)}, nil},
		{"more than was requested", open, settle(func(e *payment.Settled) { e.Amount = 900 }), then{settled(10, 900)}, nil},
		{"what nobody requested", nil, payment.Settle{Settled: *keysend}, then{keysend}, nil},
		{"what had expired", dead, same, then{settled(101, 500)}, nil},
		{"by a clock that is behind ours", given{requested(50)}, same, then{settled(50, 500)}, nil},
		{"again", paid, same, nil, nil},
		{"again when credited", had, same, nil, nil},
		{"again when unallocated", stray, same, nil, nil},
		{"again by a wallet that counts anew", had, settle(func(e *payment.Settled) { e.Index = 1 }), nil, nil},
		{"again with another amount", paid, settle(func(e *payment.Settled) { e.Amount++ }), nil, payment.ErrConflict},
		{"again with another amount when credited", had, settle(func(e *payment.Settled) { e.Amount-- }), nil, payment.ErrConflict},
		{"again with another amount when unallocated", stray, settle(func(e *payment.Settled) { e.Amount-- }), nil, payment.ErrConflict},
		{"again at another node", had, settle(func(e *payment.Settled) { e.Node = "03bb" }), nil, payment.ErrConflict},
		{"again at a node that is not told", had, settle(func(e *payment.Settled) { e.Node = "" }), nil, nil},
		{"nothing", open, settle(func(e *payment.Settled) { e.Amount = 0 }), nil, payment.ErrInvalid},
		{"less than nothing", open, settle(func(e *payment.Settled) { e.Amount = -1 }), nil, payment.ErrInvalid},
		{"more than there is", open, settle(func(e *payment.Settled) { e.Amount = money.MaxMsat + 1 }), nil, payment.ErrInvalid},
		{"at a negative index", open, settle(func(e *payment.Settled) { e.Index = -1 }), nil, payment.ErrInvalid},
		{"all there is", open, settle(func(e *payment.Settled) { e.Amount = money.MaxMsat }), then{settled(10, money.MaxMsat)}, nil},
	})
}

func TestCredit(t *testing.T) {
	credit := payment.Credit{Credited: *credited(20, "vm-1")}
	other := payment.Credit{Credited: *credited(20, "vm-2")}
	foreign := given{settled(10, 500)}
	check(t, []example{
		{"unknown", nil, credit, nil, payment.ErrUnknown},
		{"requested", open, credit, nil, payment.ErrState},
		{"settled", paid, credit, then{credited(20, "vm-1")}, nil},
		{"settled, by a clock that is behind", paid, payment.Credit{Credited: *credited(5, "vm-1")}, then{credited(10, "vm-1")}, nil},
		{"settled for another resource", paid, other, nil, payment.ErrState},
		{"settled for none", foreign, payment.Credit{Credited: *credited(20, "")}, nil, payment.ErrState},
		{"credited", had, credit, nil, nil},
		{"credited to another", had, other, nil, payment.ErrState},
		{"unallocated by another booker, whom the resource refused", stray, credit, then{credited(20, "vm-1")}, nil},
		{"unallocated for another", stray, other, nil, payment.ErrState},
		{"expired", dead, credit, nil, payment.ErrState},
	})
}

func TestUnallocate(t *testing.T) {
	c := payment.Unallocate{Unallocated: *unallocated(20, "vm-1", "released")}
	check(t, []example{
		{"unknown", nil, c, nil, payment.ErrUnknown},
		{"requested", open, c, nil, payment.ErrState},
		{"settled", paid, c, then{unallocated(20, "vm-1", "released")}, nil},
		{"credited", had, c, nil, payment.ErrState},
		{"unallocated", stray, c, nil, nil},
		{"expired", dead, c, nil, payment.ErrState},
	})
}

func TestAllocate(t *testing.T) {
	c := payment.Allocate{Allocated: *allocated(20, "vm-2")}
	check(t, []example{
		{"unknown", nil, c, nil, payment.ErrUnknown},
		{"requested", open, c, nil, payment.ErrState},
		{"settled for another", paid, c, nil, payment.ErrState},
		{"settled for the same", paid, payment.Allocate{Allocated: *allocated(20, "vm-1")}, nil, nil},
		{"credited to another", had, c, nil, payment.ErrState},
		{"credited to the same", had, payment.Allocate{Allocated: *allocated(20, "vm-1")}, nil, nil},
		{"unallocated", stray, c, then{allocated(20, "vm-2")}, nil},
		{"unallocated, to nobody", stray, payment.Allocate{Allocated: *allocated(20, "")}, nil, payment.ErrState},
		{"given to another meanwhile", append(stray[:3:3], allocated(15, "vm-3")), c, nil, payment.ErrState},
		{"expired", dead, c, nil, payment.ErrState},
	})
}

func TestExpire(t *testing.T) {
	c := payment.Expire{Expired: payment.Expired{At: at(120), Reason: "canceled"}}
	check(t, []example{
		{"unknown", nil, c, nil, nil},
		{"requested", open, c, then{&payment.Expired{At: at(120), Reason: "canceled"}}, nil},
		{"settled: the money was faster", paid, c, nil, nil},
		{"credited", had, c, nil, nil},
		{"unallocated", stray, c, nil, nil},
		{"expired", dead, c, nil, nil},
	})
}

// TestQuoteStaysWithItsResource gives money to a resource that it was not quoted for.
func TestQuoteStaysWithItsResource(t *testing.T) {
	if s := fold(stray...); s.Price != quote {
		t.Errorf("unallocated at %s", s.Price)
	}
	if s := fold(append(stray[:3:3], allocated(20, "vm-1"))...); s.Price != quote {
		t.Errorf("given to the same resource at %s", s.Price)
	}
	if s := fold(append(stray[:3:3], allocated(20, "vm-2"))...); s.Price != (money.Price{}) {
		t.Errorf("given to another resource at %s", s.Price)
	}
}

func TestStatusNames(t *testing.T) {
	for _, x := range []struct {
		given
		want string
	}{{nil, "none"}, {open, "requested"}, {paid, "settled"}, {had, "credited"}, {stray, "unallocated"}, {dead, "expired"}} {
		if got := fold(x.given...).Status.String(); got != x.want {
			t.Errorf("%s, want %s", got, x.want)
		}
	}
}
