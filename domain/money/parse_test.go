package money_test

import (
	"math/big"
	"strings"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
)

func TestParseMsat(t *testing.T) {
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
		got, err := money.ParseMsat(c.text)
		parsed(t, c.text, got, c.want, err, c.err)
	}
}

func TestParseTime(t *testing.T) {
	for _, c := range []struct {
		text string
		want instant.Millis
		err  string
	}{
		{"1h30m", 90 * instant.Minute, ""},
		{"250y", 250 * 365 * instant.Day, ""},
		{"91312d12h", money.MaxTime, ""},
		{"91312d12h1ms", 0, "250 years"},
		{"251y", 0, "250 years"},
		{"1000y", 0, "want 2h"},
		{"2", 0, "want 2h"},
	} {
		got, err := money.ParseTime(c.text)
		parsed(t, c.text, got, c.want, err, c.err)
	}
}

func TestParsePercent(t *testing.T) {
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
		got, err := money.ParsePercent(c.text)
		parsed(t, c.text, got, c.want, err, c.err)
		if err == nil && money.Percent(got) != c.text {
			t.Errorf("%q is written %q", c.text, money.Percent(got))
		}
	}
}

func TestBitcoin(t *testing.T) {
	for want, m := range map[string]money.Msat{
		"0.00000000":        0,
		"0.00050000":        50_000_000,
		"0.00050000001":     50_000_001,
		"1.00000000":        money.BTC,
		"21000000.00000000": money.MaxMsat,
	} {
		if got := m.Bitcoin(); got != want {
			t.Errorf("%d msat are written %q, want %q", m, got, want)
		}
	}
}

// parsed checks what was read of a text, or the words of its error.
func parsed[T comparable](t *testing.T, text string, got, want T, err error, words string) {
	t.Helper()
	switch {
	case words == "" && (err != nil || got != want):
		t.Errorf("%q: got %v, %v; want %v", text, got, err, want)
	case words != "" && (err == nil || !strings.Contains(err.Error(), words)):
		t.Errorf("%q: got %v, %v; want an error with %q", text, got, err, words)
	}
}

// An amount is what exact arithmetic says, or an error; it is never rounded.
func FuzzParseMsat(f *testing.F) {
	for _, s := range []string{"3600000", "3600sat", "0.0001btc", "1.5 sat", "21000000btc", "1e3", "0x1", "1_0", "٣"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := money.ParseMsat(s)
		if err != nil {
			return
		}
		number := strings.ToLower(strings.TrimSpace(s))
		scale := money.Msat(1)
		switch {
		case strings.HasSuffix(number, "msat"):
		case strings.HasSuffix(number, "sat"):
			scale = money.Sat
		case strings.HasSuffix(number, "btc"):
			scale = money.BTC
		}
		number = strings.TrimSpace(strings.TrimRight(number, "abcmst"))
		want, ok := new(big.Rat).SetString(number)
		if !ok {
			t.Fatalf("%q was read as %d, and is no number", s, got)
		}
		want.Mul(want, new(big.Rat).SetInt64(int64(scale)))
		if want.Cmp(new(big.Rat).SetInt64(int64(got))) != 0 || got.Check() != nil {
			t.Fatalf("%q was read as %d msat, and is %s", s, got, want)
		}
	})
}

// A time is one that a resource can hold, and is written as one that is read as the same.
func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"2h", "91312d12h", "250y1w", "0", "9223372036854775807ms"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := money.ParseTime(s)
		if err != nil {
			return
		}
		if d < 0 || d > money.MaxTime {
			t.Fatalf("%q was read as %d ms", s, d)
		}
		if again, err := money.ParseTime(d.InUnits()); err != nil || again != d {
			t.Fatalf("%q is %d ms, written %q, which is %d ms, %v", s, d, d.InUnits(), again, err)
		}
	})
}
