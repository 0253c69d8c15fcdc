package payment_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/testutil/given"
)

// epoch is 2026-01-01T00:00:00Z: times in these tests are milliseconds after it.
const epoch instant.Time = 1_767_225_600_000

// quote is 1 msat a millisecond.
var quote = money.Price{Msat: 1000, Per: 1000}

type events = []payment.Event

// example is given events, when a command, then events or an error.
type example struct {
	name  string
	given events
	when  payment.Command
	then  events
	err   error
}

func check(t *testing.T, examples []example) {
	t.Helper()
	a := aggregate()
	a.Decide = func(s payment.State, c payment.Command) ([]payment.Event, error) {
		got, err := payment.Decide(s, c)
		if err != nil && strings.ContainsAny(err.Error(), "%\n") {
			t.Errorf("nobody can read %q", err)
		}
		return got, err
	}
	for _, x := range examples {
		given.Of(a, "ln-00").Check(t, x.name, x.given, x.when, x.then, x.err)
		if _, err := payment.Decide(fold(slices.Concat(x.given, x.then)...), x.when); x.err == nil && err != nil {
			t.Errorf("%s, again: %v", x.name, err)
		}
	}
}

// aggregate is the package's own, but that every event goes through the log's encoding.
func aggregate() stream.Aggregate[payment.Key, payment.State, payment.Command, payment.Event] {
	a := payment.Aggregate()
	a.Evolve = func(s payment.State, e payment.Event) payment.State {
		rec := stream.Record{Event: stream.Encode(e)}
		back, err := payment.Decode(&rec)
		if err != nil || !reflect.DeepEqual(back, e) {
			panic(fmt.Sprintf("%+v is read as %+v, %v", e, back, err))
		}
		return payment.Evolve(s, back)
	}
	return a
}

func fold(all ...payment.Event) payment.State { return given.Of(aggregate(), "ln-00").Fold(all...) }

func at(ms instant.Time) payment.At { return payment.At{At: epoch + ms} }

func requested(ms instant.Time) *payment.Requested {
	return &payment.Requested{
		At: at(ms), Resource: "vm-1", Amount: 500, Price: quote, Requested: epoch + ms, Expiry: epoch + 100, Invoice: "lnbc1",
	}
}

func settled(ms instant.Time, amount money.Msat) *payment.Settled {
	return &payment.Settled{At: at(ms), Amount: amount, Via: "bolt11", Node: "02aa", Index: 7}
}

func credited(ms instant.Time, to resource.ID) *payment.Credited {
	return &payment.Credited{At: at(ms), Resource: to}
}

func unallocated(ms instant.Time, to resource.ID, why payment.Reason) *payment.Unallocated {
	return &payment.Unallocated{At: at(ms), Resource: to, Reason: why}
}

func allocated(ms instant.Time, to resource.ID) *payment.Allocated {
	return &payment.Allocated{At: at(ms), Resource: to}
}

// The commands that these events follow from.
func request(ms instant.Time) payment.Request {
	return payment.Request{At: epoch + ms, Resource: "vm-1", Amount: 500, Price: quote, Expiry: epoch + 100, Invoice: "lnbc1"}
}

func settle(ms instant.Time, amount money.Msat) payment.Settle {
	return payment.Settle{At: epoch + ms, Amount: amount, Via: "bolt11", Node: "02aa", Index: 7}
}

func credit(ms instant.Time, to resource.ID) payment.Credit {
	return payment.Credit{At: epoch + ms, Resource: to}
}

func allocate(ms instant.Time, to resource.ID) payment.Allocate {
	return payment.Allocate{At: epoch + ms, Resource: to}
}

// The statuses of a payment of 500 msat for vm-1.
var (
	open  = events{requested(0)}
	paid  = events{requested(0), settled(10, 500)}
	had   = events{requested(0), settled(10, 500), credited(11, "vm-1")}
	stray = events{requested(0), settled(10, 500), unallocated(11, "vm-1", "released")}
	dead  = events{requested(0), &payment.Expired{At: at(101), Reason: "canceled"}}
)

