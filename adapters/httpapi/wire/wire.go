// Package wire is the JSON of the HTTP API: what the server writes is what the client
// reads. The structs are views of their own; neither events nor states are shown.
//
// Amounts are whole millisatoshi (amount_msat), lengths of time whole milliseconds
// (time_ms), instants RFC 3339 in UTC with three decimals. All integers are JSON
// numbers of up to 63 bits: a client whose numbers are doubles, as JavaScript's are,
// reads those above 2^53 inexactly unless it parses them as big integers.
package wire

import (
	"encoding/json"

	"sandglass/domain/instant"
	"sandglass/domain/money"
)

// Price is what a length of time costs.
type Price struct {
	Msat money.Msat     `json:"msat" minimum:"1" maximum:"2100000000000000000" doc:"Millisatoshi for every per_ms milliseconds." example:"3600000"`
	Per  instant.Millis `json:"per_ms" minimum:"1" maximum:"3155760000000" doc:"The period, in milliseconds." example:"3600000"`
}

// Warn says when little is left: one of its fields is set.
type Warn struct {
	Time   instant.Millis `json:"time_ms,omitempty" minimum:"1" maximum:"7889400000000" doc:"Warn when so much time is left, in milliseconds." example:"3600000"`
	Amount money.Msat     `json:"amount_msat,omitempty" minimum:"1" maximum:"2100000000000000000" doc:"Warn when the lots hold so much money, in millisatoshi."`
	Share  int64          `json:"share_ppm,omitempty" minimum:"1" maximum:"1000000" doc:"Warn when so many millionths of what was left after the last credit are left."`
}

// Deep asks for more confirmations of large payments on the chain.
type Deep struct {
	Above         money.Msat `json:"above_msat" minimum:"0" maximum:"2100000000000000000" doc:"Of payments above this amount, in millisatoshi." example:"1000000000"`
	Confirmations int64      `json:"confirmations" minimum:"1" maximum:"144" doc:"So many are asked for, if the daemon does not ask for more of all." example:"6"`
}

// Plan is an offer.
type Plan struct {
	Name      string         `json:"name" doc:"Names the plan." example:"vm-small"`
	Title     string         `json:"title,omitempty" doc:"For people." example:"A small virtual machine"`
	OnOffer   bool           `json:"on_offer" doc:"False once the plan is withdrawn; what was sold runs on."`
	Price     Price          `json:"price"`
	Min       instant.Millis `json:"min_time_ms" doc:"The least that one payment may ask for, in milliseconds." example:"60000"`
	Max       instant.Millis `json:"max_time_ms" doc:"The most that one payment may ask for, in milliseconds." example:"31557600000"`
	Warn      *Warn          `json:"warn,omitempty"`
	Grace     instant.Millis `json:"grace_ms" doc:"How long a resource without time is kept, in milliseconds." example:"86400000"`
	Deep      *Deep          `json:"deep,omitempty" doc:"Above an amount, payments on the chain count with so many confirmations."`
	Enforcer  string         `json:"enforcer,omitempty" doc:"What stops and starts the resource; nothing if it is left out." example:"systemd"`
	Hosts     []string       `json:"hosts,omitempty" nullable:"false" doc:"The hosts that it can be had on; any if it is left out." example:"[\"rack-1\",\"rack-2\"]"`
	ChangedAt instant.Time   `json:"changed_at" format:"date-time" doc:"When it was published or withdrawn." example:"2026-01-02T03:04:05.678Z"`
}

// Plans is the answer to GET /v1/plans.
type Plans struct {
	Plans []Plan `json:"plans" nullable:"false" doc:"By name."`
}

