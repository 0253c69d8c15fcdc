package journal

import (
	"cmp"
	"strings"

	"sandglass/projections/books"
)

// names are what journals call the classes, by the usual five roots.
var names = [...]string{
	books.Wallet:      "assets:wallet",
	books.Receivable:  "assets:receivable",
	books.Prepaid:     "liabilities:prepaid",
	books.Income:      "income",
	books.Unallocated: "liabilities:unallocated",
	retained:          "equity:retained",
}

// retained is the account of what was earned before the period.
const retained books.Class = books.Unallocated + 1

// appendName appends what journals call an account, as in liabilities:prepaid:small:web-1.
func appendName(b []byte, a books.Account) []byte {
	b = append(b, names[a.Class]...)
	switch a.Class {
	case books.Wallet:
		if a.OnChain {
			return append(b, ":onchain"...)
		}
		return append(b, ":lightning"...)
	case books.Receivable, books.Prepaid, books.Income, retained:
		b = appendPlain(append(b, ':'), a.Plan, false)
	}
	if a.Resource != "" {
		b = appendPlain(append(b, ':'), string(a.Resource), false)
	}
	return b
}

// appendPlain appends a text so that it is one word, whatever a log says: all but letters, digits,
// '-', '.' and '_' becomes %XX, as in a URL. In a value a ':' stays as it is.
func appendPlain(b []byte, s string, value bool) []byte {
	const hex = "0123456789ABCDEF"
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', value && c == ':':
			b = append(b, c)
		default:
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return b
}

// compare orders accounts by class, plan and resource.
func compare(a, b books.Account) int {
	rail := func(a books.Account) int {
		if a.OnChain {
			return 1
		}
		return 0
	}
	return cmp.Or(
		cmp.Compare(a.Class, b.Class),
		cmp.Compare(rail(a), rail(b)),
		strings.Compare(a.Plan, b.Plan),
		strings.Compare(string(a.Resource), string(b.Resource)),
	)
}
