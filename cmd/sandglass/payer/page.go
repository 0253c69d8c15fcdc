package payer

import (
	"fmt"
	"strings"

	"sandglass/adapters/httpapi/wire"
	"sandglass/cmd/sandglass/show"
)

// page returns the page of a resource, empty where the daemon has none. One that does not know its public
// URL tells a path, which is here where the command asks.
func (c commands) page(r *wire.Resource) string {
	if strings.HasPrefix(r.Page, "/") {
		return strings.TrimRight(c.URL(), "/") + r.Page
	}
	return r.Page
}

// drawPage draws by what a phone comes to a resource: its page, or else its LNURL, in capitals, of which
// a code holds more.
func (c commands) drawPage(r *wire.Resource) error {
	text := c.page(r)
	if text == "" && r.LNURL != "" {
		text = strings.ToUpper(r.LNURL)
	}
	if text == "" {
		_, err := fmt.Fprintf(c.Stdout, "\nthere is nothing to draw: this daemon has no pages (SANDGLASS_PAGES), and no public URL "+
			"that wallets reach (SANDGLASS_PUBLIC_URL)\n")
		return err
	}
	fmt.Fprintln(c.Stdout)
	return show.QR(c.Stdout, []string{text})
}
