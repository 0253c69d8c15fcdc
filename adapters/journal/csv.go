package journal

import (
	"bufio"
	"strconv"
	"strings"

	"sandglass/domain/instant"
)

// Columns are those of the CSV, by name and what they hold. A row is a move of money from one
// account to another: an event has one, or two where it also pays off debt, or makes some.
var Columns = [][2]string{
	{"date", "the day on which it is booked, in UTC"},
	{"entry", "received, credited, used, returned, reversed or reorged"},
	{"debit", "the account that is debited"},
	{"credit", "the account that is credited"},
	{"amount_msat", "the amount, in millisatoshi: a whole number above 0"},
	{"time_ms", "the time that goes with it, in milliseconds; in the first row of an event"},
	{"events", "how many events the row sums up: 1, or those of a day"},
	{"first_position", "the place of the first of them in the log"},
	{"last_position", "and of the last"},
	{"recorded_at", "when the event was written; this and what follows is empty for a day"},
	{"at", "when it took effect"},
	{"stream", "the stream of the event"},
	{"revision", "its place there, from 0"},
	{"type", "its type, as in resource.debited.v1"},
	{"resource", "the resource"},
	{"plan", "its plan"},
	{"payment", "the key of the payment"},
	{"via", "the way the money came: bolt11, amp, keysend or onchain"},
	{"reason", "the code of why a credit was taken back"},
}

// csv writes RFC 4180.
type csv struct {
	out *bufio.Writer
	b   []byte
}

func newCSV(out *bufio.Writer) (*csv, error) {
	c := &csv{out: out}
	for _, column := range Columns {
		c.text(column[0])
	}
	return c, c.row()
}

// carry implements [writer]: there are no rows but those of the period.
func (c *csv) carry([]move) {}

// end implements [writer].
func (c *csv) end(instant.Time) error { return nil }

// line implements [writer].
func (c *csv) line(l *line) error {
	for i := range l.moves {
		m := &l.moves[i]
		c.b = append(date(c.b, l.on), ',')
		c.text(string(l.kind))
		c.b = append(appendName(c.b, m.Debit), ',')
		c.b = append(appendName(c.b, m.Credit), ',')
		c.number(int64(m.Amount))
		c.number(int64(m.time))
		c.number(l.events)
		c.number(int64(l.first))
		c.number(int64(l.last))
		c.event(l)
		if err := c.row(); err != nil {
			return err
		}
	}
	return nil
}

// event writes the columns that are of one event.
func (c *csv) event(l *line) {
	e := l.entry
	if e == nil {
		c.b = append(c.b, strings.Repeat(",", 10)...)
		return
	}
	c.b = append(e.Record.RecordedAt.AppendText(c.b), ',')
	c.b = append(e.Record.At.AppendText(c.b), ',')
	c.text(e.Record.Stream)
	c.number(int64(e.Record.Revision))
	c.text(e.Record.Type)
	c.text(string(e.Resource))
	c.text(e.Plan)
	c.text(string(e.Payment))
	c.text(string(e.Via))
	c.text(string(e.Reason))
}

func (c *csv) number(n int64) { c.b = append(strconv.AppendInt(c.b, n, 10), ',') }

// text writes a text. One that a spreadsheet would take for a formula has a ' before it.
func (c *csv) text(s string) {
	risky := s != "" && strings.IndexByte("=+-@\t\r", s[0]) >= 0
	if !risky && isPlain(s) {
		c.b = append(append(c.b, s...), ',')
		return
	}
	c.b = append(c.b, '"')
	if risky {
		c.b = append(c.b, '\'')
	}
	c.b = append(append(c.b, strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), `"`, `""`)...), `",`...)
}

// isPlain reports whether a text needs no quotes. Names seldom do.
func isPlain(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' || c == ',' || c == '"' || c >= 0x7f {
			return false
		}
	}
	return true
}

// row ends a row.
func (c *csv) row() error {
	c.b = append(c.b[:len(c.b)-1], "\r\n"...)
	_, err := c.out.Write(c.b)
	c.b = c.b[:0]
	return err
}
