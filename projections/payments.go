package projections

import (
	"sandglass/domain/instant"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections/open"
)

// Payment returns a payment that is requested, accepted, settled or unallocated, and the revision
// that it stands at. One that was credited or has expired is not here: read its stream.
func (v *Views) Payment(key payment.Key) (payment.State, stream.Revision, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	p := v.payments.Get(key)
	if p == nil {
		return payment.State{}, stream.NoStream, false
	}
	return p.State, p.Revision, true
}

// OpenPayments returns the payments that the watchers still wait for, must finish, or
// must look after until they are final, oldest first.
func (v *Views) OpenPayments() []payment.State {
	v.mu.RLock()
	list := v.payments.Waiting()
	v.mu.RUnlock()
	return open.OldestFirst(list)
}

// HeldSince returns when payments came to be held at a node after an instant, if that was in the hour
// before the last one did, whatever has become of them.
func (v *Views) HeldSince(node string, after instant.Time) []instant.Time {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.payments.HeldSince(node, after)
}

// OpenCount returns how many payments are requested, accepted or settled.
func (v *Views) OpenCount() int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.payments.Invoices()
}

// DepositCount returns how many of [Views.OpenPayments] are on the chain.
func (v *Views) DepositCount() int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.payments.Deposits()
}

// PaymentsOf returns the payments meant for a resource that are not at their end, oldest
// first: one on the chain stays until it is final, also when it was credited.
func (v *Views) PaymentsOf(id resource.ID) []payment.State {
	v.mu.RLock()
	list := v.payments.Of(id)
	v.mu.RUnlock()
	return open.OldestFirst(list)
}

// Unallocated returns up to limit payments without home whose keys come after the given
// one, in the order of their keys.
func (v *Views) Unallocated(after payment.Key, limit int) []payment.State {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.payments.Unallocated(after, limit)
}
