package bip21_test

import (
	"math/big"
	"net/url"
	"strings"
	"testing"

	"sandglass/adapters/httpapi/bip21"
	"sandglass/domain/money"

	"pgregory.net/rapid"
)

func TestURI(t *testing.T) {
	const (
		mainnet = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
		regtest = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
		taproot = "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c"
		old     = "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"
		invoice = "lnbc123450n1p3unw"
	)
	for _, c := range []struct {
		name             string
		address, invoice string
		amount           money.Msat
		want             string
	}{
		{
			"both", mainnet, invoice, 12_345_000,
			"bitcoin:BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4?amount=0.00012345&lightning=LNBC123450N1P3UNW",
		},
		{"both, for any amount", mainnet, invoice, 0, "bitcoin:BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4?lightning=LNBC123450N1P3UNW"},
		{"an address", mainnet, "", 0, "bitcoin:BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4"},
		{"an address with an amount", mainnet, "", 1, "bitcoin:BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4?amount=0.00000001"},
		{"of a test network", regtest, "", 0, "bitcoin:BCRT1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KYGT080"},
		{"of Taproot", taproot, "", 0, "bitcoin:TB1PQQQQP399ET2XYGDJ5XREQHJJVCMZHXW4AYWXECJDZEW6HYLGVSESF3HN0C"},
		{"in base58, where case counts", old, invoice, 0, "bitcoin:" + old + "?lightning=LNBC123450N1P3UNW"},
		{"in base58 without capitals", "3j98t1wpez73cnmqviecrnyiwrnqrhwnzy", "", 0, "bitcoin:3j98t1wpez73cnmqviecrnyiwrnqrhwnzy"},
		{"an invoice", "", invoice, 12_345_000, "lightning:lnbc123450n1p3unw"},
		{"neither", "", "", 1000, ""},
	} {
		if got := bip21.URI(c.address, c.amount, c.invoice); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestBTC(t *testing.T) {
	for amount, want := range map[money.Msat]string{
		0:                     "0",
		1:                     "0.00000001",
		999:                   "0.00000001",
		1000:                  "0.00000001",
		1001:                  "0.00000002",
		10_000:                "0.0000001",
		12_345_000:            "0.00012345",
		12_344_001:            "0.00012345",
		money.BTC - 1:         "1",
		money.BTC:             "1",
		money.BTC + 1:         "1.00000001",
		10 * money.BTC:        "10",
		100*money.BTC + 1e10:  "100.1",
		money.MaxMsat - 1_000: "20999999.99999999",
		money.MaxMsat:         "21000000",
	} {
		if got := bip21.BTC(amount); got != want {
			t.Errorf("%d msat: got %s, want %s", amount, got, want)
		}
	}
}

// What is written covers the amount, and by less than a satoshi; and is read back by
// what knows nothing of this package.
func TestAURICoversItsAmount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := money.Msat(rapid.Int64Range(1, int64(money.MaxMsat)).Draw(t, "amount"))
		u, err := url.Parse(bip21.URI("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", amount, "lnbc1"))
		if err != nil || u.Scheme != "bitcoin" || strings.ToLower(u.Opaque) != "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4" {
			t.Fatalf("%v, %v", u, err)
		}
		q, err := url.ParseQuery(u.RawQuery)
		if err != nil || q.Get("lightning") != "LNBC1" {
			t.Fatalf("%v, %v", q, err)
		}
		asked, ok := new(big.Rat).SetString(q.Get("amount"))
		if !ok {
			t.Fatalf("%v", q)
		}
		asked.Mul(asked, new(big.Rat).SetInt64(int64(money.BTC)))
		over := asked.Sub(asked, new(big.Rat).SetInt64(int64(amount)))
		if over.Sign() < 0 || over.Cmp(big.NewRat(int64(money.Sat), 1)) >= 0 {
			t.Fatalf("%s BTC for %s", q.Get("amount"), amount)
		}
	})
}
