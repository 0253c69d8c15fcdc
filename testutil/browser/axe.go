package browser

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Violation is what axe-core found on a page.
type Violation struct {
	Rule   string   // such as color-contrast
	Impact string   // minor, moderate, serious or critical
	Help   string   // what would be right
	Nodes  []string // where, as HTML
}

// String writes it in one line.
func (v Violation) String() string {
	return fmt.Sprintf("%s (%s): %s: %s", v.Rule, v.Impact, v.Help, strings.Join(v.Nodes, " | "))
}

// Axe has axe-core, whose source is given, look at the page, and returns all it found. JavaScript must
// be on.
func (p *Page) Axe(source string) (found []Violation, err error) {
	if err := Do(p, "(() => { if (!window.axe) {"+source+"\n} })()"); err != nil {
		return nil, fmt.Errorf("axe-core: %w", err)
	}
	text, err := Await[string](p, `axe.run(document, {resultTypes: ["violations"]}).then((r) => JSON.stringify(
		r.violations.map((v) => ({
			Rule: v.id, Impact: v.impact, Help: v.help, Nodes: v.nodes.map((n) => n.html + " " + n.failureSummary),
		}))))`)
	if err != nil {
		return nil, fmt.Errorf("axe-core: %w", err)
	}
	return found, json.Unmarshal([]byte(text), &found)
}
