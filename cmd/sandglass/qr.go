package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"unicode/utf8"

	"sandglass/adapters/httpapi/wire"

	"github.com/skip2/go-qrcode"
	"golang.org/x/term"
)

// printQR draws what is to be paid: address and invoice in one code or, where that is
// wider than the terminal, the invoice alone. A code whose lines are broken can't be read.
// On a terminal the colours are fixed, as a scanner wants dark on light.
func printQR(w io.Writer, p *wire.Payment) error {
	room := math.MaxInt
	if isTerminal(w) {
		room = width(w)
	}
	art, needs, err := drawQR(room, codes(p))
	switch {
	case err != nil:
		return err
	case art == "":
		_, err = fmt.Fprintf(w, "a QR code needs a terminal of %d columns\n", needs)
		return err
	case isTerminal(w):
		const onBlack, plain = "\x1b[97;40m", "\x1b[0m"
		art = onBlack + strings.ReplaceAll(art, "\n", plain+"\n"+onBlack) + plain
	}
	_, err = fmt.Fprintln(w, art)
	return err
}

// codes returns the texts of which a code may be drawn, the best first. An invoice is in
// capitals, of which a code holds more.
func codes(p *wire.Payment) (texts []string) {
	if p.Address != "" {
		texts = append(texts, p.URI)
	}
	return append(texts, strings.ToUpper(p.Request))
}

// drawQR returns the first of the texts that fits into so many columns, as half blocks,
// or "" and how many columns the last one needs.
func drawQR(room int, texts []string) (art string, needs int, err error) {
	for _, text := range texts {
		q, err := qrcode.New(text, qrcode.Low)
		if err != nil {
			return "", 0, fmt.Errorf("drawing the QR code: %w", err)
		}
		art := strings.TrimRight(q.ToSmallString(false), "\n")
		line, _, _ := strings.Cut(art, "\n")
		if needs = utf8.RuneCountInString(line); needs <= room {
			return art, needs, nil
		}
	}
	return "", needs, nil
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// width returns how many columns a terminal has.
func width(w any) int {
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return 80
}
