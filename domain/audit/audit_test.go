package audit_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sandglass/domain/audit"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/proof/fork"
	"sandglass/domain/resource"
	"sandglass/domain/resource/lots"
	"sandglass/domain/stream"
	"sandglass/projections"
	"sandglass/testutil/histories"
	"sandglass/testutil/storetest"

	"github.com/google/go-cmp/cmp"
)

const at = instant.Time(1_700_000_000_000)

// events are a log that is being written, with sound ids, revisions and positions.
type events []stream.Record

func (l *events) add(name string, f stream.Fact) {
	r := stream.Record{Event: stream.Encode(f), Stream: name, Position: stream.Position(len(*l) + 1), RecordedAt: at}
	for i := range *l {
		if (*l)[i].Stream == name {
			r.Revision++
		}
	}
	*l = append(*l, sealed(r))
}

// sealed returns r with the id that follows from its content.
func sealed(r stream.Record) stream.Record {
	r.ID = stream.NewID(r.Stream, r.Revision, r.Event)
	return r
}

func settled(m money.Msat) *payment.Settled {
	return &payment.Settled{At: payment.At{At: at}, Amount: m, Via: payment.ViaBOLT11, Node: "02aa", Index: 1}
}

func bought(key string, m, debt money.Msat, ms instant.Millis) *resource.Credited {
	price := money.Price{Msat: 1000, Per: instant.Second}
	return &resource.Credited{At: resource.At{At: at}, Payment: key, Amount: m, Time: ms, Price: price, DebtPaid: debt}
}

func debited(m money.Msat) *resource.Debited {
	return &resource.Debited{At: resource.At{At: at}, From: at, Time: 1, Amount: m}
}

func reversed(key string, m money.Msat) *resource.Reversed {
	return &resource.Reversed{At: resource.At{At: at}, Payment: key, Amount: m, Balance: m}
}

func done(id resource.ID) *payment.Credited {
	return &payment.Credited{At: payment.At{At: at}, Resource: id}
}

// paid returns a log of one payment of 3,500 msat, which bought 3,500 ms.
func paid() (l events) {
	l.add("payment-ln-1", settled(3500))
	l.add("resource-web", bought("ln-1", 3500, 0, 3500))
	l.add("payment-ln-1", done("web"))
	return l
}

// The names that a log was signed under come in their order, each of a log that was there.
func TestForks(t *testing.T) {
	opened := func(size int64) *fork.Opened {
		return &fork.Opened{At: stream.At{At: at}, Origin: "a", VKey: "a+1+b", Size: size}
	}
	forked := func(number, size int64) *fork.Forked {
		return &fork.Forked{At: stream.At{At: at}, Fork: number, Reason: "x", Origin: "a/1", VKey: "a+1+b", Size: size}
	}
	for _, test := range []struct {
		name   string
		events []stream.Fact
		rule   string
	}{
		{"as it should be", []stream.Fact{opened(3), forked(1, 4), forked(5, 3)}, ""},
		{"of a log that lost its opening", []stream.Fact{forked(2, 3)}, ""},
		{"opened twice", []stream.Fact{opened(3), opened(3)}, "a log is opened once"},
		{"opened after a fork", []stream.Fact{forked(1, 3), opened(3)}, "a log is opened once"},
		{"opened with more than there was", []stream.Fact{opened(4)}, "no more events are counted than were there"},
		{"forked with more than there was", []stream.Fact{opened(0), forked(1, 5)}, "no more events are counted than were there"},
		{"a number again", []stream.Fact{opened(0), forked(1, 1), forked(1, 2)}, "the numbers of forks increase"},
		{"no number", []stream.Fact{forked(0, 1)}, "the numbers of forks increase"},
	} {
		l := paid()
		for _, e := range test.events {
			l.add("log-forks", e)
		}
		c := audit.New(stream.Position(len(l)))
		for i := range l {
			c.Record(&l[i])
		}
		var rules []string
		for _, f := range c.Findings {
			rules = append(rules, f.Rule)
		}
		if got := strings.Join(rules, "; "); got != test.rule {
			t.Errorf("%s: %q, want %q", test.name, got, test.rule)
		}
	}
}

