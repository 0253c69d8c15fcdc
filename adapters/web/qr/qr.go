// Package qr draws links to pay by as QR codes.
package qr

import (
	"fmt"
	"html/template"
	"strings"
	"sync"

	"github.com/skip2/go-qrcode"
)

// SVG returns a code as an element of a page, with the room around it that scanners want. It is dark on light
// whatever the colours of the page are. Of a text that is too long for a code it is "". The last ones are kept:
// to draw one takes longer than all else of a page, which is asked for again and again.
func SVG(text string) template.HTML {
	if svg, ok := last.get(text); ok {
		return svg
	}
	svg := draw(text)
	last.put(text, svg)
	return svg
}

// last are the codes that were drawn last, of some 20 KB each.
var last kept

type kept struct {
	mu     sync.Mutex
	byText map[string]template.HTML
	texts  [128]string // the keys of byText, as a ring
	next   int         // of texts, which is the oldest
}

func (k *kept) get(text string) (template.HTML, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	svg, ok := k.byText[text]
	return svg, ok
}

func (k *kept) put(text string, svg template.HTML) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.byText[text]; ok {
		return
	}
	if k.byText == nil {
		k.byText = map[string]template.HTML{}
	}
	delete(k.byText, k.texts[k.next])
	k.byText[text], k.texts[k.next] = svg, text
	k.next = (k.next + 1) % len(k.texts)
}

func draw(text string) template.HTML {
	code, err := qrcode.New(text, qrcode.Low)
	if err != nil {
		return ""
	}
	code.DisableBorder = true
	bits := code.Bitmap()
	const border = 4
	size := len(bits) + 2*border
	var path strings.Builder
	for y, row := range bits {
		for x := 0; x < len(row); x++ {
			from := x
			for x < len(row) && row[x] {
				x++
			}
			if x > from {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", from+border, y+border, x-from, x-from)
			}
		}
	}
	return template.HTML(fmt.Sprintf(`<svg class="qr" viewBox="0 0 %d %d" shape-rendering="crispEdges" `+
		`aria-hidden="true" focusable="false">`+
		`<path fill="#fff" d="M0 0h%dv%dh-%dz"/><path fill="#000" d="%s"/></svg>`, size, size, size, size, size, path.String()))
}

// Dense returns a link as its code takes least room: an invoice alone is all in capitals. A link that has an
// address comes as dense as wallets read it.
func Dense(link string) string {
	if strings.HasPrefix(link, "lightning:") {
		return strings.ToUpper(link)
	}
	return link
}

// Plain returns a link as wallets open it, which is in small letters: some find the invoice of a bitcoin: link
// by nothing else. An address in which case tells stays as it is.
func Plain(link string) string {
	address, params, _ := strings.Cut(link, "?")
	if scheme, rest, ok := strings.Cut(address, ":"); ok && rest == strings.ToUpper(rest) {
		address = scheme + ":" + strings.ToLower(rest)
	}
	if params == "" {
		return address
	}
	return address + "?" + strings.ToLower(params)
}
