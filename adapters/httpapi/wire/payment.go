package wire

import (
	"sandglass/domain/instant"
	"sandglass/domain/money"
)

// Payment is the life of a payment so far.
type Payment struct {
	// ln-<payment_hash>, amp-<set_id>, or btc-<txid>-<vout>.
	Key string `json:"key" example:"ln-5f3d..."`
	// requested: an invoice is open; accepted: the money is held, and taken only if what was ordered is
	// up in time; canceled: it went back to its payer; settled: the money is here; credited: a resource has it;
	// unallocated: no resource has it; expired: nobody paid. On the chain: seen: in no block yet;
	// confirmed: in a block, not deep enough to count; reorged: its block left the chain, and what
	// was credited was taken back; replaced: it will not come.
	Status string `json:"status" enum:"requested,accepted,canceled,settled,credited,unallocated,expired,seen,confirmed,reorged,replaced" example:"requested"`
	// For which it is meant, or which has it; left out for those who don't know it.
	Resource string `json:"resource,omitempty" example:"web-1"`
	// The order that it is for, if that is not the one which its id is of now; only in a list.
	Order *Ordered `json:"order,omitempty"`
	// The order that this call opened, if the resource was only ordered.
	Opened *Ordered `json:"opened,omitempty"`
	// Asked for, in millisatoshi.
	Asked money.Msat `json:"asked_msat,omitempty" example:"86400000"`
	// What arrived, or was seen on the chain, in millisatoshi; left out before.
	Amount money.Msat `json:"amount_msat,omitempty"`
	// Quoted; it holds until expires_at.
	Price *Price `json:"price,omitempty"`
	// The BOLT 11 invoice, while it is open.
	Request string `json:"payment_request,omitempty" example:"lnbc864u1..."`
	// The same as a link that wallets open, while it is open: with the address of its resource (BIP
	// 21, in capitals where a QR code profits), or lightning: and the invoice if that has none, or
	// if the amount is below 546 sat, which the chain takes no payment of. The amount on the chain is
	// rounded up to whole satoshi.
	URI string `json:"uri,omitempty" example:"bitcoin:BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4?amount=0.000864&lightning=LNBC864U1..."`
	// Of an open invoice: the payment to the address that was seen after this was asked for, and is credited. Whoever
	// made that need not pay this.
	CoveredBy string `json:"covered_by,omitempty" example:"btc-5f3d...-0"`
	// The address that was paid, or, while the invoice is open, that can be paid instead.
	Address string `json:"address,omitempty" example:"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"`
	// On the chain: the transaction.
	TxID string `json:"txid,omitempty"`
	// On the chain: which of its outputs, from 0.
	Vout *uint32 `json:"vout,omitempty"`
	// On the chain: how many blocks stand on it, its own counted in. Left out while the height of the
	// chain is not known, and of what will not come.
	Confirmations *int64 `json:"confirmations,omitempty" example:"1"`
	// On the chain, until it is credited: with how many it counts.
	Required int64 `json:"required_confirmations,omitempty" example:"3"`
	// On the chain, until it is credited: the time that it buys at the present price, less what is
	// owed, in milliseconds. The price that holds is that at which it counts.
	ExpectedTime instant.Millis `json:"expected_time_ms,omitempty" example:"43200000"`
	// On the chain: of its block.
	Height int64 `json:"height,omitempty" example:"840000"`
	// On the chain: the hash of its block.
	Block string `json:"block,omitempty"`
	// On the chain: it is so deep that it is not watched any more.
	Final bool `json:"final,omitempty"`
	// When the invoice was made, or the output seen.
	RequestedAt instant.Time `json:"requested_at,omitzero" format:"date-time"`
	// Until when the invoice is to be paid. Money that comes later is counted all the same.
	ExpiresAt instant.Time `json:"expires_at,omitzero" format:"date-time"`
	// Its money is held until what was ordered is up, and goes back if it is not so in time.
	Hold bool `json:"hold,omitempty"`
	// From when on the money was held, if it was.
	AcceptedAt instant.Time `json:"accepted_at,omitzero" format:"date-time"`
	// While it is held: by when what was ordered is to be up, or the money goes back.
	HeldUntil instant.Time `json:"held_until,omitzero" format:"date-time"`
	// When the wallet had the money for good.
	SettledAt instant.Time `json:"settled_at,omitzero" format:"date-time"`
	// How it came: bolt11, keysend, amp or onchain.
	Via string `json:"via,omitempty"`
	// Why it is unallocated, expired, canceled, reorged or replaced: a code.
	Reason string `json:"reason,omitempty"`
	// When its status last changed.
	ChangedAt instant.Time `json:"changed_at" format:"date-time"`
}

// Payments is a page of payments.
type Payments struct {
	// By key.
	Payments []Payment `json:"payments" nullable:"false"`
	// Give it as after for the next page; left out on the last one.
	Next string `json:"next,omitempty"`
}

// Address is an address on the chain, and whose it is.
type Address struct {
	// The address.
	Address string `json:"address" example:"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"`
	// The resource that gets what it receives.
	Resource string `json:"resource" example:"web-1"`
	// The height from which on its payments are looked for.
	Height int64 `json:"height"`
	// The identity_pubkey of the node that holds its key.
	Node string `json:"node"`
	// The order that this call opened, if the resource was only ordered: its latest one.
	Opened *Ordered `json:"opened,omitempty"`
}

// AdoptRequest gives an address of the wallet to a resource.
type AdoptRequest struct {
	// The id of the resource.
	Resource string `json:"resource" minLength:"1" maxLength:"64" example:"web-1"`
	// Also if there is no such resource: what the address receives is unallocated then, and names it.
	Lost bool `json:"lost,omitempty"`
}

// AllocateRequest gives unallocated money to a resource.
type AllocateRequest struct {
	// The id of the resource.
	Resource string `json:"resource" minLength:"1" maxLength:"64" example:"web-1"`
	// Which of its orders the money opens, if it is only ordered: by its name. Left out it is the
	// one that the payment is for.
	Order string `json:"order,omitempty" pattern:"^[0-9a-f]{8}$" patternDescription:"8 hexadecimal digits" example:"3f2a91c0"`
}
