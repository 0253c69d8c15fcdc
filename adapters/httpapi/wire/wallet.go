package wire

import "sandglass/domain/instant"

// Wallet is a node that was ever watched.
type Wallet struct {
	// Its identity_pubkey.
	Node string `json:"node" example:"02a1633cafcc01ebfb6d78e39f687a1f0995c62fc95f51ead10a02ee0be551b5dc"`
	// The network of its chain.
	Network string `json:"network" example:"mainnet"`
	// When it was first watched.
	Adopted instant.Time `json:"adopted_at" format:"date-time"`
	// Whether it is the wallet of the daemon that answers.
	Served bool `json:"served"`
	// Up to when all that came there is in the log, as the log tells, at least once an hour. It is
	// left out where that was never told.
	Swept instant.Time `json:"swept_to,omitzero" format:"date-time"`
	// When it was retired, if it is.
	Retired instant.Time `json:"retired_at,omitzero" format:"date-time"`
	// How many of its invoices can still be paid, and are waited for: none of a retired one.
	Invoices int `json:"open_invoices" example:"3"`
	// How many addresses it gave out, which can be paid for ever.
	Addresses int `json:"addresses" example:"12"`
}

// Wallets is the answer to GET /v1/wallets.
type Wallets struct {
	// By node.
	Wallets []Wallet `json:"wallets" nullable:"false"`
}