// PublishRequest puts a plan on offer, or changes what is on offer.
type PublishRequest struct {
	Name     string         `json:"name" minLength:"1" maxLength:"64" pattern:"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$" patternDescription:"1 to 64 of a-z, 0-9 and -, no - at the ends" doc:"Names the plan: 1 to 64 of a-z, 0-9 and -, no - at the ends." example:"vm-small"`
	Title    string         `json:"title,omitempty" maxLength:"200" doc:"For people; up to 200 bytes." example:"A small virtual machine"`
	Price    Price          `json:"price"`
	Min      instant.Millis `json:"min_time_ms" minimum:"1" maximum:"7889400000000" doc:"The least that one payment may ask for, in milliseconds." example:"60000"`
	Max      instant.Millis `json:"max_time_ms" minimum:"1" maximum:"7889400000000" doc:"The most that one payment may ask for, in milliseconds." example:"31557600000"`
	Warn     *Warn          `json:"warn,omitempty"`
	Grace    instant.Millis `json:"grace_ms" minimum:"0" maximum:"3155760000000" doc:"How long a resource without time is kept, in milliseconds." example:"86400000"`
	Deep     *Deep          `json:"deep,omitempty" doc:"Asks for more confirmations of payments on the chain above an amount; left out, the daemon's setting holds for all."`
	Enforcer string         `json:"enforcer,omitempty" maxLength:"64" doc:"What stops and starts the resource." example:"systemd"`
	Hosts    []string       `json:"hosts,omitempty" nullable:"false" maxItems:"64" doc:"The hosts that it can be had on, in any order; any if it is left out." example:"[\"rack-1\",\"rack-2\"]"`
}

// Quote is what an amount buys, or a time costs.
type Quote struct {
	Plan   string         `json:"plan" example:"vm-small"`
	Price  Price          `json:"price"`
	Amount money.Msat     `json:"amount_msat" doc:"To pay, in millisatoshi." example:"86400000"`
	Time   instant.Millis `json:"time_ms" doc:"Bought by it, in milliseconds." example:"86400000"`
}

// OrderRequest asks for a resource.
type OrderRequest struct {
	Plan   string         `json:"plan" minLength:"1" maxLength:"64" doc:"A name from GET /v1/plans." example:"vm-small"`
	Time   instant.Millis `json:"time_ms,omitempty" minimum:"1" maximum:"7889400000000" doc:"The time to buy, in milliseconds; or give amount_msat." example:"86400000"`
	Amount money.Msat     `json:"amount_msat,omitempty" minimum:"1" maximum:"2100000000000000000" doc:"The amount to pay, in millisatoshi; or give time_ms."`
	ID     string         `json:"id,omitempty" minLength:"1" maxLength:"64" pattern:"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$" patternDescription:"1 to 64 of a-z, 0-9 and -, no - at the ends" doc:"The id that the resource shall have; one is made if it is left out." example:"web-1"`
	Host   string         `json:"host,omitempty" minLength:"1" maxLength:"64" pattern:"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$" patternDescription:"1 to 64 of a-z, 0-9 and -, no - at the ends" doc:"On which host of the plan's; one is chosen if it is left out." example:"rack-1"`
}

// Order is a resource that waits for its payment.
type Order struct {
	Resource  Resource `json:"resource"`
	HolderKey string   `json:"holder_key,omitempty" doc:"Pauses, resumes and releases the resource, as a bearer token. It is shown to whoever orders, and again only to who sends the same Idempotency-Key: keep it. Only its hash is stored." example:"8q3mz0d7w1x5k9b2n4v6c8e0r2t4y6h8j1p3s5g7a9d1f3q5w7z0"`
	Payment   *Payment `json:"payment,omitempty" doc:"What to pay; left out once the resource was paid."`
}

// FundRequest asks for an invoice that funds a resource.
type FundRequest struct {
	Time   instant.Millis `json:"time_ms,omitempty" minimum:"1" maximum:"7889400000000" doc:"The time to buy, in milliseconds; or give amount_msat."`
	Amount money.Msat     `json:"amount_msat,omitempty" minimum:"1" maximum:"2100000000000000000" doc:"The amount to pay, in millisatoshi; or give time_ms." example:"86400000"`
}

