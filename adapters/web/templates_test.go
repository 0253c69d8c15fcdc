package web

import (
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sandglass/adapters/web/texts"
)

var (
	actions    = regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	tags       = regexp.MustCompile(`(?s)<[^>]*>`)
	said       = regexp.MustCompile(`(?:aria-label|alt|title|placeholder|summary)="[^"]*\pL`)
	letters    = regexp.MustCompile(`\pL[^\n]*`)
	entities   = regexp.MustCompile(`&\w+;`)
	keys       = regexp.MustCompile(`\bT "([a-z_0-9.]+)"`)
	keysOfCode = regexp.MustCompile(`\.T\("([a-z_0-9.]+)"[,)]`)
)

// TestTemplatesHaveNoTextOfTheirOwn: what pages say stands in the table, in each language.
func TestTemplatesHaveNoTextOfTheirOwn(t *testing.T) {
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil || len(names) < 5 {
		t.Fatalf("templates: %v, %v", names, err)
	}
	english := texts.For("en", "")
	for _, name := range names {
		b, err := files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys.FindAllStringSubmatch(string(b), -1) {
			if _, ok := english.Find(key[1]); !ok {
				t.Errorf("%s has the text %q, which there is not", name, key[1])
			}
		}
		html := entities.ReplaceAllString(actions.ReplaceAllString(string(b), ""), "")
		if own := said.FindString(html); own != "" {
			t.Errorf("%s says %q", name, own)
		}
		if own := letters.FindString(tags.ReplaceAllString(html, "\n")); own != "" {
			t.Errorf("%s says %q", name, own)
		}
	}
}

// ofOperators are refusals of calls that pages don't make.
var ofOperators = []string{"payable", "which_order", "served_wallet", "unknown_wallet", "not_possible", "not_ours",
	"no_log_key", "log_as_signed", "log_forked", "bad_reason"}

// TestEveryRefusalIsSaidInTheLanguageOfThePage: of those of the calls that pages make.
func TestEveryRefusalIsSaidInTheLanguageOfThePage(t *testing.T) {
	b, err := os.ReadFile("../httpapi/problem/refusals.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`, \d{3}, "(\w+)"`).FindAllStringSubmatch(string(b), -1)
	if len(codes) < 30 {
		t.Fatalf("codes: %v", codes)
	}
	english := texts.For("en", "")
	for _, code := range append(codes, []string{"", "timeout"}, []string{"", "rate_limited"}) {
		if _, ok := english.Find("problem." + code[1]); !ok && !slices.Contains(ofOperators, code[1]) {
			t.Errorf("%s is said in the words of the API", code[1])
		}
	}
}

// TestTheCodeHasNoTextThatThereIsNot: as the templates.
func TestTheCodeHasNoTextThatThereIsNot(t *testing.T) {
	english := texts.For("en", "")
	names, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keysOfCode.FindAllStringSubmatch(string(b), -1) {
			found++
			if _, ok := english.Find(key[1]); !ok {
				t.Errorf("%s has the text %q, which there is not", name, key[1])
			}
		}
	}
	if found < 5 {
		t.Errorf("%d texts were found", found)
	}
}
