package wire

import (
	"sandglass/domain/instant"
	"sandglass/domain/money"
)

// Price is what a length of time costs.
type Price struct {
	// Millisatoshi for every per_ms milliseconds.
	Msat money.Msat `json:"msat" minimum:"1" maximum:"2100000000000000000" example:"3600000"`
	// The period, in milliseconds.
	Per instant.Millis `json:"per_ms" minimum:"1" maximum:"3155760000000" example:"3600000"`
}

// Warn says when little is left: one of its fields is set.
type Warn struct {
	// Warn when so much time is left, in milliseconds.
	Time instant.Millis `json:"time_ms,omitempty" minimum:"1" maximum:"7889400000000" example:"3600000"`
	// Warn when the lots hold so much money, in millisatoshi.
	Amount money.Msat `json:"amount_msat,omitempty" minimum:"1" maximum:"2100000000000000000"`
	// Warn when so many millionths of what was left after the last credit are left.
	Share int64 `json:"share_ppm,omitempty" minimum:"1" maximum:"1000000"`
}

// Deep asks for more confirmations of large payments on the chain.
type Deep struct {
	// While all that a resource was paid on the chain, and that is not final, is above this amount, in
	// millisatoshi.
	Above money.Msat `json:"above_msat" minimum:"0" maximum:"2100000000000000000" example:"1000000000"`
	// So many are asked for, if the daemon does not ask for more of all.
	Confirmations int64 `json:"confirmations" minimum:"1" maximum:"144" example:"6"`
}

// Plan is an offer.
type Plan struct {
	// Names the plan.
	Name string `json:"name" example:"vm-small"`
	// For people.
	Title string `json:"title,omitempty" example:"A small virtual machine"`
	// False once the plan is withdrawn; what was sold runs on.
	OnOffer bool  `json:"on_offer"`
	Price   Price `json:"price"`
	// The least that one payment may ask for, in milliseconds.
	Min instant.Millis `json:"min_time_ms" example:"60000"`
	// The most that one payment may ask for, in milliseconds.
	Max  instant.Millis `json:"max_time_ms" example:"31557600000"`
	Warn *Warn          `json:"warn,omitempty"`
	// How long a resource without time is kept, in milliseconds.
	Grace instant.Millis `json:"grace_ms" example:"86400000"`
	// Which time is billed: wall is all of it, from the payment on; uptime is the time for which the
	// host's keeper says that the resource is up.
	Bill string `json:"bill" enum:"wall,uptime" example:"uptime"`
	// How long a resource may take to be up before that is an alarm, in milliseconds; only by uptime.
	StartWithin instant.Millis `json:"start_within_ms,omitempty" example:"900000"`
	// Whether the first payment over Lightning is held until the resource is up, and goes back to its
	// payer if that is not so within start_within_ms; only by uptime. Such an order has no address.
	Hold bool `json:"hold,omitempty"`
	// For how long in each 30 days from its opening it can be down before its time passes all the
	// same, in milliseconds; only by uptime. Left out, it never does.
	MaxOutage instant.Millis `json:"max_outage_ms,omitempty" example:"86400000"`
	// For how long in each 30 days from its opening it can be paused before its time passes all the
	// same, in milliseconds. Left out, it never does.
	MaxPause instant.Millis `json:"max_pause_ms,omitempty"`
	// Above an amount, payments on the chain count with so many confirmations.
	Deep *Deep `json:"deep,omitempty"`
	// What stops and starts the resource; nothing if it is left out.
	Enforcer string `json:"enforcer,omitempty" example:"systemd:app@.service"`
	// The hosts that it can be had on; any if it is left out.
	Hosts []string `json:"hosts,omitempty" nullable:"false" example:"[\"rack-1\",\"rack-2\"]"`
	// How many of it fit on each host; left out, there is no bound.
	Capacity int64 `json:"capacity,omitempty" example:"20"`
	// How many more of it can be had now, on all its hosts, where it has a capacity: what may still be paid
	// counts as taken.
	Available *int64 `json:"available,omitempty" example:"3"`
	// What an order may say of the resource.
	Params []Param `json:"params,omitempty" nullable:"false"`
	// When it was published or withdrawn.
	ChangedAt instant.Time `json:"changed_at" format:"date-time" example:"2026-01-02T03:04:05.678Z"`
}

// Plans is the answer to GET /v1/plans.
type Plans struct {
	// By name.
	Plans []Plan `json:"plans" nullable:"false"`
}

