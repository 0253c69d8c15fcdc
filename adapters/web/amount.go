package web

import (
	"strconv"
	"strings"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/money"
)

// amountForm is the part of a form that says how much is bought.
type amountForm struct {
	Presets  []preset
	Price    wire.Price
	Min, Max instant.Millis
	Bounded  bool   // it is known that Min and Max hold
	N, Unit  string // what was typed before
}

// preset is a time to choose.
type preset struct {
	Time    instant.Millis
	Checked bool
}

// times are those that presets are chosen from.
var times = []instant.Millis{
	instant.Minute, 10 * instant.Minute, instant.Hour, 6 * instant.Hour, instant.Day,
	7 * instant.Day, 30 * instant.Day, 90 * instant.Day, 365 * instant.Day,
}

const mostPresets = 5

// amountForm offers what fits the bounds of a plan, or usual ones where it is not on offer.
func (p *page) amountForm(offer *wire.Plan, price wire.Price) *amountForm {
	f := &amountForm{Price: price, Min: instant.Hour, Max: 365 * instant.Day, N: p.form("n"), Unit: p.form("unit")}
	if offer != nil {
		f.Min, f.Max, f.Bounded = offer.Min, offer.Max, true
	}
	for _, t := range times {
		cost, err := money.Price{Msat: price.Msat, Per: price.Per}.CostOf(t)
		if err == nil && cost >= money.Sat && t >= f.Min && t <= f.Max {
			f.Presets = append(f.Presets, preset{Time: t})
		}
	}
	if len(f.Presets) == 0 {
		f.Presets = []preset{{Time: f.Min}, {Time: f.Max}}
	}
	for len(f.Presets) > mostPresets && f.Presets[0].Time < instant.Day {
		f.Presets = f.Presets[1:]
	}
	f.Presets = f.Presets[:min(len(f.Presets), mostPresets)]
	f.check(p.form("time"))
	return f
}

// check chooses what was chosen before, or a day, or what is in the middle. Who typed something chose that.
func (f *amountForm) check(chosen string) {
	if f.N != "" {
		return
	}
	at := (len(f.Presets) - 1) / 2
	for i, one := range f.Presets {
		if one.Time == instant.Day {
			at = i
		}
	}
	for i, one := range f.Presets {
		if strconv.FormatInt(int64(one.Time), 10) == chosen {
			at = i
		}
	}
	f.Presets[at].Checked = true
}

// perUnit are the units of times that can be typed.
var perUnit = map[string]instant.Millis{
	"min": instant.Minute, "h": instant.Hour, "d": instant.Day, "w": 7 * instant.Day,
}

// asked returns the time or the amount that a form asks for: what was typed, or else the preset. Both are 0
// where that is no number, which the API refuses.
func (p *page) asked() (time instant.Millis, amount money.Msat) {
	n := strings.ReplaceAll(p.form("n"), ",", ".")
	if n == "" {
		ms, _ := strconv.ParseInt(p.form("time"), 10, 64)
		return instant.Millis(max(0, ms)), 0
	}
	if p.form("unit") == "sat" {
		sat, err := strconv.ParseInt(n, 10, 64)
		if err != nil || sat < 0 || sat > int64(money.MaxMsat/money.Sat) {
			return 0, 0
		}
		return 0, money.Msat(sat) * money.Sat
	}
	return millisOf(n, perUnit[p.form("unit")]), 0
}

// millisOf returns so many units, of up to 10 decimals, rounded to the nearest millisecond; 0 where that is no
// number, or longer than a script counts exactly.
func millisOf(n string, unit instant.Millis) instant.Millis {
	const longest, decimals = 1<<53 - 1, 10
	whole, fraction, _ := strings.Cut(n, ".")
	if whole+fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" || unit == 0 {
		return 0
	}
	fraction = (fraction + strings.Repeat("0", decimals))[:decimals]
	part, err := strconv.ParseInt(fraction, 10, 64)
	many, tooLong := strconv.ParseInt("0"+whole, 10, 64)
	if err != nil || tooLong != nil || instant.Millis(many) >= longest/unit {
		return 0
	}
	const scale = 1e10 // which times a week in milliseconds is an int64 yet
	return instant.Millis(many)*unit + (instant.Millis(part)*unit+scale/2)/scale
}
