// Package audit checks the rules that must hold in any log, whatever daemon wrote it.
//
// A [Checker] is shown each record once, in the order of the log, and adds up by itself
// what the read models must come to; [Checker.Compare] then holds them against its sums.
// It shares no arithmetic with what it checks. What it finds it lists, and goes on: that
// the log can be folded is for others to see.
package audit

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/proof/fork"
	"sandglass/domain/resource"
	"sandglass/domain/resource/uptime"
	"sandglass/domain/stream"
)

// MaxFindings is how many findings are listed; all are counted.
const MaxFindings = 100

// Finding is a rule that is not kept.
type Finding struct {
	Where    string // position and stream, or what else it is about
	Rule     string // what must hold
	Is, Want string
}

// Checker checks a log up to a position.
type Checker struct {
	Events   int64     // that were checked
	Count    int64     // of all findings
	Findings []Finding // the first of them

	until     stream.Position
	last      stream.Position
	recorded  instant.Time
	next      map[string]stream.Revision
	payments  map[payment.Key]*paid
	resources map[resource.ID]*sums
	returned  map[resource.ID][]uptime.Span // in their order
	forks     int64                         // names that the log was signed under: the number of the next one at least
}

// paid is what the log says of a payment, on its own stream and on those of resources.
type paid struct {
	asked    money.Msat
	settled  money.Msat
	resource resource.ID // that the payment's stream says has it
	holder   resource.ID // that was credited last
	credits  int
	reversed int
	replaced bool // it will not come
	canceled bool // it went back to its payer
}

// sums are those of a resource.
type sums struct{ credited, debited, reversed money.Msat } // debited less what was returned

// New returns a checker of the records up to a position.
func New(until stream.Position) *Checker {
	return &Checker{
		until:     until,
		next:      map[string]stream.Revision{},
		payments:  map[payment.Key]*paid{},
		resources: map[resource.ID]*sums{},
		returned:  map[resource.ID][]uptime.Span{},
	}
}

// Recorded returns when the last of the events that were checked was recorded.
func (c *Checker) Recorded() instant.Time { return c.recorded }

// want notes a finding, unless the rule is kept.
func (c *Checker) want(ok bool, where, rule string, is, want any) {
	if ok {
		return
	}
	c.Count++
	if len(c.Findings) < MaxFindings {
		c.Findings = append(c.Findings, Finding{where, rule, fmt.Sprint(is), fmt.Sprint(want)})
	}
}

// Record checks r against what came before it, and reports whether it did: a record after
// the position that is of interest is left out. A payload that can't be read is none of
// its findings.
func (c *Checker) Record(r *stream.Record) bool {
	if r.Position > c.until {
		return false
	}
	c.Events++
	where := fmt.Sprintf("position %d, %s", r.Position, r.Stream)
	c.place(where, r)
	if id, ok := strings.CutPrefix(r.Stream, resource.Prefix); ok {
		if e, err := resource.Decode(r); err == nil {
			c.resource(where, resource.ID(id), e)
		}
	}
	if key, ok := strings.CutPrefix(r.Stream, payment.Prefix); ok {
		if e, err := payment.Decode(r); err == nil {
			c.payment(payment.Key(key), e)
		}
	}
	if strings.HasPrefix(r.Stream, fork.Prefix) {
		if e, err := fork.Decode(r); err == nil {
			c.fork(where, e)
		}
	}
	return true
}

// fork checks under which names the log was signed.
func (c *Checker) fork(where string, e fork.Event) {
	number, size := int64(0), int64(0)
	switch e := e.(type) {
	case *fork.Opened:
		size = e.Size
		c.want(c.forks == 0, where, "a log is opened once", "again", "once")
	case *fork.Forked:
		number, size = e.Fork, e.Size
		c.want(number > 0 && number >= c.forks, where, "the numbers of forks increase", number, max(1, c.forks))
	}
	c.want(size < c.Events, where, "no more events are counted than were there", size, c.Events-1)
	c.forks = max(c.forks, number+1)
}

