package main

import (
	"math/big"
	"strings"
	"testing"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/money"
)

func TestParseAmount(t *testing.T) {
	for _, c := range []struct {
		text string
		want money.Msat
		err  string
	}{
		{"3600000", 3_600_000, ""},
		{"3600000msat", 3_600_000, ""},
		{"3600sat", 3_600_000, ""},
		{"3600 SAT", 3_600_000, ""},
		{"0.000036btc", 3_600_000, ""},
		{"0.0001btc", 10_000_000, ""},
		{"1.5sat", 1500, ""},
		{"1.500000sat", 1500, ""},
		{"007", 7, ""},
		{"0", 0, ""},
		{"0.00000000001btc", 1, ""},
		{"21000000btc", money.MaxMsat, ""},
		{"2100000000000000000", money.MaxMsat, ""},
		{"2100000000000000001", 0, "21 million"},
		{"21000000.00000000001btc", 0, "21 million"},
		{"99999999999999999999999btc", 0, "21 million"},
		{"1.5", 0, "msat has up to 0 decimals"},
		{"1.0001sat", 0, "sat has up to 3 decimals"},
		{"0.000000000001btc", 0, "btc has up to 11 decimals"},
		{"", 0, "want msat such as"},
		{"sat", 0, "want msat such as"},
		{".5btc", 0, "want msat such as"},
		{"5.sat", 0, "want msat such as"},
		{"-5", 0, "want msat such as"},
		{"+5", 0, "want msat such as"},
		{"1e6", 0, "want msat such as"},
		{"5 eur", 0, "want msat such as"},
		{"1,000", 0, "want msat such as"},
	} {
		got, err := parseAmount(c.text)
		check(t, c.text, got, c.want, err, c.err)
	}
}

func TestParseTime(t *testing.T) {
	for _, c := range []struct {
		text string
		want instant.Millis
		err  string
	}{
		{"2h", 2 * instant.Hour, ""},
		{"90m", 90 * instant.Minute, ""},
		{"7d", 7 * instant.Day, ""},
		{"1h30m", 90 * instant.Minute, ""},
		{"1d2h3m4s5ms", instant.Day + 2*instant.Hour + 3*instant.Minute + 4*instant.Second + 5, ""},
		{"720h", 30 * instant.Day, ""},
		{"0", 0, ""},
		{"251y", 0, "250 years"},
		{"1000y", 0, "want 2h"},
		{"2", 0, "want 2h"},
		{"", 0, "want 2h"},
		{"-2h", 0, "want 2h"},
		{"1.5h", 0, "want 2h"},
		{"30m1h", 0, "want 2h"},
		{"2 h", 0, "want 2h"},
		{"2µs", 0, "want 2h"},
	} {
		got, err := parseTime(c.text)
		check(t, c.text, got, c.want, err, c.err)
	}
}

func TestParsePPM(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64
		err  string
	}{
		{"10%", 100_000, ""},
		{"12.5%", 125_000, ""},
		{"0.0001%", 1, ""},
		{"99.9999%", 999_999, ""},
		{"0%", 0, "more than 0%"},
		{"100%", 0, "less than 100%"},
		{"0.00001%", 0, "4 decimals"},
		{"10", 0, "want 10%"},
		{"%", 0, "want 10%"},
		{"-1%", 0, "want 10%"},
	} {
		got, err := parsePPM(c.text)
		check(t, c.text, got, c.want, err, c.err)
		if err == nil && showShare(got) != c.text {
			t.Errorf("%q is shown as %q", c.text, showShare(got))
		}
	}
}

