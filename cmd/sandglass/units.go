package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/plan"

	"github.com/prometheus/common/model"
)

// units are the names that an amount may end with. What comes later wins: msat ends
// with sat.
var units = []struct {
	name     string
	msat     money.Msat
	decimals int // that are whole msat
}{
	{"btc", money.BTC, 11},
	{"sat", money.Sat, 3},
	{"msat", 1, 0},
}

const wantAmount = "want msat such as 3600000, or 3600sat, or 0.000036btc"

// parseAmount reads an amount of msat, sat or btc, exactly: no digit is rounded away.
func parseAmount(s string) (money.Msat, error) {
	number, unit := strings.ToLower(strings.TrimSpace(s)), units[len(units)-1]
	for _, u := range units {
		if strings.HasSuffix(number, u.name) {
			unit = u
		}
	}
	number = strings.TrimSpace(strings.TrimSuffix(number, unit.name))
	whole, fraction, point := strings.Cut(number, ".")
	if !digits(whole) || point && !digits(fraction) {
		return 0, fmt.Errorf("%q is not an amount: %s", s, wantAmount)
	}
	if fraction = strings.TrimRight(fraction, "0"); len(fraction) > unit.decimals {
		return 0, fmt.Errorf("%q is not a whole number of millisatoshi: %s has up to %d decimals", s, unit.name, unit.decimals)
	}
	padded := strings.TrimLeft(whole+fraction+strings.Repeat("0", unit.decimals-len(fraction)), "0")
	if padded == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(padded, 10, 64)
	if err != nil || money.Msat(n) > money.MaxMsat {
		return 0, fmt.Errorf("%q is more than the 21 million bitcoin that there can be", s)
	}
	return money.Msat(n), nil
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// parseTime reads a length of time such as 1h30m or 7d, in whole milliseconds.
func parseTime(s string) (instant.Millis, error) {
	d, err := model.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a length of time: want 2h, 90m, 7d or 1h30m, of units d, h, m, s and ms from the largest on", s)
	}
	ms := instant.OfDuration(time.Duration(d))
	if ms > money.MaxTime {
		return 0, fmt.Errorf("%q is longer than the 250 years that a resource can hold", s)
	}
	return ms, nil
}

// parsePPM reads a share such as 10% or 12.5% as millionths.
func parsePPM(s string) (int64, error) {
	whole, fraction, point := strings.Cut(strings.TrimSuffix(s, "%"), ".")
	if !strings.HasSuffix(s, "%") || !digits(whole) || point && !digits(fraction) || len(fraction) > 4 || len(whole) > 3 {
		return 0, fmt.Errorf("%q is not a share: want 10%% or 12.5%%, with up to 4 decimals", s)
	}
	ppm, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", 4-len(fraction)), 10, 64)
	if err != nil || ppm < 1 || ppm >= 1_000_000 {
		return 0, fmt.Errorf("%q is not a share: want more than 0%% and less than 100%%", s)
	}
	return ppm, nil
}

// parseDeep reads an amount and the confirmations that are asked for above it, such as
// 1000000sat:6.
func parseDeep(s string) (wire.Deep, error) {
	above, confirmations, _ := strings.Cut(s, ":")
	n, err := strconv.ParseInt(confirmations, 10, 64)
	if err != nil || !digits(confirmations) || n < 1 || n > plan.MaxConfirmations {
		return wire.Deep{}, fmt.Errorf("%q is not an amount and the confirmations above it: want 1000000sat:6, with 1 to %d confirmations", s, plan.MaxConfirmations)
	}
	amount, err := parseAmount(above)
	return wire.Deep{Above: amount, Confirmations: n}, err
}

// The flags of these types say in their help what they take, and keep what was given.
type (
	amountFlag struct{ money.Msat }
	timeFlag   struct{ instant.Millis }
	shareFlag  struct{ ppm int64 }
	deepFlag   struct{ wire.Deep }
)

func (f *amountFlag) Set(s string) (err error) { f.Msat, err = parseAmount(s); return err }
func (f *amountFlag) Type() string             { return "amount" }
func (f *amountFlag) String() string {
	if f.Msat == 0 {
		return ""
	}
	return f.Msat.String()
}

func (f *timeFlag) Set(s string) (err error) { f.Millis, err = parseTime(s); return err }
func (f *timeFlag) Type() string             { return "time" }
func (f *timeFlag) String() string {
	if f.Millis == 0 {
		return ""
	}
	return showTime(f.Millis)
}

func (f *shareFlag) Set(s string) (err error) { f.ppm, err = parsePPM(s); return err }
func (f *shareFlag) Type() string             { return "share" }
func (f *shareFlag) String() string {
	if f.ppm == 0 {
		return ""
	}
	return showShare(f.ppm)
}

func (f *deepFlag) Set(s string) (err error) { f.Deep, err = parseDeep(s); return err }
func (f *deepFlag) Type() string             { return "amount:count" }
func (f *deepFlag) String() string {
	if f.Confirmations == 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d", f.Above, f.Confirmations)
}

// showTime writes d exactly, as [parseTime] reads it: 2d, 1h59m58s, 250ms.
func showTime(d instant.Millis) string {
	if d <= 0 {
		return "0s"
	}
	var b strings.Builder
	for _, u := range []struct {
		name string
		ms   instant.Millis
	}{{"d", instant.Day}, {"h", instant.Hour}, {"m", instant.Minute}, {"s", instant.Second}, {"ms", 1}} {
		if n := d / u.ms; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d -= n * u.ms
		}
	}
	return b.String()
}

// showLeft writes what is left for people: whole seconds, rounded down, but for the
// last minute.
func showLeft(d instant.Millis) string {
	if d >= instant.Minute {
		d -= d % instant.Second
	}
	return showTime(d)
}

// showAmount writes m in satoshi where that is whole, else in millisatoshi.
func showAmount(m money.Msat) string {
	if m%money.Sat == 0 {
		return group(int64(m/money.Sat)) + " sat"
	}
	return group(int64(m)) + " msat"
}

// showBTC writes m, which is not negative, in bitcoin with the eight decimals of the
// chain, or with all that it has.
func showBTC(m money.Msat) string {
	text := fmt.Sprintf("%d.%011d", m/money.BTC, m%money.BTC)
	return strings.TrimSuffix(text, "000") + " BTC"
}

// showSome is showAmount, but for none.
func showSome(m money.Msat) string {
	if m == 0 {
		return ""
	}
	return showAmount(m)
}

// group writes n with a thin separation of its thousands.
func group(n int64) string {
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

// showPrice writes p per hour or day where it is so quoted, else per its own time.
func showPrice(p money.Price) string {
	switch p.Per {
	case instant.Hour:
		return showAmount(p.Msat) + "/h"
	case instant.Day:
		return showAmount(p.Msat) + "/d"
	}
	return showAmount(p.Msat) + " per " + showTime(p.Per)
}

// showShare writes millionths as a percentage, exactly.
func showShare(ppm int64) string {
	s := fmt.Sprintf("%d.%04d", ppm/10_000, ppm%10_000)
	return strings.TrimRight(strings.TrimRight(s, "0"), ".") + "%"
}
