package web

import "sandglass/adapters/httpapi/wire"

// offer is a plan as the shop shows it.
type offer struct {
	wire.Plan
	SoldOut bool
}

// shop shows what is on offer.
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
