package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/skip2/go-qrcode"
	"golang.org/x/term"
)

// printQR draws an invoice as half blocks, in upper case: a QR code needs fewer dots for
// capitals. On a terminal the colours are fixed, as a scanner wants dark on light.
func printQR(w io.Writer, invoice string) error {
	q, err := qrcode.New(strings.ToUpper(invoice), qrcode.Low)
	if err != nil {
		return fmt.Errorf("drawing the QR code: %w", err)
	}
	art := strings.TrimRight(q.ToSmallString(false), "\n")
	if isTerminal(w) {
		const onBlack, plain = "\x1b[97;40m", "\x1b[0m"
		art = onBlack + strings.ReplaceAll(art, "\n", plain+"\n"+onBlack) + plain
	}
	_, err = fmt.Fprintln(w, art)
	return err
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
