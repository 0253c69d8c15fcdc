// Package show writes what commands tell: tables for people, JSON for programs, QR codes
// for wallets, how far something is; and amounts, times and counts as people read them.
//
// What is shown here is laid out, and may be rounded: what is read again by a program is
// written by the domain.
package show

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// JSON writes v as an indented document.
func JSON(w io.Writer, v any) error {
	e := json.NewEncoder(jsonWriter(w))
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// Line writes v as a line of NDJSON.
func Line(w io.Writer, v any) error {
	e := json.NewEncoder(jsonWriter(w))
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// Table writes rows in columns. A row's cells are divided by tabs: see [Cells].
func Table(w io.Writer, header string, rows []string) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, row := range append([]string{header}, rows...) {
		fmt.Fprintln(t, row)
	}
	return t.Flush()
}

// Facts writes names and values under each other, each value as [Escape] has it. Pairs without
// a value are left out.
func Facts(w io.Writer, pairs ...string) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintf(t, "%s\t%s\n", pairs[i], Escape(pairs[i+1]))
		}
	}
	return t.Flush()
}

// Cells joins the cells of a row, each as [Escape] has it. An empty cell is a dash.
func Cells(values ...string) string {
	for i, v := range values {
		values[i] = OrDash(Escape(v))
	}
	return strings.Join(values, "\t")
}

// OrDash returns s, or a dash where there is nothing.
func OrDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// Short keeps a value within a table.
func Short(s string) string {
	const most = 60
	s = strings.ReplaceAll(s, "\t", " ")
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
