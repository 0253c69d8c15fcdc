// Package units writes amounts, times and instants for people, in their language.
package units

import (
	"strconv"
	"strings"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/money"
)

// Words are those of a language.
type Words interface {
	T(key string, args ...string) string
}

// Format writes in a language.
type Format struct{ words Words }

// For returns the format of a language, whose words are "unit.d", "unit.decimal" and the like.
func For(w Words) Format { return Format{w} }

// space neither breaks nor is wide.
const space = "\u202f"

// Sat writes an amount in satoshi, with as many decimals as it needs, up to three.
func (f Format) Sat(m money.Msat) string {
	text := group(int64(m / money.Sat))
	if rest := m % money.Sat; rest > 0 {
		decimals := strconv.FormatInt(int64(1000+rest), 10)[1:]
		text += f.words.T("unit.decimal") + strings.TrimRight(decimals, "0")
	}
	return text + space + "sat"
}

// group divides the thousands.
func group(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + space + s[i:]
	}
	return s
}

// parts are the units of time, longest first.
var parts = []struct {
	key string
	len instant.Millis
}{{"unit.d", instant.Day}, {"unit.h", instant.Hour}, {"unit.min", instant.Minute}, {"unit.s", instant.Second}}

// Time writes a length of time in its two longest units, rounded down.
func (f Format) Time(d instant.Millis) string {
	var words []string
	for _, part := range parts {
		n := d / part.len
		d %= part.len
		switch {
		case n > 0:
			words = append(words, group(int64(n))+space+f.words.T(part.key))
		case len(words) == 0:
			continue
		}
		if len(words) == 2 || n == 0 {
			break
		}
	}
	if len(words) == 0 {
		return "0" + space + f.words.T("unit.s")
	}
	return strings.Join(words, " ")
}

// UTC writes an instant to the minute.
func (f Format) UTC(t instant.Time) string { return t.Std().Format("2006-01-02 15:04") + " UTC" }

// Cost returns what a time costs at a price, rounded up to a whole satoshi from ten of them on, and "" of what
// nobody could pay.
func (f Format) Cost(p wire.Price, d instant.Millis) string {
	cost, err := money.Price{Msat: p.Msat, Per: p.Per}.CostOf(d)
	if err != nil {
		return ""
	}
	if cost > 10*money.Sat {
		cost += (money.Sat - cost%money.Sat) % money.Sat
	}
	return f.Sat(cost)
}

// PerHour returns a price by the hour; PerDay and PerMonth, of 30 days, likewise.
func (f Format) PerHour(p wire.Price) string { return f.Cost(p, instant.Hour) }

// PerDay see [Format.PerHour].
func (f Format) PerDay(p wire.Price) string { return f.Cost(p, instant.Day) }

// PerMonth see [Format.PerHour].
func (f Format) PerMonth(p wire.Price) string { return f.Cost(p, 30*instant.Day) }
