package audit

import (
	"maps"
	"slices"

	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
)

// Views are the read models that were folded from the log.
type Views interface {
	// Resources returns up to limit resources after an id, in the order of ids.
	Resources(after resource.ID, limit int, keep func(*resource.State) bool) []resource.State
	// Trial returns assets − liabilities − income of the books.
	Trial() money.Msat
	// Check returns where the books are not the sums over all resources.
	Check() []Difference
}

// Difference is a figure of the books that the resources do not come to.
type Difference struct{ Where, Field, Books, Resources string }

// Compare holds the views, which were folded from what was checked, against the sums.
func (c *Checker) Compare(v Views) {
	for _, d := range v.Check() {
		c.want(false, d.Where, "the books agree with the resources: "+d.Field, d.Books, d.Resources)
	}
	trial := v.Trial()
	c.want(trial == 0, "books", "assets − liabilities − income", trial, 0)
	c.compareResources(v)
	c.comparePayments()
}

// compareResources holds each resource's sums against what its lots hold.
func (c *Checker) compareResources(v Views) {
	const page = 1000
	for after := resource.ID(""); ; {
		rows := v.Resources(after, page, nil)
		if len(rows) == 0 {
			return
		}
		for i := range rows {
			c.compareResource(&rows[i])
		}
		after = rows[len(rows)-1].ID
	}
}

func (c *Checker) compareResource(r *resource.State) {
	var s sums
	if added := c.resources[r.ID]; added != nil {
		s = *added
	}
	where := resource.Prefix + string(r.ID)
	sum, held := s.credited-s.debited-s.reversed, r.Balance()-r.Debt
	c.want(sum == held, where, "credits − debits − reversals = held − debt", sum, held)
	c.want(s.debited == r.Debited, where, "debits move what was drawn", s.debited, r.Debited)
}

// comparePayments holds the payments against the credits of resources. The last ones may
// be on their way: settled, credited at the resource, and not yet at their end.
func (c *Checker) comparePayments() {
	for _, key := range slices.Sorted(maps.Keys(c.payments)) {
		p := c.payments[key]
		where := payment.Prefix + string(key)
		stands := p.credits - p.reversed
		once := stands == 1 || stands == 0 && p.resource == ""
		c.want(once, where, "a payment is one credit", stands, 1)
		c.want(!p.replaced || stands == 0, where, "a payment that will not come has no credit", stands, 0)
		c.want(!p.canceled || stands == 0 && p.settled == 0, where, "a payment that went back brought nothing", p.settled, 0)
		c.want(p.resource == "" || p.resource == p.holder, where, "the resource that has it", p.resource, p.holder)
	}
}
