package books

import (
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/projections/ledger"
)

// Class is one of the accounts of package ledger.
type Class uint8

// The classes. The first two are assets: they grow by debits; the others, by credits.
const (
	Wallet Class = iota
	Receivable
	Prepaid
	Income
	Unallocated
)

// Account is a sub-account.
type Account struct {
	Class    Class
	OnChain  bool        // of the wallet: what came by the chain, not by Lightning
	Plan     string      // of what is receivable, prepaid and earned
	Resource resource.ID // of what is receivable and prepaid
}

// move fills in the moves of an entry, from what the accounts gained. One side of each entry is one
// account: its money comes from, or goes to, each of the other side.
func (e *Entry) move(gained *ledger.Accounts) {
	debits := [...]money.Msat{
		Wallet: gained.Wallet, Receivable: gained.Receivable,
		Prepaid: -gained.Prepaid, Income: -gained.Income, Unallocated: -gained.Unallocated,
	}
	for d := range debits {
		for c := range debits {
			amount := min(debits[d], -debits[c])
			if amount <= 0 {
				continue
			}
			debits[d] -= amount
			debits[c] += amount
			e.moves[e.n] = Move{e.account(Class(d)), e.account(Class(c)), amount}
			e.n++
		}
	}
}

// account returns the sub-account of a class that an entry moves.
func (e *Entry) account(c Class) Account {
	a := Account{Class: c}
	switch c {
	case Wallet:
		a.OnChain = e.Via == payment.ViaOnChain
	case Receivable, Prepaid:
		a.Plan, a.Resource = e.Plan, e.Resource
	case Income:
		a.Plan = e.Plan
	}
	return a
}
