package wire

import (
	"sandglass/domain/instant"
	"sandglass/domain/money"
)

// History is the answer to GET /v1/resources/{id}/history.
type History struct {
	// The id of the resource.
	Resource string `json:"resource" example:"web-1"`
	// Oldest first.
	Changes []Change `json:"changes" nullable:"false"`
	// Whether there were others before these.
	Older bool `json:"older,omitempty"`
}

// Change is something that happened to a resource.
type Change struct {
	// Its place among all that happened to the resource, from 0: it grows, with gaps.
	Revision int64 `json:"revision" example:"3"`
	// opened; credited: a payment bought time; granted: time was given for nothing; returned: time was given
	// back for an outage; reversed: a payment was taken back; starting: it has time and is to come up; started:
	// its time runs; stopped: it is down, and its time stands still; paused; warned: little is left; recovered:
	// there is more again; exhausted: nothing is left; repriced: later payments buy at another price; placed:
	// it is on a host; configured: it has other parameters; released: for good.
	What string `json:"what" example:"credited" enum:"opened,credited,granted,returned,reversed,starting,started,stopped,paused,warned,recovered,exhausted,repriced,placed,configured,released"`
	// When.
	At instant.Time `json:"at" format:"date-time" example:"2026-01-02T03:04:05.678Z"`
	// Which payment was credited or reversed.
	Payment string `json:"payment,omitempty" example:"ln-5f3d..."`
	// Which grant.
	Grant string `json:"grant,omitempty"`
	// What was credited, reversed or returned, in millisatoshi.
	Amount money.Msat `json:"amount_msat,omitempty" example:"86400000"`
	// What that bought, was given or taken, in milliseconds.
	Time instant.Millis `json:"time_ms,omitempty" example:"86400000"`
	// At which price it bought; the first one when it was opened, or the next one.
	Price *Price `json:"price,omitempty"`
	// What of the amount paid off debt, in millisatoshi.
	DebtPaid money.Msat `json:"debt_paid_msat,omitempty"`
	// What of the amount came above what was asked for, and bought at above_price, in millisatoshi.
	Above money.Msat `json:"above_msat,omitempty"`
	// The price of what came above, if that is another one.
	AbovePrice *Price `json:"above_price,omitempty"`
	// Its plan, when it was opened.
	Plan string `json:"plan,omitempty" example:"vm-small"`
	// The host that it was placed on.
	Host string `json:"host,omitempty" example:"rack-1"`
	// Why, as a code, of what has several reasons.
	Reason string `json:"reason,omitempty" example:"paid"`
}
