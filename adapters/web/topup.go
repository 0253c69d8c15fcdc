package web

import (
	"net/url"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
)

// topUp asks for an invoice, and goes on to the page that shows it. With the key of the holder, where the form
// has one, it is the holder's own.
func (s *Site) topUp(p *page) error {
	id := p.r.PathValue("id")
	time, amount := p.asked()
	if time == 0 && amount == 0 {
		return p.withProblem(errAmount)
	}
	pay, err := p.api(p.form("key")).Fund(p.r.Context(), id, wire.FundRequest{Time: time, Amount: amount})
	if err != nil {
		return p.withProblem(err)
	}
	return p.to("../"+url.PathEscape(id), "pay", pay.Key)
}

// address has the resource have an address on the chain, and goes back to what is to be paid.
func (s *Site) address(p *page) error {
	id := p.r.PathValue("id")
	if _, err := p.api("").Address(p.r.Context(), id); err != nil {
		return p.withProblem(err)
	}
	return p.to("../"+url.PathEscape(id), "pay", p.form("pay"))
}

var errAmount = &client.Problem{Problem: wire.Problem{
	Status: 422, Code: "no_amount", Detail: "say how much: choose a time, or type a number",
}}
