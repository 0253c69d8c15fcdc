package projections

import (
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
)

// Ledger is the sum of each account of the double-entry books. Assets are Wallet and
// Receivable; liabilities are Prepaid and Unallocated; Income is what was earned. Every
// event moves as much on one side as on the other, so that [Ledger.Trial] is always 0.
type Ledger struct {
	Wallet      money.Msat // Σ settled − Σ reorged after that
	Receivable  money.Msat // Σ debt: drawn from credits that were reversed later
	Prepaid     money.Msat // what the lots of all resources hold
	Income      money.Msat // Σ debited
	Unallocated money.Msat // settled money on its way to a resource, or without home
}

// Trial returns assets less liabilities and income, which is 0.
func (l Ledger) Trial() money.Msat {
	return l.Wallet + l.Receivable - l.Prepaid - l.Income - l.Unallocated
}

// resource posts an event of a resource. The credit is posted when the resource has it;
// that the payment ends with it moves nothing more.
func (l *Ledger) resource(e resource.Event) {
	switch e := e.(type) {
	case *resource.Debited:
		l.Prepaid -= e.Amount
		l.Income += e.Amount
	case *resource.Credited:
		l.Unallocated -= e.Amount
		l.Prepaid += e.Amount - e.DebtPaid
		l.Receivable -= e.DebtPaid
	case *resource.Reversed:
		l.Unallocated += e.Amount // back to the payment, which was reorged
		l.Prepaid -= e.Balance
		l.Receivable += e.Amount - e.Balance
	}
}

// payment posts an event of a payment, which was as given: only that money arrives, or
// goes again with its block, moves any.
func (l *Ledger) payment(was *payment.State, e payment.Event) {
	switch e := e.(type) {
	case *payment.Settled:
		l.Wallet += e.Amount
		l.Unallocated += e.Amount
	case *payment.Reorged:
		if was.SettledAt != 0 {
			l.Wallet -= was.Amount
			l.Unallocated -= was.Amount
		}
	}
}

// TrialBalance returns the sums of all accounts. Unallocated is below zero only if a
// resource was credited with money that no payment brought, which is for an auditor.
func (v *Views) TrialBalance() Ledger {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.ledger
}
