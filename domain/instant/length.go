package instant

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// unit is one of which a length of time is written.
type unit struct {
	name string
	ms   Millis
}

// lengths are the units of a length of time, the largest first. A year is of 365 days.
var lengths = []unit{{"y", 365 * Day}, {"w", 7 * Day}, {"d", Day}, {"h", Hour}, {"m", Minute}, {"s", Second}, {"ms", 1}}

// ParseMillis reads a length of time such as 1h30m or 7d, in units from the largest on,
// each once. It reads as much as a [time.Duration] can hold.
func ParseMillis(s string) (Millis, error) {
	const longest = Millis(math.MaxInt64 / time.Millisecond)
	if s == "0" {
		return 0, nil
	}
	var sum Millis
	units, rest := lengths, s
	for rest != "" {
		number, name := cut(rest)
		n, err := strconv.ParseInt(number, 10, 64)
		at := slices.IndexFunc(units, func(u unit) bool { return u.name == name })
		if err != nil || at < 0 || Millis(n) > (longest-sum)/units[at].ms {
			return 0, notLength(s)
		}
		sum += Millis(n) * units[at].ms
		units, rest = units[at+1:], rest[len(number)+len(name):]
	}
	if s == "" {
		return 0, notLength(s)
	}
	return sum, nil
}

func notLength(s string) error {
	return fmt.Errorf("%q is not a length of time: want 2h, 90m, 7d or 1h30m, of units d, h, m, s and ms from the largest on", s)
}

// cut returns the digits that s begins with, and what follows them up to the next digit.
func cut(s string) (number, name string) {
	const digits = "0123456789"
	number = s[:len(s)-len(strings.TrimLeft(s, digits))]
	name = s[len(number):]
	if end := strings.IndexAny(name, digits); end >= 0 {
		name = name[:end]
	}
	return number, name
}

// InUnits returns m exactly, as [ParseMillis] reads it: 2d, 1h59m58s, 250ms. Its largest
// unit is the day; what is not above 0 is 0s.
func (m Millis) InUnits() string {
	if m <= 0 {
		return "0s"
	}
	var b strings.Builder
	for _, u := range lengths[2:] {
		if n := m / u.ms; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			m -= n * u.ms
		}
	}
	return b.String()
}
