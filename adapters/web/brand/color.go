package brand

import (
	"fmt"
	"math"
	"strconv"
)

// Color is a colour of sRGB.
type Color struct{ R, G, B uint8 }

// The surfaces of the pages in light and in dark on which an accent is read worst, and what is written on an
// accent.
var (
	Light = Color{0xf3, 0xf0, 0xea}
	Dark  = Color{0x2a, 0x26, 0x22}

	white, black = Color{0xff, 0xff, 0xff}, Color{}
)

// Enough is how much contrast text has at least, as WCAG 2.2 AA wants it.
const Enough = 4.5

// ParseColor reads a colour, as in #1f6feb.
func ParseColor(text string) (Color, error) {
	n, err := strconv.ParseUint(text[min(1, len(text)):], 16, 24)
	if err != nil || len(text) != 7 || text[0] != '#' {
		return Color{}, fmt.Errorf("%q is no colour: want # and 6 hexadecimal digits, such as #1f6feb", text)
	}
	return Color{uint8(n >> 16), uint8(n >> 8), uint8(n)}, nil
}

// String returns c as ParseColor reads it.
func (c Color) String() string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

// Contrast returns how well a colour is read on another, as WCAG has it: 1 to 21.
func (c Color) Contrast(on Color) float64 {
	a, b := c.luminance(), on.luminance()
	return (max(a, b) + 0.05) / (min(a, b) + 0.05)
}

func (c Color) luminance() float64 {
	linear := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}

// On returns the colour nearest to c that is read on a surface: c itself, or with as much black or white in
// it as that takes.
func (c Color) On(surface Color) Color {
	toward := black
	if surface.Contrast(white) > surface.Contrast(black) {
		toward = white
	}
	for share := range 101 {
		if mixed := c.mix(toward, share); mixed.Contrast(surface) >= Enough {
			return mixed
		}
	}
	return toward
}

// mix returns c with so many hundredths of another colour in it.
func (c Color) mix(with Color, hundredths int) Color {
	one := func(a, b uint8) uint8 { return uint8((int(a)*(100-hundredths) + int(b)*hundredths + 50) / 100) }
	return Color{one(c.R, with.R), one(c.G, with.G), one(c.B, with.B)}
}

// ink returns what is written on c: black or white, whichever is read better.
func (c Color) ink() Color {
	if c.Contrast(white) >= c.Contrast(black) {
		return white
	}
	return black
}

// CSS returns a stylesheet that sets the accent, in light and in dark; empty where the operator gave none.
func (b *Brand) CSS() string {
	if b.Accent == nil {
		return ""
	}
	rule := func(c Color) string {
		return fmt.Sprintf(":root{--accent:%[1]s;--link:%[1]s;--on-accent:%[2]s}", c, c.ink())
	}
	return rule(b.Accent.On(Light)) + "\n@media (prefers-color-scheme:dark){" + rule(b.Accent.On(Dark)) + "}\n"
}
