package units_test

import (
	"strings"
	"testing"

	"sandglass/adapters/httpapi/wire"
	"sandglass/adapters/web/texts"
	"sandglass/adapters/web/units"
	"sandglass/domain/instant"
	"sandglass/domain/money"
)

// plain has spaces that are easy to type.
func plain(s string) string { return strings.ReplaceAll(s, "\u202f", " ") }

func TestUnits(t *testing.T) {
	en, de := units.For(texts.For("en", "")), units.For(texts.For("de", ""))
	at, err := instant.Parse("2026-03-02T15:04:05.678Z")
	if err != nil {
		t.Fatal(err)
	}
	price := wire.Price{Msat: 3_600_000, Per: instant.Hour}
	for _, c := range []struct{ name, got, want string }{
		{"sat", en.Sat(1_234_567_000), "1 234 567 sat"},
		{"a part of a sat", en.Sat(1500), "1.5 sat"},
		{"in German", de.Sat(1_001), "1,001 sat"},
		{"no money", en.Sat(0), "0 sat"},
		{"all of it", en.Sat(money.MaxMsat), "2 100 000 000 000 000 sat"},
		{"time", en.Time(instant.Day + 2*instant.Hour + instant.Minute), "1 d 2 h"},
		{"what lies between is left out", en.Time(instant.Day + instant.Minute), "1 d"},
		{"less than a second", en.Time(999), "0 s"},
		{"words", en.Words(instant.Day + 2*instant.Hour), "1 day and 2 hours"},
		{"words in German", de.Words(2*instant.Day + instant.Hour), "2 Tage und 1 Stunde"},
		{"one word", en.Words(1200 * instant.Day), "1 200 days"},
		{"words of what lies between", de.Words(instant.Day + instant.Minute), "1 Tag"},
		{"words of nothing", de.Words(0), "0 Sekunden"},
		{"seconds", de.Words(61 * instant.Second), "1 Minute und 1 Sekunde"},
		{"a date", en.UTC(at), "2 March 2026, 15:04 UTC"},
		{"a date in German", de.UTC(at), "2. März 2026, 15:04 UTC"},
		{"a price", en.PerHour(price), "3 600 sat"},
		{"a price of a day", en.PerDay(price), "86 400 sat"},
		{"a price is rounded up", en.Cost(wire.Price{Msat: 100_001, Per: instant.Hour}, instant.Hour), "101 sat"},
	} {
		if got := plain(c.got); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
