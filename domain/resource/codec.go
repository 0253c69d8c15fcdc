package resource

import (
	"sandglass/domain/codec"
	"sandglass/domain/money"
	"sandglass/domain/stream"
)

// Decode returns the event of a record, or says what in it is unknown.
func Decode(r *stream.Record) (Event, error) { return stream.Decode(r, blank(r.Type)) }

func blank(kind string) Event {
	switch kind {
	case "resource.debited.v1": // by far the most frequent
		return new(Debited)
	case "resource.credited.v2":
		return new(Credited)
	case "resource.opened.v1":
		return new(Opened)
	case "resource.started.v1":
		return new(Started)
	case "resource.starting.v1":
		return new(Starting)
	case "resource.stopped.v1":
		return new(Stopped)
	case "resource.returned.v1":
		return new(Returned)
	case "resource.exhausted.v1":
		return new(Exhausted)
	case "resource.warned.v1":
		return new(Warned)
	case "resource.recovered.v1":
		return new(Recovered)
	case "resource.granted.v1":
		return new(Granted)
	case "resource.paused.v1":
		return new(Paused)
	case "resource.reversed.v1":
		return new(Reversed)
	case "resource.held.v1":
		return new(Held)
	case "resource.repriced.v1":
		return new(Repriced)
	case "resource.placed.v1":
		return new(Placed)
	case "resource.released.v1":
		return new(Released)
	}
	return former(kind)
}

func price(f *codec.Fields, p *money.Price) {
	codec.Int(f, "price_msat", &p.Msat)
	codec.Int(f, "per_ms", &p.Per)
}

// Fields implements [codec.Fielder].
func (e *Opened) Fields(f *codec.Fields) {
	codec.String(f, "plan", &e.Plan)
	price(f, &e.Terms.Price)
	codec.OptInt(f, "warn_time_ms", &e.Terms.Warn.Time)
	codec.OptInt(f, "warn_amount_msat", &e.Terms.Warn.Amount)
	codec.OptInt(f, "warn_share_ppm", &e.Terms.Warn.Share)
	codec.Int(f, "grace_ms", &e.Terms.Grace)
	codec.OptString(f, "enforcer", &e.Enforcer)
	codec.OptHex(f, "holder_hash", e.Holder[:])
	codec.OptHex(f, "request_hash", e.Request[:])
	e.Terms.LaterFields(f)
}

// Fields implements [codec.Fielder].
func (e *Credited) Fields(f *codec.Fields) {
	codec.String(f, "payment", &e.Payment)
	codec.Int(f, "amount_msat", &e.Amount)
	codec.Int(f, "time_ms", &e.Time)
	price(f, &e.Price)
	codec.OptInt(f, "debt_paid_msat", &e.DebtPaid)
	codec.OptInt(f, "above_msat", &e.Above)
	if e.Above > 0 {
		codec.Int(f, "above_price_msat", &e.AbovePrice.Msat)
		codec.Int(f, "above_per_ms", &e.AbovePrice.Per)
	}
}

// Fields implements [codec.Fielder].
func (e *Granted) Fields(f *codec.Fields) {
	codec.String(f, "grant", &e.Key)
	codec.Int(f, "time_ms", &e.Time)
	codec.OptString(f, "reason", &e.Reason)
}

// Fields implements [codec.Fielder].
func (e *Started) Fields(f *codec.Fields) { codec.String(f, "reason", &e.Reason) }

// Fields implements [codec.Fielder].
func (e *Starting) Fields(f *codec.Fields) { codec.String(f, "reason", &e.Reason) }

// Fields implements [codec.Fielder].
func (e *Stopped) Fields(f *codec.Fields) { codec.OptString(f, "why", &e.Why) }

// Fields implements [codec.Fielder].
func (e *Returned) Fields(f *codec.Fields) {
	codec.Time(f, "from", &e.From)
	codec.Int(f, "time_ms", &e.Time)
	codec.Int(f, "amount_msat", &e.Amount)
}

// Fields implements [codec.Fielder].
func (e *Debited) Fields(f *codec.Fields) {
	codec.Time(f, "from", &e.From)
	codec.Int(f, "time_ms", &e.Time)
	codec.Int(f, "amount_msat", &e.Amount)
	codec.OptInt(f, "forgiven_ms", &e.Forgiven)
}

// Fields implements [codec.Fielder].
func (*Paused) Fields(*codec.Fields) {}

// Fields implements [codec.Fielder].
func (*Warned) Fields(*codec.Fields) {}

// Fields implements [codec.Fielder].
func (*Recovered) Fields(*codec.Fields) {}

// Fields implements [codec.Fielder].
func (*Exhausted) Fields(*codec.Fields) {}

// Fields implements [codec.Fielder].
func (e *Reversed) Fields(f *codec.Fields) {
	codec.String(f, "payment", &e.Payment)
	codec.Int(f, "amount_msat", &e.Amount)
	codec.Int(f, "held_msat", &e.Balance)
	codec.Int(f, "time_ms", &e.Time)
	codec.Int(f, "debt_msat", &e.Debt)
	codec.OptString(f, "reason", &e.Reason)
}

// Fields implements [codec.Fielder].
func (e *Held) Fields(f *codec.Fields) {
	codec.OptString(f, "payment", &e.Payment)
	codec.Time(f, "until", &e.Until)
}

// Fields implements [codec.Fielder].
func (e *Repriced) Fields(f *codec.Fields) { price(f, &e.Price) }

// Fields implements [codec.Fielder].
func (e *Placed) Fields(f *codec.Fields) { codec.String(f, "host", &e.Host) }

// Fields implements [codec.Fielder].
func (e *Released) Fields(f *codec.Fields) { codec.String(f, "reason", &e.Reason) }
