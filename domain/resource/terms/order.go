package terms

import "sandglass/domain/resource/config"

// Order is what a resource is opened with: what was asked for, at the terms of that time. It
// names the order too: an id may be ordered anew as long as nobody has paid.
type Order struct {
	Plan     string
	Terms    Terms
	Enforcer string      // what stops and starts it
	Host     string      // to which it belongs; empty where there is one machine
	Holder   [16]byte    // hash of the key that pauses, resumes and releases
	Request  [16]byte    // tells an order that is sent again from another one
	Params   config.Hash // with which the resource is configured, zero if with none
}

// Same reports whether o and other are one order, whatever its plan says by now.
func (o *Order) Same(other *Order) bool {
	return o.Request == other.Request && o.Plan == other.Plan && o.Holder == other.Holder
}
