// Package feeds writes what calendars and feed readers subscribe to: iCalendar (RFC 5545) and Atom (RFC 4287).
//
// It is handed texts and writes them so that nothing in them is read as anything else: control characters become
// spaces, what is no UTF-8 becomes U+FFFD. It is small enough to be our own: of the modules for iCalendar, one
// (arran4/golang-ical) lets a carriage return into a line, the other (emersion/go-ical) does not fold lines.
package feeds

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sandglass/domain/instant"
)

// Calendar is a calendar as it is published. There is at least one event in it: some clients refuse an empty one.
type Calendar struct {
	Name   string
	Events []Event
	Every  time.Duration // how often to look for changes
}

// Event is a moment in a calendar, which takes no time there.
type Event struct {
	UID       string       // the same for good, in all calendars of the world
	Sequence  int64        // grows with each change: 0 to 2^31-1
	Changed   instant.Time // when it was changed last
	At        instant.Time
	Title     string
	Text      string
	Link      string         // a URL, or nothing
	Cancelled bool           // it will not come; clients that have it take it off
	Alarm     instant.Millis // tell of it that long before; 0: don't
}

// AppendTo appends the calendar as text/calendar.
func (c *Calendar) AppendTo(b []byte) []byte {
	every := duration(instant.OfDuration(c.Every))
	w := lines(b)
	w.add("BEGIN", "VCALENDAR")
	w.add("VERSION", "2.0")
	w.add("PRODID", "-//Sandglass//Sandglass//EN")
	w.add("CALSCALE", "GREGORIAN")
	w.add("METHOD", "PUBLISH")
	w.text("NAME", c.Name) // RFC 7986, as the next but one; those between are what clients knew before
	w.text("X-WR-CALNAME", c.Name)
	w.add("REFRESH-INTERVAL;VALUE=DURATION", every)
	w.add("X-PUBLISHED-TTL", every)
	for i := range c.Events {
		w.event(&c.Events[i])
	}
	w.add("END", "VCALENDAR")
	return w
}

// lines are content lines.
type lines []byte

func (w *lines) event(e *Event) {
	w.add("BEGIN", "VEVENT")
	w.text("UID", e.UID)
	w.add("SEQUENCE", strconv.FormatInt(e.Sequence, 10))
	w.add("DTSTAMP", dateTime(e.Changed))
	w.add("LAST-MODIFIED", dateTime(e.Changed))
	w.add("DTSTART", dateTime(e.At))
	w.text("SUMMARY", e.Title)
	if e.Text != "" {
		w.text("DESCRIPTION", e.Text)
	}
	if e.Link != "" {
		w.add("URL", clean(e.Link))
	}
	w.add("TRANSP", "TRANSPARENT") // who has it is not busy then
	if e.Cancelled {
		w.add("STATUS", "CANCELLED")
	} else {
		w.add("STATUS", "CONFIRMED")
	}
	if e.Alarm > 0 && !e.Cancelled {
		w.add("BEGIN", "VALARM")
		w.add("ACTION", "DISPLAY")
		w.text("DESCRIPTION", e.Title)
		w.add("TRIGGER", "-"+duration(e.Alarm))
		w.add("END", "VALARM")
	}
	w.add("END", "VEVENT")
}

var escapes = strings.NewReplacer(`\`, `\\`, `;`, `\;`, `,`, `\,`, "\n", `\n`)

// text adds a line whose value is text.
func (w *lines) text(name, value string) {
	w.add(name, escapes.Replace(cleanLines(value)))
}

// fold is how many octets a line has at most, without what ends it.
const fold = 75

// add adds a line, in several where it is long: each but the first begins with a space, and none
// ends within a character.
func (w *lines) add(name, value string) {
	line := name + ":" + value
	for most := fold; len(line) > most; most = fold - 1 {
		end := most
		for !utf8.RuneStart(line[end]) {
			end--
		}
		*w = append(append(*w, line[:end]...), "\r\n "...)
		line = line[end:]
	}
	*w = append(append(*w, line...), "\r\n"...)
}

// dateTime writes an instant in UTC, in seconds, rounded down.
func dateTime(t instant.Time) string { return t.Std().Format("20060102T150405Z") }

// duration writes a length of time in seconds, rounded down.
func duration(m instant.Millis) string { return "PT" + strconv.FormatInt(int64(m)/1000, 10) + "S" }

// cleanLines is clean, but for the ends of lines.
func cleanLines(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return printable(r)
	}, s)
}

// clean returns text in one line.
func clean(s string) string { return strings.Map(printable, s) }

func printable(r rune) rune {
	if unicode.IsControl(r) || r == 0xFFFE || r == 0xFFFF {
		return ' '
	}
	return r // of what is no UTF-8 it is U+FFFD
}