// PublishRequest puts a plan on offer, or changes what is on offer.
type PublishRequest struct {
	// Names the plan: 1 to 64 of a-z, 0-9 and -, no - at the ends.
	Name string `json:"name" minLength:"1" maxLength:"64" format:"name" example:"vm-small"`
	// For people; up to 200 bytes, without control characters.
	Title string `json:"title,omitempty" maxLength:"200" example:"A small virtual machine"`
	Price Price  `json:"price"`
	// The least that one payment may ask for, in milliseconds.
	Min instant.Millis `json:"min_time_ms" minimum:"1" maximum:"7889400000000" example:"60000"`
	// The most that one payment may ask for, in milliseconds.
	Max  instant.Millis `json:"max_time_ms" minimum:"1" maximum:"7889400000000" example:"31557600000"`
	Warn *Warn          `json:"warn,omitempty"`
	// How long a resource without time is kept, in milliseconds.
	Grace instant.Millis `json:"grace_ms" minimum:"0" maximum:"3155760000000" example:"86400000"`
	// Which time is billed: wall, which is what it is if it is left out, is all of it, from the
	// payment on; uptime is the time for which the host's keeper says that the resource is up, and
	// needs an enforcer.
	Bill string `json:"bill,omitempty" enum:"wall,uptime" example:"uptime"`
	// How long a resource may take to be up before that is an alarm, in milliseconds; only by uptime.
	StartWithin instant.Millis `json:"start_within_ms,omitempty" minimum:"0" maximum:"2592000000" example:"900000"`
	// Whether the first payment over Lightning is held until the resource is up, and goes back to its
	// payer if that is not so within start_within_ms; only by uptime. Such an order has no address.
	Hold bool `json:"hold,omitempty"`
	// For how long in each 30 days from its opening it can be down before its time passes all the
	// same, in milliseconds; only by uptime. Left out, it never does.
	MaxOutage instant.Millis `json:"max_outage_ms,omitempty" minimum:"0" maximum:"2592000000" example:"86400000"`
	// For how long in each 30 days from its opening it can be paused before its time passes all the
	// same, in milliseconds. Left out, it never does.
	MaxPause instant.Millis `json:"max_pause_ms,omitempty" minimum:"0" maximum:"2592000000"`
	// Asks for more confirmations of payments on the chain above an amount; left out, the daemon's
	// setting holds for all.
	Deep *Deep `json:"deep,omitempty"`
	// What stops and starts the resource.
	Enforcer string `json:"enforcer,omitempty" maxLength:"64" example:"systemd:app@.service"`
	// The hosts that it can be had on, in any order; any if it is left out.
	Hosts []string `json:"hosts,omitempty" nullable:"false" maxItems:"64" example:"[\"rack-1\",\"rack-2\"]"`
	// How many of it fit on each host: no invoice or address is given for more. Left out, there is no
	// bound.
	Capacity int64 `json:"capacity,omitempty" minimum:"1" maximum:"100000" example:"20"`
	// What an order may say of the resource, in any order: it goes to the enforcer, which is needed.
	Params []Param `json:"params,omitempty" nullable:"false" maxItems:"16"`
}

// Param is a parameter of a plan: what an order says by it is text, in one line or, with lines, in several.
type Param struct {
	// 1 to 32 of a-z, 0-9 and _, a letter first. In capitals it is a part of a variable's name.
	Name string `json:"name" minLength:"1" maxLength:"32" example:"ssh_key"`
	// Whether an order has to say it.
	Required bool `json:"required,omitempty"`
	// So many bytes at most. Left out, 256; or it has choices.
	Max int `json:"max_bytes,omitempty" minimum:"0" maximum:"4096" example:"800"`
	// Whether it may have several lines.
	Lines bool `json:"lines,omitempty"`
	// If there are any it is one of these: 1 to 64 letters, digits and . _ - / @ +
	Choices []string `json:"choices,omitempty" nullable:"false" maxItems:"32" example:"[\"debian\",\"alpine\"]"`
	// What it is if an order does not say it: one of the choices.
	Default string `json:"default,omitempty" example:"debian"`
}

// Quote is what an amount buys, or a time costs.
type Quote struct {
	Plan  string `json:"plan" example:"vm-small"`
	Price Price  `json:"price"`
	// To pay, in millisatoshi.
	Amount money.Msat `json:"amount_msat" example:"86400000"`
	// Bought by it, in milliseconds.
	Time instant.Millis `json:"time_ms" example:"86400000"`
	// How many of the plan can be had now, where it has a capacity.
	Available *int64 `json:"available,omitempty" example:"3"`
}
