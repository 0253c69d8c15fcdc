package statement

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sandglass/cmd/sandglass/show"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
)

// mostPlans is how many plans have a row of their own on the page; JSON has all.
const mostPlans = 12

// table is what the text and the page show alike. The first column is text, the others are numbers.
type table struct {
	Title string
	Head  []string
	Rows  [][]string
	Note  string
}

var rails = map[payment.Via]string{
	payment.ViaBOLT11:  "Lightning, invoices",
	payment.ViaAMP:     "Lightning, AMP",
	payment.ViaKeysend: "Lightning, keysend",
	payment.ViaOnChain: "on the chain",
}

// Title names the period.
func (s *Statement) Title() string {
	switch {
	case s.From == 0 && s.To == 0:
		return "all of the log"
	case s.From == 0:
		return "before " + day(s.To)
	case s.To == 0:
		return "since " + day(s.From)
	}
	return "from " + day(s.From) + " until " + day(s.To)
}

// day writes an instant of UTC, without its time where that is midnight.
func day(t instant.Time) string {
	return strings.TrimSuffix(show.Instant(t), " 00:00:00 UTC")
}

// About says what the figures are of.
func (s *Statement) About() string {
	if s.Position == 0 {
		return "The log has no event of before the end of this period."
	}
	return fmt.Sprintf("All that was written in that time, in UTC, up to position %d of the log, which was written on %s. "+
		"Amounts are in satoshi, to the millisatoshi.", s.Position, show.Instant(s.Written))
}

// Warning says that the period has not all of its figures yet, or may not. It is empty of one that has.
func (s *Statement) Warning() string {
	switch {
	case s.Extent == Going && s.To == 0:
		return fmt.Sprintf("This period has no end: what is written after %s is not in it.", show.Instant(s.Made))
	case s.Extent == Going:
		return fmt.Sprintf("This period is not over: it ends on %s, and what is written until then is still to come.",
			show.Instant(s.To))
	case s.Extent == Unsure:
		return fmt.Sprintf("The log that was read has nothing of after this period: if it was written before %s, "+
			"what came then is missing.", show.Instant(s.To))
	}
	return ""
}

// Origin says what the page is from, and when it was made.
func (s *Statement) Origin() string {
	more := ""
	for _, from := range s.Sources[1:] {
		more += ", " + map[Source]string{
			Daemon: "the figures of the daemon", Wallet: "its wallet", Kept: "what was kept of the log elsewhere",
		}[from]
	}
	if more == "" {
		return fmt.Sprintf("Made by Sandglass on %s, from its event log alone.", show.Instant(s.Made))
	}
	return fmt.Sprintf("Made by Sandglass on %s. The figures are from its event log alone; the checks asked besides: %s.",
		show.Instant(s.Made), more[len(", "):])
}

// Tables returns the figures in the order of the page.
func (s *Statement) Tables() []table {
	return []table{s.received(), s.earned(), s.balances(), s.owed()}
}

func (s *Statement) received() table {
	t := table{Title: "What came in", Head: []string{"by", "payments", "sat"}}
	for _, r := range s.Received {
		t.Rows = append(t.Rows, []string{cmp.Or(rails[r.Via], string(r.Via)), show.Group(r.Events), sat(r.Amount)})
	}
	f := &s.Flows
	if f.Reorged.Events > 0 {
		t.Rows = append(t.Rows, []string{"gone again with their block", show.Group(-f.Reorged.Events), sat(-f.Reorged.Amount)})
	}
	n := f.Received.Events - f.Reorged.Events
	t.Rows = append(t.Rows, []string{"in all", show.Group(n), sat(f.Received.Amount - f.Reorged.Amount)})
	return t
}

func (s *Statement) earned() table {
	f := &s.Flows
	row := func(what string, sign int64, f Flow) []string {
		return []string{what, show.Group(f.Events), long(instant.Millis(sign) * f.Time), sat(money.Msat(sign) * f.Amount)}
	}
	return table{
		Title: "What became of it",
		Head:  []string{"", "times", "time", "sat"},
		Rows: [][]string{
			row("credited to resources", 1, f.Credited),
			row("reversed: credits taken back", -1, f.Reversed),
			row("granted for nothing", 1, f.Granted),
			row("used", 1, f.Used),
			row("given back for outages", -1, f.Returned),
			{"earned", "", long(f.Used.Time - f.Returned.Time), sat(f.Used.Amount - f.Returned.Amount)},
		},
		Note: "Use is booked when it is debited: what ran since the last debit of each resource is of the next period.",
	}
}

func (s *Statement) balances() table {
	row := func(what string, from, to money.Msat) []string {
		return []string{what, sat(from), sat(to - from), sat(to)}
	}
	o, c := &s.Opening, &s.Closing
	return table{
		Title: "How the books stand",
		Head:  []string{"account", "before", "change", "after"},
		Rows: [][]string{
			row("received, less what went back", o.Wallet, c.Wallet),
			row("owed by resources, after a reversal", o.Receivable, c.Receivable),
			row("owed to resources, in time", o.Prepaid, c.Prepaid),
			row("unallocated, without a resource", o.Unallocated, c.Unallocated),
			row("earned, since the log began", o.Income, c.Income),
		},
		Note: "The first two together are as much as the last three.",
	}
}

func (s *Statement) owed() table {
	t := table{
		Title: "What is owed, and was earned, by plan",
		Head:  []string{"plan", "resources", "time owed", "sat owed", "sat earned"},
	}
	plans := slices.Clone(s.Plans)
	slices.SortStableFunc(plans, func(a, b Plan) int { return cmp.Compare(b.Owed, a.Owed) })
	var rest, kept Plan
	for i, p := range plans {
		kept.Kept += p.Kept
		if i < mostPlans {
			t.Rows = append(t.Rows, p.row())
			continue
		}
		rest.Resources += p.Resources
		rest.OwedTime += p.OwedTime
		rest.Owed += p.Owed
		rest.Earned += p.Earned
	}
	if more := len(plans) - mostPlans; more > 0 {
		rest.Plan = show.Count(int64(more), "more plan")
		t.Rows = append(t.Rows, rest.row())
	}
	if kept.Kept != 0 {
		t.Rows = append(t.Rows, []string{"left by resources that are released", "", "", sat(kept.Kept), ""})
	}
	return t
}

func (p *Plan) row() []string {
	return []string{p.Plan, show.Group(p.Resources), long(p.OwedTime), sat(p.Owed), sat(p.Earned)}
}

// sat writes an amount in satoshi, exactly.
func sat(m money.Msat) string {
	sign := ""
	if m < 0 {
		sign, m = "-", -m
	}
	return fmt.Sprintf("%s%s.%03d", sign, show.Group(int64(m/money.Sat)), int64(m%money.Sat))
}

// long writes a length for people, to the second.
func long(m instant.Millis) string {
	if m == 0 {
		return "-"
	}
	if m < 0 {
		return "-" + show.Left(-m)
	}
	return show.Left(m)
}
