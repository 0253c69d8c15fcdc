package show

import (
	"strconv"

	"sandglass/domain/instant"
	"sandglass/domain/money"
)

// Left writes what is left for people: whole seconds, rounded down, but for the
// last minute.
func Left(d instant.Millis) string {
	if d >= instant.Minute {
		d -= d % instant.Second
	}
	return d.InUnits()
}

// Amount writes m in satoshi where that is whole, else in millisatoshi.
func Amount(m money.Msat) string {
	if m%money.Sat == 0 {
		return Group(int64(m/money.Sat)) + " sat"
	}
	return Group(int64(m)) + " msat"
}

// Some is [Amount], and nothing for none.
func Some(m money.Msat) string {
	if m == 0 {
		return ""
	}
	return Amount(m)
}

// Group writes n with a thin separation of its thousands.
func Group(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// Price writes p per hour or day where it is so quoted, else per its own time.
func Price(p money.Price) string {
	switch p.Per {
	case instant.Hour:
		return Amount(p.Msat) + "/h"
	case instant.Day:
		return Amount(p.Msat) + "/d"
	}
	return Amount(p.Msat) + " per " + p.Per.InUnits()
}

// Count writes n of something.
func Count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Group(n) + " " + noun + "s"
}

// Instant writes t for people, in UTC, and nothing for an instant that is not.
func Instant(t instant.Time) string {
	if t == 0 {
		return ""
	}
	return t.Std().Format("2006-01-02 15:04:05 UTC")
}
