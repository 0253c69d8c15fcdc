package wire

import (
	"sandglass/domain/instant"
	"sandglass/domain/money"
)

// OrderRequest asks for a resource.
type OrderRequest struct {
	// A name from GET /v1/plans.
	Plan string `json:"plan" minLength:"1" maxLength:"64" example:"vm-small"`
	// The time to buy, in milliseconds; or give amount_msat.
	Time instant.Millis `json:"time_ms,omitempty" minimum:"1" maximum:"7889400000000" example:"86400000"`
	// The amount to pay, in millisatoshi; or give time_ms.
	Amount money.Msat `json:"amount_msat,omitempty" minimum:"1" maximum:"2100000000000000000"`
	// The id that the resource shall have; one is made if it is left out.
	ID string `json:"id,omitempty" minLength:"1" maxLength:"64" format:"name" example:"web-1"`
	// On which host of the plan's; one is chosen if it is left out.
	Host string `json:"host,omitempty" minLength:"1" maxLength:"64" format:"name" example:"rack-1"`
	// What it is told, as the plan declares it. The log has a hash of it alone.
	Params map[string]string `json:"params,omitempty" example:"{\"image\":\"debian\"}"`
}

// Params are what a resource is told, by name.
type Params struct {
	// Each as the plan declares it; an empty text takes one away.
	Params map[string]string `json:"params" example:"{\"image\":\"alpine\"}"`
}

// Order is a resource that waits for its payment.
type Order struct {
	Resource Resource `json:"resource"`
	// Pauses, resumes and releases the resource, as a bearer token. It is shown to whoever orders,
	// and again only to who sends the same Idempotency-Key: keep it. Only its hash is stored.
	HolderKey string `json:"holder_key,omitempty" example:"8q3mz0d7w1x5k9b2n4v6c8e0r2t4y6h8j1p3s5g7a9d1f3q5w7z0"`
	// What to pay; left out once the resource was paid.
	Payment *Payment `json:"payment,omitempty"`
}

// FundRequest asks for an invoice that funds a resource.
type FundRequest struct {
	// The time to buy, in milliseconds; or give amount_msat.
	Time instant.Millis `json:"time_ms,omitempty" minimum:"1" maximum:"7889400000000"`
	// The amount to pay, in millisatoshi; or give time_ms.
	Amount money.Msat `json:"amount_msat,omitempty" minimum:"1" maximum:"2100000000000000000" example:"86400000"`
	// A new invoice, which nobody else is given: so a payment tells who paid.
	Own bool `json:"own,omitempty" example:"false"`
}

// Lot is what one payment or grant bought, and what is left of it.
type Lot struct {
	// The payment that opened the lot.
	Payment string `json:"payment,omitempty" example:"ln-5f3d..."`
	// Or the grant that did.
	Grant string `json:"grant,omitempty"`
	// The money that its time is worth, in millisatoshi.
	Amount money.Msat `json:"amount_msat" example:"86400000"`
	// Bought, in milliseconds.
	Time instant.Millis `json:"time_ms" example:"86400000"`
	// Left of it at the instant at, in milliseconds.
	Left instant.Millis `json:"left_ms" example:"43200000"`
	// The money that it still holds at the instant at, in millisatoshi.
	Held money.Msat `json:"held_msat" example:"43200000"`
}

// Uptime is how a resource did that is billed by its uptime.
type Uptime struct {
	// When it should be up; only of one that is starting, if its plan says so.
	StartBy instant.Time `json:"start_by,omitzero" format:"date-time"`
	// For how long it was down in these 30 days, counted from its opening, and not billed, in
	// milliseconds.
	Outage instant.Millis `json:"outage_ms" example:"0"`
	// What was given back for outages that were learned late, in all, in millisatoshi.
	Returned money.Msat `json:"returned_msat" example:"0"`
}

// Found is what the keeper of this daemon's host found of a resource, which starts and stops it.
type Found struct {
	// What is starting is not up yet, what is stopping may still run; unknown is never down.
	State string `json:"state" enum:"up,down,gone,starting,stopping,unknown" example:"up"`
	// When it became so.
	Since instant.Time `json:"since" format:"date-time" example:"2026-01-02T03:04:05.678Z"`
	// Why it is not as it should be, or how it ended, in words.
	Why string `json:"why,omitempty" example:"exit-code, status 1"`
	// When it was not up since the machine was booted, for 10 s or more, whether it should be up or
	// not: the last ten.
	Outages []Outage `json:"outages" nullable:"false"`
	// Its parameters are not kept on this host, as after a restore or a move: it is told what it was told
	// before, or nothing. Its holder sets them again.
	ParamsMissing bool `json:"params_missing,omitempty"`
}

// Outage is a time over which a resource was not up.
type Outage struct {
	// When it went down.
	From instant.Time `json:"from" format:"date-time"`
	// When it was up again; left out as long as it is not known to be.
	To instant.Time `json:"to,omitzero" format:"date-time"`
}

// Ordered tells the orders of one id apart.
type Ordered struct {
	// What it is called among the orders of its id.
	Order string `json:"order" example:"3f2a91c0"`
	// Its plan.
	Plan string `json:"plan" example:"vm-small"`
	// When it was asked for.
	At instant.Time `json:"ordered_at,omitzero" format:"date-time" example:"2026-01-02T03:04:05.678Z"`
}

