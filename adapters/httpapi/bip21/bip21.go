// Package bip21 writes what is to be paid as a link that wallets open and QR codes hold:
// an address on the chain and a BOLT 11 invoice in one, or the one that there is.
//
// The link is in mixed case. A QR code spends 5.5 bits on a capital letter and 8 on a
// small one, and takes both in one code, so the address and the invoice, which are most
// of it, are in capitals: BIP 173 and BOLT 11 allow that, and wallets read it. The scheme
// and the names of the parameters stay small. BIP 21 lets the scheme be in any case, but
// phones pass on no link, and Electrum and others read no code, that begins with BITCOIN:,
// and several wallets look for lightning= in just these letters, and pay on the chain
// without them. Nor would it gain anything: ?, = and & are not of the dense kind either,
// and the codes of invoices of 250 to 1,100 letters keep their size (version 12 for one of
// 360, and 14 all in small letters). bitcoinqr.dev, BTCPay Server and rust-bitcoin came to
// the same.
package bip21

import (
	"fmt"
	"strings"

	"sandglass/domain/money"
)

// URI returns the link for an address, an invoice, or both, and "" for neither. The
// amount is what the address is to get; with 0 that is for the payer to say.
func URI(address string, amount money.Msat, invoice string) string {
	switch {
	case address == "" && invoice == "":
		return ""
	case address == "":
		return "lightning:" + invoice
	}
	var params []string
	if amount > 0 {
		params = append(params, "amount="+BTC(amount))
	}
	if invoice != "" {
		params = append(params, "lightning="+strings.ToUpper(invoice))
	}
	uri := "bitcoin:" + capitals(address)
	if len(params) > 0 {
		uri += "?" + strings.Join(params, "&")
	}
	return uri
}

// dust is the least that an output of any kind may have: nodes pass on no transaction with a
// smaller one.
const dust = 546 * money.Sat

// IsDust reports whether an amount is too small to be paid on the chain. 0 is not: it is for
// the payer to say.
func IsDust(amount money.Msat) bool { return 0 < amount && amount <= dust-money.Sat }

// BTC returns an amount, which is not negative, in bitcoin, with as many decimals as it
// needs. The chain counts whole satoshi: what lies between is rounded up, so that the
// time which was asked for is paid.
func BTC(amount money.Msat) string {
	sat := amount / money.Sat
	if amount%money.Sat > 0 {
		sat++
	}
	const perBTC = money.BTC / money.Sat
	text := fmt.Sprintf("%d.%08d", sat/perBTC, sat%perBTC)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// capitals returns an address in upper case, if that is the same address: in bech32, of
// whatever network, it is; in base58 it is not.
func capitals(address string) string {
	hrp, data := address, ""
	if i := strings.LastIndexByte(address, '1'); i >= 0 {
		hrp, data = address[:i], address[i+1:]
	}
	// The part before the last 1 names the network, in letters (BIP 173); an address in
	// base58 begins with a digit on the network where money is at stake.
	const charset = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	if len(hrp) < 2 || len(data) < 6 || strings.Trim(hrp, "abcdefghijklmnopqrstuvwxyz") != "" || strings.Trim(data, charset) != "" {
		return address
	}
	return strings.ToUpper(address)
}
