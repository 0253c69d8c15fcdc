package instant_test

import (
	"testing"
	"time"

	"sandglass/domain/instant"

	"pgregory.net/rapid"
)

const layout = "2006-01-02T15:04:05.000Z"

func TestTextIsThatOfTheStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := instant.Time(rapid.Int64Range(int64(instant.Min), int64(instant.Max)).Draw(t, "ms"))
		if got, want := at.String(), at.Std().Format(layout); got != want {
			t.Fatalf("%d is written as %s, want %s", at, got, want)
		}
		if back, err := instant.Parse(at.String()); err != nil || back != at {
			t.Fatalf("%s is read as %d, %v; want %d", at, back, err, at)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"2024-02-29T23:59:59.999Z", "2023-02-29T00:00:00.000Z", "1969-12-31T23:59:59.999Z",
		"2026-13-01T00:00:00.000Z", "2026-01-02T03:04:05Z", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := instant.Parse(s)
		std, stdErr := time.Parse(layout, s)
		valid := stdErr == nil && std.Year() >= 1970 && std.Format(layout) == s
		if valid != (err == nil) {
			t.Fatalf("Parse(%q) = %v, %v; the standard library says valid=%v", s, got, err, valid)
		}
		if valid && got != instant.Of(std) {
			t.Fatalf("Parse(%q) = %d, want %d", s, got, instant.Of(std))
		}
	})
}

func TestAddStopsAtTheLastYear(t *testing.T) {
	if got := (instant.Max - 5).Add(10); got != instant.Max {
		t.Errorf("got %s", got)
	}
	if got := instant.Time(100).Add(-40); got != 60 {
		t.Errorf("got %d", got)
	}
}
