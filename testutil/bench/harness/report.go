package harness

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// report is what is written as JSON.
type report struct {
	Started time.Time `json:"started"`
	Took    float64   `json:"took_s"`
	Quick   bool      `json:"quick"`
	Machine machine   `json:"machine"`
	Load    struct {
		Before string `json:"before"`
		After  string `json:"after"`
	} `json:"load_average"` // of 1, 5 and 15 minutes
	Figures []*Figure `json:"figures"`
}

// Figure is one thing that was measured.
type Figure struct {
	Measure string  `json:"measure"`
	Name    string  `json:"name"`
	Unit    string  `json:"unit"`
	Value   series  `json:"value"`
	Target  *Target `json:"target,omitempty"`
	Ratio   *ratio  `json:"ratio,omitempty"`
	Note    string  `json:"note,omitempty"`
}

// series is a figure of each round.
type series struct {
	Median float64   `json:"median"`
	Min    float64   `json:"min"`
	Max    float64   `json:"max"`
	Rounds []float64 `json:"rounds"`
}

// Target is a bound, and whether the median keeps it.
type Target struct {
	Least bool    `json:"least"` // else it is the most
	Bound float64 `json:"bound"`
	Met   bool    `json:"met"`
}

// ratio compares a figure with one that was measured in the same rounds.
type ratio struct {
	Of     string  `json:"of"`
	Value  series  `json:"value"`
	Target *Target `json:"target,omitempty"`
}

func seriesOf(rounds []float64) series {
	return series{median(rounds), slices.Min(rounds), slices.Max(rounds), rounds}
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}

// Add reports a figure by its rounds.
func (b *Bench) Add(name, unit string, rounds []float64) *Figure {
	f := &Figure{Measure: b.measure, Name: name, Unit: unit, Value: seriesOf(rounds)}
	b.report.Figures = append(b.report.Figures, f)
	return f
}

// AtLeast is the bound of a figure that is to be high.
func AtLeast(bound float64) *Target { return &Target{Least: true, Bound: bound} }

// AtMost is the bound of a figure that is to be low.
func AtMost(bound float64) *Target { return &Target{Bound: bound} }

func (t *Target) check(v float64) *Target {
	t.Met = v <= t.Bound
	if t.Least {
		t.Met = v >= t.Bound
	}
	return t
}

// Within gives the figure a bound.
func (f *Figure) Within(t *Target) *Figure {
	f.Target = t.check(f.Value.Median)
	return f
}

// Against compares the figure with one of the same rounds: it adds the ratio
// over[i]/under[i] of each; t may be nil.
func (f *Figure) Against(of string, over, under []float64, t *Target) *Figure {
	q := make([]float64, len(over))
	for i := range over {
		q[i] = over[i] / under[i]
	}
	f.Ratio = &ratio{Of: of, Value: seriesOf(q)}
	if t != nil {
		f.Ratio.Target = t.check(f.Ratio.Value.Median)
	}
	return f
}

// Noting adds a text below the table.
func (f *Figure) Noting(text string) *Figure {
	f.Note = text
	return f
}

// PrintMachine says where it is measured.
func (b *Bench) PrintMachine(w io.Writer) { b.report.Machine.print(w) }

// Finish ends the run: it prints the table, and writes all that was measured as JSON.
func (b *Bench) Finish(w io.Writer, path string) error {
	b.report.Load.After, b.report.Took = loadAverage(), time.Since(b.report.Started).Seconds()
	b.report.print(w)
	return b.report.write(path)
}

func (r *report) write(path string) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "load average %s before, %s after; took %.0f s\n", r.Load.Before, r.Load.After, r.Took)
	if r.Quick {
		fmt.Fprintln(w, "--quick: small sizes and short rounds, not to be quoted")
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "\nFIGURE\tMEASURED\tRANGE\tRATIO\tTARGET\t")
	last := ""
	for _, f := range r.Figures {
		if f.Measure != last {
			last = f.Measure
			fmt.Fprintf(t, "%s\t\t\t\t\t\n", strings.ToUpper(last))
		}
		fmt.Fprintf(t, "  %s\t%s %s\t%s\t%s\t%s\t%s\n",
			f.Name, number(f.Value.Median), f.Unit, f.Value.span(), f.ratioText(), f.targetText(), f.verdict())
	}
	t.Flush()
	said := map[string]bool{}
	for _, f := range r.Figures {
		if f.Note != "" && !said[f.Note] {
			said[f.Note] = true
			fmt.Fprintf(w, "\n%s, %s: %s", f.Measure, f.Name, f.Note)
		}
	}
	fmt.Fprintln(w)
}

func (s *series) span() string {
	if s.Min == s.Max {
		return ""
	}
	return number(s.Min) + "–" + number(s.Max)
}

func (f *Figure) ratioText() string {
	if f.Ratio == nil {
		return ""
	}
	return number(f.Ratio.Value.Median) + " × " + f.Ratio.Of
}

func (t *Target) text() string {
	if t.Least {
		return "≥ " + number(t.Bound)
	}
	return "≤ " + number(t.Bound)
}

func (f *Figure) targetText() string {
	var parts []string
	if f.Target != nil {
		parts = append(parts, f.Target.text())
	}
	if f.Ratio != nil && f.Ratio.Target != nil {
		parts = append(parts, f.Ratio.Target.text()+" ×")
	}
	return strings.Join(parts, ", ")
}

func (f *Figure) verdict() string {
	met, any := true, false
	if f.Target != nil {
		met, any = f.Target.Met, true
	}
	if f.Ratio != nil && f.Ratio.Target != nil {
		met, any = met && f.Ratio.Target.Met, true
	}
	switch {
	case !any:
		return ""
	case met:
		return "ok"
	}
	return "short"
}

// number writes three digits or more, with a space between thousands.
func number(v float64) string {
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
