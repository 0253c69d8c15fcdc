package operator

import (
	"strings"
	"testing"

	"sandglass/adapters/httpapi/wire"
)

func TestParseDeep(t *testing.T) {
	for _, c := range []struct {
		text string
		want wire.Deep
		err  string
	}{
		{"1000000sat:6", wire.Deep{Above: 1e9, Confirmations: 6}, ""},
		{"0.01btc:1", wire.Deep{Above: 1e9, Confirmations: 1}, ""},
		{"1000000000 msat:144", wire.Deep{Above: 1e9, Confirmations: 144}, ""},
		{"0:6", wire.Deep{Confirmations: 6}, ""},
		{"1sat", wire.Deep{}, "want 1000000sat:6"},
		{"1sat:", wire.Deep{}, "want 1000000sat:6"},
		{"1sat:0", wire.Deep{}, "with 1 to 144"},
		{"1sat:145", wire.Deep{}, "with 1 to 144"},
		{"1sat:+6", wire.Deep{}, "want 1000000sat:6"},
		{"1sat:6:7", wire.Deep{}, "want 1000000sat:6"},
		{":6", wire.Deep{}, "is not an amount"},
		{"21000001btc:6", wire.Deep{}, "21 million"},
		{"", wire.Deep{}, "want 1000000sat:6"},
	} {
		got, err := parseDeep(c.text)
		if err != nil {
			got = wire.Deep{}
		}
		check(t, c.text, got, c.want, err, c.err)
		shown := (&deepFlag{got}).String()
		if again, err := parseDeep(shown); err == nil && again != got {
			t.Errorf("%q is shown as %q, which is %v", c.text, shown, again)
		}
	}
}

func check[T comparable](t *testing.T, text string, got, want T, err error, words string) {
	t.Helper()
	switch {
	case words == "" && (err != nil || got != want):
		t.Errorf("%q: got %v, %v; want %v", text, got, err, want)
	case words != "" && (err == nil || !strings.Contains(err.Error(), words)):
		t.Errorf("%q: got %v, %v; want an error with %q", text, got, err, words)
	}
}
