package main

import (
	"fmt"
	"strconv"
	"strings"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/plan"
)

// parseDeep reads an amount and the confirmations that are asked for above it, such as
// 1000000sat:6.
func parseDeep(s string) (wire.Deep, error) {
	above, confirmations, _ := strings.Cut(s, ":")
	n, err := strconv.ParseUint(confirmations, 10, 8)
	if err != nil || n < 1 || n > plan.MaxConfirmations {
		return wire.Deep{}, fmt.Errorf("%q is not an amount and the confirmations above it: "+
			"want 1000000sat:6, with 1 to %d confirmations", s, plan.MaxConfirmations)
	}
	amount, err := money.ParseMsat(above)
	return wire.Deep{Above: amount, Confirmations: int64(n)}, err
}

// The flags of these types say in their help what they take, and keep what was given.
type (
	amountFlag struct{ money.Msat }
	timeFlag   struct{ instant.Millis }
	shareFlag  struct{ ppm int64 }
	deepFlag   struct{ wire.Deep }
)

func (f *amountFlag) Set(s string) (err error) { f.Msat, err = money.ParseMsat(s); return err }
func (f *amountFlag) Type() string             { return "amount" }
func (f *amountFlag) String() string {
	if f.Msat == 0 {
		return ""
	}
	return f.Msat.String()
}

func (f *timeFlag) Set(s string) (err error) { f.Millis, err = money.ParseTime(s); return err }
func (f *timeFlag) Type() string             { return "time" }
func (f *timeFlag) String() string {
	if f.Millis == 0 {
		return ""
	}
	return f.Millis.InUnits()
}

func (f *shareFlag) Set(s string) (err error) { f.ppm, err = money.ParsePercent(s); return err }
func (f *shareFlag) Type() string             { return "share" }
func (f *shareFlag) String() string {
	if f.ppm == 0 {
		return ""
	}
	return money.Percent(f.ppm)
}

func (f *deepFlag) Set(s string) (err error) { f.Deep, err = parseDeep(s); return err }
func (f *deepFlag) Type() string             { return "amount:count" }
func (f *deepFlag) String() string {
	if f.Confirmations == 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d", f.Above, f.Confirmations)
}

// showLeft writes what is left for people: whole seconds, rounded down, but for the
// last minute.
func showLeft(d instant.Millis) string {
	if d >= instant.Minute {
		d -= d % instant.Second
	}
	return d.InUnits()
}

// showAmount writes m in satoshi where that is whole, else in millisatoshi.
func showAmount(m money.Msat) string {
	if m%money.Sat == 0 {
		return group(int64(m/money.Sat)) + " sat"
	}
	return group(int64(m)) + " msat"
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
	return showAmount(p.Msat) + " per " + p.Per.InUnits()
}
