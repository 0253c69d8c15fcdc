package invoices_test

import (
	"testing"

	"sandglass/adapters/lnd/invoices"
)

func TestMade(t *testing.T) {
	// The first of BOLT 11's examples.
	at, ok := invoices.Made("lnbc1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpl2pkx2ctnv5sxxmmwwd" +
		"5kgetjypeh2ursdae8g6twvus8g6rfwvs8qun0dfjkxaq8rkx3yf5tcsyz3d73gafnh3cax9rn449d9p5uxz9ezh" +
		"hypd0elx87sjle52x86fux2ypatgddc6k63n7erqz25le42c4u4ecky03ylcqca784w")
	if !ok || at.Unix() != 1496314658 {
		t.Errorf("stamp says %v, %t", at, ok)
	}
	for _, bad := range []string{"", "1", "lnbc1", "lnbc1pvjlu", "lnbc1bbbbbbbb"} {
		if _, ok := invoices.Made(bad); ok {
			t.Errorf("%q has a stamp", bad)
		}
	}
}
