package feeds

import (
	"encoding/xml"

	"sandglass/domain/instant"
)

// Feed is a feed as it is published.
type Feed struct {
	ID       string // a URI that is the same for good
	Title    string
	Author   string
	Language string // as in BCP 47
	Self     string // the feed's URL, or nothing
	Link     string // of the page that it is about, or nothing
	Changed  instant.Time
	Entries  []Entry // newest first, as readers expect it
}

// Entry is something that happened.
type Entry struct {
	ID    string // a URI that is the same for good
	Title string
	Text  string
	At    instant.Time
}

// AppendTo appends the feed as application/atom+xml. It has no error: all of it is text.
func (f *Feed) AppendTo(b []byte) []byte {
	doc := atomFeed{
		Language: clean(f.Language), ID: clean(f.ID), Title: clean(f.Title), Author: clean(f.Author), Updated: f.Changed.String(),
	}
	if f.Self != "" {
		doc.Links = append(doc.Links, atomLink{Rel: "self", Type: "application/atom+xml", Href: clean(f.Self)})
	}
	if f.Link != "" {
		doc.Links = append(doc.Links, atomLink{Rel: "alternate", Type: "text/html", Href: clean(f.Link)})
	}
	for _, e := range f.Entries {
		at := e.At.String()
		doc.Entries = append(doc.Entries, atomEntry{
			ID: clean(e.ID), Title: clean(e.Title), Content: cleanLines(e.Text), Updated: at, Published: at,
		})
	}
	text, _ := xml.MarshalIndent(&doc, "", "  ")
	return append(append(append(b, xml.Header...), text...), '\n')
}

type atomFeed struct {
	XMLName  xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
	Language string      `xml:"xml:lang,attr,omitempty"`
	ID       string      `xml:"id"`
	Title    string      `xml:"title"`
	Updated  string      `xml:"updated"`
	Author   string      `xml:"author>name"`
	Links    []atomLink  `xml:"link"`
	Entries  []atomEntry `xml:"entry"`
}

type atomLink struct {
	Rel  string `xml:"rel,attr"`
	Type string `xml:"type,attr"`
	Href string `xml:"href,attr"`
}

type atomEntry struct {
	ID        string `xml:"id"`
	Title     string `xml:"title"`
	Updated   string `xml:"updated"`
	Published string `xml:"published"`
	Content   string `xml:"content"`
}
