package journal_test

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"sandglass/adapters/journal"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/stream"
	"sandglass/projections/books"
)

// rows reads a CSV, whose lines end with CRLF.
func rows(t *testing.T, text string) [][]string {
	t.Helper()
	if strings.Count(text, "\n") != strings.Count(text, "\r\n") || !strings.HasSuffix(text, "\r\n") {
		t.Error("a line does not end with CRLF")
	}
	all, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var header []string
	for _, c := range journal.Columns {
		header = append(header, c[0])
	}
	if !slices.Equal(all[0], header) {
		t.Errorf("the columns are %q, documented are %q", all[0], header)
	}
	return all[1:]
}

// TestCSVSumsUp holds the sums of the rows against the trial balances at both ends.
func TestCSVSumsUp(t *testing.T) {
	for seed := range uint64(4) {
		records := random(seed)
		for _, p := range periods(records) {
			want := trial(t, upTo(records, p.To))
			if p.From != 0 {
				o := trial(t, upTo(records, p.From))
				want.Wallet -= o.Wallet
				want.Receivable -= o.Receivable
				want.Prepaid -= o.Prepaid
				want.Income -= o.Income
				want.Unallocated -= o.Unallocated
			}
			var times [2]money.Msat
			for i, by := range []journal.By{journal.ByEvent, journal.ByDay} {
				balances := map[string]money.Msat{}
				for _, row := range rows(t, write(t, records, journal.Options{Format: journal.CSV, By: by, Period: p})) {
					balances[row[2]] += amount(t, row[4])
					balances[row[3]] -= amount(t, row[4])
					times[i] += amount(t, row[5])
				}
				if got := trialOf(t, balances); got != want {
					t.Errorf("seed %d, %v by %s: the rows sum up to %+v, the read models say %+v", seed, p, by, got, want)
				}
			}
			if times[0] != times[1] || times[0] == 0 {
				t.Errorf("the time is %d ms by event, %d by day", times[0], times[1])
			}
		}
	}
}

// TestNoFormulas: what a log says is text in a spreadsheet, and one field.
func TestNoFormulas(t *testing.T) {
	text := write(t, hostile(), journal.Options{Format: journal.CSV, By: journal.ByEvent})
	for _, want := range []string{"'-2+3\"\r\nx,y", "'@a", "'=HYPERLINK(\"x\")  5 msat\n2026-01-01 x ; t:1, é"} {
		if !strings.Contains(text, strings.ReplaceAll(want, `"`, `""`)) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
	all, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(all) != 3 {
		t.Fatalf("%d rows, %v", len(all), err)
	}
	for _, row := range all {
		for i, field := range row {
			if field != "" && strings.ContainsRune("=+-@\t\r", rune(field[0])) {
				t.Errorf("column %s is a formula: %q", all[0][i], field)
			}
		}
	}
}

// TestRecords holds that NDJSON has every byte of the records of a period, and nothing else.
func TestRecords(t *testing.T) {
	records := random(3)
	for _, p := range periods(records) {
		text := write(t, records, journal.Options{Format: journal.NDJSON, Period: p})
		want := upTo(records, p.To)[len(upTo(records, max(p.From, 1))):]
		lines := slices.Collect(strings.Lines(text))
		if len(lines) != len(want) {
			t.Fatalf("%v: %d lines of %d records", p, len(lines), len(want))
		}
		for i, line := range lines {
			var got struct {
				Position         stream.Position
				Revision         stream.Revision
				Stream, ID, Type string
				At, Recorded_at  instant.Time
				Data, Meta       json.RawMessage
			}
			if err := json.Unmarshal([]byte(line), &got); err != nil {
				t.Fatal(err)
			}
			r := want[i]
			if got.Position != r.Position || got.Revision != r.Revision || got.Stream != r.Stream || got.ID != r.ID.String() ||
				got.Type != r.Type || got.At != r.At || got.Recorded_at != r.RecordedAt ||
				string(got.Data) != string(r.Data) || string(got.Meta) != string(r.Meta) {
				t.Fatalf("got %s of %+v", line, r)
			}
		}
	}
	odd := stream.Record{Stream: "a\"\n\u00e9", Event: stream.Event{Type: "\\", Data: []byte(`{}`)}}
	text := write(t, []stream.Record{odd}, journal.Options{Format: journal.NDJSON})
	var back struct{ Stream, Type string }
	if err := json.Unmarshal([]byte(text), &back); err != nil || back.Stream != odd.Stream || back.Type != odd.Type {
		t.Errorf("got %q, %v", text, err)
	}
	for _, data := range []string{"", "{", "{\n}", "{}\r"} {
		odd.Data = []byte(data)
		err := journal.Write(t.Context(), io.Discard, each([]stream.Record{odd}), journal.Options{Format: journal.NDJSON})
		if err == nil || !strings.Contains(err.Error(), "is not JSON on one line") {
			t.Errorf("%q: %v", data, err)
		}
	}
}

// TestErrorsAreTold: of the log, and of the file, at any place in it; nothing goes on thereafter.
func TestErrorsAreTold(t *testing.T) {
	records, broken := random(5), errors.New("broken")
	for _, f := range journal.Formats {
		for _, by := range []journal.By{journal.ByEvent, journal.ByDay} {
			o := journal.Options{Format: f, By: by}
			for _, n := range []int{0, 1, 511, 512, 600, len(records)} {
				err := journal.Write(t.Context(), io.Discard, breaking(records[:n], broken), o)
				if !errors.Is(err, broken) {
					t.Errorf("%s: after %d records: %v", f, n, err)
				}
			}
			if err := journal.Write(t.Context(), full{}, each(records), o); !errors.Is(err, io.ErrShortWrite) {
				t.Errorf("%s to a full disk: %v", f, err)
			}
		}
	}
	for _, o := range []journal.Options{
		{Format: "xls"},
		{Format: journal.CSV, Period: books.Period{From: 5, To: 5}},
	} {
		if err := journal.Write(t.Context(), io.Discard, each(records), o); err == nil {
			t.Errorf("%+v is written", o)
		}
	}
}

// full takes nothing.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
