// Package ledger is the double-entry books: what every event of a resource or a payment
// moves from one account to another.
//
// Each event moves as much on one side as on the other, so [Accounts.Trial] is always 0. A
// credit is posted when the resource has it; that its payment ends with it moves nothing
// more. Whether the accounts agree with the resources is left to package dump to check.
package ledger

import (
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/projections/snapshot"
)

// Accounts is the sum of each account. Assets are Wallet and Receivable; liabilities are
// Prepaid and Unallocated; Income is what was earned.
type Accounts struct {
	Wallet      money.Msat // Σ settled − Σ reorged after that
	Receivable  money.Msat // Σ debt: drawn from credits that were reversed later
	Prepaid     money.Msat // what the lots of all resources hold
	Income      money.Msat // Σ debited − Σ returned
	Unallocated money.Msat // settled money on its way to a resource, or without home
}

// Trial returns assets less liabilities and income, which is 0.
func (a Accounts) Trial() money.Msat {
	return a.Wallet + a.Receivable - a.Prepaid - a.Income - a.Unallocated
}

// Resource posts an event of a resource.
func (a *Accounts) Resource(e resource.Event) {
	switch e := e.(type) {
	case *resource.Debited:
		a.Prepaid -= e.Amount
		a.Income += e.Amount
	case *resource.Returned:
		a.Prepaid += e.Amount
		a.Income -= e.Amount
	case *resource.Credited:
		a.Unallocated -= e.Amount
		a.Prepaid += e.Amount - e.DebtPaid
		a.Receivable -= e.DebtPaid
	case *resource.Reversed:
		a.Unallocated += e.Amount // back to the payment, which was reorged
		a.Prepaid -= e.Balance
		a.Receivable += e.Amount - e.Balance
	}
}

// Payment posts an event of a payment, which was as given: only that money arrives, or
// goes again with its block, moves any.
func (a *Accounts) Payment(was *payment.State, e payment.Event) {
	switch e := e.(type) {
	case *payment.Settled:
		a.Wallet += e.Amount
		a.Unallocated += e.Amount
	case *payment.Reorged:
		if was.SettledAt != 0 {
			a.Wallet -= was.Amount
			a.Unallocated -= was.Amount
		}
	}
}

// Fields passes the accounts through a snapshot.
func (a *Accounts) Fields(f *snapshot.Fields) {
	snapshot.Int(f, &a.Wallet)
	snapshot.Int(f, &a.Receivable)
	snapshot.Int(f, &a.Prepaid)
	snapshot.Int(f, &a.Income)
	snapshot.Int(f, &a.Unallocated)
}