func TestRequest(t *testing.T) {
	other := func(change func(*payment.Request)) payment.Request {
		c := request(0)
		change(&c)
		return c
	}
	same := request(0)
	check(t, []example{
		{"an invoice is asked for", nil, same, events{requested(0)}, nil},
		{"the payer may choose the amount", nil, other(func(c *payment.Request) { c.Amount = 0 }),
			events{&payment.Requested{
				At: at(0), Resource: "vm-1", Price: quote, Requested: epoch, Expiry: epoch + 100, Invoice: "lnbc1",
			}}, nil},
		{"again", open, same, nil, nil},
		{"again at another time", open, request(9), nil, nil},
		{"again when paid", paid, same, nil, nil},
		{"again when credited", had, same, nil, nil},
		{"again when unallocated", stray, same, nil, nil},
		{"again when expired", dead, same, nil, nil},
		{"for another resource", open, other(func(c *payment.Request) { c.Resource = "vm-2" }), nil, payment.ErrConflict},
		{"of another amount", open, other(func(c *payment.Request) { c.Amount++ }), nil, payment.ErrConflict},
		{"at another price", open, other(func(c *payment.Request) { c.Price.Msat++ }), nil, payment.ErrConflict},
		{"with another expiry", open, other(func(c *payment.Request) { c.Expiry++ }), nil, payment.ErrConflict},
		{"by another invoice", open, other(func(c *payment.Request) { c.Invoice = "lnbc2" }), nil, payment.ErrConflict},
		{"for no resource", nil, other(func(c *payment.Request) { c.Resource = "" }), nil, payment.ErrInvalid},
		{"of a negative amount", nil, other(func(c *payment.Request) { c.Amount = -1 }), nil, money.ErrNegative},
		{"without a price", nil, other(func(c *payment.Request) { c.Price = money.Price{} }), nil, payment.ErrInvalid},
		{"that expires before 1970", nil, other(func(c *payment.Request) { c.Expiry = -1 }), nil, payment.ErrInvalid},
		{"that expires after 9999", nil, other(func(c *payment.Request) { c.Expiry = instant.Max + 1 }), nil, payment.ErrInvalid},
		{"after 9999", nil, other(func(c *payment.Request) { c.At = instant.Max + 1 }), nil, payment.ErrInvalid},
	})
}

func TestSettle(t *testing.T) {
	other := func(change func(*payment.Settle)) payment.Settle {
		c := settle(10, 500)
		change(&c)
		return c
	}
	same := settle(10, 500)
	keysend := payment.Settle{At: epoch + 10, Amount: 500, Via: "keysend", Resource: "vm-2"}
	check(t, []example{
		{"what was requested", open, same, events{settled(10, 500)}, nil},
		{"more than was requested", open, other(func(c *payment.Settle) { c.Amount = 900 }), events{settled(10, 900)}, nil},
		{"what nobody requested", nil, keysend,
			events{&payment.Settled{At: at(10), Amount: 500, Via: "keysend", Resource: "vm-2"}}, nil},
		{"what had expired", dead, same, events{settled(101, 500)}, nil},
		{"by a clock that is behind ours", events{requested(50)}, same, events{settled(50, 500)}, nil},
		{"again", paid, same, nil, nil},
		{"again when credited", had, same, nil, nil},
		{"again when unallocated", stray, same, nil, nil},
		{"again by a wallet that counts anew", had, other(func(c *payment.Settle) { c.Index = 1 }), nil, nil},
		{"again with another amount", paid, other(func(c *payment.Settle) { c.Amount++ }), nil, payment.ErrConflict},
		{"again with another amount when credited", had, other(func(c *payment.Settle) { c.Amount-- }), nil, payment.ErrConflict},
		{"again with another amount when unallocated", stray, other(func(c *payment.Settle) { c.Amount-- }), nil, payment.ErrConflict},
		{"again by another way", had, other(func(c *payment.Settle) { c.Via = "amp" }), nil, payment.ErrConflict},
		{"again at another node", had, other(func(c *payment.Settle) { c.Node = "03bb" }), nil, payment.ErrConflict},
		{"again at a node that is not told", had, other(func(c *payment.Settle) { c.Node = "" }), nil, nil},
		{"nothing", open, other(func(c *payment.Settle) { c.Amount = 0 }), nil, payment.ErrInvalid},
		{"less than nothing", open, other(func(c *payment.Settle) { c.Amount = -1 }), nil, payment.ErrInvalid},
		{"more than there is", open, other(func(c *payment.Settle) { c.Amount = money.MaxMsat + 1 }), nil, payment.ErrInvalid},
		{"at a negative index", open, other(func(c *payment.Settle) { c.Index = -1 }), nil, payment.ErrInvalid},
		{"all there is", open, other(func(c *payment.Settle) { c.Amount = money.MaxMsat }), events{settled(10, money.MaxMsat)}, nil},
	})
}

