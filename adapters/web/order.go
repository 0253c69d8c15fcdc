package web

import (
	"crypto/rand"
	"fmt"
	"html/template"
	"net/url"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
)

// orderFormView is the form of an order.
type orderFormView struct {
	wire.Plan
	Secret string // by which the order can be sent again, and is the same
	Amount *amountForm
	Values map[string]string // of parameters, as they were typed
}

// orderForm answers with the form for a plan.
func (s *Site) orderForm(p *page) error {
	return p.showOrderForm(p.r.URL.Query().Get("plan"), rand.Text())
}

func (p *page) showOrderForm(plan, secret string) error {
	offers, err := p.shopOffers()
	if err != nil {
		return err
	}
	for _, o := range offers {
		if o.Name == plan {
			p.Title = p.T("order.title", o.Label())
			p.Body = &orderFormView{Plan: o.Plan, Secret: secret, Amount: p.amountForm(&o.Plan, o.Price), Values: p.params()}
			return p.render("order")
		}
	}
	return &client.Problem{Problem: wire.Problem{
		Status: 404, Code: "unknown_plan", Detail: fmt.Sprintf("no plan %.80q is on offer", plan),
	}}
}

// order orders, and answers with the page of what was ordered: its key is shown on this one answer alone.
func (s *Site) order(p *page) error {
	secret := p.form("secret")
	refuse := func(err error) error {
		if err := p.refused(err); err != nil {
			return err
		}
		return p.showOrderForm(p.form("plan"), secret)
	}
	time, amount := p.asked()
	if time == 0 && amount == 0 {
		return refuse(errAmount)
	}
	out, err := p.api("").Order(p.r.Context(), wire.OrderRequest{
		Plan: p.form("plan"), Time: time, Amount: amount, Params: p.params(),
	}, secret)
	if err != nil {
		return refuse(err)
	}
	pay := ""
	if out.Payment != nil {
		pay = out.Payment.Key
	}
	return p.showResource(out.Resource, pay, func(v *resourceView) {
		if v.Pay == nil && out.Payment != nil {
			v.Pay = p.payView(v, *out.Payment)
		}
		v.Order = &orderView{
			Key:  out.HolderKey,
			File: textFile(p.T("key.file", p.Shop(), v.ID, p.Full("/r/"+v.ID), out.HolderKey)),
		}
	})
}

// textFile returns a link that is itself a file of text.
func textFile(text string) template.URL {
	return template.URL("data:text/plain;charset=utf-8," + url.PathEscape(text))
}
