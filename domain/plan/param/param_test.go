package param_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"sandglass/domain/plan/param"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"ssh_key":                                   "ssh_key:max=256",
		"ssh_key:max=800:required":                  "ssh_key:required:max=800",
		"user_data:lines:max=4096":                  "user_data:max=4096:lines",
		"image:choice=debian,alpine:default=alpine": "image:choice=debian,alpine:default=alpine",
		"image:required:choice=a/b.c_d-e@f+g":       "image:required:choice=a/b.c_d-e@f+g",
	} {
		p, err := param.Parse(text)
		if err != nil || p.String() != want {
			t.Errorf("%s is %s, %v, want %s", text, p.String(), err, want)
		}
		if again, err := param.Parse(p.String()); err != nil || again.String() != want {
			t.Errorf("%s is %s, %v", want, again.String(), err)
		}
	}
	for _, text := range []string{
		"", "A", "1a", "a-b", "a b", strings.Repeat("a", 33), "a:", "a:max", "a:max=0", "a:max=-1", "a:max=4097", "a:max=x",
		"a:optional",
		"a:choice=", "a:choice=b,b", "a:choice=b,,c", "a:choice=b c", "a:choice=-b", "a:choice=b:max=3", "a:choice=b:lines",
		"a:default=x", "a:choice=b:default=c", "a:choice=b:default=b:required", "a:choice=" + strings.Repeat("b", 65), "ä", "a\n",
	} {
		if p, err := param.Parse(text); err == nil {
			t.Errorf("%q is %s", text, p.String())
		}
	}
}

func TestSpec(t *testing.T) {
	for _, s := range []param.Spec{"", "a:max=1", "a:max=1 b:choice=x,y"} {
		if err := s.Check(); err != nil || param.SpecOf(s.Params()...) != s {
			t.Errorf("%q: %v", s, err)
		}
	}
	for _, s := range []param.Spec{
		" ", "a", "b:max=1 a:max=1", "a:max=1  b:max=1", "a:max=1 a:max=2", "a:max=1\tb:max=1", "a:max=1 B:max=1",
		param.Spec(strings.Repeat("a", 5000)), "a:max=1 b:max=1 c:max=1 d:max=1 e:max=1 f:max=1 g:max=1 h:max=1 i:max=1 j:max=1 " +
			"k:max=1 l:max=1 m:max=1 n:max=1 o:max=1 p:max=1 q:max=1",
	} {
		if err := s.Check(); err == nil {
			t.Errorf("%q is one", s)
		}
	}
}

const spec param.Spec = "image:choice=debian,alpine:default=debian note:max=10 script:max=4096:lines ssh_key:required:max=80"

func TestComplete(t *testing.T) {
	for name, tc := range map[string]struct{ given, want param.Values }{
		"as declared": {param.Values{"ssh_key": "k", "image": "alpine"}, param.Values{"ssh_key": "k", "image": "alpine"}},
		"by default":  {param.Values{"ssh_key": "k"}, param.Values{"ssh_key": "k", "image": "debian"}},
		"empty":       {param.Values{"ssh_key": "k", "image": "", "note": ""}, param.Values{"ssh_key": "k", "image": "debian"}},
		"lines": {param.Values{"ssh_key": "k", "script": "a\nb\n"},
			param.Values{"ssh_key": "k", "image": "debian", "script": "a\nb\n"}},
		"what a shell knows": {param.Values{"ssh_key": `--x $(id) ";'|&\ é`},
			param.Values{"ssh_key": `--x $(id) ";'|&\ é`, "image": "debian"}},
	} {
		got, err := spec.Complete(tc.given)
		if err != nil || !maps.Equal(got, tc.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for name, tc := range map[string]struct {
		given param.Values
		of    string
		says  string
	}{
		"unknown":          {param.Values{"ssh_key": "k", "b": ""}, "b", "the plan has image, note, script, ssh_key"},
		"missing":          {param.Values{}, "ssh_key", "requires"},
		"empty, required":  {param.Values{"ssh_key": ""}, "ssh_key", "requires"},
		"too long":         {param.Values{"ssh_key": "k", "note": strings.Repeat("é", 6)}, "note", "has 12 bytes: want 10"},
		"no choice":        {param.Values{"ssh_key": "k", "image": "arch"}, "image", "debian, alpine"},
		"two lines":        {param.Values{"ssh_key": "k\nl"}, "ssh_key", "more than one line"},
		"a line's end":     {param.Values{"ssh_key": "k\n"}, "ssh_key", "more than one line"},
		"NUL":              {param.Values{"ssh_key": "k\x00"}, "ssh_key", "NUL"},
		"NUL among lines":  {param.Values{"ssh_key": "k", "script": "a\n\x00"}, "script", "NUL"},
		"carriage return":  {param.Values{"ssh_key": "k", "script": "a\r\n"}, "script", "none of text"},
		"an escape":        {param.Values{"ssh_key": "\x1b[2J"}, "ssh_key", "none of text"},
		"no UTF-8":         {param.Values{"ssh_key": "\xff"}, "ssh_key", "UTF-8"},
		"what was no text": {param.Values{"ssh_key": "\uFFFD"}, "ssh_key", "U+FFFD"},
		"no name at all":   {param.Values{"ssh_key": "k", "\xff=\n": "v"}, "\xff=\n", "unknown"},
	} {
		_, err := spec.Complete(tc.given)
		var e *param.Error
		if !errors.As(err, &e) || !errors.Is(err, param.ErrInvalid) || e.Name != tc.of || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "arch") {
			t.Errorf("%s: it tells the value", name)
		}
	}
	if _, err := param.Spec("").Complete(param.Values{"a": "b"}); err == nil || !strings.Contains(err.Error(), "no parameters") {
		t.Errorf("of a plan without any: %v", err)
	}
	large := param.Spec("a:max=4096 b:max=4096 c:max=4096")
	full := strings.Repeat("<", 2000) // 12,000 bytes as JSON
	if _, err := large.Complete(param.Values{"a": full, "b": full}); err == nil || !strings.Contains(err.Error(), "all together") {
		t.Errorf("too much in all: %v", err)
	}
	if _, err := large.Complete(param.Values{"a": strings.Repeat("x", 4096), "b": strings.Repeat("x", 4096)}); err != nil {
		t.Error(err)
	}
}

func TestHash(t *testing.T) {
	v := param.Values{"a": "b", "c": "d"}
	seen := map[[32]byte]bool{}
	for _, h := range [][32]byte{
		v.Hash([16]byte{1}), v.Hash([16]byte{2}), v.Merge(param.Values{"a": ""}).Hash([16]byte{1}),
		param.Values{"a": `b","c":"d`}.Hash([16]byte{1}), param.Values{}.Hash([16]byte{1}),
	} {
		if seen[h] {
			t.Error("two hashes are the same")
		}
		seen[h] = true
	}
	if v.Hash([16]byte{1}) != (param.Values{"c": "d", "a": "b"}).Hash([16]byte{1}) {
		t.Error("one is not the same twice")
	}
}