// What is given back for an outage was debited, and is given back once.
func TestReturned(t *testing.T) {
	back := func(from, ms instant.Millis, m money.Msat) *resource.Returned {
		return &resource.Returned{At: resource.At{At: at}, From: at.Add(from), Time: ms, Amount: m}
	}
	given := func(all ...*resource.Returned) (rules []string) {
		l := paid()
		l.add("resource-web", debited(1000))
		for _, e := range all {
			l.add("resource-web", e)
		}
		for _, f := range found(l, nil).Findings {
			rules = append(rules, f.Rule)
		}
		return rules
	}
	const twice, more = "no time is returned twice", "no more is returned than was debited"
	for name, x := range map[string]struct{ got, want []string }{
		"side by side, in any order": {given(back(100, 100, 1), back(300, 100, 1), back(200, 100, 1), back(0, 100, 1)), nil},
		"the same":                   {given(back(100, 100, 1), back(100, 100, 1)), []string{twice}},
		"its end":                    {given(back(300, 9, 1), back(100, 100, 1), back(199, 9, 1)), []string{twice}},
		"its begin":                  {given(back(100, 100, 1), back(91, 10, 1)), []string{twice}},
		"all of it and more":         {given(back(100, 100, 1), back(50, 500, 1)), []string{twice}},
		"a part of it":               {given(back(100, 100, 1), back(150, 10, 1)), []string{twice}},
		"more than was debited":      {given(back(100, 100, 999), back(200, 100, 2)), []string{more}},
	} {
		if !slices.Equal(x.got, x.want) {
			t.Errorf("%s: %q, want %q", name, x.got, x.want)
		}
	}
}

// books are read models that say what a test wants.
type books struct {
	rows  []resource.State
	trial money.Msat
	diffs []audit.Difference
}

func (b *books) Resources(after resource.ID, limit int, _ func(*resource.State) bool) (page []resource.State) {
	for _, r := range b.rows {
		if r.ID > after && len(page) < limit {
			page = append(page, r)
		}
	}
	return page
}

func (b *books) Trial() money.Msat         { return b.trial }
func (b *books) Check() []audit.Difference { return b.diffs }

// found checks a log, and compares it with books if there are any.
func found(l events, v audit.Views) *audit.Checker {
	c := audit.New(stream.Position(len(l)))
	for i := range l {
		c.Record(&l[i])
	}
	if v != nil {
		c.Compare(v)
	}
	return c
}

func TestRecord(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(events)
		want   []audit.Finding
	}{
		{"a sound log", func(events) {}, nil},
		{"a position twice", func(l events) { l[2].Position = 2 }, []audit.Finding{
			{"position 2, payment-ln-1", "positions increase", "2", "more than 2"},
		}},
		{"a clock that runs backwards", func(l events) { l[1].RecordedAt-- }, []audit.Finding{
			{"position 2, resource-web", "recorded_at never runs backwards", (at - 1).String(), at.String() + " or later"},
		}},
		{"a gap", func(l events) { l[2].Revision = 2; l[2] = sealed(l[2]) }, []audit.Finding{
			{"position 3, payment-ln-1", "revisions have no gap", "2", "1"},
		}},
		{"an id of other content", func(l events) { l[0].ID[3] ^= 1 }, []audit.Finding{
			{"position 1, payment-ln-1", "the id follows from the content", paidID(1), paidID(0)},
		}},
		{"a credit for less time", func(l events) {
			l[1].Event = stream.Encode(bought("ln-1", 3500, 0, 3499))
			l[1] = sealed(l[1])
		}, []audit.Finding{
			{"position 2, resource-web", "a credit buys amount × per / price", "3499", "3500"},
		}},
		{"a credit after debt", func(l events) {
			l[1].Event = stream.Encode(bought("ln-1", 3500, 500, 3000))
			l[1] = sealed(l[1])
		}, nil},
		{"a credit of more", func(l events) {
			l[1].Event = stream.Encode(bought("ln-1", 4500, 0, 4500))
			l[1] = sealed(l[1])
		}, []audit.Finding{
			{"position 2, resource-web", "a credit is what the payment brought", "4500 msat", "3500 msat"},
		}},
		{"a payload that can't be read", func(l events) { l[0].Data = []byte(`{}`); l[0] = sealed(l[0]) }, []audit.Finding{
			{"position 2, resource-web", "a credit is what the payment brought", "3500 msat", "0 msat"},
		}},
	} {
		l := paid()
		c.change(l)
		if diff := cmp.Diff(c.want, found(l, nil).Findings); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, diff)
		}
	}
}

