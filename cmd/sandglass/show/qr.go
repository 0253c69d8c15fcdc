package show

import (
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/skip2/go-qrcode"
)

// QR draws the first of the texts that fits: a code whose lines are broken can't be read.
// On a terminal the colours are fixed, as a scanner wants dark on light.
func QR(w io.Writer, texts []string) error {
	room := math.MaxInt
	if IsTerminal(w) {
		room = Width(w)
	}
	art, needs, err := drawQR(room, texts)
	switch {
	case err != nil:
		return err
	case art == "":
		_, err = fmt.Fprintf(w, "a QR code needs a terminal of %d columns\n", needs)
		return err
	case IsTerminal(w):
		const onBlack, plain = "\x1b[97;40m", "\x1b[0m"
		art = onBlack + strings.ReplaceAll(art, "\n", plain+"\n"+onBlack) + plain
	}
	_, err = fmt.Fprintln(w, art)
	return err
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
