package show_test

import (
	"testing"

	"sandglass/cmd/sandglass/show"
	"sandglass/domain/instant"
	"sandglass/domain/money"
)

func TestUnits(t *testing.T) {
	for got, want := range map[string]string{
		show.Left(2*instant.Hour - 1500): "1h59m58s",
		show.Left(9500):                  "9s500ms",
		show.Amount(7_200_000):           "7,200 sat",
		show.Amount(1234):                "1,234 msat",
		show.Amount(-1_234_567_000):      "-1,234,567 sat",
		show.Some(0):                     "",
		show.Count(1, "event"):           "1 event",
		show.Count(1234, "event"):        "1,234 events",
		show.Instant(1_767_225_600_000):  "2026-01-01 00:00:00 UTC",
		show.Price(money.Price{Msat: 3_600_000, Per: instant.Hour}): "3,600 sat/h",
		show.Price(money.Price{Msat: 5, Per: 90}):                   "5 msat per 90ms",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
