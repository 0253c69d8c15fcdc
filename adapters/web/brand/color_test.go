package brand_test

import (
	"fmt"
	"os"
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
	css := regexp.MustCompile(`--accent:(#\w{6});--link:#\w{6};--on-accent:(#\w{6})`)
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

// TestTheSurfacesAreThoseOfThePages: in light and, after it, in dark no surface is further from the page.
func TestTheSurfacesAreThoseOfThePages(t *testing.T) {
	b, err := os.ReadFile("../assets/style.css")
	if err != nil {
		t.Fatal(err)
	}
	surfaces := regexp.MustCompile(`--(?:page|card|soft): (#\w{3}(?:\w{3})?)\b`).FindAllStringSubmatch(string(b), -1)
	if len(surfaces) != 6 {
		t.Fatalf("surfaces: %v", surfaces)
	}
	for i, s := range surfaces {
		text := s[1]
		if len(text) == 4 {
			text = fmt.Sprintf("#%[1]c%[1]c%[2]c%[2]c%[3]c%[3]c", text[1], text[2], text[3])
		}
		worst, ink := brand.Light, brand.Color{}
		if i >= 3 {
			worst, ink = brand.Dark, brand.Color{R: 0xff, G: 0xff, B: 0xff}
		}
		if parse(t, text).Contrast(ink) < worst.Contrast(ink) {
			t.Errorf("%s is read worse than %s", s[0], worst)
		}
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