// Lot is what one payment or grant bought, and what is left of it.
type Lot struct {
	Payment string         `json:"payment,omitempty" doc:"The payment that opened the lot." example:"ln-5f3d..."`
	Grant   string         `json:"grant,omitempty" doc:"Or the grant that did."`
	Amount  money.Msat     `json:"amount_msat" doc:"The money that its time is worth, in millisatoshi." example:"86400000"`
	Time    instant.Millis `json:"time_ms" doc:"Bought, in milliseconds." example:"86400000"`
	Left    instant.Millis `json:"left_ms" doc:"Left of it at the instant at, in milliseconds." example:"43200000"`
	Held    money.Msat     `json:"held_msat" doc:"The money that it still holds at the instant at, in millisatoshi." example:"43200000"`
}

// Resource is a resource at an instant.
type Resource struct {
	ID        string         `json:"id" example:"web-1"`
	Plan      string         `json:"plan" example:"vm-small"`
	Host      string         `json:"host,omitempty" doc:"The host that it belongs to; left out where there is one machine." example:"rack-1"`
	Status    string         `json:"status" enum:"awaiting,running,paused,suspended,released" doc:"awaiting its first payment, running, paused by its holder, suspended for want of time, or released for good." example:"running"`
	Since     instant.Time   `json:"since" format:"date-time" doc:"Since when it has this status." example:"2026-01-02T03:04:05.678Z"`
	At        instant.Time   `json:"at" format:"date-time" doc:"The instant that the figures hold for." example:"2026-01-02T15:04:05.678Z"`
	AsOf      instant.Time   `json:"as_of,omitzero" format:"date-time" doc:"Set if an instant was asked for: only events that took effect by then are counted."`
	Remaining instant.Millis `json:"remaining_ms" doc:"How long the balance lasts from the instant at, in milliseconds, rounded down." example:"43200000"`
	PaidUntil instant.Time   `json:"paid_until,omitzero" format:"date-time" doc:"When it runs out; left out unless it runs." example:"2026-01-03T03:04:05.678Z"`
	ReleaseAt instant.Time   `json:"release_at,omitzero" format:"date-time" doc:"When it is released unless it is paid; only of one that awaits a payment or is suspended."`
	HeldUntil instant.Time   `json:"held_until,omitzero" format:"date-time" doc:"Until when a payment that was seen on the chain holds off its release; only of one that awaits a payment or is suspended."`
	Warned    bool           `json:"warned,omitempty" doc:"Little is left, as the plan counts it."`
	Price     Price          `json:"price" doc:"Of later payments. Time that was bought is kept."`
	Grace     instant.Millis `json:"grace_ms" doc:"How long it is kept without time, in milliseconds." example:"86400000"`
	Debt      money.Msat     `json:"debt_msat" doc:"Owed for payments that were taken back after they were used; the next ones pay it first. In millisatoshi." example:"0"`
	Credited  money.Msat     `json:"credited_msat" doc:"All that was ever paid in, in millisatoshi." example:"86400000"`
	Lots      []Lot          `json:"lots" nullable:"false" doc:"Every payment and grant that stands, oldest first; they are drawn in this order."`
	Pending   []Payment      `json:"pending" nullable:"false" doc:"Payments meant for it that are not credited: invoices to be paid, what was seen on the chain and does not count yet, or no more, and money that found no home."`
	Address   string         `json:"address,omitempty" doc:"Its address on the chain, if it has one: any amount buys time, any number of times. Left out once it is released." example:"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"`
	URI       string         `json:"uri,omitempty" doc:"A link that wallets open to fund it (BIP 21): its address, and the invoice that was last asked for if that is open. In capitals where a QR code profits. Left out once it is released." example:"bitcoin:BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4?amount=0.000864&lightning=LNBC864U1..."`
	Position  uint64         `json:"position,omitempty" doc:"The position of the log that this includes at least."`
}

// Resources is a page of resources.
type Resources struct {
	Resources []Resource `json:"resources" nullable:"false" doc:"By id."`
	Next      string     `json:"next,omitempty" doc:"Give it as after for the next page; left out on the last one."`
}