func TestCredit(t *testing.T) {
	same, other := credit(20, "vm-1"), credit(20, "vm-2")
	foreign := events{settled(10, 500)}
	check(t, []example{
		{"unknown", nil, same, nil, payment.ErrUnknown},
		{"requested", open, same, nil, payment.ErrState},
		{"settled", paid, same, events{credited(20, "vm-1")}, nil},
		{"settled, by a clock that is behind", paid, credit(5, "vm-1"), events{credited(10, "vm-1")}, nil},
		{"settled for another resource", paid, other, nil, payment.ErrState},
		{"settled for none", foreign, credit(20, ""), nil, payment.ErrState},
		{"credited", had, same, nil, nil},
		{"credited to another", had, other, nil, payment.ErrState},
		{"unallocated by another booker, whom the resource refused", stray, same, events{credited(20, "vm-1")}, nil},
		{"unallocated for another", stray, other, nil, payment.ErrState},
		{"expired", dead, same, nil, payment.ErrState},
	})
}

func TestUnallocate(t *testing.T) {
	c := payment.Unallocate{At: epoch + 20, Resource: "vm-1", Reason: "released"}
	check(t, []example{
		{"unknown", nil, c, nil, payment.ErrUnknown},
		{"requested", open, c, nil, payment.ErrState},
		{"settled", paid, c, events{unallocated(20, "vm-1", "released")}, nil},
		{"credited", had, c, nil, payment.ErrState},
		{"unallocated", stray, c, nil, nil},
		{"expired", dead, c, nil, payment.ErrState},
	})
}

func TestAllocate(t *testing.T) {
	c := allocate(20, "vm-2")
	check(t, []example{
		{"unknown", nil, c, nil, payment.ErrUnknown},
		{"requested", open, c, nil, payment.ErrState},
		{"settled for another", paid, c, nil, payment.ErrState},
		{"settled for the same", paid, allocate(20, "vm-1"), nil, nil},
		{"credited to another", had, c, nil, payment.ErrState},
		{"credited to the same", had, allocate(20, "vm-1"), nil, nil},
		{"unallocated", stray, c, events{allocated(20, "vm-2")}, nil},
		{"unallocated, to nobody", stray, allocate(20, ""), nil, payment.ErrState},
		{"allocated to another meanwhile", append(stray[:3:3], allocated(15, "vm-3")), c, nil, payment.ErrState},
		{"expired", dead, c, nil, payment.ErrState},
	})
}

func TestExpire(t *testing.T) {
	c := payment.Expire{At: epoch + 120, Reason: "canceled"}
	check(t, []example{
		{"unknown", nil, c, nil, nil},
		{"requested", open, c, events{&payment.Expired{At: at(120), Reason: "canceled"}}, nil},
		{"settled: the money was faster", paid, c, nil, nil},
		{"credited", had, c, nil, nil},
		{"unallocated", stray, c, nil, nil},
		{"expired", dead, c, nil, nil},
	})
}

// TestQuoteStaysWithItsResource allocates money to a resource that it was not quoted for.
func TestQuoteStaysWithItsResource(t *testing.T) {
	if s := fold(stray...); s.Price != quote {
		t.Errorf("unallocated at %s", s.Price)
	}
	if s := fold(append(stray[:3:3], allocated(20, "vm-1"))...); s.Price != quote {
		t.Errorf("allocated to the same resource at %s", s.Price)
	}
	if s := fold(append(stray[:3:3], allocated(20, "vm-2"))...); s.Price != (money.Price{}) {
		t.Errorf("allocated to another resource at %s", s.Price)
	}
}

func TestStatusNames(t *testing.T) {
	for _, x := range []struct {
		given events
		want  string
	}{{nil, "none"}, {open, "requested"}, {paid, "settled"}, {had, "credited"}, {stray, "unallocated"}, {dead, "expired"}} {
		if got := fold(x.given...).Status.String(); got != x.want {
			t.Errorf("%s, want %s", got, x.want)
		}
	}
}
