package instant_test

import (
	"strings"
	"testing"
	"time"

	"sandglass/domain/instant"

	"github.com/prometheus/common/model"
)

func TestParseMillis(t *testing.T) {
	for text, want := range map[string]instant.Millis{
		"2h":          2 * instant.Hour,
		"90m":         90 * instant.Minute,
		"7d":          7 * instant.Day,
		"1h30m":       90 * instant.Minute,
		"1d2h3m4s5ms": instant.Day + 2*instant.Hour + 3*instant.Minute + 4*instant.Second + 5,
		"720h":        30 * instant.Day,
		"1y1w":        372 * instant.Day,
		"292y":        292 * 365 * instant.Day,
		"0":           0,
		"00h":         0,
	} {
		if got, err := instant.ParseMillis(text); err != nil || got != want {
			t.Errorf("%q: got %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{
		"1000y", "9223372036854775807ms", "9223372036854775808ms",
		"2", "", "h", "-2h", "1.5h", "30m1h", "1h1h", "2 h", "2µs",
	} {
		if got, err := instant.ParseMillis(text); err == nil || !strings.Contains(err.Error(), "want 2h") {
			t.Errorf("%q: got %d, %v", text, got, err)
		}
	}
}

func TestInUnits(t *testing.T) {
	for want, m := range map[string]instant.Millis{
		"0s":       0,
		"250ms":    250,
		"2d5ms":    2*instant.Day + 5,
		"1h59m58s": 2*instant.Hour - 2*instant.Second,
		"365d":     365 * instant.Day,
	} {
		if got := m.InUnits(); got != want {
			t.Errorf("%d is written %q, want %q", m, got, want)
		}
	}
	if got := instant.Millis(-1).InUnits(); got != "0s" {
		t.Errorf("what is below 0 is written %q", got)
	}
}

// What is read is what Prometheus reads, and is written as what is read as the same.
func FuzzParseMillis(f *testing.F) {
	for _, s := range []string{
		"2h", "90m", "7d", "1d2h3m4s5ms", "1y2w", "0",
		"9223372036854775807ms", "9223372036854ms", "9223372036s855ms",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := instant.ParseMillis(s)
		want, other := model.ParseDuration(s)
		if (err == nil) != (other == nil) || got != instant.OfDuration(time.Duration(want)) && err == nil {
			t.Fatalf("%q was read as %d ms, %v, and by Prometheus as %s, %v", s, got, err, want, other)
		}
		if err != nil {
			return
		}
		if again, err := instant.ParseMillis(got.InUnits()); err != nil || again != got {
			t.Fatalf("%q is %d ms, written %q, which is %d ms, %v", s, got, got.InUnits(), again, err)
		}
	})
}
