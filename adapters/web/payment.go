package web

import (
	"html/template"
	"net/url"
	"strings"

	"sandglass/adapters/httpapi/wire"
	"sandglass/adapters/web/qr"
	"sandglass/domain/instant"
	"sandglass/domain/money"
)

// payView is a payment as the page of its resource shows it.
type payView struct {
	wire.Payment
	Buys    instant.Millis // what it buys, or bought
	Left    instant.Millis // until the invoice is not to be paid any more
	Expired bool
	Aside   bool // another one likely stands for it
	Spent   bool // what it bought is used up
	Code    template.HTML
	Links   []template.URL // that wallets open
}

// payView shows a payment of a resource.
func (p *page) payView(v *resourceView, one wire.Payment) *payView {
	w := &payView{Payment: one}
	for _, lot := range v.Lots {
		if lot.Payment == one.Key {
			w.Buys, w.Spent = lot.Time, lot.Left == 0 && lot.Time > 0 || v.Ended()
		}
	}
	if one.Price != nil && w.Buys == 0 {
		w.Buys, _ = money.Price{Msat: one.Price.Msat, Per: one.Price.Per}.TimeFor(one.Asked)
	}
	if one.Status != "requested" || one.URI == "" {
		return w
	}
	w.Left = max(0, one.ExpiresAt.Sub(p.site.Now()))
	w.Expired = w.Left == 0
	w.Aside = one.CoveredBy != ""
	w.Code = qr.SVG(qr.Dense(one.URI))
	w.Links = append(w.Links, wallet("lightning:"+one.Request))
	if strings.HasPrefix(one.URI, "bitcoin:") {
		w.Links = append(w.Links, wallet(qr.Plain(one.URI)))
	}
	return w
}

// wallet returns a link that a wallet opens, of a scheme that pages do not have by themselves. It is the API's,
// and no scheme of it runs anything.
func wallet(link string) template.URL {
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "lightning" && u.Scheme != "bitcoin" {
		return ""
	}
	return template.URL(link)
}

// State returns how it stands with a payment: open, held, paid, coming, or gone.
func (w *payView) State() string {
	switch w.Status {
	case "requested":
		if w.Expired || w.Code == "" {
			return "gone"
		}
		return "open"
	case "accepted":
		return "held"
	case "credited":
		return "paid"
	case "settled", "seen", "confirmed":
		return "coming"
	}
	return "gone"
}

// JustPaid reports whether what is shown is paid, and can be used: whoever paid comes to know how.
func (v *resourceView) JustPaid() bool {
	return v.Pay != nil && v.Pay.State() == "paid" && !v.Pay.Spent && v.Status == "running"
}

// Waits reports whether its state will change by itself.
func (w *payView) Waits() bool {
	return w.State() == "open" || w.State() == "held" || w.State() == "coming"
}
