// Package units writes amounts, times and instants for people, in their language.
package units

import (
	"fmt"
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
	name string
	len  instant.Millis
}{{"d", instant.Day}, {"h", instant.Hour}, {"min", instant.Minute}, {"s", instant.Second}}

// Time writes a length of time in its two longest units, rounded down.
func (f Format) Time(d instant.Millis) string {
	return strings.Join(longest(d, func(n int64, unit string) string { return group(n) + space + f.words.T("unit."+unit) }), " ")
}

// Words writes the same in words.
func (f Format) Words(d instant.Millis) string {
	words := longest(d, func(n int64, unit string) string { return f.count("time."+unit, n) })
	if len(words) == 1 {
		return words[0]
	}
	return f.words.T("time.and", words...)
}

// longest writes a length of time in its longest unit, and in the next one if there is any of that.
func longest(d instant.Millis, write func(n int64, unit string) string) (words []string) {
	for _, part := range parts {
		n := int64(d / part.len)
		d %= part.len
		if n > 0 {
			words = append(words, write(n, part.name))
		}
		if len(words) == 2 || len(words) == 1 && n == 0 {
			return words
		}
	}
	if len(words) == 0 {
		words = append(words, write(0, "s"))
	}
	return words
}

// count writes a number of something, of which the languages that there are have a singular and a plural.
func (f Format) count(key string, n int64) string {
	if n == 1 {
		return f.words.T(key+".one", group(n))
	}
	return f.words.T(key+".many", group(n))
}

// UTC writes an instant to the minute.
func (f Format) UTC(t instant.Time) string {
	u := t.Std()
	month := f.words.T("date." + strconv.Itoa(int(u.Month())))
	return f.words.T("date", strconv.Itoa(u.Day()), month, strconv.Itoa(u.Year()), u.Format("15:04"))
}

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

// Clock writes a time as one that runs: days, and hours, minutes and seconds. The script that counts down
// writes the same.
func (f Format) Clock(d instant.Millis) string {
	s := int64(d / instant.Second)
	clock := fmt.Sprintf("%02d:%02d:%02d", s/3600%24, s/60%60, s%60)
	if days := s / 86_400; days > 0 {
		return group(days) + space + f.words.T("unit.d") + " " + clock
	}
	return clock
}
