package web

import (
	"errors"
	"net/http"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
)

// offer is a plan as the shop shows it.
type offer struct {
	wire.Plan
	SoldOut bool
}

// Label returns what people call it.
func (o *offer) Label() string {
	if o.Title != "" {
		return o.Title
	}
	return o.Name
}

// shopOffers returns what is on offer.
func (p *page) shopOffers() ([]offer, error) {
	plans, err := p.api("").Plans(p.r.Context())
	var offers []offer
	for _, plan := range plans {
		offers = append(offers, offer{plan, plan.Available != nil && *plan.Available <= 0})
	}
	return offers, err
}

// offer returns a plan as the shop shows it, also one that is not on offer any more, or of which nothing is known.
func (p *page) offer(name string) (offer, error) {
	plan, err := p.api("").Plan(p.r.Context(), name)
	if refused, ok := errors.AsType[*client.Problem](err); ok && refused.Status == http.StatusNotFound {
		plan, err = wire.Plan{Name: name}, nil
	}
	return offer{plan, plan.Available != nil && *plan.Available <= 0}, err
}

// shop answers with the front page.
func (s *Site) shop(p *page) error {
	offers, err := p.shopOffers()
	if err != nil {
		return err
	}
	p.Body = offers
	return p.render("shop")
}
