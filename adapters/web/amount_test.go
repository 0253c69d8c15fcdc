package web

import (
	"testing"

	"sandglass/domain/instant"
)

func TestMillisOf(t *testing.T) {
	const week = 7 * instant.Day
	for n, want := range map[string]instant.Millis{
		"1": week, "1.5": week * 3 / 2, ".5": week / 2, "2.": 2 * week, "007": 7 * week, "0": 0, "0.0": 0,
		"0.0000000016": 1, "0.0000000008": 0, "0.99999999999": week, "1.0000000000000000000000000001": week,
		"14892854": 14_892_854 * week, "14892855": 0, "9223372036854775807": 0, "9223372036854775808": 0,
		"": 0, ".": 0, "-1": 0, "+1": 0, "1e3": 0, "0x10": 0, "NaN": 0, "Inf": 0, "1.2.3": 0, "1 2": 0, "١": 0,
	} {
		if got := millisOf(n, week); got != want {
			t.Errorf("%q weeks are %d ms, want %d", n, got, want)
		}
	}
	if got := millisOf("1", perUnit["years"]); got != 0 {
		t.Errorf("of no unit it is %d", got)
	}
}
