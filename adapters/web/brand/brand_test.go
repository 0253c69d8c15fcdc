package brand_test

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"sandglass/adapters/web/brand"
)

func TestNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"": true, "Müllers Server": true, "O'Brien & <Sons>": true, strings.Repeat("x", brand.MaxName): true,
		strings.Repeat("x", brand.MaxName+1): false, " x": false, "x ": false, "a\nb": false, "a\x1b[1m": false, "\xff": false,
		"a\u202eb": false,
	} {
		if err := brand.CheckName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestTexts(t *testing.T) {
	for text, want := range map[string][]brand.Paragraph{
		"one":                              {{"one"}},
		"\uFEFF\n\n a\tb \r\nc\r\n\n\n\nd": {{"a b", "c"}, {"d"}},
		"<b>&amp;":                         {{"<b>&amp;"}},
	} {
		if got, err := brand.ReadText(file(t, text)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		" \n\n":         "is empty: want text",
		"\xff\xfea":     "is not UTF-8",
		"a\x00b":        "has a control character",
		"a\u202eb":      "has a control character",
		large(64 << 10): "has more than 64 KiB",
	} {
		if got, err := brand.ReadText(file(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %.20q, %v, want %s", text, got, err, want)
		}
	}
	if got, err := brand.ReadText(""); got != nil || err != nil {
		t.Errorf("of no file: %q, %v", got, err)
	}
	if _, err := brand.ReadText(filepath.Join(t.TempDir(), "none")); !os.IsNotExist(err) {
		t.Errorf("of a file that there is not: %v", err)
	}
}

const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle r="4"/></svg>`

func TestLogos(t *testing.T) {
	for text, want := range map[string]string{
		picture(t, 10, 10): "image/png",
		svg:                "image/svg+xml",
		`<?xml version="1.0"?><!-- drawn --> ` + svg: "image/svg+xml",
	} {
		got, err := brand.ReadLogo(file(t, text))
		if err != nil || got.Type != want || string(got.Data) != text {
			t.Errorf("%.20q: %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"":                                "is neither a PNG nor an SVG",
		"GIF89a":                          "is neither a PNG nor an SVG",
		"<html>" + svg + "</html>":        "is neither a PNG nor an SVG",
		"<svg/>":                          "is neither a PNG nor an SVG",
		strings.TrimSuffix(svg, "</svg>"): "is neither a PNG nor an SVG",
		picture(t, 2049, 1):               "has 2049 × 1 pixels: want up to 2048 each way",
		large(256 << 10):                  "has more than 256 KiB",
	} {
		if got, err := brand.ReadLogo(file(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, %v, want %s", text, got, err, want)
		}
	}
	if got, err := brand.ReadLogo(""); got != nil || err != nil {
		t.Errorf("of no file: %+v, %v", got, err)
	}
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func large(most int) string { return strings.Repeat("x", most+1) }

func picture(t *testing.T, width, height int) string {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
