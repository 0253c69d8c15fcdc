// Package texts is the one table of what pages say, by language. A text has its arguments as {1}, {2}.
package texts

import (
	"strconv"
	"strings"

	"golang.org/x/text/language"
)

// table is what pages say in a language, by key.
type table map[string]string

// languages are those that there are, the first of which is spoken where none fits.
var languages = []struct {
	lang string
	table
}{{"en", english}, {"de", german}}

var matcher = language.NewMatcher(tags())

func tags() (tags []language.Tag) {
	for _, l := range languages {
		tags = append(tags, language.MustParse(l.lang))
	}
	return tags
}

// Texts are those of one language.
type Texts struct {
	lang string
	table
}

// For returns the texts of the language that was asked for by its name, or else the best of those that an
// Accept-Language likes.
func For(asked, accept string) Texts {
	_, i := language.MatchStrings(matcher, asked, accept)
	return Texts{languages[i].lang, languages[i].table}
}

// Lang returns the name of the language.
func (t Texts) Lang() string { return t.lang }

// Languages returns the names of all languages.
func (t Texts) Languages() (names []string) {
	for _, l := range languages {
		names = append(names, l.lang)
	}
	return names
}

// Find returns a text, if there is one.
func (t Texts) Find(key string, args ...string) (text string, ok bool) {
	if text, ok = t.table[key]; !ok {
		return "", false
	}
	var pairs []string
	for i, arg := range args {
		pairs = append(pairs, "{"+strconv.Itoa(i+1)+"}", arg)
	}
	return strings.NewReplacer(pairs...).Replace(text), true
}

// T returns a text. One that there is not is its key, which the tests of the pages find.
func (t Texts) T(key string, args ...string) string {
	if text, ok := t.Find(key, args...); ok {
		return text
	}
	return key
}
