package payment

import (
	"sandglass/domain/codec"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// Event is a fact of a payment's life.
type Event interface{ stream.Fact }

// At is when an event took effect.
type At = stream.At

// Via is the way by which money came.
type Via string

// The ways.
const (
	ViaBOLT11  Via = "bolt11"
	ViaKeysend Via = "keysend"
	ViaAMP     Via = "amp"
	ViaOnChain Via = "onchain"
)

// Cash says which token of digital cash pays an invoice, by having its mint pay it. It is empty where none does.
type Cash struct {
	Mint  string   // its URL
	Quote string   // of the mint, which says by it whether it has paid
	Token [32]byte // a hash that names the token, which is as good as money and is kept nowhere
}

// Reason is the code of why a payment is where it is.
type Reason string

// The reasons for which money is unallocated.
const (
	ReasonNoResource      Reason = "no_resource"      // the payer named none
	ReasonTooLittle       Reason = "too_little"       // the payer named or paid one, with less than its plan sells
	ReasonUnknownResource Reason = "unknown_resource" // it was never opened
	ReasonReleased        Reason = "released"
	ReasonTooLong         Reason = "too_long" // it would buy more time than can be held
	ReasonTooMuch         Reason = "too_much" // more money than there is
	ReasonForeignInvoice  Reason = "foreign_invoice"
	ReasonUnknownRequest  Reason = "unknown_request" // we made the invoice, and know not for what
	ReasonOtherOrder      Reason = "other_order"     // its id was ordered anew before the money came
)

// The reasons for which an invoice is expired.
const (
	ReasonCanceled        Reason = "canceled"
	ReasonUnknownToWallet Reason = "unknown_to_wallet"
)

// The reasons for which money that was held went back, besides ReasonReleased, ReasonOtherOrder and
// ReasonCanceled: the wallet gave it back by itself.
const (
	ReasonNotDelivered Reason = "not_delivered" // what it is for was not up in time
	ReasonTimingOut    Reason = "timing_out"    // the channels that hold it could not wait any longer
)

// The reasons for which an output is replaced, or not in a block any more.
const (
	ReasonConflict Reason = "conflict" // another transaction spends what it spends
	ReasonVanished Reason = "vanished" // the wallet does not know it any more
	ReasonStale    Reason = "stale"    // it waits for too long
	ReasonReorged  Reason = "reorged"  // its block left the active chain
)

// The events of every payment.
type (
	// Requested says what the money is for that comes with it: an invoice or an address that
	// was given out, for a resource or for an order of one. It holds no preimage.
	Requested struct {
		At
		Resource  resource.ID
		Amount    money.Msat      // asked for; 0 leaves it to the payer
		Price     money.Price     // quoted
		Requested instant.Time    // when, which may be long before the money came
		Expiry    instant.Time    // of the invoice, 0 where there is none
		Invoice   string          // BOLT 11, empty where there is none
		Order     *resource.Order // by which the resource is opened, or nil
		Cash      Cash            // by which the invoice was to be paid
	}
	// Accepted says that the wallet holds the money for what it opens: it is the payer's until
	// it is settled, and goes back if that does not come up.
	Accepted struct {
		At
		Amount money.Msat // that is held
		Node   string     // identity_pubkey of the node that holds it
	}
	// Canceled says that money which was held went back to its payer.
	Canceled struct {
		At
		Reason Reason
	}
	// Settled says that the wallet holds the money for good, or that an output has the
	// confirmations that are asked for.
	Settled struct {
		At
		Amount   money.Msat // what arrived
		Via      Via
		Node     string      // identity_pubkey of the node that received it
		Index    int64       // lnd's settle_index, 0 where it has none
		Resource resource.ID // named by the payer (keysend), or of the invoice's request (AMP)
		// Meant is the resource that the invoice's description names, where nothing is known
		// of its request; or that a payer names with less than its plan sells. It is a
		// suggestion to the operator: anybody may have written it.
		Meant resource.ID
		Ours  bool // the description is one that we wrote: see package request
	}
	// Credited ends a payment: the resource has had it.
	Credited struct {
		At
		Resource resource.ID
	}
	// Unallocated says that the money found no home: visible, refundable, allocatable.
	Unallocated struct {
		At
		Resource resource.ID // for which it was meant, if that is known
		Reason   Reason
	}
	// Allocated says that the operator gave unallocated money to a resource.
	Allocated struct {
		At
		Resource resource.ID
	}
	// Expired says that the wallet will not take the money any more.
	Expired struct {
		At
		Reason Reason
	}
)

// The events that a payment on the chain has besides.
type (
	// Seen says that an output pays one of our addresses. It is shown, never credited.
	Seen struct {
		At
		Resource resource.ID // that the address was issued for
		Address  string
		Amount   money.Msat
		// Meant is the resource instead, where the plan sells no amount so small: it is a
		// suggestion to the operator, for good.
		Meant resource.ID
	}
	// Confirmed says that a block of the active chain holds the output.
	Confirmed struct {
		At
		Height int64
		Block  string // its hash
	}
	// Reorged says that this block left the active chain. What was credited is reversed.
	Reorged struct {
		At
		Height int64
		Block  string
	}
	// Replaced says that the output will not come: another transaction spent what it
	// spends, or nobody knows it any more. Should the chain hold it after all, it is
	// confirmed again.
	Replaced struct {
		At
		Reason Reason
	}
	// Finalized says that so many blocks stand on the output that it is not watched any
	// more.
	Finalized struct {
		At
		Height int64 // of the tip
	}
)

// Type implements [stream.Fact].
func (*Requested) Type() string   { return "payment.requested.v2" }
func (*Accepted) Type() string    { return "payment.accepted.v1" }
func (*Canceled) Type() string    { return "payment.canceled.v1" }
func (*Settled) Type() string     { return "payment.settled.v2" }
func (*Credited) Type() string    { return "payment.credited.v1" }
func (*Unallocated) Type() string { return "payment.unallocated.v1" }
func (*Allocated) Type() string   { return "payment.allocated.v1" }
func (*Expired) Type() string     { return "payment.expired.v1" }
func (*Seen) Type() string        { return "payment.seen.v2" }
func (*Confirmed) Type() string   { return "payment.confirmed.v1" }
func (*Reorged) Type() string     { return "payment.reorged.v1" }
func (*Replaced) Type() string    { return "payment.replaced.v1" }
func (*Finalized) Type() string   { return "payment.finalized.v1" }

// Decode returns the event of a record, or says what in it is unknown.
func Decode(r *stream.Record) (Event, error) { return stream.Decode(r, blank(r.Type)) }

func blank(kind string) Event {
	switch kind {
	case "payment.requested.v2":
		return new(Requested)
	case "payment.accepted.v1":
		return new(Accepted)
	case "payment.canceled.v1":
		return new(Canceled)
	case "payment.settled.v2":
		return new(Settled)
	case "payment.credited.v1":
		return new(Credited)
	case "payment.unallocated.v1":
		return new(Unallocated)
	case "payment.allocated.v1":
		return new(Allocated)
	case "payment.expired.v1":
		return new(Expired)
	case "payment.seen.v2":
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
	return former(kind)
}

// Fields implements [codec.Fielder]. An order's price is the one that was quoted: nobody can
// have changed that of a resource that was not opened.
func (e *Requested) Fields(f *codec.Fields) {
	codec.String(f, "resource", &e.Resource)
	codec.Int(f, "amount_msat", &e.Amount)
	codec.Int(f, "price_msat", &e.Price.Msat)
	codec.Int(f, "per_ms", &e.Price.Per)
	codec.Time(f, "requested_at", &e.Requested)
	codec.OptTime(f, "expires_at", &e.Expiry)
	codec.OptString(f, "payment_request", &e.Invoice)
	o := new(resource.Order)
	if e.Order != nil {
		o = e.Order
	}
	codec.OptString(f, "plan", &o.Plan)
	if o.Plan != "" {
		orderFields(f, o)
		if e.Order == nil { // it is being read
			o.Terms.Price = e.Price
			e.Order = o
		}
	}
	codec.OptString(f, "mint", &e.Cash.Mint)
	codec.OptString(f, "melt_quote", &e.Cash.Quote)
	codec.OptHex(f, "token_hash", e.Cash.Token[:])
}

func orderFields(f *codec.Fields, o *resource.Order) {
	codec.OptInt(f, "warn_time_ms", &o.Terms.Warn.Time)
	codec.OptInt(f, "warn_amount_msat", &o.Terms.Warn.Amount)
	codec.OptInt(f, "warn_share_ppm", &o.Terms.Warn.Share)
	codec.OptInt(f, "grace_ms", &o.Terms.Grace)
	codec.OptString(f, "enforcer", &o.Enforcer)
	codec.OptString(f, "host", &o.Host)
	codec.OptHex(f, "holder_hash", o.Holder[:])
	codec.OptHex(f, "request_hash", o.Request[:])
	o.Terms.LaterFields(f)
	codec.OptHex(f, "params_hash", o.Params[:])
}

// Fields implements [codec.Fielder].
func (e *Accepted) Fields(f *codec.Fields) {
	codec.Int(f, "amount_msat", &e.Amount)
	codec.String(f, "node", &e.Node)
}

// Fields implements [codec.Fielder].
func (e *Canceled) Fields(f *codec.Fields) { codec.String(f, "reason", &e.Reason) }

// Fields implements [codec.Fielder].
func (e *Settled) Fields(f *codec.Fields) {
	codec.Int(f, "amount_msat", &e.Amount)
	codec.String(f, "via", &e.Via)
	codec.OptString(f, "node", &e.Node)
	codec.OptInt(f, "settle_index", &e.Index)
	codec.OptString(f, "resource", &e.Resource)
	codec.OptString(f, "meant", &e.Meant)
	codec.Bool(f, "ours", &e.Ours)
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
	codec.OptString(f, "resource", &e.Resource)
	codec.String(f, "address", &e.Address)
	codec.Int(f, "amount_msat", &e.Amount)
	codec.OptString(f, "meant", &e.Meant)
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
