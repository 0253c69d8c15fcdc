// Package brand is what an operator gives the pages: his name, colour, logo, imprint and terms.
//
// All of it is read and checked once, at the start. What a text says is shown as it stands, and never as HTML.
package brand

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of what an operator gives.
const (
	MaxName = 60        // bytes of a name
	MaxText = 64 << 10  // of a text
	MaxLogo = 256 << 10 // of a logo
	MaxSide = 2048      // pixels of a side of a logo
)

// Brand is what an operator gives the pages. The zero one is of nobody: all of it may be missing.
type Brand struct {
	Name    string
	Accent  *Color
	Logo    *Logo
	Imprint []Paragraph
	Terms   []Paragraph
}

// Paragraph is lines of text.
type Paragraph []string

// Logo is a picture. It is made by [ReadLogo].
type Logo struct {
	Type string // image/png or image/svg+xml
	Data []byte
	hash string // of Data
}

// CheckName returns an error unless a name can head the pages.
func CheckName(name string) error {
	if name != strings.TrimSpace(name) || len(name) > MaxName || !utf8.ValidString(name) || strings.ContainsFunc(name, notShown) {
		return fmt.Errorf("want up to %d bytes in one line, no spaces at the ends", MaxName)
	}
	return nil
}

// notShown reports of what has no place in a text: what is no graphic character, or turns the
// direction of others.
func notShown(r rune) bool { return !unicode.IsGraphic(r) || unicode.Is(unicode.Bidi_Control, r) }

// ReadText reads paragraphs, with empty lines between them, from a file; none from "".
func ReadText(path string) ([]Paragraph, error) {
	b, err := read(path, MaxText)
	if err != nil || b == nil {
		return nil, err
	}
	if !utf8.Valid(b) {
		return nil, fmt.Errorf("%s is not UTF-8", path)
	}
	var list []Paragraph
	var p Paragraph
	text := strings.TrimPrefix(strings.ReplaceAll(string(b), "\r\n", "\n"), "\uFEFF")
	for line := range strings.Lines(text + "\n\n") {
		line = strings.TrimSpace(strings.ReplaceAll(line, "\t", " "))
		if i := strings.IndexFunc(line, notShown); i >= 0 {
			return nil, fmt.Errorf("%s has a control character in %.40q: want text in lines", path, line)
		}
		switch {
		case line != "":
			p = append(p, line)
		case p != nil:
			list, p = append(list, p), nil
		}
	}
	if list == nil {
		return nil, fmt.Errorf("%s is empty: want text, with empty lines between its paragraphs", path)
	}
	return list, nil
}

// ReadLogo reads a picture from a file, PNG or SVG; none from "".
func ReadLogo(path string) (*Logo, error) {
	b, err := read(path, MaxLogo)
	if err != nil || b == nil {
		return nil, err
	}
	l := &Logo{Data: b, hash: hashOf(b)}
	switch config, err := png.DecodeConfig(bytes.NewReader(b)); {
	case err == nil && (config.Width > MaxSide || config.Height > MaxSide):
		return nil, fmt.Errorf("%s has %d × %d pixels: want up to %d each way", path, config.Width, config.Height, MaxSide)
	case err == nil:
		l.Type = "image/png"
	case isSVG(b):
		l.Type = "image/svg+xml"
	default:
		return nil, fmt.Errorf("%s is neither a PNG nor an SVG", path)
	}
	return l, nil
}

// isSVG reports whether b is an SVG whole, as far as XML tells.
func isSVG(b []byte) bool {
	d := xml.NewDecoder(bytes.NewReader(b))
	root := false
	for {
		token, err := d.Token()
		if err != nil {
			return root && errors.Is(err, io.EOF)
		}
		if e, ok := token.(xml.StartElement); ok && !root {
			if e.Name.Local != "svg" || e.Name.Space != "http://www.w3.org/2000/svg" {
				return false
			}
			root = true
		}
	}
}

// read reads a file of up to so many bytes; nothing of "".
func read(path string, most int64) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > most {
		return nil, fmt.Errorf("%s has more than %d KiB", path, most>>10)
	}
	return b, nil
}
