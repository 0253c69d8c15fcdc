package wire

import (
	"sandglass/domain/instant"
	"sandglass/domain/money"
)

// BuyRequest asks for a resource of a plan, or for more time of one, as programs pay for it.
type BuyRequest struct {
	// The plan of a new resource.
	Plan string `json:"plan,omitempty"`
	// Or the id of a resource that is to have more time.
	Resource string `json:"resource,omitempty"`
	// The time to buy, in milliseconds.
	Time instant.Millis `json:"time_ms,omitempty"`
	// Or the amount to pay, in millisatoshi.
	Amount money.Msat `json:"amount_msat,omitempty"`
	// On which host of the plan's, if not on any.
	Host string `json:"host,omitempty"`
	// What the new resource is told, as its plan declares it.
	Params map[string]string `json:"params,omitempty"`
	// A token of digital cash that pays, where it is too long for the header X-Cashu.
	Cashu string `json:"cashu,omitempty"`
}

// PaymentRequired is the problem that says what is to be paid, and how that is proved.
type PaymentRequired struct {
	Problem
	// What to pay: its payment_request is the invoice.
	Payment Payment `json:"payment"`
	// What makes a credential, together with the preimage of the invoice.
	Token string `json:"token"`
	// Which token of digital cash pays instead; left out where none is taken.
	Cashu *Cashu `json:"cashu,omitempty"`
}

// Cashu says which token pays, when it is sent with the same request: as X-Cashu, or as cashu in the body.
type Cashu struct {
	// The same as wallets read it (NUT-18).
	Request string `json:"request"`
	// What it is worth at least, in satoshi, with its mint's fees as far as they are known.
	Amount int64 `json:"amount_sat"`
	// The mints of which it may be.
	Mints []string `json:"mints"`
}
