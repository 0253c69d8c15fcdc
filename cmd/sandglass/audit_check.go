package main

import (
	"fmt"
	"io"
	"maps"
	"math/big"
	"slices"
	"strings"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections"
)

// maxFindings is how many findings are listed; all are counted.
const maxFindings = 100

// verdict is what an audit says.
type verdict struct {
	Position    stream.Position `json:"position"`
	Events      int64           `json:"events"`
	Figures     int64           `json:"figures"`
	Count       int64           `json:"count"` // of all findings
	Differences []difference    `json:"differences"`
	Broken      []broken        `json:"broken"`
	Error       string          `json:"error,omitempty"`
}

// difference is a figure on which the log and the daemon do not agree.
type difference struct {
	Stream string `json:"stream"`
	Field  string `json:"field,omitempty"`
	Log    string `json:"log"`
	Daemon string `json:"daemon"`
}

// broken is a rule that the log itself does not keep.
type broken struct {
	Where string `json:"where"`
	Rule  string `json:"rule"`
	Is    string `json:"is"`
	Want  string `json:"want"`
}

// checker sees each record of the log once, in order, and adds up by itself what the
// read models must come to.
type checker struct {
	verdict  verdict
	progress io.Writer
	terminal bool

	last      stream.Position
	recorded  instant.Time
	next      map[string]stream.Revision
	payments  map[payment.Key]*paid
	resources map[resource.ID]*sums
}

// paid is what the log says of a payment, on its own stream and on those of resources.
type paid struct {
	settled  money.Msat
	resource resource.ID // that the payment's stream says has it
	holder   resource.ID // that was credited last
	credits  int
	reversed int
}

// sums are those of a resource.
type sums struct{ credited, debited, reversed money.Msat }

func newChecker(progress io.Writer, terminal bool, until stream.Position) *checker {
	return &checker{
		verdict:  verdict{Position: until, Differences: []difference{}, Broken: []broken{}},
		progress: progress, terminal: terminal,
		next: map[string]stream.Revision{}, payments: map[payment.Key]*paid{}, resources: map[resource.ID]*sums{},
	}
}

// want notes a rule that is not kept.
func (c *checker) want(ok bool, where, rule string, is, want any) {
	if ok {
		return
	}
	c.verdict.Count++
	if len(c.verdict.Broken) < maxFindings {
		c.verdict.Broken = append(c.verdict.Broken, broken{where, rule, fmt.Sprint(is), fmt.Sprint(want)})
	}
}

// record checks r against what came before it. What the fold will refuse is left to it.
func (c *checker) record(r *stream.Record) {
	if r.Position > c.verdict.Position {
		return
	}
	c.verdict.Events++
	c.tell(r.Position)
	where := fmt.Sprintf("position %d, %s", r.Position, r.Stream)
	c.want(r.Position > c.last, where, "positions increase", r.Position, fmt.Sprintf("more than %d", c.last))
	c.want(r.RecordedAt >= c.recorded, where, "recorded_at never runs backwards", r.RecordedAt, fmt.Sprintf("%s or later", c.recorded))
	c.want(r.Revision == c.next[r.Stream], where, "revisions have no gap", r.Revision, c.next[r.Stream])
	id := stream.NewID(r.Stream, r.Revision, r.Event)
	c.want(r.ID == id, where, "the id follows from the content", r.ID, id)
	c.last, c.recorded = r.Position, max(c.recorded, r.RecordedAt)
	c.next[r.Stream] = r.Revision + 1
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
}

func (c *checker) resource(where string, id resource.ID, e resource.Event) {
	s := c.resources[id]
	if s == nil {
		s = new(sums)
		c.resources[id] = s
	}
	switch e := e.(type) {
	case *resource.Credited:
		s.credited += e.Amount
		time := timeFor(e.Amount-e.DebtPaid, e.Price)
		c.want(time.IsInt64() && time.Int64() == int64(e.Time), where, "a credit buys amount × per / price", e.Time, time)
		p := c.paid(payment.Key(e.Payment))
		p.credits++
		p.holder = id
		c.want(p.settled == e.Amount, where, "a credit is what the payment brought", e.Amount, p.settled)
	case *resource.Debited:
		s.debited += e.Amount
	case *resource.Reversed:
		s.reversed += e.Amount
		c.paid(payment.Key(e.Payment)).reversed++
	}
}

