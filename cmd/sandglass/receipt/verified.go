package receipt

import (
	"errors"
	"fmt"

	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/show"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/cosign"
	"sandglass/domain/proof/receipt"
)

// proven is what a receipt proves, as JSON has it.
type proven struct {
	What       string         `json:"what"` // credited, reversed or unallocated
	Payment    string         `json:"payment"`
	Resource   string         `json:"resource,omitempty"`
	Amount     money.Msat     `json:"amount_msat,omitempty"`
	Time       instant.Millis `json:"time_ms,omitempty"`
	PriceMsat  money.Msat     `json:"price_msat,omitempty"`
	PricePer   instant.Millis `json:"per_ms,omitempty"`
	DebtPaid   money.Msat     `json:"debt_paid_msat,omitempty"`
	Above      money.Msat     `json:"above_msat,omitempty"`
	AboveMsat  money.Msat     `json:"above_price_msat,omitempty"`
	AbovePer   instant.Millis `json:"above_per_ms,omitempty"`
	Reason     string         `json:"reason,omitempty"`
	At         instant.Time   `json:"at"`
	RecordedAt instant.Time   `json:"recorded_at"`

	Stream    string    `json:"stream"`
	Revision  int64     `json:"revision"`
	Index     int64     `json:"index"`
	Log       string    `json:"log"`
	Events    int64     `json:"events"`
	Witnesses []witness `json:"witnesses"`
}

// witness is who cosigned, and when by its own clock.
type witness struct {
	Name string       `json:"name"`
	At   instant.Time `json:"at"`
}

// verified returns what the text of a receipt proves to who trusts by a policy.
func verified(text string, p *cosign.Policy) (*proven, error) {
	r, err := receipt.Parse(text)
	if err != nil {
		return nil, err
	}
	point, lines, err := r.Verify(p)
	if errors.Is(err, checkpoint.ErrUnsigned) {
		err = fmt.Errorf("%w; /log/ has the key of each name that the log had", err)
	}
	if err != nil {
		return nil, err
	}
	s, err := r.Says()
	if err != nil {
		return nil, err
	}
	v := &proven{
		What: s.What, Payment: s.Payment, Resource: s.Resource, Amount: s.Amount, Time: s.Time, PriceMsat: s.Price.Msat,
		PricePer: s.Price.Per, DebtPaid: s.DebtPaid, Above: s.Above, AboveMsat: s.AbovePrice.Msat, AbovePer: s.AbovePrice.Per,
		Reason: s.Reason, At: s.At, RecordedAt: s.Recorded, Stream: r.Record.Stream, Revision: int64(r.Record.Revision),
		Index: r.Index, Log: point.Origin, Events: point.Size, Witnesses: []witness{},
	}
	for _, line := range lines {
		v.Witnesses = append(v.Witnesses, witness{line.Witness.Name(), line.At})
	}
	return v, nil
}

// print prints it.
func (v *proven) print(e *cli.Env) error {
	if e.JSON {
		return show.JSON(e.Stdout, v)
	}
	bought, of, paid := "bought", "resource", show.Some(v.Amount)
	switch v.What {
	case receipt.Reversed:
		bought = "taken back"
	case receipt.Unallocated:
		of = "meant for"
		if v.Amount == 0 {
			paid = "how much, this receipt does not prove: get a new one"
		}
	}
	above := ""
	if v.Above > 0 {
		above = fmt.Sprintf("%s, at %s", show.Amount(v.Above), price(v.AboveMsat, v.AbovePer))
	}
	facts := []string{
		"payment", v.Payment,
		"was", v.What,
		of, v.Resource,
		"paid", paid,
		bought, length(v.Time),
		"price", price(v.PriceMsat, v.PricePer),
		"above it", above,
		"for a debt", show.Some(v.DebtPaid),
		"reason", v.Reason,
		"at", show.Instant(v.At),
		"recorded", show.Instant(v.RecordedAt),
		"event", fmt.Sprintf("%s revision %d", v.Stream, v.Revision),
		"log", v.Log,
		"place", fmt.Sprintf("index %s of the first %s events, which are signed", show.Group(v.Index), show.Group(v.Events)),
	}
	for _, w := range v.Witnesses {
		facts = append(facts, "cosigned", fmt.Sprintf("by %s at %s", w.Name, show.Instant(w.At)))
	}
	return show.Facts(e.Stdout, facts...)
}

func length(t instant.Millis) string {
	if t == 0 {
		return ""
	}
	return t.InUnits()
}

func price(msat money.Msat, per instant.Millis) string {
	if per == 0 {
		return ""
	}
	return show.Price(money.Price{Msat: msat, Per: per})
}
