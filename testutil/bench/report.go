package main

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
	Figures []*figure `json:"figures"`
}

// figure is one thing that was measured.
type figure struct {
	Measure string  `json:"measure"`
	Name    string  `json:"name"`
	Unit    string  `json:"unit"`
	Value   series  `json:"value"`
	Target  *target `json:"target,omitempty"`
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

// target is a bound, and whether the median keeps it.
type target struct {
	Least bool    `json:"least"` // else it is the most
	Bound float64 `json:"bound"`
	Met   bool    `json:"met"`
}

// ratio compares a figure with one that was measured in the same rounds.
type ratio struct {
	Of     string  `json:"of"`
	Value  series  `json:"value"`
	Target *target `json:"target,omitempty"`
}

func seriesOf(rounds []float64) series {
	return series{median(rounds), slices.Min(rounds), slices.Max(rounds), rounds}
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}

// add reports a figure by its rounds.
func (b *bench) add(name, unit string, rounds []float64) *figure {
	f := &figure{Measure: b.measure, Name: name, Unit: unit, Value: seriesOf(rounds)}
	b.report.Figures = append(b.report.Figures, f)
	return f
}

func atLeast(bound float64) *target { return &target{Least: true, Bound: bound} }
func atMost(bound float64) *target  { return &target{Bound: bound} }

func (t *target) check(v float64) *target {
	t.Met = v <= t.Bound
	if t.Least {
		t.Met = v >= t.Bound
	}
	return t
}

func (f *figure) target(t *target) *figure {
	f.Target = t.check(f.Value.Median)
	return f
}

// ratio adds over[i]/under[i] of each round; t may be nil.
func (f *figure) ratio(of string, over, under []float64, t *target) *figure {
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

func (f *figure) note(text string) *figure {
	f.Note = text
	return f
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

func (f *figure) ratioText() string {
	if f.Ratio == nil {
		return ""
	}
	return number(f.Ratio.Value.Median) + " × " + f.Ratio.Of
}

func (t *target) text() string {
	if t.Least {
		return "≥ " + number(t.Bound)
	}
	return "≤ " + number(t.Bound)
}

func (f *figure) targetText() string {
	var parts []string
	if f.Target != nil {
		parts = append(parts, f.Target.text())
	}
	if f.Ratio != nil && f.Ratio.Target != nil {
		parts = append(parts, f.Ratio.Target.text()+" ×")
	}
	return strings.Join(parts, ", ")
}

func (f *figure) verdict() string {
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
