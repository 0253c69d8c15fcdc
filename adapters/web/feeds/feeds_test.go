package feeds_test

import (
	"encoding/xml"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"sandglass/adapters/web/feeds"
	"sandglass/domain/instant"
)

// at is an instant in the tests.
func at(t *testing.T, text string) instant.Time {
	t.Helper()
	v, err := instant.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestACalendar(t *testing.T) {
	c := feeds.Calendar{Name: "Müller; Söhne, Server", Every: time.Hour, Events: []feeds.Event{{
		UID: "web-1@pay.example.org", Sequence: 7, Changed: at(t, "2026-01-02T03:04:05.678Z"), At: at(t, "2026-01-03T03:04:05.999Z"),
		Title: "web-1 is paid until now", Text: "Top it up:\nhttps://pay.example.org/r/web-1, " + strings.Repeat("ü", 40),
		Link: "https://pay.example.org/r/web-1", Alarm: instant.Hour,
	}}}
	want := []string{
		`BEGIN:VCALENDAR`, `VERSION:2.0`, `PRODID:-//Sandglass//Sandglass//EN`, `CALSCALE:GREGORIAN`, `METHOD:PUBLISH`,
		`NAME:Müller\; Söhne\, Server`, `X-WR-CALNAME:Müller\; Söhne\, Server`,
		`REFRESH-INTERVAL;VALUE=DURATION:PT3600S`, `X-PUBLISHED-TTL:PT3600S`,
		`BEGIN:VEVENT`, `UID:web-1@pay.example.org`, `SEQUENCE:7`, `DTSTAMP:20260102T030405Z`, `LAST-MODIFIED:20260102T030405Z`,
		`DTSTART:20260103T030405Z`, `SUMMARY:web-1 is paid until now`,
		`DESCRIPTION:Top it up:\nhttps://pay.example.org/r/web-1\, ` + strings.Repeat("ü", 8),
		" " + strings.Repeat("ü", 32),
		`URL:https://pay.example.org/r/web-1`, `TRANSP:TRANSPARENT`, `STATUS:CONFIRMED`,
		`BEGIN:VALARM`, `ACTION:DISPLAY`, `DESCRIPTION:web-1 is paid until now`, `TRIGGER:-PT3600S`, `END:VALARM`,
		`END:VEVENT`, `END:VCALENDAR`, ``,
	}
	if got := string(c.AppendTo(nil)); got != strings.Join(want, "\r\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	c.Events[0].Cancelled = true
	if got := string(c.AppendTo(nil)); !strings.Contains(got, "STATUS:CANCELLED\r\nEND:VEVENT\r\n") {
		t.Errorf("cancelled, without an alarm: %s", got)
	}
}

// FuzzCalendar: whatever a text is, it is one property of an event, in lines that are short enough,
// and it is read as it was.
func FuzzCalendar(f *testing.F) {
	for _, s := range []string{
		"a,b;c\\d\n\"e\"", "x\r\nBEGIN:VALARM\r\n", "\r", "\x00\x1b[31m", "\xff", "\\n", "", " ",
		strings.Repeat("äö€😀", 60), strings.Repeat("a", 200),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := feeds.Calendar{Events: []feeds.Event{{UID: "u", Title: text, Text: text, Link: text}}}
		got := string(c.AppendTo(nil))
		var read string
		for _, line := range strings.Split(strings.TrimSuffix(got, "\r\n"), "\r\n") {
			if len(line) > 75 || !utf8.ValidString(line) || strings.ContainsFunc(line, unicode.IsControl) || line == "" {
				t.Fatalf("a line of %d octets: %q", len(line), line)
			}
		}
		unfolded := strings.Split(strings.ReplaceAll(got, "\r\n ", ""), "\r\n")
		if text != "" && len(unfolded) != 23 {
			t.Fatalf("%d lines: %q", len(unfolded), unfolded)
		}
		read, _ = strings.CutPrefix(unfolded[15], "SUMMARY:")
		if want := shown(text); unescape(read) != want {
			t.Fatalf("%q is read as %q, not %q", read, unescape(read), want)
		}
	})
}

// shown is what is to be read of a text.
func shown(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.Map(printable, lines[i])
	}
	return strings.Join(lines, "\n")
}

func printable(r rune) rune {
	if unicode.IsControl(r) || r == 0xFFFE || r == 0xFFFF {
		return ' '
	}
	return r
}

// unescape reads text as RFC 5545, 3.3.11, has it, character by character.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			if i++; s[i] == 'n' {
				b.WriteByte('\n')
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func TestAFeed(t *testing.T) {
	f := feeds.Feed{
		ID: "https://pay.example.org/r/web-1", Title: "A & <B>", Author: "Shop", Language: "de",
		Self: "https://pay.example.org/r/web-1.atom", Link: "https://pay.example.org/r/web-1",
		Changed: at(t, "2026-01-02T03:04:05.678Z"),
		Entries: []feeds.Entry{{
			ID: "https://pay.example.org/r/web-1#3", Title: "Bezahlt", Text: "<script>\n1 Tag", At: at(t, "2026-01-02T03:04:05.678Z"),
		}},
	}
	const want = `<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de">
  <id>https://pay.example.org/r/web-1</id>
  <title>A &amp; &lt;B&gt;</title>
  <updated>2026-01-02T03:04:05.678Z</updated>
  <author>
    <name>Shop</name>
  </author>
  <link rel="self" type="application/atom+xml" href="https://pay.example.org/r/web-1.atom"></link>
  <link rel="alternate" type="text/html" href="https://pay.example.org/r/web-1"></link>
  <entry>
    <id>https://pay.example.org/r/web-1#3</id>
    <title>Bezahlt</title>
    <updated>2026-01-02T03:04:05.678Z</updated>
    <published>2026-01-02T03:04:05.678Z</published>
    <content>&lt;script&gt;&#xA;1 Tag</content>
  </entry>
</feed>
`
	if got := string(f.AppendTo(nil)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// FuzzFeed: whatever a text is, the feed is well formed, and it is read as it was.
func FuzzFeed(f *testing.F) {
	for _, s := range []string{"a", "]]>", "<b>&amp;", "\x00\x0b\r\n", "\xff\xfe", "\uFFFE", "😀", "\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		feed := feeds.Feed{
			ID: text, Title: text, Author: text, Language: text, Self: text, Entries: []feeds.Entry{{Title: text, Text: text}},
		}
		var read struct {
			Title string `xml:"title"`
			Entry []struct {
				Content string `xml:"content"`
			} `xml:"entry"`
		}
		got := feed.AppendTo(nil)
		if err := xml.Unmarshal(got, &read); err != nil || len(read.Entry) != 1 {
			t.Fatalf("%v: %s", err, got)
		}
		oneLine := strings.Map(printable, text)
		if read.Entry[0].Content != shown(text) || read.Title != oneLine {
			t.Fatalf("%q is read as %q and %q", text, read.Title, read.Entry[0].Content)
		}
	})
}
