package web

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
)

// resourceView is a resource as its page shows it.
type resourceView struct {
	wire.Resource
	Offer    *wire.Plan // nil where it is not on offer any more
	Plan     string     // as people call it
	Headline string
	Why      []template.HTML
	Done     string     // what was just done to it
	Burn     wire.Price // of the time that runs now
	Pay      *payView   // what is to be paid, or just was
	Coming   []wire.Payment
	Used     []wire.Lot
	Open     []wire.Lot
	Order    *orderView // it was just ordered
	Amount   *amountForm
	Access   string // how it is reached, to its holder
	Chain    bool   // an address can be asked for
}

// orderView is what is shown once of an order.
type orderView struct {
	Key  string
	File template.URL // which the key can be kept in
}

// resource answers with the page of a resource.
func (s *Site) resource(p *page) error {
	return p.resourcePage(func(v *resourceView) {
		v.Done, _ = p.Find("done." + p.r.URL.Query().Get("done"))
	})
}

// resourcePage asks for the resource that the request names, and shows it. change is called with the view
// before it is rendered.
func (p *page) resourcePage(change func(*resourceView)) error {
	pay := p.r.URL.Query().Get("pay")
	r, err := p.api("").Resource(p.r.Context(), p.r.PathValue("id"))
	if err != nil {
		return p.ofPayment(pay, err)
	}
	return p.showResource(r, pay, change)
}

// ofPayment returns what became of a payment whose resource there is not, if it came to nothing; else the error that says so.
func (p *page) ofPayment(key string, err error) error {
	if key == "" || client.Code(err) != "unknown_resource" {
		return err
	}
	one, unknown := p.api("").Payment(p.r.Context(), key)
	if unknown != nil || one.Status != "canceled" && one.Status != "expired" {
		return err
	}
	return &client.Problem{Problem: wire.Problem{Status: http.StatusGone, Code: "payment_" + one.Status}}
}

// showResource shows a resource, with the payment of a key if it is one of it.
func (p *page) showResource(r wire.Resource, pay string, change func(*resourceView)) error {
	v := &resourceView{Resource: r, Burn: burning(&r), Headline: p.headline(&r), Why: p.reasons(&r), Chain: p.site.Chain}
	o, err := p.offer(r.Plan)
	if err != nil {
		return err
	}
	if v.Plan = o.Label(); o.OnOffer {
		v.Offer = &o.Plan
	}
	if err := p.findPayment(v, pay); err != nil {
		return err
	}
	for _, one := range r.Pending {
		if one.Status != "requested" && (v.Pay == nil || one.Key != v.Pay.Key) {
			v.Coming = append(v.Coming, one)
		}
	}
	for _, lot := range r.Lots {
		if lot.Left > 0 && !v.Ended() {
			v.Open = append(v.Open, lot)
		} else {
			v.Used = append(v.Used, lot)
		}
	}
	slices.Reverse(v.Used)
	v.Used = v.Used[:min(len(v.Used), 20)]
	v.Amount = p.amountForm(v.Offer, r.Price)
	if change != nil {
		change(v)
	}
	p.Title, p.Body = r.ID, v
	if v.Order == nil && v.Access == "" && p.Notice == "" && !v.Ended() { // else he stays where it is shown, once
		p.Refresh, p.After = v.Page(p), v.refreshAfter()
	}
	return p.render("resource")
}

// Waits reports whether something is about to happen that is looked at for.
func (v *resourceView) Waits() bool { return v.Status == "starting" || v.Pay != nil && v.Pay.Waits() }

// refreshAfter returns after how many seconds a browser without scripts looks again: soon where it waits for
// something, and else once the next thing happens that is known, within bounds, or some minutes later.
func (v *resourceView) refreshAfter() int {
	const soon, least, most = 5, 30, 600
	if v.Waits() {
		return soon
	}
	after := most
	for _, at := range []instant.Time{v.WarnAt, v.PaidUntil, v.ReleaseAt} {
		if left := at.Sub(v.At); at > 0 && left > 0 {
			after = min(after, int(left/instant.Second)+1)
		}
	}
	return max(after, least)
}

// findPayment adds the payment of a key, or else the invoice of what was only ordered.
func (p *page) findPayment(v *resourceView, key string) error {
	if key == "" && v.Status == "awaiting" {
		for _, one := range v.Pending {
			if one.Status == "requested" || one.Status == "accepted" {
				v.Pay = p.payView(v, one)
			}
		}
		return nil
	}
	if key == "" {
		return nil
	}
	for _, one := range v.Pending {
		if one.Key == key {
			v.Pay = p.payView(v, one)
			return nil
		}
	}
	one, err := p.api("").PaymentOf(p.r.Context(), v.ID, key)
	refused, _ := errors.AsType[*client.Problem](err)
	switch {
	case refused != nil && refused.Status == http.StatusNotFound:
		return nil // who changed the address sees the resource
	case err == nil:
		v.Pay = p.payView(v, one)
	}
	return err
}

