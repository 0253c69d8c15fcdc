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
}

// PaymentRequired is the problem that says what is to be paid, and how that is proved.
type PaymentRequired struct {
	Problem
	// What to pay: its payment_request is the invoice.
	Payment Payment `json:"payment"`
	// What makes a credential, together with the preimage of the invoice.
	Token string `json:"token"`
}
