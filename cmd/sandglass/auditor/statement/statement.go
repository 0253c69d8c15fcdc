// Package statement shows what the books say of a period on one page, as text, as a page of its
// own, and as JSON: what came in, what was earned, what is owed, which checks were made of it, and
// what none of them can prove. The figures are those of projections/books.
package statement

import (
	"cmp"
	"maps"
	"slices"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/stream"
	"sandglass/projections/books"
	"sandglass/projections/ledger"
)

// Statement is all that stands on the page. Amounts are in millisatoshi, times in milliseconds.
type Statement struct {
	From     instant.Time    `json:"from,omitzero"` // the begin of the log, if there is none
	To       instant.Time    `json:"to,omitzero"`   // the end of the log, if there is none
	Made     instant.Time    `json:"made_at"`
	Extent   Extent          `json:"extent"`
	Position stream.Position `json:"position"` // of the last event of the period, or before it
	Written  instant.Time    `json:"written_at,omitzero"`
	Opening  Balances        `json:"opening"`
	Closing  Balances        `json:"closing"`
	Received []Rail          `json:"received"` // by the way it came
	Flows    Flows           `json:"flows"`
	Plans    []Plan          `json:"plans"`
	Checks   []Check         `json:"checks"`
	Sources  []Source        `json:"sources"` // that what stands here is from, the log first
	Unproven []string        `json:"cannot_prove"`
}

// Extent says whether all of the period is in the log.
type Extent string

// What it can be.
const (
	Over   Extent = "over"     // nothing can be written any more that belongs to it
	Going  Extent = "not_over" // it ends later than the statement was made, or never
	Unsure Extent = "unsure"   // it is over, and the log is a file that may have been written before
)

// Source is what something on the page is from.
type Source string

// The sources.
const (
	Log    Source = "log"
	Daemon Source = "daemon" // its figures
	Wallet Source = "wallet"
	Kept   Source = "kept" // what was kept of the log elsewhere: checkpoints and invoices
)

// Balances are the trial balance of the read models.
type Balances struct {
	Wallet      money.Msat `json:"wallet_msat"`
	Receivable  money.Msat `json:"receivable_msat"`
	Prepaid     money.Msat `json:"prepaid_msat"`
	Income      money.Msat `json:"income_msat"`
	Unallocated money.Msat `json:"unallocated_msat"`
}

// Flow sums up events of a kind.
type Flow struct {
	Events int64          `json:"events"`
	Amount money.Msat     `json:"amount_msat"`
	Time   instant.Millis `json:"time_ms,omitempty"`
}

// Rail is what came by one way.
type Rail struct {
	Via payment.Via `json:"via"`
	Flow
}

// Flows are those of the period.
type Flows struct {
	Received Flow `json:"received"`
	Credited Flow `json:"credited"`
	Used     Flow `json:"used"`
	Returned Flow `json:"returned"`
	Reversed Flow `json:"reversed"`
	Reorged  Flow `json:"reorged"`
	Granted  Flow `json:"granted"`
}

// Plan is what is earned and owed by the resources of a plan.
type Plan struct {
	Plan       string         `json:"plan"`
	Earned     money.Msat     `json:"earned_msat"` // used less returned, in the period
	EarnedTime instant.Millis `json:"earned_time_ms"`
	Resources  int64          `json:"resources"` // that have something left, and are not released
	Owed       money.Msat     `json:"owed_msat"` // to them, at the end
	OwedTime   instant.Millis `json:"owed_time_ms"`
	Kept       money.Msat     `json:"released_msat"` // that released ones had left
	Receivable money.Msat     `json:"receivable_msat"`
}

// Check is one that was made, or was not.
type Check struct {
	Name   string `json:"name"`
	Result Result `json:"result"`
	Detail string `json:"detail"`
	asked  Source // beside the log
}

// Made returns a check that was made of the log, and of what else it asked: Log of nothing else.
func Made(name string, ok bool, asked Source, detail string) Check {
	c := Check{Name: name, Result: Failed, Detail: detail, asked: asked}
	if ok {
		c.Result = Passed
	}
	return c
}

// Result is how a check ended.
type Result string

// The results.
const (
	Passed Result = "passed"
	Failed Result = "failed"
	Left   Result = "not made"
)

// Unproven is what no check of a log can prove.
var unproven = []string{
	"that lnd told the truth of what was received, and that the log has all of it",
	"that the keeper told the truth of what ran, for what is billed by its uptime",
	"that the operator still has the coins, and will deliver what is owed",
}

// New puts what the books say in order. Ends reports whether the log goes on after the period, or is all that there is.
func New(s *books.Statement, made instant.Time, ends bool, checks []Check) *Statement {
	v := &Statement{
		From: s.Period.From, To: s.Period.To, Made: made, Position: s.Position, Written: s.Written,
		Opening: Balances(s.Opening), Closing: Balances(s.Closing),
		Received: []Rail{}, Plans: []Plan{}, Checks: checks, Unproven: unproven,
		Extent: Over, Sources: []Source{Log},
	}
	switch {
	case v.To == 0 || v.To > made:
		v.Extent = Going
	case !ends:
		v.Extent = Unsure
	}
	for _, c := range checks {
		if c.asked != "" && c.Result != Left && !slices.Contains(v.Sources, c.asked) {
			v.Sources = append(v.Sources, c.asked)
		}
	}
	for _, via := range slices.Sorted(maps.Keys(s.Rails)) {
		v.Received = append(v.Received, Rail{via, flow(s.Rails[via])})
	}
	f := func(k books.Kind) Flow { return flow(s.Flows[k]) }
	v.Flows = Flows{
		Received: f(books.Received), Credited: f(books.Credited), Used: f(books.Used), Returned: f(books.Returned),
		Reversed: f(books.Reversed), Reorged: f(books.Reorged), Granted: f(books.Granted),
	}
	for name, p := range s.Plans {
		used, back := p.Flows[books.Used], p.Flows[books.Returned]
		v.Plans = append(v.Plans, Plan{
			Plan: name, Earned: used.Amount - back.Amount, EarnedTime: used.Time - back.Time,
			Resources: p.Owed.Entries, Owed: p.Owed.Amount, OwedTime: p.Owed.Time,
			Kept: p.Kept.Amount, Receivable: p.Receivable,
		})
	}
	slices.SortFunc(v.Plans, func(a, b Plan) int { return cmp.Compare(a.Plan, b.Plan) })
	return v
}

func flow(f books.Flow) Flow { return Flow{f.Entries, f.Amount, f.Time} }

var _ = ledger.Accounts(Balances{}) // the same fields

// Failed reports whether a check did.
func (s *Statement) Failed() bool {
	return slices.ContainsFunc(s.Checks, func(c Check) bool { return c.Result == Failed })
}
