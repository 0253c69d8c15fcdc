package payment

import (
	"fmt"

	"sandglass/domain/codec"
	"sandglass/domain/stream"
)

// Encode returns e as it is appended.
func Encode(e Event) stream.Event {
	return stream.Event{Type: e.kind(), At: *e.at(), Data: codec.Encode(e)}
}

// Decode returns the event of a record, or says what in it is unknown.
func Decode(r *stream.Record) (Event, error) {
	e := blank(r.Type)
	if e == nil {
		return nil, fmt.Errorf("payment: unknown event type %q: run a newer build", r.Type)
	}
	if err := codec.Decode(r.Data, e); err != nil {
		return nil, fmt.Errorf("payment: %s: %w", r.Type, err)
	}
	*e.at() = r.At
	return e, nil
}

func blank(kind string) Event {
	switch kind {
	case "payment.requested.v1":
		return new(Requested)
	case "payment.settled.v1":
		return new(Settled)
	case "payment.credited.v1":
		return new(Credited)
	case "payment.unallocated.v1":
		return new(Unallocated)
	case "payment.allocated.v1":
		return new(Allocated)
	case "payment.expired.v1":
		return new(Expired)
	case "payment.seen.v1":
		return new(Seen)
	case "payment.confirmed.v1":
		return new(Confirmed)
	case "payment.reorged.v1":
		return new(Reorged)
	case "payment.replaced.v1":
		return new(Replaced)
	case "payment.finalized.v1":
		return new(Finalized)
	}
	return nil
}

// Fields implements [codec.Fielder].
func (e *Requested) Fields(f *codec.Fields) {
	codec.String(f, "resource", &e.Resource)
	codec.Int(f, "amount_msat", &e.Amount)
	codec.Int(f, "price_msat", &e.Price.Msat)
	codec.Int(f, "per_ms", &e.Price.Per)
	codec.Time(f, "expires_at", &e.Expiry)
	codec.OptString(f, "payment_request", &e.Invoice)
}

// Fields implements [codec.Fielder].
func (e *Settled) Fields(f *codec.Fields) {
	codec.Int(f, "amount_msat", &e.Amount)
	codec.String(f, "via", &e.Via)
	codec.OptString(f, "node", &e.Node)
	codec.OptInt(f, "settle_index", &e.Index)
	codec.OptString(f, "resource", &e.Resource)
}

// Fields implements [codec.Fielder].
func (e *Credited) Fields(f *codec.Fields) { codec.String(f, "resource", &e.Resource) }

// Fields implements [codec.Fielder].
func (e *Unallocated) Fields(f *codec.Fields) {
	codec.OptString(f, "resource", &e.Resource)
	codec.String(f, "reason", &e.Reason)
}

// Fields implements [codec.Fielder].
func (e *Allocated) Fields(f *codec.Fields) { codec.String(f, "resource", &e.Resource) }

// Fields implements [codec.Fielder].
func (e *Expired) Fields(f *codec.Fields) { codec.String(f, "reason", &e.Reason) }

// Fields implements [codec.Fielder].
func (e *Seen) Fields(f *codec.Fields) {
	codec.String(f, "resource", &e.Resource)
	codec.String(f, "address", &e.Address)
	codec.Int(f, "amount_msat", &e.Amount)
}

// Fields implements [codec.Fielder].
func (e *Confirmed) Fields(f *codec.Fields) { block(f, &e.Height, &e.Block) }

// Fields implements [codec.Fielder].
func (e *Reorged) Fields(f *codec.Fields) { block(f, &e.Height, &e.Block) }

func block(f *codec.Fields, height *int64, hash *string) {
	codec.Int(f, "height", height)
	codec.String(f, "block_hash", hash)
}

// Fields implements [codec.Fielder].
func (e *Replaced) Fields(f *codec.Fields) { codec.String(f, "reason", &e.Reason) }

// Fields implements [codec.Fielder].
func (e *Finalized) Fields(f *codec.Fields) { codec.Int(f, "height", &e.Height) }
