package statement_test

import (
	"encoding/json"
	"fmt"
	"iter"
	"regexp"
	"strings"
	"testing"

	"sandglass/cmd/sandglass/auditor/statement"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections/books"
	"sandglass/testutil/histories"
)

const at = instant.Time(1_767_225_600_000)

func each(records []stream.Record) iter.Seq2[stream.Record, error] {
	return func(yield func(stream.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// log is a log of one of each.
type log []stream.Record

func (l *log) add(name string, f stream.Fact) {
	*l = append(*l, stream.Record{
		Event: stream.Encode(f), Stream: name, Position: stream.Position(len(*l) + 1), RecordedAt: at.Add(instant.Millis(len(*l))),
	})
}

func oneOfEach(plan string) (l log) {
	r, p := resource.At{At: at}, payment.At{At: at}
	l.add("payment-btc-1-0", &payment.Settled{At: p, Amount: 9000, Via: payment.ViaOnChain})
	l.add("payment-ln-1", &payment.Settled{At: p, Amount: 70_001, Via: payment.ViaBOLT11})
	l.add("payment-ln-2", &payment.Settled{At: p, Amount: 500, Via: "cashu"})
	l.add("resource-web", &resource.Opened{At: r, Plan: plan})
	l.add("resource-web", &resource.Credited{At: r, Payment: "btc-1-0", Amount: 9000, Time: 9000})
	l.add("resource-web", &resource.Credited{At: r, Payment: "ln-1", Amount: 70_001, Time: 70_001})
	l.add("resource-web", &resource.Granted{At: r, Key: "g", Time: 60_000})
	l.add("resource-web", &resource.Debited{At: r, Amount: 10_000, Time: 10_000})
	l.add("resource-web", &resource.Returned{At: r, Amount: 4000, Time: 4000})
	l.add("payment-btc-1-0", &payment.Reorged{At: p})
	l.add("resource-web", &resource.Reversed{At: r, Payment: "btc-1-0", Amount: 9000, Balance: 3000, Time: 3000, Debt: 6000})
	return l
}

func state(t *testing.T, l log, p books.Period) *statement.Statement {
	t.Helper()
	s, err := books.State(each(l), p, nil)
	if err != nil {
		t.Fatal(err)
	}
	return statement.New(s, at.Add(instant.Day), true, []statement.Check{
		{Name: "replay", Result: statement.Passed, Detail: "12 figures"},
	})
}

func text(t *testing.T, s *statement.Statement) string {
	t.Helper()
	var b strings.Builder
	if err := s.Text(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func page(t *testing.T, s *statement.Statement) string {
	t.Helper()
	var b strings.Builder
	if err := s.HTML(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestText(t *testing.T) {
	got := text(t, state(t, oneOfEach("small"), books.Period{From: at, To: at.Add(instant.Day)}))
	const want = `Statement, from 2026-01-01 until 2026-01-02
All that was written in that time, in UTC, up to position 11 of the log, which was written on 2026-01-01 00:00:00 UTC. ` +
		`Amounts are in satoshi, to the millisatoshi.

What came in
    by                           payments     sat
    Lightning, invoices                 1  70.001
    cashu                               1   0.500
    on the chain                        1   9.000
    gone again with their block        -1  -9.000
    in all                              2  70.501

What became of it
                                  times   time     sat
    credited to resources             2  1m19s  79.001
    reversed: credits taken back      1    -3s  -9.000
    granted for nothing               1     1m   0.000
    used                              1    10s  10.000
    given back for outages            1    -4s  -4.000
    earned                                  6s   6.000
`
	if !strings.HasPrefix(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, line := range []string{
		"    owed by resources, after a reversal   0.000   6.000   6.000",
		"    small          1      2m10s    70.001       6.000",
		"  replay     passed    12 figures",
		"  that lnd told the truth of what was received, and that the log has all of it",
	} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("there is no %q in\n%s", line, got)
		}
	}
}

// TestWhatALogSays: it is text on the page, and steers no terminal.
func TestWhatALogSays(t *testing.T) {
	s := state(t, oneOfEach("<script>\x1b[2J"), books.Period{})
	if got := page(t, s); strings.Contains(got, "<script") || !strings.Contains(got, "<td>&lt;script&gt;") {
		t.Errorf("got\n%s", got)
	}
	if got := text(t, s); strings.Contains(got, "\x1b") {
		t.Errorf("got\n%q", got)
	}
}

// TestThePageStandsByItself: it loads nothing.
func TestThePageStandsByItself(t *testing.T) {
	got := page(t, state(t, oneOfEach("small"), books.Period{}))
	if loads := regexp.MustCompile(`(?i)https?:|//|src=|href=|@import|url\(`).FindString(got); loads != "" {
		t.Errorf("the page has %q", loads)
	}
}

// TestFormatsAgree holds that each figure of the JSON is on the page and in the text, for periods
// of random logs; and that they are those of the books.
func TestFormatsAgree(t *testing.T) {
	for seed := range uint64(5) {
		records := histories.Recorded(seed, 12, 700)
		p := books.Period{From: records[len(records)/3].RecordedAt, To: records[2*len(records)/3].RecordedAt}
		sums, err := books.State(each(records), p, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := statement.New(sums, at, true, nil)
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back statement.Statement
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		html, plain := page(t, s), text(t, s)
		shown := func(m money.Msat) {
			want := fmt.Sprintf("%d.%03d", m/1000, m%1000)
			for _, out := range []string{html, plain} {
				if !strings.Contains(strings.ReplaceAll(out, ",", ""), want) {
					t.Errorf("seed %d: there is no %s", seed, want)
				}
			}
		}
		if ledger := sums.Closing; back.Closing != statement.Balances(ledger) || back.Opening != statement.Balances(sums.Opening) {
			t.Errorf("the page closes with %+v, the books with %+v", back.Closing, ledger)
		}
		for _, m := range []money.Msat{
			back.Closing.Wallet, back.Closing.Prepaid, back.Closing.Income, back.Closing.Unallocated, back.Closing.Receivable,
			back.Flows.Credited.Amount, back.Flows.Used.Amount, back.Flows.Returned.Amount, back.Flows.Reversed.Amount,
		} {
			shown(m)
		}
		var owed, earned money.Msat
		for _, r := range back.Received {
			shown(r.Amount)
		}
		for _, plan := range back.Plans {
			shown(plan.Owed)
			owed += plan.Owed + plan.Kept
			earned += plan.Earned
		}
		if owed != sums.Closing.Prepaid || earned != sums.Closing.Income-sums.Opening.Income {
			t.Errorf("by plan %d is owed and %d was earned, the books say %+v", owed, earned, sums.Closing)
		}
	}
}

// TestOnePage: so many plans as there are, the page has as many rows.
func TestOnePage(t *testing.T) {
	var l log
	for i := range 500 {
		l.add(fmt.Sprint("resource-r", i), &resource.Opened{At: resource.At{At: at}, Plan: fmt.Sprint("plan-", i)})
	}
	s := state(t, l, books.Period{})
	got := page(t, s)
	if len(s.Plans) != 500 || strings.Count(got, "<tr") > 50 || !strings.Contains(got, "<td>488 more plans</td>") {
		t.Errorf("%d plans, and the page has %d rows", len(s.Plans), strings.Count(got, "<tr"))
	}
	if got := text(t, state(t, nil, books.Period{To: at})); !strings.Contains(got, "The log has no event of before the end") {
		t.Errorf("of an empty log: %s", got)
	}
}

// TestWhatAPeriodIsSaidToBe: one that is not over, and one that a file may not have the end of, are told to be that, and
// what the page is from is named; in each format.
func TestWhatAPeriodIsSaidToBe(t *testing.T) {
	const alone = "Made by Sandglass on 2026-01-02 00:00:00 UTC, from its event log alone."
	made := at.Add(instant.Day)
	sums, err := books.State(each(oneOfEach("small")), books.Period{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	replay := statement.Made("replay", true, statement.Daemon, "12 figures")
	wallet := statement.Made("reconcile", false, statement.Wallet, "1 difference")
	left := statement.Check{Name: "verify", Result: statement.Left, Detail: "--checkpoint does"}
	for name, test := range map[string]struct {
		to      instant.Time
		ends    bool
		checks  []statement.Check
		extent  statement.Extent
		warning string
		origin  string
	}{
		"over":             {made, true, []statement.Check{left}, statement.Over, "", alone},
		"over, of a file":  {made, false, nil, statement.Unsure, "of after this period: if it was written before 2026-01-02", alone},
		"not over":         {made + 1, true, nil, statement.Going, "This period is not over: it ends on 2026-01-02 00:00:00", alone},
		"not over, a file": {made + 1, false, nil, statement.Going, "This period is not over: it ends on", alone},
		"without an end":   {0, true, nil, statement.Going, "has no end: what is written after 2026-01-02 00:00:00 UTC", alone},
		"with the wallet": {
			made, true, []statement.Check{left, replay, wallet, wallet}, statement.Over, "",
			"The figures are from its event log alone; the checks asked besides: the figures of the daemon, its wallet.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			sums.Period.To = test.to
			s := statement.New(sums, made, test.ends, test.checks)
			if s.Extent != test.extent || (s.Warning() == "") != (test.warning == "") {
				t.Errorf("it is %s: %q", s.Extent, s.Warning())
			}
			for format, out := range map[string]string{"text": text(t, s), "html": page(t, s)} {
				if !strings.Contains(out, test.warning) || !strings.Contains(out, test.origin) {
					t.Errorf("%s: there is no %q, or no %q, in\n%s", format, test.warning, test.origin, out)
				}
				if test.origin != alone && strings.Contains(out, alone) {
					t.Errorf("%s says that the log is all that it is from", format)
				}
			}
			b, err := json.Marshal(s)
			if err != nil || !strings.Contains(string(b), `"extent":"`+string(test.extent)+`"`) {
				t.Errorf("%s, %v", b, err)
			}
		})
	}
}

func TestFailed(t *testing.T) {
	for result, want := range map[statement.Result]bool{statement.Passed: false, statement.Left: false, statement.Failed: true} {
		s := statement.Statement{Checks: []statement.Check{{Result: statement.Passed}, {Result: result}}}
		if s.Failed() != want {
			t.Errorf("%s: %v", result, s.Failed())
		}
	}
}
