package web

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"

	"sandglass/adapters/httpapi/wire"
	"sandglass/adapters/web/qr"
	"sandglass/domain/instant"
)

// What small templates take, as methods of the page.

// Units returns the units that an amount can be typed in.
func (p *page) Units() []string { return []string{"min", "h", "d", "w", "sat"} }

// At returns an instant for people and for machines.
func (p *page) At(t instant.Time) any {
	return struct{ Machine, UTC string }{t.String(), p.UTC(t)}
}

// When returns a text that has an instant in it, which is written as people there do, and in UTC.
func (p *page) When(key string, t instant.Time) template.HTML {
	const mark = "\uFFFD" // which no text has
	text := template.HTMLEscapeString(p.T(key, mark))
	at := fmt.Sprintf(`<span class="when"><time datetime="%s" data-local></time> <span class="utc">%s</span></span>`,
		t, template.HTMLEscapeString(p.UTC(t)))
	return template.HTML(strings.ReplaceAll(text, mark, at))
}

// Copy returns a text that can be copied, by the id of its element.
func (p *page) Copy(id, label, text string) any {
	return struct{ ID, Label, Text, Verb, Done string }{id, label, text, p.T("copy.verb"), p.T("copy.done")}
}

// Short returns the key of a payment so that it can be told from others.
func (p *page) Short(key string) string {
	if len(key) <= 24 {
		return key
	}
	return key[:12] + "…" + key[len(key)-8:]
}

// Blocks returns how many confirmations there are; none are known of what is in no block.
func (p *page) Blocks(n *int64) string {
	if n == nil {
		return "0"
	}
	return strconv.FormatInt(*n, 10)
}

// Wallet returns the link by which wallets open an LNURL.
func (p *page) Wallet(lnurl string) template.URL { return wallet("lightning:" + lnurl) }

// Code returns the code by which wallets read an LNURL.
func (p *page) Code(lnurl string) template.HTML { return qr.SVG(qr.Dense("lightning:" + lnurl)) }

// Lot returns what one payment or grant bought for a resource, and what is left of it: nothing is of what has ended.
func (p *page) Lot(v *resourceView, l wire.Lot) any {
	lot := struct {
		Amount, Left, Name, Receipt string
		Part, Whole                 int64
	}{Amount: p.Sat(l.Amount), Left: p.T("lots.left", p.Time(l.Left), p.Time(l.Time)), Name: p.T("receipt.title")}
	if v.Ended() {
		lot.Left, l.Left = p.Words(l.Time), 0
	}
	lot.Part, lot.Whole = int64(l.Left), max(1, int64(l.Time))
	if l.Grant != "" {
		lot.Amount, lot.Name = p.T("lots.grant"), l.Grant
	} else {
		lot.Receipt = p.Receipt(l.Payment, v.ID)
	}
	return lot
}

// Field returns the field of a parameter with the value that it has so far.
func (p *page) Field(param wire.Param, value string, must bool) any {
	v := struct {
		wire.Param
		Label, Value, Chosen, MustText string
		Must                           bool
	}{param, param.Name, value, value, p.T("param.must"), must}
	if v.Chosen == "" && must || v.Chosen == "" && p.r.URL.Path == "/order" {
		v.Chosen = param.Default
	}
	if text, ok := p.Find("param." + param.Name); ok {
		v.Label = text
	}
	return v
}
