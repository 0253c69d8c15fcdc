// Package instant is time as Sandglass counts it: whole milliseconds, UTC.
//
// A [Time] is an int64, so that a million resources cost eight bytes each and two
// machines never differ in what they make of a nanosecond. It is written as RFC 3339
// with exactly three decimals, so that its text sorts as the instants do.
package instant

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Time is an instant in milliseconds since the Unix epoch, UTC. The zero Time is the
// epoch, which no event of Sandglass can bear: it stands for "not yet".
type Time int64

// Millis is a length of time in milliseconds. It is never negative in an event.
type Millis int64

// Limits of what can be written as RFC 3339 with a four-digit year.
const (
	Min Time = 0               // 1970-01-01T00:00:00.000Z
	Max Time = 253402300799999 // 9999-12-31T23:59:59.999Z
)

// Lengths of time. A Century is 100 Julian years.
const (
	Second  Millis = 1000
	Minute         = 60 * Second
	Hour           = 60 * Minute
	Day            = 24 * Hour
	Year           = 365*Day + 6*Hour
	Century        = 100 * Year
)

// ErrRange says that a time lies outside the years 1970 to 9999.
var ErrRange = errors.New("instant: outside the years 1970 to 9999")

// Of returns t cut down to whole milliseconds.
func Of(t time.Time) Time { return Time(t.UnixMilli()) }

// OfDuration returns d cut down to whole milliseconds.
func OfDuration(d time.Duration) Millis { return Millis(d.Milliseconds()) }

// Std returns t as a [time.Time] in UTC.
func (t Time) Std() time.Time { return time.UnixMilli(int64(t)).UTC() }

// Add returns t + d, and stops at [Max] instead of running past it.
func (t Time) Add(d Millis) Time {
	if d > 0 && t > Max-Time(d) {
		return Max
	}
	return t + Time(d)
}

// Sub returns the time from u to t: negative if t is earlier.
func (t Time) Sub(u Time) Millis { return Millis(t - u) }

// Std returns m as a [time.Duration], which stops at its own bound of 292 years.
func (m Millis) Std() time.Duration {
	if m > Millis(math.MaxInt64/time.Millisecond) {
		return math.MaxInt64
	}
	return time.Duration(m) * time.Millisecond
}

// String returns t as RFC 3339 with three decimals, as in 2026-01-02T03:04:05.678Z.
func (t Time) String() string { return string(t.AppendText(nil)) }

// AppendText appends what [Time.String] returns. A t outside [Min, Max] is shown as
// its nearest bound: such a time is refused before it gets near an event.
func (t Time) AppendText(b []byte) []byte {
	t = min(max(t, Min), Max)
	days, ms := int64(t)/int64(Day), int64(t)%int64(Day)
	y, m, d := civil(days)
	b = digits(b, y, 4)
	b = digits(append(b, '-'), m, 2)
	b = digits(append(b, '-'), d, 2)
	b = digits(append(b, 'T'), ms/int64(Hour), 2)
	b = digits(append(b, ':'), ms/int64(Minute)%60, 2)
	b = digits(append(b, ':'), ms/1000%60, 2)
	b = digits(append(b, '.'), ms%1000, 3)
	return append(b, 'Z')
}

// Parse reads what [Time.String] writes, and no other form of RFC 3339: one instant
// has one text, so that two encodings of one event are the same bytes.
func Parse[T string | []byte](s T) (Time, error) {
	const layout = "0000-00-00T00:00:00.000Z"
	if len(s) != len(layout) {
		return 0, malformed(s)
	}
	for i := range len(layout) {
		isDigit := s[i] >= '0' && s[i] <= '9'
		if layout[i] == '0' && !isDigit || layout[i] != '0' && s[i] != layout[i] {
			return 0, malformed(s)
		}
	}
	num := func(from, to int) (n int64) {
		for i := from; i < to; i++ {
			n = n*10 + int64(s[i]-'0')
		}
		return n
	}
	y, mo, d := num(0, 4), num(5, 7), num(8, 10)
	h, mi, sec := num(11, 13), num(14, 16), num(17, 19)
	if y < 1970 || mo < 1 || mo > 12 || d < 1 || h > 23 || mi > 59 || sec > 59 {
		return 0, malformed(s)
	}
	days := epochDays(y, mo, d)
	if _, m2, d2 := civil(days); m2 != mo || d2 != d {
		return 0, malformed(s)
	}
	return Time(days*int64(Day) + h*int64(Hour) + mi*int64(Minute) + sec*1000 + num(20, 23)), nil
}

func malformed[T string | []byte](s T) error {
	if len(s) > 40 {
		s = s[:40]
	}
	return fmt.Errorf("instant: %q is not a time like 2026-01-02T03:04:05.678Z", string(s))
}

// MarshalText writes t as RFC 3339, or fails with [ErrRange].
func (t Time) MarshalText() ([]byte, error) {
	if t < Min || t > Max {
		return nil, ErrRange
	}
	return t.AppendText(nil), nil
}

// UnmarshalText reads what MarshalText writes.
func (t *Time) UnmarshalText(b []byte) (err error) {
	*t, err = Parse(b)
	return err
}

func digits(b []byte, n int64, width int) []byte {
	var d [4]byte
	for i := width - 1; i >= 0; i-- {
		d[i] = byte('0' + n%10)
		n /= 10
	}
	return append(b, d[:width]...)
}

// civil turns days since 1970-01-01 into a date of the proleptic Gregorian calendar,
// by eras of 400 years that begin on a 1 March, so that a leap day ends its year.
func civil(days int64) (year, month, day int64) {
	days += 719468 // days from 0000-03-01 to 1970-01-01
	era, doe := days/146097, days%146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	year, month, day = yoe+era*400, mp+3, doy-(153*mp+2)/5+1
	if month > 12 {
		year, month = year+1, month-12
	}
	return year, month, day
}

// epochDays is the inverse of civil.
func epochDays(year, month, day int64) int64 {
	if month <= 2 {
		year, month = year-1, month+12
	}
	era, yoe := year/400, year%400
	doy := (153*(month-3)+2)/5 + day - 1
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468
}
