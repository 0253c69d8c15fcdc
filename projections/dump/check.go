package dump

import (
	"fmt"
	"iter"

	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/projections/ledger"
)

// Check compares accounts with the sums over all resources: what their lots hold, what
// they owe, and what was debited. A sound log gives no difference.
func Check(accounts ledger.Accounts, resources iter.Seq2[int32, *resource.State]) []Difference {
	var sum ledger.Accounts
	for _, s := range resources {
		sum.Prepaid += s.Balance()
		sum.Receivable += s.Debt
		sum.Income += s.Debited
	}
	var diffs []Difference
	check := func(field string, ours, theirs money.Msat) {
		if ours != theirs {
			diffs = append(diffs, Difference{headStream, field, fmt.Sprint(int64(ours)), fmt.Sprint(int64(theirs))})
		}
	}
	check("prepaid_msat", accounts.Prepaid, sum.Prepaid)
	check("receivable_msat", accounts.Receivable, sum.Receivable)
	check("income_msat", accounts.Income, sum.Income)
	check("trial", accounts.Trial(), 0)
	check("unallocated_msat", min(accounts.Unallocated, 0), 0)
	return diffs
}
