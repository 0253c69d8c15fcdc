package brand_test

import (
	"fmt"
	"regexp"
	"testing"

	"sandglass/adapters/web/brand"
)

func TestColors(t *testing.T) {
	for _, text := range []string{"#1f6feb", "#000000", "#ffffff"} {
		if c, err := brand.ParseColor(text); err != nil || c.String() != text {
			t.Errorf("%s: %s, %v", text, c, err)
		}
	}
	for _, text := range []string{"", "#", "red", "#fff", "1f6feb", "#1f6feg", "#1f6feb0", "#-1f6fe", "#+1f6fe", "#1_f6fe"} {
		if c, err := brand.ParseColor(text); err == nil {
			t.Errorf("%q is %s", text, c)
		}
	}
}

// TestContrastIsThatOfTheStandard has values of WCAG's own formula, as its tools show them.
func TestContrastIsThatOfTheStandard(t *testing.T) {
	for pair, want := range map[[2]string]string{
		{"#000000", "#ffffff"}: "21.00", {"#777777", "#ffffff"}: "4.48", {"#767676", "#ffffff"}: "4.54", {"#ff0000", "#ffffff"}: "4.00",
		{"#0000ff", "#ffffff"}: "8.59", {"#123456", "#123456"}: "1.00",
	} {
		if got := fmt.Sprintf("%.2f", parse(t, pair[0]).Contrast(parse(t, pair[1]))); got != want {
			t.Errorf("%s on %s: %s, want %s", pair[0], pair[1], got, want)
		}
	}
}

// TestEveryAccentIsRead: on both surfaces, and what is written on it.
func TestEveryAccentIsRead(t *testing.T) {
	css := regexp.MustCompile(`--accent:(#\w{6});--on-accent:(#\w{6})`)
	for i := range 1 << 12 {
		c := brand.Color{R: uint8(i>>8) * 17, G: uint8(i>>4) * 17, B: uint8(i) * 17}
		b := brand.Brand{Accent: &c}
		rules := css.FindAllStringSubmatch(b.CSS(), -1)
		if len(rules) != 2 {
			t.Fatalf("%s: %s", c, b.CSS())
		}
		for j, surface := range []brand.Color{brand.Light, brand.Dark} {
			accent, ink := parse(t, rules[j][1]), parse(t, rules[j][2])
			if accent.Contrast(surface) < brand.Enough || ink.Contrast(accent) < brand.Enough {
				t.Errorf("%s on %s is %s with %s on it", c, surface, accent, ink)
			}
			if c.Contrast(surface) >= brand.Enough && accent != c {
				t.Errorf("%s is read on %s, and yet became %s", c, surface, accent)
			}
		}
	}
	if css := new(brand.Brand).CSS(); css != "" {
		t.Errorf("without an accent: %s", css)
	}
}

func parse(t *testing.T, text string) brand.Color {
	t.Helper()
	c, err := brand.ParseColor(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