// Resource is a resource at an instant.
type Resource struct {
	ID   string `json:"id" example:"web-1"`
	Plan string `json:"plan" example:"vm-small"`
	// The host that it belongs to; left out where there is one machine.
	Host string `json:"host,omitempty" example:"rack-1"`
	// The SHA-256 of its parameters, and of what keeps them from being guessed; left out if it has none.
	ParamsHash string `json:"params_hash,omitempty" example:"5f3d…"`
	// awaiting its first payment, starting since it has time and is not known to be up, running,
	// paused by its holder, suspended for want of time, or released for good.
	Status string `json:"status" enum:"awaiting,starting,running,paused,suspended,released" example:"running"`
	// Since when it has this status.
	Since instant.Time `json:"since" format:"date-time" example:"2026-01-02T03:04:05.678Z"`
	// The instant that the figures hold for.
	At instant.Time `json:"at" format:"date-time" example:"2026-01-02T15:04:05.678Z"`
	// The order that this call opened, if the resource was only ordered: its latest one.
	Opened *Ordered `json:"opened,omitempty"`
	// Set if an instant was asked for: only events that took effect by then are counted.
	AsOf instant.Time `json:"as_of,omitzero" format:"date-time"`
	// How long the balance lasts from the instant at, in milliseconds, rounded down.
	Remaining instant.Millis `json:"remaining_ms" example:"43200000"`
	// When it runs out; left out unless it runs.
	PaidUntil instant.Time `json:"paid_until,omitzero" format:"date-time" example:"2026-01-03T03:04:05.678Z"`
	// When it is released unless it is paid; only of one that is suspended, or awaits a payment and
	// that is still to come.
	ReleaseAt instant.Time `json:"release_at,omitzero" format:"date-time"`
	// Until when a payment that was seen on the chain holds off its release; only of one that awaits
	// a payment or is suspended.
	HeldUntil instant.Time `json:"held_until,omitzero" format:"date-time"`
	// When little will be left, as the plan counts it; only of one that runs, and was not warned.
	WarnAt instant.Time `json:"warn_at,omitzero" format:"date-time" example:"2026-01-03T02:04:05.678Z"`
	// Little is left, as the plan counts it.
	Warned bool `json:"warned,omitempty"`
	// Of later payments. Time that was bought is kept.
	Price Price `json:"price"`
	// How long it is kept without time, in milliseconds.
	Grace instant.Millis `json:"grace_ms" example:"86400000"`
	// How it did; only of one that is billed by its uptime.
	Uptime *Uptime `json:"uptime,omitempty"`
	// What the keeper found, if this daemon's host has it; not in lists.
	Found *Found `json:"found,omitempty"`
	// Owed for payments that were taken back after they were used; the next ones pay it first. In
	// millisatoshi.
	Debt money.Msat `json:"debt_msat" example:"0"`
	// All that was ever paid in, in millisatoshi.
	Credited money.Msat `json:"credited_msat" example:"86400000"`
	// Every payment and grant that stands, oldest first; they are drawn in this order.
	Lots []Lot `json:"lots" nullable:"false"`
	// Payments meant for it that are not credited: invoices to be paid, what was seen on the chain
	// and does not count yet, or no more, and money that found no home.
	Pending []Payment `json:"pending" nullable:"false"`
	// Its address on the chain, if it has one: any amount buys time, any number of times. Left out
	// once it is released.
	Address string `json:"address,omitempty" example:"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"`
	// A link that wallets open to fund it (BIP 21): its address, and the invoice that was last asked
	// for if that is open. In capitals where a QR code profits. Left out once it is released.
	URI string `json:"uri,omitempty" example:"bitcoin:BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4?amount=0.000864&lightning=LNBC864U1..."`
	// Its page, for people; a path where the daemon does not know its public URL, left out where it has
	// no pages.
	Page string `json:"page,omitempty" example:"https://pay.example.org/r/web-1"`
	// What wallets pay it by, any number of times (LNURL, LUD-01); left out once it is released, and where
	// no wallet could reach it: that takes a public URL of https, or of an onion service.
	LNURL string `json:"lnurl,omitempty" example:"lnurl1dp68gurn8ghj7urp0yhx27rpd4cxcefwdaexwtmvde6hymrs9amk2c3dxysn4d96"`
	// Its Lightning address (LUD-16); left out where lnurl is, and where the public URL has a port or no name.
	LightningAddress string `json:"lightning_address,omitempty" example:"web-1@pay.example.org"`
	// The position of the log that this includes at least.
	Position uint64 `json:"position,omitempty"`
}

// Resources is a page of resources.
type Resources struct {
	// By id.
	Resources []Resource `json:"resources" nullable:"false"`
	// Give it as after for the next page; left out on the last one.
	Next string `json:"next,omitempty"`
}

// GrantRequest gives time for nothing.
type GrantRequest struct {
	// Names the grant, so that it is given once however often it is sent.
	Key string `json:"key" minLength:"1" maxLength:"64" format:"name" example:"outage-2026-01-02"`
	// In milliseconds.
	Time instant.Millis `json:"time_ms" minimum:"1" maximum:"7889400000000" example:"3600000"`
	// A machine-readable code; it is kept for good, so no names of people.
	Reason string `json:"reason,omitempty" maxLength:"200" example:"outage"`
}

// RepriceRequest sets the price of a resource's later payments.
type RepriceRequest struct {
	Price Price `json:"price"`
}

// MoveRequest gives a resource to a host.
type MoveRequest struct {
	// The host that it belongs to from now on.
	Host string `json:"host" minLength:"1" maxLength:"64" format:"name" example:"rack-2"`
}