// timeFor is the arithmetic of a credit, done once more and in another way.
func timeFor(amount money.Msat, p money.Price) *big.Int {
	n := new(big.Int).Mul(big.NewInt(int64(amount)), big.NewInt(int64(p.Per)))
	return n.Div(n, big.NewInt(max(1, int64(p.Msat))))
}

func (c *checker) payment(key payment.Key, e payment.Event) {
	switch e := e.(type) {
	case *payment.Settled:
		c.paid(key).settled = e.Amount
	case *payment.Credited:
		c.paid(key).resource = e.Resource
	}
}

func (c *checker) paid(key payment.Key) *paid {
	p := c.payments[key]
	if p == nil {
		p = new(paid)
		c.payments[key] = p
	}
	return p
}

// compare checks the sums against the views, and the views against the daemon's dump.
func (c *checker) compare(v *projections.Views, dump io.ReadSeeker) error {
	if _, err := dump.Seek(0, io.SeekStart); err != nil {
		return err
	}
	counted := &figureCounter{r: dump}
	diffs, err := v.DiffDump(counted)
	if err != nil {
		return err
	}
	c.verdict.Figures = counted.figures
	c.verdict.Count += int64(len(diffs))
	for _, d := range diffs[:min(len(diffs), maxFindings)] {
		c.verdict.Differences = append(c.verdict.Differences, difference{d.Stream, d.Field, d.Ours, d.Theirs})
	}
	for _, d := range v.Check() {
		c.want(false, d.Stream, "the books agree with the resources: "+d.Field, d.Ours, d.Theirs)
	}
	trial := v.TrialBalance().Trial()
	c.want(trial == 0, "books", "assets − liabilities − income", trial, 0)
	c.checkResources(v)
	c.checkPayments()
	return nil
}

// checkResources holds each resource's sums against what its lots hold.
func (c *checker) checkResources(v *projections.Views) {
	for after := resource.ID(""); ; {
		page := v.Resources(after, 1000, nil)
		for i := range page {
			r := &page[i]
			s := c.resources[r.ID]
			if s == nil {
				s = new(sums)
			}
			where := resource.Prefix + string(r.ID)
			c.want(s.credited-s.debited-s.reversed == r.Balance()-r.Debt, where, "credits − debits − reversals = held − debt",
				s.credited-s.debited-s.reversed, r.Balance()-r.Debt)
			c.want(s.debited == r.Debited, where, "debits move what was drawn", s.debited, r.Debited)
			after = r.ID
		}
		if len(page) == 0 {
			return
		}
	}
}

// checkPayments holds the payments against the credits of resources. The last ones may
// be on their way: settled, credited at the resource, and not yet at their end.
func (c *checker) checkPayments() {
	for _, key := range slices.Sorted(maps.Keys(c.payments)) {
		p := c.payments[key]
		where := payment.Prefix + string(key)
		stands := p.credits - p.reversed
		c.want(stands == 1 || stands == 0 && (p.reversed > 0 || p.resource == ""), where, "a payment is one credit", stands, 1)
		c.want(p.resource == "" || p.resource == p.holder, where, "the resource that has it", p.resource, p.holder)
	}
}

// tellEvery is after how many events the progress is told, to a terminal; elsewhere a
// line is written far more seldom.
const tellEvery = 50_000

func (c *checker) tell(at stream.Position) {
	switch n := c.verdict.Events; {
	case c.terminal && n%tellEvery == 0:
		fmt.Fprintf(c.progress, "\r\x1b[K%s events, position %d of %d", group(n), at, c.verdict.Position)
	case n%(20*tellEvery) == 0:
		fmt.Fprintf(c.progress, "sandglass: %s events, position %d of %d\n", group(n), at, c.verdict.Position)
	}
}

// done ends the line of progress.
func (c *checker) done() {
	if c.terminal {
		fmt.Fprint(c.progress, "\r\x1b[K")
	}
}
