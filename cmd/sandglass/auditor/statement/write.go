package statement

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"text/tabwriter"

	"sandglass/adapters/web/assets"
	"sandglass/cmd/sandglass/show"
)

// Text writes the statement for a terminal.
func (s *Statement) Text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Statement, %s\n%s\n", s.Title(), s.About())
	if warning := s.Warning(); warning != "" {
		fmt.Fprintf(&b, "%s\n", warning)
	}
	for _, t := range s.Tables() {
		fmt.Fprintf(&b, "\n%s\n", t.Title)
		columns(&b, append([][]string{t.Head}, t.Rows...))
		if t.Note != "" {
			fmt.Fprintf(&b, "  (%s)\n", t.Note)
		}
	}
	b.WriteString("\nChecks\n")
	for _, c := range s.Checks {
		fmt.Fprintf(&b, "  %-10s %-9s %s\n", c.Name, c.Result, show.Escape(c.Detail))
	}
	b.WriteString("\nWhat none of them proves\n")
	for _, u := range s.Unproven {
		fmt.Fprintf(&b, "  %s\n", u)
	}
	fmt.Fprintf(&b, "\n%s\n", s.Origin())
	_, err := io.WriteString(w, b.String())
	return err
}

// columns writes rows whose numbers stand under each other.
func columns(b *strings.Builder, rows [][]string) {
	wide := 0
	for _, row := range rows {
		wide = max(wide, len([]rune(show.Escape(row[0]))))
	}
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range rows {
		fmt.Fprintf(t, "  %-*s\t", wide, show.Escape(row[0]))
		for _, cell := range row[1:] {
			fmt.Fprintf(t, "%s\t", cell)
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush() // to a buffer
}

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"style": func() template.CSS { return template.CSS(assets.Text("style.css")) }, // which is ours
}).Parse(pageText))

// HTML writes the statement as a page that needs nothing else, and fits on a sheet of A4.
func (s *Statement) HTML(w io.Writer) error { return page.Execute(w, s) }
