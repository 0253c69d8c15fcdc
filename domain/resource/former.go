package resource

import "sandglass/domain/codec"

// former returns a blank event of a version that is not written any more.
func former(kind string) Event {
	if kind == "resource.credited.v1" {
		return new(creditedV1)
	}
	return nil
}

// creditedV1 was written when a quote held for whatever came: all of a credit bought at one
// price.
type creditedV1 struct{ Credited }

// Type implements [stream.Fact].
func (*creditedV1) Type() string { return "resource.credited.v1" }

// Fields implements [codec.Fielder].
func (e *creditedV1) Fields(f *codec.Fields) {
	codec.String(f, "payment", &e.Payment)
	codec.Int(f, "amount_msat", &e.Amount)
	codec.Int(f, "time_ms", &e.Time)
	price(f, &e.Price)
	codec.OptInt(f, "debt_paid_msat", &e.DebtPaid)
}

// Upcast implements [stream.Former].
func (e *creditedV1) Upcast() Event { return &e.Credited }