// Payment is the life of a payment so far.
type Payment struct {
	Key           string         `json:"key" doc:"ln-<payment_hash>, or btc-<txid>-<vout>." example:"ln-5f3d..."`
	Status        string         `json:"status" enum:"requested,settled,credited,unallocated,expired,seen,confirmed,reorged,replaced" doc:"requested: an invoice is open; settled: the money is here; credited: a resource has it; unallocated: no resource has it; expired: nobody paid. On the chain: seen: in no block yet; confirmed: in a block, not deep enough to count; reorged: its block left the chain, and what was credited was taken back; replaced: it will not come." example:"requested"`
	Resource      string         `json:"resource,omitempty" doc:"For which it is meant, or which has it." example:"web-1"`
	Asked         money.Msat     `json:"asked_msat,omitempty" doc:"Asked for, in millisatoshi." example:"86400000"`
	Amount        money.Msat     `json:"amount_msat,omitempty" doc:"What arrived, or was seen on the chain, in millisatoshi; left out before."`
	Price         *Price         `json:"price,omitempty" doc:"Quoted; it holds until expires_at."`
	Request       string         `json:"payment_request,omitempty" doc:"The BOLT 11 invoice, while it is open." example:"lnbc864u1..."`
	URI           string         `json:"uri,omitempty" doc:"The same as a link that wallets open, while it is open: with the address of its resource (BIP 21, in capitals where a QR code profits), or lightning: and the invoice if that has none. The amount on the chain is rounded up to whole satoshi." example:"bitcoin:BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4?amount=0.000864&lightning=LNBC864U1..."`
	Address       string         `json:"address,omitempty" doc:"The address that was paid, or, while the invoice is open, that can be paid instead." example:"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"`
	TxID          string         `json:"txid,omitempty" doc:"On the chain: the transaction."`
	Vout          *uint32        `json:"vout,omitempty" doc:"On the chain: which of its outputs, from 0."`
	Confirmations *int64         `json:"confirmations,omitempty" doc:"On the chain: how many blocks stand on it, its own counted in. Left out while the height of the chain is not known, and of what will not come." example:"1"`
	Required      int64          `json:"required_confirmations,omitempty" doc:"On the chain, until it is credited: with how many it counts." example:"3"`
	ExpectedTime  instant.Millis `json:"expected_time_ms,omitempty" doc:"On the chain, until it is credited: the time that it buys at the present price, less what is owed, in milliseconds. The price that holds is that at which it counts." example:"43200000"`
	Height        int64          `json:"height,omitempty" doc:"On the chain: of its block." example:"840000"`
	Block         string         `json:"block,omitempty" doc:"On the chain: the hash of its block."`
	Final         bool           `json:"final,omitempty" doc:"On the chain: it is so deep that it is not watched any more."`
	RequestedAt   instant.Time   `json:"requested_at,omitzero" format:"date-time" doc:"When the invoice was made, or the output seen."`
	ExpiresAt     instant.Time   `json:"expires_at,omitzero" format:"date-time" doc:"Until when the invoice is to be paid. Money that comes later is counted all the same."`
	SettledAt     instant.Time   `json:"settled_at,omitzero" format:"date-time" doc:"When the wallet had the money for good."`
	Via           string         `json:"via,omitempty" doc:"How it came: bolt11, keysend, amp or onchain."`
	Reason        string         `json:"reason,omitempty" doc:"Why it is unallocated, expired, reorged or replaced: a code."`
	ChangedAt     instant.Time   `json:"changed_at" format:"date-time" doc:"When its status last changed."`
}

// Payments is a page of payments.
type Payments struct {
	Payments []Payment `json:"payments" nullable:"false" doc:"By key."`
	Next     string    `json:"next,omitempty" doc:"Give it as after for the next page; left out on the last one."`
}

// GrantRequest gives time for nothing.
type GrantRequest struct {
	Key    string         `json:"key" minLength:"1" maxLength:"64" pattern:"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$" patternDescription:"1 to 64 of a-z, 0-9 and -, no - at the ends" doc:"Names the grant, so that it is given once however often it is sent." example:"outage-2026-01-02"`
	Time   instant.Millis `json:"time_ms" minimum:"1" maximum:"7889400000000" doc:"In milliseconds." example:"3600000"`
	Reason string         `json:"reason,omitempty" maxLength:"200" doc:"A machine-readable code; it is kept for good, so no names of people." example:"outage"`
}