// burning returns the price of the time that runs, which may be another one than that of later payments.
func burning(r *wire.Resource) wire.Price {
	for _, lot := range r.Lots {
		if lot.Left > 0 && lot.Amount > 0 {
			return wire.Price{Msat: lot.Amount, Per: lot.Time}
		}
	}
	return r.Price
}

// Page returns the link to the page, on which the same payment is shown.
func (v *resourceView) Page(p *page) string {
	if v.Pay == nil {
		return p.Resource(v.ID)
	}
	return p.Link("/r/"+v.ID, "pay", v.Pay.Key)
}

// Uses reports whether time passes, or will.
func (v *resourceView) Uses() bool { return v.Status == "running" || v.Status == "starting" }

// Running reports whether its time passes.
func (v *resourceView) Running() bool { return v.Status == "running" }

// Paying reports whether an invoice is shown that is to be paid.
func (v *resourceView) Paying() bool { return v.Pay != nil && v.Pay.State() == "open" && !v.Pay.Aside }

// Ended reports whether nothing more can come of it.
func (v *resourceView) Ended() bool { return v.Status == "released" }

// Print tells two states of the page apart: the script makes the same of what the API shows.
func (v *resourceView) Print() string {
	found := ""
	if v.Found != nil {
		found = v.Found.State
	}
	text := fmt.Sprintf("%s|%s|%s|%d|%t|%s|%s",
		v.Status, second(v.Since), second(v.PaidUntil), len(v.Lots), v.Warned, found, v.Address)
	for _, one := range v.Pending {
		n := int64(-1)
		if one.Confirmations != nil {
			n = *one.Confirmations
		}
		text += fmt.Sprintf("|%s:%s:%d", one.Key, one.Status, n)
	}
	return text
}

// second returns an instant to the second, and "" for none.
func second(t instant.Time) string {
	if t == 0 {
		return ""
	}
	return t.String()[:len("2006-01-02T15:04:05")]
}

// headline says in a few words how a resource is.
func (p *page) headline(r *wire.Resource) string {
	switch {
	case r.Status == "running" && r.Warned:
		return p.T("status.low")
	case r.Status == "running" && r.Found != nil && r.Found.State == "down":
		return p.T("status.down")
	case r.Status == "awaiting" && slices.ContainsFunc(r.Pending, coming):
		return p.T("status.coming")
	}
	return p.T("status." + r.Status)
}

// coming reports whether a payment is on its way.
func coming(p wire.Payment) bool {
	return p.Status == "seen" || p.Status == "confirmed" || p.Status == "accepted" || p.Status == "settled"
}

// reasons says why a resource is as it is, and what comes next.
func (p *page) reasons(r *wire.Resource) (why []template.HTML) {
	plain := func(text string) { why = append(why, template.HTML(template.HTMLEscapeString(text))) }
	say := func(key string, args ...string) { plain(p.T(key, args...)) }
	by := func(key string, t instant.Time) { why = append(why, p.When(key, t)) }
	switch {
	case r.Status == "running" && r.Warned:
		say("why.low")
	case r.Status == "suspended" && r.ReleaseAt == 0:
		say("why.suspended")
	default:
		if text, ok := p.Find("why." + r.Status); ok && r.Status != "suspended" {
			plain(text)
		}
	}
	if r.ReleaseAt != 0 && (r.Status == "suspended" || r.Status == "awaiting") {
		by("why."+r.Status+".until", r.ReleaseAt)
	}
	if r.HeldUntil != 0 {
		by("why.held_until", r.HeldUntil)
	}
	if r.Uptime != nil && r.Uptime.StartBy != 0 {
		by("why.start_by", r.Uptime.StartBy)
	}
	if r.Debt > 0 {
		say("why.debt", p.Sat(r.Debt))
	}
	if r.Found != nil && r.Found.Why != "" && !strings.HasPrefix(r.Status, "released") {
		say("why.host", r.Found.Why)
	}
	return why
}

// withProblem shows the page of the resource with what was refused, or the problem alone where there is no such
// resource to show.
func (p *page) withProblem(err error) error {
	if client.Code(err) == "unknown_resource" || client.Code(err) == "" {
		return err
	}
	if err := p.refused(err); err != nil {
		return err
	}
	return p.resourcePage(nil)
}