// An invoice for 3,000 msat is paid with 3,500; what comes above buys half the time.
func TestOverpaid(t *testing.T) {
	const rule, where = "a credit buys amount × per / price", "position 3, resource-web"
	for _, c := range []struct {
		above money.Msat
		time  instant.Millis
		want  []audit.Finding
	}{
		{0, 3500, nil}, // as earlier builds did, or at one price
		{500, 3250, nil},
		{501, 3249, nil},
		{500, 3500, []audit.Finding{{where, rule, "3500", "3250"}}},
		{499, 3250, []audit.Finding{{where, "a quote holds for what it asked", "3001 msat", "3000 msat"}}},
		{3501, 1749, []audit.Finding{{where, "a credit is no less than its parts", "3500 msat", "3501 msat"}}},
	} {
		var l events
		l.add("payment-ln-1", &payment.Requested{
			At: payment.At{At: at}, Resource: "web", Amount: 3000, Price: money.Price{Msat: 1, Per: 1},
		})
		l.add("payment-ln-1", settled(3500))
		e := bought("ln-1", 3500, 0, c.time)
		if c.above > 0 {
			e.Above, e.AbovePrice = c.above, money.Price{Msat: 2000, Per: instant.Second}
		}
		l.add("resource-web", e)
		if diff := cmp.Diff(c.want, found(l, nil).Findings); diff != "" {
			t.Errorf("%d above, for %d ms: (-want +got)\n%s", c.above, c.time, diff)
		}
	}
}

// paidID returns the id of the first event of [paid], with some bits turned.
func paidID(bits byte) string {
	id := paid()[0].ID
	id[3] ^= bits
	return id.String()
}

func TestCompare(t *testing.T) {
	twice, undone, again, other := paid(), paid(), paid(), paid()
	twice.add("resource-web", bought("ln-1", 3500, 0, 3500))
	undone.add("payment-ln-1", &payment.Reorged{At: payment.At{At: at}, Height: 1, Block: "b"})
	undone.add("resource-web", reversed("ln-1", 3500))
	lost, refused, gone := paid(), paid(), paid()
	lost.add("resource-web", reversed("ln-1", 3500))
	refused.add("resource-web", reversed("ln-1", 3500))
	refused.add("payment-ln-1", &payment.Unallocated{At: payment.At{At: at}, Resource: "web", Reason: payment.ReasonReleased})
	gone.add("payment-ln-1", &payment.Replaced{At: payment.At{At: at}, Reason: payment.ReasonConflict})
	again.add("resource-web", reversed("ln-1", 3500))
	again.add("resource-web", bought("ln-1", 3500, 0, 3500))
	other[2].Event = stream.Encode(done("db"))
	other[2] = sealed(other[2])
	used := paid()
	used.add("resource-web", debited(500))
	holds := func(m, debited, debt money.Msat) *books {
		lot := lots.Lot{Key: "ln-1", Amount: m, Time: 1}
		return &books{rows: []resource.State{{ID: "web", Queue: lots.Queue{Lots: []lots.Lot{lot}}, Debited: debited, Debt: debt}}}
	}
	sums := func(is, want string) audit.Finding {
		return audit.Finding{"resource-web", "credits − debits − reversals = held − debt", is, want}
	}
	for _, c := range []struct {
		name string
		log  events
		v    *books
		want []audit.Finding
	}{
		{"sound", paid(), holds(3500, 0, 0), nil},
		{"nothing", nil, &books{}, nil},
		{"used", used, holds(3000, 500, 0), nil},
		{"owed", used, holds(4000, 500, 1000), nil},
		{"used, and not drawn", used, holds(3000, 400, 0), []audit.Finding{
			{"resource-web", "debits move what was drawn", "500 msat", "400 msat"},
		}},
		{"a resource that nobody paid", nil, holds(1, 0, 0), []audit.Finding{sums("0 msat", "1 msat")}},
		{"credited twice", twice, holds(7000, 0, 0), []audit.Finding{{"payment-ln-1", "a payment is one credit", "2", "1"}}},
		{"taken back", undone, holds(0, 0, 0), nil},
		{"taken back, and given again", again, holds(3500, 0, 0), nil},
		{"taken back, and refused since", refused, holds(0, 0, 0), nil},
		{"taken back, and said to be there", lost, holds(0, 0, 0), []audit.Finding{
			{"payment-ln-1", "a payment is one credit", "0", "1"},
		}},
		{"credited by what will not come", gone, holds(3500, 0, 0), []audit.Finding{
			{"payment-ln-1", "a payment that will not come has no credit", "1", "0"},
		}},
		{"a credit that another has", other, holds(3500, 0, 0), []audit.Finding{
			{"payment-ln-1", "the resource that has it", "db", "web"},
		}},
		{"settled, and on its way", paid()[:1], &books{}, nil},
		{"credited at the resource alone", paid()[:2], holds(3500, 0, 0), nil},
		{"books that don't balance", paid(), &books{trial: 5}, []audit.Finding{
			{"books", "assets − liabilities − income", "5 msat", "0"},
		}},
		{"books of other resources", nil, &books{diffs: []audit.Difference{{"$views", "prepaid_msat", "5", "6"}}}, []audit.Finding{
			{"$views", "the books agree with the resources: prepaid_msat", "5", "6"},
		}},
	} {
		if diff := cmp.Diff(c.want, found(c.log, c.v).Findings); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, diff)
		}
	}
}

