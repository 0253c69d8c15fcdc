package texts

import (
	"regexp"
	"slices"
	"testing"
)

var placeholder = regexp.MustCompile(`\{\d+\}`)

// TestLanguagesSayTheSame: each has every text, with the same arguments.
func TestLanguagesSayTheSame(t *testing.T) {
	for _, l := range languages[1:] {
		for key, text := range english {
			theirs, ok := l.table[key]
			if !ok || theirs == "" {
				t.Errorf("%s lacks %q: %s", l.lang, key, text)
				continue
			}
			if want, got := arguments(text), arguments(theirs); !slices.Equal(got, want) {
				t.Errorf("%s has %v in %q, not %v", l.lang, got, key, want)
			}
		}
		for key := range l.table {
			if _, ok := english[key]; !ok {
				t.Errorf("%s has %q, which nobody says in English", l.lang, key)
			}
		}
	}
}

func arguments(text string) []string {
	list := placeholder.FindAllString(text, -1)
	slices.Sort(list)
	return list
}

func TestTheLanguageIsChosen(t *testing.T) {
	for _, c := range []struct{ asked, accept, want string }{
		{"", "", "en"}, {"", "fr", "en"}, {"", "de-AT,de;q=0.9,en;q=0.8", "de"}, {"", "en-GB,de;q=0.5", "en"},
		{"", "fr,de;q=0.5,en;q=0.4", "de"}, {"de", "en", "de"}, {"en", "de", "en"}, {"xx", "de", "de"}, {"", ";;;", "en"},
		{"<script>", "de", "de"},
	} {
		if got := For(c.asked, c.accept).Lang(); got != c.want {
			t.Errorf("asked %q, liked %q: %s, want %s", c.asked, c.accept, got, c.want)
		}
	}
}

func TestArgumentsStandWhereTheyBelong(t *testing.T) {
	texts := Texts{"en", table{"a": "{2} of {1}, {1}"}}
	if got := texts.T("a", "{2}", "b"); got != "b of {2}, {2}" {
		t.Errorf("got %q", got)
	}
	if got := texts.T("missing"); got != "missing" {
		t.Errorf("got %q", got)
	}
}
