package money

import (
	"fmt"
	"strconv"
	"strings"

	"sandglass/domain/instant"
)

// units are the names that an amount may end with. What comes later wins: msat ends
// with sat.
var units = []struct {
	name     string
	decimals int // that are whole msat
}{
	{"btc", 11},
	{"sat", 3},
	{"msat", 0},
}

// ParseMsat reads an amount of msat, sat or btc, such as 3600000, 3600sat or 0.000036btc,
// exactly: no digit is rounded away.
func ParseMsat(s string) (Msat, error) {
	number, unit := strings.ToLower(strings.TrimSpace(s)), units[len(units)-1]
	for _, u := range units {
		if strings.HasSuffix(number, u.name) {
			unit = u
		}
	}
	number = strings.TrimSpace(strings.TrimSuffix(number, unit.name))
	whole, fraction, point := strings.Cut(number, ".")
	if !digits(whole) || point && !digits(fraction) {
		return 0, fmt.Errorf("%q is not an amount: want msat such as 3600000, or 3600sat, or 0.000036btc", s)
	}
	if fraction = strings.TrimRight(fraction, "0"); len(fraction) > unit.decimals {
		return 0, fmt.Errorf("%q is not a whole number of millisatoshi: %s has up to %d decimals", s, unit.name, unit.decimals)
	}
	padded := strings.TrimLeft(whole+fraction+strings.Repeat("0", unit.decimals-len(fraction)), "0")
	if padded == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(padded, 10, 64)
	if err != nil || Msat(n) > MaxMsat {
		return 0, fmt.Errorf("%q is more than the 21 million bitcoin that there can be", s)
	}
	return Msat(n), nil
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// ParseTime reads a length of time that a resource can hold, which is up to [MaxTime]: see
// [instant.ParseMillis].
func ParseTime(s string) (instant.Millis, error) {
	ms, err := instant.ParseMillis(s)
	if err == nil && ms > MaxTime {
		return 0, fmt.Errorf("%q is longer than the 250 years that a resource can hold", s)
	}
	return ms, err
}

// ParsePercent reads a share such as 10% or 12.5% as millionths, exactly. It is more than
// none and less than the whole.
func ParsePercent(s string) (ppm int64, err error) {
	whole, fraction, point := strings.Cut(strings.TrimSuffix(s, "%"), ".")
	if !strings.HasSuffix(s, "%") || !digits(whole) || point && !digits(fraction) || len(fraction) > 4 || len(whole) > 3 {
		return 0, fmt.Errorf("%q is not a share: want 10%% or 12.5%%, with up to 4 decimals", s)
	}
	ppm, err = strconv.ParseInt(whole+fraction+strings.Repeat("0", 4-len(fraction)), 10, 64)
	if err != nil || ppm < 1 || ppm >= 1_000_000 {
		return 0, fmt.Errorf("%q is not a share: want more than 0%% and less than 100%%", s)
	}
	return ppm, nil
}

// Percent returns millionths as [ParsePercent] reads them, exactly.
func Percent(ppm int64) string {
	s := fmt.Sprintf("%d.%04d", ppm/10_000, ppm%10_000)
	return strings.TrimRight(strings.TrimRight(s, "0"), ".") + "%"
}

// Bitcoin returns m, which is not negative, in bitcoin with the eight decimals of the
// chain, or with all that it has.
func (m Msat) Bitcoin() string {
	return strings.TrimSuffix(fmt.Sprintf("%d.%011d", m/BTC, m%BTC), "000")
}