func TestParseDeep(t *testing.T) {
	for _, c := range []struct {
		text string
		want wire.Deep
		err  string
	}{
		{"1000000sat:6", wire.Deep{Above: 1e9, Confirmations: 6}, ""},
		{"0.01btc:1", wire.Deep{Above: 1e9, Confirmations: 1}, ""},
		{"1000000000 msat:144", wire.Deep{Above: 1e9, Confirmations: 144}, ""},
		{"0:6", wire.Deep{Confirmations: 6}, ""},
		{"1sat", wire.Deep{}, "want 1000000sat:6"},
		{"1sat:", wire.Deep{}, "want 1000000sat:6"},
		{"1sat:0", wire.Deep{}, "with 1 to 144"},
		{"1sat:145", wire.Deep{}, "with 1 to 144"},
		{"1sat:+6", wire.Deep{}, "want 1000000sat:6"},
		{"1sat:6:7", wire.Deep{}, "want 1000000sat:6"},
		{":6", wire.Deep{}, "is not an amount"},
		{"21000001btc:6", wire.Deep{}, "21 million"},
		{"", wire.Deep{}, "want 1000000sat:6"},
	} {
		got, err := parseDeep(c.text)
		if err != nil {
			got = wire.Deep{}
		}
		check(t, c.text, got, c.want, err, c.err)
		shown := (&deepFlag{got}).String()
		if again, err := parseDeep(shown); err == nil && again != got {
			t.Errorf("%q is shown as %q, which is %v", c.text, shown, again)
		}
	}
}

func check[T comparable](t *testing.T, text string, got, want T, err error, words string) {
	t.Helper()
	switch {
	case words == "" && (err != nil || got != want):
		t.Errorf("%q: got %v, %v; want %v", text, got, err, want)
	case words != "" && (err == nil || !strings.Contains(err.Error(), words)):
		t.Errorf("%q: got %v, %v; want an error with %q", text, got, err, words)
	}
}

func TestShow(t *testing.T) {
	for got, want := range map[string]string{
		showTime(0):                     "0s",
		showTime(250):                   "250ms",
		showTime(2*instant.Day + 5):     "2d5ms",
		showLeft(2*instant.Hour - 1500): "1h59m58s",
		showLeft(9500):                  "9s500ms",
		showAmount(7_200_000):           "7,200 sat",
		showAmount(1234):                "1,234 msat",
		showAmount(-1_234_567_000):      "-1,234,567 sat",
		showBTC(0):                      "0.00000000 BTC",
		showBTC(50_000_000):             "0.00050000 BTC",
		showBTC(50_000_001):             "0.00050000001 BTC",
		showBTC(money.BTC):              "1.00000000 BTC",
		showBTC(money.MaxMsat):          "21000000.00000000 BTC",
		showPrice(money.Price{Msat: 3_600_000, Per: instant.Hour}): "3,600 sat/h",
		showPrice(money.Price{Msat: 5, Per: 90}):                   "5 msat per 90ms",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// An amount is what exact arithmetic says, or an error; it is never rounded.
func FuzzParseAmount(f *testing.F) {
	for _, s := range []string{"3600000", "3600sat", "0.0001btc", "1.5 sat", "21000000btc", "1e3", "0x1", "1_0", "٣"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseAmount(s)
		if err != nil {
			return
		}
		number := strings.ToLower(strings.TrimSpace(s))
		scale := int64(1)
		for _, u := range units {
			if strings.HasSuffix(number, u.name) {
				scale = int64(u.msat)
			}
		}
		number = strings.TrimSpace(strings.TrimRight(number, "abcmst"))
		want, ok := new(big.Rat).SetString(number)
		if !ok {
			t.Fatalf("%q was read as %d, and is no number", s, got)
		}
		want.Mul(want, new(big.Rat).SetInt64(scale))
		if want.Cmp(new(big.Rat).SetInt64(int64(got))) != 0 || got.Check() != nil {
			t.Fatalf("%q was read as %d msat, and is %s", s, got, want)
		}
	})
}

// What is read as a time is written as one that is read as the same.
func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"2h", "90m", "7d", "1d2h3m4s5ms", "1y2w", "0", "9223372036854775807ms"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := parseTime(s)
		if err != nil {
			return
		}
		if d < 0 || d > money.MaxTime {
			t.Fatalf("%q was read as %d ms", s, d)
		}
		if again, err := parseTime(showTime(d)); err != nil || again != d {
			t.Fatalf("%q is %d ms, shown as %q, which is %d ms, %v", s, d, showTime(d), again, err)
		}
	})
}
