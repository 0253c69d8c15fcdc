package resource

import (
	"sandglass/domain/codec"
	"sandglass/domain/money"
	"sandglass/domain/stream"
)

// Decode returns the event of a record, or says what in it is unknown.
func Decode(r *stream.Record) (Event, error) { return stream.Decode(r, blank(r.Type)) }

func blank(kind string) Event {
	if kind == "resource.debited.v1" { // by far the most frequent
		return new(Debited)
	}
	if make, ok := blanks[kind]; ok {
		return make()
	}
	return former(kind)
}

var blanks = map[string]func() Event{
	"resource.credited.v2":   func() Event { return new(Credited) },
	"resource.opened.v1":     func() Event { return new(Opened) },
	"resource.started.v1":    func() Event { return new(Started) },
	"resource.starting.v1":   func() Event { return new(Starting) },
	"resource.stopped.v1":    func() Event { return new(Stopped) },
	"resource.returned.v1":   func() Event { return new(Returned) },
	"resource.exhausted.v1":  func() Event { return new(Exhausted) },
	"resource.warned.v1":     func() Event { return new(Warned) },
	"resource.recovered.v1":  func() Event { return new(Recovered) },
	"resource.granted.v1":    func() Event { return new(Granted) },
	"resource.paused.v1":     func() Event { return new(Paused) },
	"resource.reversed.v1":   func() Event { return new(Reversed) },
	"resource.held.v1":       func() Event { return new(Held) },
	"resource.repriced.v1":   func() Event { return new(Repriced) },
	"resource.placed.v1":     func() Event { return new(Placed) },
	"resource.released.v1":   func() Event { return new(Released) },
	"resource.configured.v1": func() Event { return new(Configured) },
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
func (e *Started) Fields(f *codec.Fields)  { codec.String(f, "reason", &e.Reason) }
func (e *Starting) Fields(f *codec.Fields) { codec.String(f, "reason", &e.Reason) }
func (e *Stopped) Fields(f *codec.Fields)  { codec.OptString(f, "why", &e.Why) }
func (*Paused) Fields(*codec.Fields)       {}
func (*Warned) Fields(*codec.Fields)       {}
func (*Recovered) Fields(*codec.Fields)    {}
func (*Exhausted) Fields(*codec.Fields)    {}
func (e *Repriced) Fields(f *codec.Fields) { price(f, &e.Price) }
func (e *Placed) Fields(f *codec.Fields)   { codec.String(f, "host", &e.Host) }
func (e *Released) Fields(f *codec.Fields) { codec.String(f, "reason", &e.Reason) }