// place checks where and when r stands, and that its id is that of its content.
func (c *Checker) place(where string, r *stream.Record) {
	c.want(r.Position > c.last, where, "positions increase", r.Position, fmt.Sprintf("more than %d", c.last))
	c.want(r.RecordedAt >= c.recorded, where, "recorded_at never runs backwards",
		r.RecordedAt, fmt.Sprintf("%s or later", c.recorded))
	c.want(r.Revision == c.next[r.Stream], where, "revisions have no gap", r.Revision, c.next[r.Stream])
	c.want(stream.Follows(r.Stream, r.Revision, r.Event), where, "the id follows from the content",
		r.ID, stream.NewID(r.Stream, r.Revision, r.Event))
	c.last, c.recorded = r.Position, max(c.recorded, r.RecordedAt)
	c.next[r.Stream] = r.Revision + 1
}

func (c *Checker) resource(where string, id resource.ID, e resource.Event) {
	s := c.sums(id)
	switch e := e.(type) {
	case *resource.Credited:
		s.credited += e.Amount
		time := timeFor(e.Amount-e.DebtPaid-e.Above, e.Price)
		time.Add(time, timeFor(e.Above, e.AbovePrice))
		c.want(time.IsInt64() && time.Int64() == int64(e.Time), where, "a credit buys amount × per / price", e.Time, time)
		p := c.paid(payment.Key(e.Payment))
		p.credits++
		p.holder = id
		c.want(p.settled == e.Amount, where, "a credit is what the payment brought", e.Amount, p.settled)
		quoted := e.Amount - e.DebtPaid - e.Above
		c.want(quoted >= 0, where, "a credit is no less than its parts", e.Amount, e.DebtPaid+e.Above)
		c.want(e.Above == 0 || quoted <= p.asked, where, "a quote holds for what it asked", quoted, p.asked)
	case *resource.Debited:
		s.debited += e.Amount
	case *resource.Returned:
		s.debited -= e.Amount
		c.want(s.debited >= 0, where, "no more is returned than was debited", e.Amount, s.debited+e.Amount)
		c.returnedOnce(where, id, uptime.Span{From: e.From, To: e.From.Add(e.Time)})
	case *resource.Reversed:
		s.reversed += e.Amount
		c.paid(payment.Key(e.Payment)).reversed++
	}
}

// returnedOnce checks that nothing was returned for that time before.
func (c *Checker) returnedOnce(where string, id resource.ID, s uptime.Span) {
	all := c.returned[id]
	i, _ := slices.BinarySearchFunc(all, s, func(a, b uptime.Span) int { return cmp.Compare(a.To, b.From+1) })
	again := i < len(all) && all[i].From < s.To
	c.want(!again, where, "no time is returned twice", s.From, "a time for which nothing was")
	if !again {
		c.returned[id] = slices.Insert(all, i, s)
	}
}

// timeFor is the arithmetic of a credit, done once more and in another way.
func timeFor(amount money.Msat, p money.Price) *big.Int {
	n := new(big.Int).Mul(big.NewInt(int64(amount)), big.NewInt(int64(p.Per)))
	return n.Div(n, big.NewInt(max(1, int64(p.Msat))))
}

func (c *Checker) payment(key payment.Key, e payment.Event) {
	switch e := e.(type) {
	case *payment.Requested:
		c.paid(key).asked = e.Amount
	case *payment.Settled:
		c.paid(key).settled = e.Amount
	case *payment.Credited:
		c.paid(key).resource = e.Resource
	case *payment.Unallocated, *payment.Reorged:
		c.paid(key).resource = ""
	case *payment.Confirmed:
		c.paid(key).replaced = false
	case *payment.Replaced:
		c.paid(key).replaced = true
	case *payment.Canceled:
		c.paid(key).canceled = true
	}
}

func (c *Checker) sums(id resource.ID) *sums {
	s := c.resources[id]
	if s == nil {
		s = new(sums)
		c.resources[id] = s
	}
	return s
}

func (c *Checker) paid(key payment.Key) *paid {
	p := c.payments[key]
	if p == nil {
		p = new(paid)
		c.payments[key] = p
	}
	return p
}
