package projections

import "sandglass/projections/ledger"

// Ledger is the sum of each account of the double-entry books.
type Ledger = ledger.Accounts

// TrialBalance returns the sums of all accounts. Unallocated is below zero only if a
// resource was credited with money that no payment brought, which is for an auditor.
func (v *Views) TrialBalance() Ledger {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.ledger
}
