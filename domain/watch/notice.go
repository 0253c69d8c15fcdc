package watch

import (
	"time"

	"sandglass/domain/payment"
)

// Sign is what a watcher came upon, for counters and alarms.
type Sign string

// The signs. Those marked with ! are alarms.
const (
	SignReconnect Sign = "reconnect"    // a connection ended, or was not had
	SignGap       Sign = "gap"          // a settle_index is missing
	SignPassed    Sign = "gap_passed"   // the wallet's records hold nothing in a gap
	SignRetry     Sign = "retry"        // a booking failed, and is tried again
	SignEmpty     Sign = "empty"        // an invoice is settled with no amount
	SignNotFound  Sign = "not_found"    // the wallet does not know an invoice of ours
	SignExpired   Sign = "expired"      // a request ended without money
	SignHeld      Sign = "held"         // a payment that was held went back, or can't be taken
	SignSweep     Sign = "sweep_failed" // a sweep did not finish
	SignConflict  Sign = "conflict"     // ! a payment came with other content
	SignAdopted   Sign = "adopted"      // a node is watched for the first time
	SignEpoch     Sign = "epoch"        // ! the indices of a node began again
	SignReturned  Sign = "returned"     // ! a node that was retired is watched again
	SignWallet    Sign = "other_wallet" // ! the wallet is not the one from before
	SignReorg     Sign = "reorg"        // ! the block of a payment left the chain
	SignReplaced  Sign = "replaced"     // a payment that was seen will not come
	SignHeight    Sign = "height"       // the wallet can't list the transactions of a height
)

// Alarm reports whether an operator should look at it.
func (s Sign) Alarm() bool {
	return s == SignConflict || s == SignEpoch || s == SignReturned || s == SignWallet || s == SignReorg
}

// Notice is a sign with its particulars.
type Notice struct {
	Sign Sign
	Key  payment.Key // or empty
	Text string
	Err  error // may be nil
}

// Observer is told what a watcher does, by many goroutines. It must not block.
type Observer interface {
	// Booked is told of each payment that settled: how it came, whether a sweep found
	// it, and how long it took from when the watcher heard of it.
	Booked(via payment.Via, bySweep bool, took time.Duration)
	// Swept is told of each finished sweep: the invoices or outputs that it read, and the
	// payments that it found.
	Swept(took time.Duration, read, found int)
	// Notice is told of all else.
	Notice(Notice)
}

// Silent is an observer that does nothing.
type Silent struct{}

// Booked implements [Observer].
func (Silent) Booked(payment.Via, bool, time.Duration) {}

// Swept implements [Observer].
func (Silent) Swept(time.Duration, int, int) {}

// Notice implements [Observer].
func (Silent) Notice(Notice) {}
