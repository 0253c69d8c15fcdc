package journal_test

import (
	"encoding/csv"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sandglass/adapters/journal"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections/books"
)

// program returns a bookkeeper's program, or leaves the test out where there is none.
func program(t *testing.T, name string) func(args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no %s is installed here: apt-get install %s", name, name)
	}
	return func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), path, args...)
		cmd.Env = append(os.Environ(), "LANG=C.UTF-8", "LC_ALL=C.UTF-8")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "books.journal")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestHledgerAgrees has hledger check journals of random logs, and compares the balances that it
// computes with the trial balance of the read models.
func TestHledgerAgrees(t *testing.T) {
	hledger := program(t, "hledger")
	agrees(t, func(path string) map[string]money.Msat {
		if out, err := hledger("-f", path, "check", "--strict", "ordereddates"); err != nil || out != "" {
			t.Fatalf("hledger check --strict: %v\n%s", err, out)
		}
		out, err := hledger("-f", path, "balance", "--flat", "-N", "-O", "csv")
		if err != nil {
			t.Fatalf("hledger balance: %v\n%s", err, out)
		}
		rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		balances := map[string]money.Msat{}
		for _, row := range rows[1:] {
			balances[row[0]] = amount(t, strings.TrimSuffix(row[1], " msat"))
		}
		return balances
	})
}

// TestLedgerAgrees is the second opinion.
func TestLedgerAgrees(t *testing.T) {
	ledger := program(t, "ledger")
	agrees(t, func(path string) map[string]money.Msat {
		out, err := ledger("-f", path, "--args-only", "--pedantic", "balance", "--flat", "--no-total",
			"--format", "%(account)\t%(quantity(display_total))\n")
		if err != nil {
			t.Fatalf("ledger --pedantic: %v\n%s", err, out)
		}
		balances := map[string]money.Msat{}
		for line := range strings.Lines(out) {
			name, m, _ := strings.Cut(strings.TrimSpace(line), "\t")
			balances[name] = amount(t, m)
		}
		return balances
	})
}

func amount(t *testing.T, s string) money.Msat {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatalf("%q is not an amount in msat", s)
	}
	return money.Msat(n)
}

func agrees(t *testing.T, balancesOf func(path string) map[string]money.Msat) {
	t.Helper()
	for seed := range uint64(2) {
		records := random(seed)
		for _, p := range periods(records) {
			want := trial(t, upTo(records, p.To))
			for _, by := range []journal.By{journal.ByEvent, journal.ByDay} {
				text := write(t, records, journal.Options{Format: journal.HLedger, By: by, Period: p})
				balances := balancesOf(file(t, text))
				if got := trialOf(t, balances); got != want {
					t.Errorf("seed %d, %v by %s: the journal closes with %+v, the read models say %+v", seed, p, by, got, want)
				}
				assertsAll(t, text, balances)
			}
		}
	}
}

// assertsAll holds that a journal ends with the balance of every account, and has no others.
func assertsAll(t *testing.T, text string, balances map[string]money.Msat) {
	t.Helper()
	_, closing, ok := strings.Cut(text, " closing balances\n")
	asserted, told := map[string]money.Msat{}, strings.Count(text, "\naccount ")
	lines := 0
	for line := range strings.Lines(closing) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), "  0 msat = ")
		if m := amount(t, strings.TrimSuffix(rest, " msat")); m != 0 {
			asserted[name] = m
		}
		lines++
	}
	if !ok || lines != told || !maps.Equal(asserted, balances) {
		t.Errorf("%d balances are asserted, of %d accounts:\n%v, the program says\n%v", lines, told, asserted, balances)
	}
}