// All findings are counted, and the first are listed.
func TestManyFindings(t *testing.T) {
	var l events
	for i := range 2 * audit.MaxFindings {
		l.add(fmt.Sprintf("toy-%d", i), settled(1))
		l[i].ID[0] ^= 1
	}
	if c := found(l, nil); c.Count != 2*audit.MaxFindings || len(c.Findings) != audit.MaxFindings || c.Events != c.Count {
		t.Errorf("%d events, %d findings, %d listed", c.Events, c.Count, len(c.Findings))
	}
}

// What comes later than what is of interest is left out.
func TestUntil(t *testing.T) {
	l := paid()
	c := audit.New(2)
	for i := range l {
		if c.Record(&l[i]) != (i < 2) {
			t.Errorf("position %d", i+1)
		}
	}
	if c.Events != 2 || c.Count != 0 {
		t.Errorf("%d events, %v", c.Events, c.Findings)
	}
}

// folded are views as the checker takes them.
type folded struct{ *projections.Views }

func (f folded) Trial() money.Msat { return f.TrialBalance().Trial() }

func (f folded) Check() (diffs []audit.Difference) {
	for _, d := range f.Views.Check() {
		diffs = append(diffs, audit.Difference{Where: d.Stream, Field: d.Field, Books: d.Ours, Resources: d.Theirs})
	}
	return diffs
}

// In a history that could have happened nothing is found; in one in which the amount of a
// credit or debit was changed, something is.
func TestHistories(t *testing.T) {
	for seed := range uint64(8) {
		s, clock := storetest.SQLite(t)
		w := histories.New(seed, 20)
		for range 150 {
			for _, a := range w.Step() {
				clock.Set(w.Now)
				if _, err := s.Append(t.Context(), a.Stream, a.Expected, a.Events); err != nil {
					t.Fatal(err)
				}
			}
		}
		head, err := s.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		views := projections.New(instant.Hour)
		if err := projections.Replay(t.Context(), s, views, head); err != nil {
			t.Fatal(err)
		}
		var log events
		for r, err := range stream.Between(t.Context(), s, 0, head) {
			if err != nil {
				t.Fatal(err)
			}
			log = append(log, r)
		}
		check := func(l events) *audit.Checker {
			c := audit.New(head)
			for i := range l {
				c.Record(&l[i])
			}
			c.Compare(folded{views})
			return c
		}
		if c := check(log); c.Count > 0 || c.Events != int64(len(log)) {
			t.Errorf("seed %d: of %d events %d were checked: %v", seed, len(log), c.Events, c.Findings)
		}
		for i := range log {
			l := slices.Clone(log)
			if changed, ok := richer(l[i]); ok {
				if l[i] = changed; check(l).Count == 0 {
					t.Errorf("seed %d: position %d, %s: %s was changed, and nothing is found", seed, l[i].Position, l[i].Stream, l[i].Type)
				}
			}
		}
	}
}

// richer returns the record of a credit or debit with 1 msat more, and the id of that.
func richer(r stream.Record) (stream.Record, bool) {
	if !strings.HasPrefix(r.Stream, resource.Prefix) {
		return r, false
	}
	switch e, _ := resource.Decode(&r); e := e.(type) {
	case *resource.Credited:
		e.Amount++
		r.Event.Data = stream.Encode(e).Data
	case *resource.Debited:
		e.Amount++
		r.Event.Data = stream.Encode(e).Data
	default:
		return r, false
	}
	return sealed(r), true
}
