package watch

import (
	"context"
	"errors"

	"sandglass/domain/instant"
)

// Identity is whose wallet it is.
type Identity struct {
	Node    string // identity_pubkey
	Network string // mainnet, testnet, signet, simnet, regtest
	Synced  bool   // it has seen the whole chain
}

// Condition is how the wallet is, in a word.
type Condition string

// The conditions of a wallet.
const (
	Connecting Condition = "connecting" // there is no connection, or none that answers
	Locked     Condition = "locked"     // it waits for its password, or to be created
	Starting   Condition = "starting"   // it is not ready for calls yet
	Denied     Condition = "denied"     // it refuses our macaroon, or we do
	Syncing    Condition = "syncing"    // it has not seen the whole chain, or we not its records
	Ready      Condition = "ready"
)

// NotStarted is the advice of a watcher that does not run yet.
const NotStarted = "not started"

const adviceChain = "the wallet has not seen the whole chain: it catches up, or waits for its bitcoind or btcd"

// Health is how the watcher and its wallet are.
type Health struct {
	Condition Condition
	Advice    string       // what to do, in words; empty when ready
	Since     instant.Time // of the condition
	Node      string       // identity_pubkey, empty before the first connection
	Network   string
	Epoch     int64
	Cursor    int64        // settle_index up to which everything is durably handled
	Height    int64        // of the chain, where it is watched
	LastEvent instant.Time // when the wallet's stream told something, 0 if never
	LastSweep instant.Time // when a sweep finished, 0 if never
}

// SetSwept says that the wallet's records were read: all is well, if it has seen the chain.
func (h *Health) SetSwept(synced bool) {
	if synced {
		h.Condition, h.Advice = Ready, ""
	} else {
		h.Condition, h.Advice = Syncing, adviceChain
	}
}

// SetTrouble says what err tells of the wallet.
func (h *Health) SetTrouble(err error) { h.Condition, h.Advice = conditionOf(err) }

// Trouble is an error of a wallet that tells its condition.
type Trouble struct {
	Condition Condition
	Advice    string // what it is, and what to do
	Err       error  // may be nil
}

// Error implements error.
func (t *Trouble) Error() string {
	text := string(t.Condition) + ": " + t.Advice
	if t.Err != nil {
		text += ": " + t.Err.Error()
	}
	return text
}

// Unwrap returns what lies under it.
func (t *Trouble) Unwrap() error { return t.Err }

// ErrEnded says that the wallet's stream ended by itself.
var ErrEnded = &Trouble{Condition: Connecting, Advice: "the wallet ended the connection"}

// ConditionOf returns the condition of the wallet that an error tells.
func ConditionOf(err error) Condition {
	c, _ := conditionOf(err)
	return c
}

func conditionOf(err error) (Condition, string) {
	t, ok := errors.AsType[*Trouble](err)
	switch {
	case ok && t.Err != nil:
		return t.Condition, t.Advice + " (" + t.Err.Error() + ")"
	case ok:
		return t.Condition, t.Advice
	}
	return Connecting, err.Error()
}

// WalletAway reports whether an error of a wallet is not about what was asked for: the
// wallet does not answer, or the caller gave up. The same question may be answered later.
func WalletAway(ctx context.Context, err error) bool {
	_, trouble := errors.AsType[*Trouble](err)
	return trouble || ctx.Err() != nil
}