// TestAFalseJournalIsFound: one msat more in one posting, or in one balance.
func TestAFalseJournalIsFound(t *testing.T) {
	text := write(t, random(1), journal.Options{Format: journal.HLedger, By: journal.ByEvent})
	i := strings.Index(text, "    liabilities:unallocated  -")
	j := strings.LastIndex(text, " msat\n")
	for what, changed := range map[string]string{
		"a posting": text[:i] + strings.Replace(text[i:], " msat", "1 msat", 1),
		"a balance": text[:j] + "1" + text[j:],
	} {
		path := file(t, changed)
		for _, name := range []string{"hledger", "ledger"} {
			run := program(t, name)
			if out, err := run("-f", path, "balance"); err == nil {
				t.Errorf("%s does not see that %s was changed:\n%.300s", name, what, out)
			}
		}
	}
}

// hostile is a log whose texts would be something else, if they were let.
func hostile() (records []stream.Record) {
	add := func(name string, rev stream.Revision, f stream.Fact) {
		records = append(records, stream.Record{
			Event: stream.Encode(f), Stream: name, Revision: rev, Position: stream.Position(len(records) + 1), RecordedAt: at,
		})
	}
	r := resource.At{At: at}
	add("payment-ln-=1+1", 0, &payment.Settled{At: payment.At{At: at}, Amount: 1000, Via: "-2+3\"\r\nx,y"})
	add("resource-@a", 0, &resource.Opened{At: r, Plan: "=HYPERLINK(\"x\")  5 msat\n2026-01-01 x ; t:1, é"})
	add("resource-@a", 1, &resource.Credited{At: r, Payment: "ln-=1+1", Amount: 1000, Time: 5})
	return records
}

const at = instant.Time(1_767_225_600_123)

func TestHostileTextsInAJournal(t *testing.T) {
	path := file(t, write(t, hostile(), journal.Options{Format: journal.HLedger, By: journal.ByEvent}))
	for _, name := range []string{"hledger", "ledger"} {
		out, err := program(t, name)("-f", path, "balance", "--flat")
		want := "liabilities:prepaid:%3DHYPERLINK%28%22x%22%29%20%205%20msat%0A2026-01-01%20x%20%3B%20t%3A1%2C%20%C3%A9:%40a"
		if err != nil || !strings.Contains(out, want) || strings.Count(out, "\n") != 4 {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// TestJournal is how a journal looks.
func TestJournal(t *testing.T) {
	records := hostile()
	records[0].Event = stream.Encode(&payment.Settled{At: payment.At{At: at}, Amount: 1000, Via: payment.ViaBOLT11})
	records[0].Stream = "payment-ln-77"
	records[1].Event = stream.Encode(&resource.Opened{At: resource.At{At: at}, Plan: "small"})
	records[2].Event = stream.Encode(&resource.Credited{
		At: resource.At{At: at}, Payment: "ln-77", Amount: 1000, Time: 5, DebtPaid: 300,
	})
	records[1].Stream, records[2].Stream = "resource-web", "resource-web"
	p := books.Period{From: at + 1}
	records[2].RecordedAt = p.From
	got := write(t, records, journal.Options{Format: journal.HLedger, By: journal.ByEvent, Period: p})
	_, got, _ = strings.Cut(got, "tag last_position\n")
	const want = `account assets:wallet:lightning
account liabilities:unallocated

2026-01-01 opening balances
    assets:wallet:lightning  1000 msat
    liabilities:unallocated  -1000 msat
account assets:receivable:small:web
account liabilities:prepaid:small:web

2026-01-01 credited web
    ; at: 2026-01-01T00:00:00.123Z
    ; position: 3
    ; stream: resource-web
    ; revision: 1
    ; resource: web
    ; payment: ln-77
    ; time_ms: 5
    liabilities:unallocated  300 msat
    assets:receivable:small:web  -300 msat
    liabilities:unallocated  700 msat
    liabilities:prepaid:small:web  -700 msat

2026-01-01 closing balances
    assets:wallet:lightning  0 msat = 1000 msat
    assets:receivable:small:web  0 msat = -300 msat
    liabilities:prepaid:small:web  0 msat = -700 msat
    liabilities:unallocated  0 msat = 0 msat
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if empty := write(t, nil, journal.Options{Format: journal.HLedger, By: journal.ByDay}); strings.Contains(empty, "2026") {
		t.Errorf("an empty log gives\n%s", fmt.Sprint(empty))
	}
}
