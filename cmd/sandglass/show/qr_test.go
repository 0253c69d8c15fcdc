package show

import (
	"strings"
	"testing"
)

// A usual invoice and its address fit a usual terminal; with many hints the invoice alone
// is drawn, and nothing that a terminal would break.
func TestACodeFitsItsTerminal(t *testing.T) {
	invoice := func(letters int) string {
		return "LNBCRT864U1" + strings.Repeat("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", letters/32+1)[:letters-11]
	}
	both := func(letters int) []string {
		const address = "bitcoin:BCRT1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KYGT080?amount=0.000864&lightning="
		return []string{address + invoice(letters), invoice(letters)}
	}
	for _, c := range []struct {
		name          string
		texts         []string
		room          int
		columns, rows int
	}{
		{"both", both(350), 80, 69, 35},
		{"the invoice", both(350), 68, 65, 33},
		{"nothing", both(350), 64, 65, 0},
		{"both of a long invoice", both(700), 100, 89, 45},
		{"the long invoice", both(700), 85, 85, 43},
		{"of no address", []string{invoice(350)}, 80, 65, 33},
	} {
		art, columns, err := drawQR(c.room, c.texts)
		rows := strings.Count(art, "\n")
		if art != "" {
			rows++
		}
		if err != nil || columns != c.columns || rows != c.rows {
			t.Errorf("%s: %d columns and %d rows, %v; want %d and %d", c.name, columns, rows, err, c.columns, c.rows)
		}
	}
}
