package auditor

import (
	"io"

	"sandglass/cmd/sandglass/show"
	"sandglass/domain/audit"
	"sandglass/domain/money"
	"sandglass/domain/stream"
	"sandglass/projections"
)

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

// bad reports whether something does not hold, or the log can't be folded.
func (v *verdict) bad() bool { return v.Count > 0 || v.Error != "" }

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

// newVerdict says what a check found, and on which of so many figures the daemon differs.
func newVerdict(until stream.Position, c *audit.Checker, figures int64, diffs []projections.Difference) verdict {
	v := verdict{
		Position:    until,
		Events:      c.Events,
		Figures:     figures,
		Count:       c.Count + int64(len(diffs)),
		Differences: []difference{},
		Broken:      []broken{},
	}
	for _, d := range diffs[:min(len(diffs), audit.MaxFindings)] {
		v.Differences = append(v.Differences, difference{d.Stream, d.Field, d.Ours, d.Theirs})
	}
	for _, f := range c.Findings {
		v.Broken = append(v.Broken, broken(f))
	}
	return v
}

// auditedViews are the read models as the checker takes them.
type auditedViews struct{ *projections.Views }

// Trial implements [audit.Views].
func (v auditedViews) Trial() money.Msat { return v.TrialBalance().Trial() }

// Check implements [audit.Views].
func (v auditedViews) Check() (diffs []audit.Difference) {
	for _, d := range v.Views.Check() {
		diffs = append(diffs, audit.Difference{Where: d.Stream, Field: d.Field, Books: d.Ours, Resources: d.Theirs})
	}
	return diffs
}

// compareDump compares the views with the daemon's figures, and counts those.
func compareDump(v *projections.Views, dump io.ReadSeeker) (figures int64, diffs []projections.Difference, err error) {
	if _, err := dump.Seek(0, io.SeekStart); err != nil {
		return 0, nil, err
	}
	counter := projections.FigureCounter{Dump: dump}
	diffs, err = v.DiffDump(&counter)
	return counter.Figures, diffs, err
}

// tellEvery is after how many events a terminal is told; a log is, far more seldom.
const tellEvery = 50_000

// tell tells how far an audit is.
func tell(p show.Progress, n int64, at, of stream.Position) {
	if n%tellEvery == 0 {
		p.Draw("%s events, position %d of %d", show.Group(n), at, of)
	}
	if n%(20*tellEvery) == 0 {
		p.Log("%s events, position %d of %d", show.Group(n), at, of)
	}
}
