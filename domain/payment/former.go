package payment

import (
	"sandglass/domain/codec"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
)

// former returns a blank event of a version that is not written any more.
func former(kind string) Event {
	switch kind {
	case "payment.requested.v1":
		return new(requestedV1)
	case "payment.settled.v1":
		return new(settledV1)
	case "payment.seen.v1":
		return new(seenV1)
	}
	return nil
}

// requestedV1 was written when an invoice was made, before anybody had paid, for a resource
// that was opened by then.
type requestedV1 struct {
	At
	Resource resource.ID
	Amount   money.Msat
	Price    money.Price
	Expiry   instant.Time
	Invoice  string
}

// Type implements [stream.Fact].
func (*requestedV1) Type() string { return "payment.requested.v1" }

// Fields implements [codec.Fielder].
func (e *requestedV1) Fields(f *codec.Fields) {
	codec.String(f, "resource", &e.Resource)
	codec.Int(f, "amount_msat", &e.Amount)
	codec.Int(f, "price_msat", &e.Price.Msat)
	codec.Int(f, "per_ms", &e.Price.Per)
	codec.Time(f, "expires_at", &e.Expiry)
	codec.OptString(f, "payment_request", &e.Invoice)
}

// Upcast implements [stream.Former].
func (e *requestedV1) Upcast() Event {
	return &Requested{
		At: e.At, Resource: e.Resource, Amount: e.Amount, Price: e.Price,
		Requested: e.At.At, Expiry: e.Expiry, Invoice: e.Invoice,
	}
}

// settledV1 was written before descriptions said whose money it is.
type settledV1 struct {
	At
	Amount   money.Msat
	Via      Via
	Node     string
	Index    int64
	Resource resource.ID
}

// Type implements [stream.Fact].
func (*settledV1) Type() string { return "payment.settled.v1" }

// Fields implements [codec.Fielder].
func (e *settledV1) Fields(f *codec.Fields) {
	codec.Int(f, "amount_msat", &e.Amount)
	codec.String(f, "via", &e.Via)
	codec.OptString(f, "node", &e.Node)
	codec.OptInt(f, "settle_index", &e.Index)
	codec.OptString(f, "resource", &e.Resource)
}

// Upcast implements [stream.Former].
func (e *settledV1) Upcast() Event {
	return &Settled{At: e.At, Amount: e.Amount, Via: e.Via, Node: e.Node, Index: e.Index, Resource: e.Resource}
}

// seenV1 was written before an output could be too little for its resource.
type seenV1 struct {
	At
	Resource resource.ID
	Address  string
	Amount   money.Msat
}

// Type implements [stream.Fact].
func (*seenV1) Type() string { return "payment.seen.v1" }

// Fields implements [codec.Fielder].
func (e *seenV1) Fields(f *codec.Fields) {
	codec.String(f, "resource", &e.Resource)
	codec.String(f, "address", &e.Address)
	codec.Int(f, "amount_msat", &e.Amount)
}

// Upcast implements [stream.Former].
func (e *seenV1) Upcast() Event {
	return &Seen{At: e.At, Resource: e.Resource, Address: e.Address, Amount: e.Amount}
}
