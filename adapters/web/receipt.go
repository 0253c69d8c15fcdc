package web

import (
	"mime"
	"net/http"
	"net/url"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
)

// receipt is a payment as its page shows it.
type receipt struct {
	wire.Payment
	Of     wire.Resource
	Credit *wire.Change // what it bought; nil until it did
	Back   *wire.Change // when it was taken back, if that is so by now
	Left   string       // what is left of it
	Plan   string       // as people call it
}

// receipt answers with the page of a payment, to who knows its resource.
func (s *Site) receipt(p *page) error {
	id, key := p.r.URL.Query().Get("resource"), p.r.PathValue("payment")
	if id == "" { // then the API says little, and that to everybody
		return &client.Problem{Problem: wire.Problem{Status: http.StatusNotFound, Code: "unknown_payment"}}
	}
	api, ctx := p.api(""), p.r.Context()
	paid, err := api.PaymentOf(ctx, id, key)
	if err != nil {
		return err
	}
	of, err := api.Resource(ctx, id)
	if err != nil {
		return p.ofPayment(key, err)
	}
	history, err := api.History(ctx, id, key)
	if err != nil {
		return err
	}
	offer, err := p.offer(of.Plan)
	if err != nil {
		return err
	}
	v := receipt{Payment: paid, Of: of, Plan: offer.Label()}
	for i := range history.Changes {
		switch c := &history.Changes[i]; c.What {
		case "credited":
			v.Credit, v.Back = c, nil
		case "reversed":
			v.Back = c
		}
	}
	for _, l := range of.Lots {
		if l.Payment == key && of.Status != "released" {
			v.Left = p.T("receipt.left.of", p.Words(l.Left), p.Sat(l.Held))
		}
	}
	p.Title, p.Style, p.Body = p.T("receipt.title"), "receipt.css", &v
	return p.render("receipt")
}

// Receipt returns the link to the receipt of a payment.
func (p *page) Receipt(payment, resource string) string {
	return p.Link("/p/"+url.PathEscape(payment), "resource", resource)
}

// proof answers with the receipt that anybody can check, as a file to keep.
func (s *Site) proof(p *page) error {
	id, key := p.r.URL.Query().Get("resource"), p.r.PathValue("payment")
	if id == "" {
		return &client.Problem{Problem: wire.Problem{Status: http.StatusNotFound, Code: "unknown_payment"}}
	}
	text, err := p.api("").Receipt(p.r.Context(), id, key)
	if err != nil {
		return err
	}
	h := p.w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": "receipt-" + key + ".txt"}))
	_, _ = p.w.Write([]byte(text)) // who asked may have gone
	return nil
}

// Proof returns the link to the receipt of a payment that anybody can check.
func (p *page) Proof(payment, resource string) string {
	return p.Link("/p/"+url.PathEscape(payment)+"/receipt", "resource", resource)
}

// Decided reports whether it is known what became of the payment.
func (r *receipt) Decided() bool {
	return r.Credit != nil || r.Back != nil || r.Status == "unallocated"
}

// How is the text of how it was paid.
func (r *receipt) How() string { return "receipt.via." + r.Via }