// RepriceRequest sets the price of a resource's later payments.
type RepriceRequest struct {
	Price Price `json:"price"`
}

// MoveRequest gives a resource to a host.
type MoveRequest struct {
	Host string `json:"host" minLength:"1" maxLength:"64" pattern:"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$" patternDescription:"1 to 64 of a-z, 0-9 and -, no - at the ends" doc:"The host that it belongs to from now on." example:"rack-2"`
}

// AllocateRequest gives unallocated money to a resource.
type AllocateRequest struct {
	Resource string `json:"resource" minLength:"1" maxLength:"64" doc:"The id of the resource." example:"web-1"`
}

// Event is a line of GET /v1/events: a record of the log.
type Event struct {
	Position   uint64          `json:"position" doc:"Its place in the log. It grows, with gaps." example:"42"`
	Stream     string          `json:"stream" example:"resource-web-1"`
	Revision   int64           `json:"revision" doc:"Its place in its stream, from 0." example:"0"`
	ID         string          `json:"id" doc:"A UUID of version 5 that follows from the content." example:"6f2a5c1e-7a0b-5d3c-9e4f-0a1b2c3d4e5f"`
	Type       string          `json:"type" example:"resource.opened.v1"`
	At         instant.Time    `json:"at" format:"date-time" doc:"When it took effect." example:"2026-01-02T03:04:05.678Z"`
	RecordedAt instant.Time    `json:"recorded_at" format:"date-time" doc:"When it was written." example:"2026-01-02T03:04:05.690Z"`
	Data       json.RawMessage `json:"data" doc:"The payload, byte by byte as it is kept."`
	Meta       json.RawMessage `json:"meta,omitempty" doc:"Who asked, and the ids of the request and the event that caused it."`
}

// Component is a part of the daemon, and whether it is ready.
type Component struct {
	Name   string         `json:"name" example:"wallet"`
	Ready  bool           `json:"ready"`
	State  string         `json:"state" doc:"In a word." example:"locked"`
	Advice string         `json:"advice,omitempty" doc:"What it lacks, and what to do." example:"unlock the wallet: lncli unlock"`
	Since  instant.Time   `json:"since,omitzero" format:"date-time" doc:"Since when it is in this state, if that is known."`
	Age    instant.Millis `json:"age_ms,omitempty" doc:"How long that is, in milliseconds."`
}

// Ready is the answer to GET /readyz.
type Ready struct {
	Ready      bool        `json:"ready" doc:"Whether every component is."`
	Position   uint64      `json:"position" doc:"The position of the log that the read models hold."`
	Components []Component `json:"components" nullable:"false"`
}

// About is the answer to GET /.
type About struct {
	Name        string `json:"name" example:"sandglass"`
	Version     string `json:"version,omitempty"`
	Description string `json:"description"`
	OpenAPI     string `json:"openapi" example:"/openapi.json"`
}

// Problem is an error, as RFC 9457 has it.
type Problem struct {
	Type      string  `json:"type" doc:"A name of the kind of problem that never changes." example:"urn:sandglass:problem:unknown_plan"`
	Title     string  `json:"title" doc:"The kind of problem in words." example:"Unknown plan"`
	Status    int     `json:"status" doc:"The HTTP status." example:"404"`
	Detail    string  `json:"detail" doc:"What was wrong, and what would be right." example:"no plan \"x\": GET /v1/plans lists what is on offer"`
	Code      string  `json:"code" doc:"The kind of problem as a word for programs." example:"unknown_plan"`
	RequestID string  `json:"request_id,omitempty" doc:"Names the request in the log lines of the operator." example:"0198c5a2-7b6e-7f00-8000-000000000000"`
	Errors    []Fault `json:"errors,omitempty" nullable:"false" doc:"Each thing that was wrong with the request."`
}

// Fault is one thing that was wrong with a request.
type Fault struct {
	Location string `json:"location,omitempty" doc:"Where." example:"body.time_ms"`
	Message  string `json:"message" doc:"What was wrong, or would be right." example:"expected number >= 1"`
}
