package web

import "sandglass/adapters/httpapi/wire"

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

// shop answers with the front page.
func (s *Site) shop(p *page) error {
	offers, err := p.shopOffers()
	if err != nil {
		return err
	}
	p.Body = offers
	return p.render("shop")
}
