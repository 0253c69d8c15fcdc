package resource_test

import (
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
)

func reverse(key string) resource.Reverse {
	return resource.Reverse{When: at(5_000), Payment: key, Reason: "reorg"}
}

// reversed is a credit of amount taken back at 5 s whose lot held that much money and
// left that much time.
func reversed(key string, amount, held money.Msat) *resource.Reversed {
	return &resource.Reversed{
		At: stamp(5_000), Payment: key, Amount: amount, Balance: held, Time: instant.Millis(held), Debt: amount - held, Reason: "reorg",
	}
}

func TestCredit(t *testing.T) {
	cheap, dear := money.Price{Msat: 1, Per: 3}, money.Price{Msat: 7, Per: 2}
	repriced := join(running, events{debited(0, 4_000), &resource.Repriced{At: stamp(4_000), Price: dear}})
	quoted := credit(5_000, "p2", 100)
	quoted.Price = cheap
	run(t, []example{
		{"the first starts the resource", awaiting, credit(9, "p1", 500), events{bought(9, "p1", 500), started(9, "paid")}, nil},
		{"a redelivered payment is known", running, credit(5_000, "p1", 10_000), nil, nil},
		{"also after its lot was drawn", suspended, credit(60_000, "p1", 10_000), nil, nil},
		{"also after the end", gone, credit(60_000, "p1", 10_000), nil, nil},
		{"with another amount it is a conflict", running, credit(5_000, "p1", 9_999), nil, resource.ErrConflict},
		{"also after the end", gone, credit(60_000, "p1", 9_999), nil, resource.ErrConflict},
		{"a grant of that name is something else", join(awaiting, events{&resource.Granted{At: stamp(0), Key: "p1", Time: 3}}),
			credit(9, "p1", 500), events{bought(9, "p1", 500), started(9, "paid")}, nil},
		{"a new price holds for later credits, and rounds down", repriced, credit(5_000, "p2", 100), events{
			debited(4_000, 5_000), &resource.Credited{At: stamp(5_000), Payment: "p2", Amount: 100, Time: 28, Price: dear}}, nil},
		{"the time that was bought is kept", repriced, settle(9_000), events{debited(4_000, 9_000)}, nil},
		{"a quoted price is kept", repriced, quoted, events{
			debited(4_000, 5_000), &resource.Credited{At: stamp(5_000), Payment: "p2", Amount: 100, Time: 300, Price: cheap}}, nil},
		{"too little for a millisecond is credited all the same", repriced, credit(5_000, "p2", 3), events{
			debited(4_000, 5_000), &resource.Credited{At: stamp(5_000), Payment: "p2", Amount: 3, Price: dear}}, nil},
		{"but starts nothing", join(awaiting, events{&resource.Repriced{At: stamp(0), Price: dear}}), credit(5_000, "p2", 3), events{
			&resource.Credited{At: stamp(5_000), Payment: "p2", Amount: 3, Price: dear}}, nil},
	})
}

func TestGrant(t *testing.T) {
	grant := resource.Grant{When: at(5_000), Key: "g", Time: 60, Reason: "outage"}
	granted := &resource.Granted{At: stamp(5_000), Key: "g", Time: 60, Reason: "outage"}
	other := grant
	other.Time = 61
	run(t, []example{
		{"starts an order", awaiting, grant, events{granted, started(5_000, "granted")}, nil},
		{"adds to what runs", running, grant, events{debited(0, 5_000), granted}, nil},
		{"starts what is suspended", suspended, resource.Grant{When: at(20_000), Key: "g", Time: 1},
			events{&resource.Granted{At: stamp(20_000), Key: "g", Time: 1}, started(20_000, "granted")}, nil},
		{"is given once", join(awaiting, events{granted}), grant, nil, nil},
		{"is given once, before the end", join(awaiting, events{granted, released(6_000, "operator")}), grant, nil, nil},
		{"with another time it is a conflict", join(awaiting, events{granted}), other, nil, resource.ErrConflict},
		{"a payment of that name is something else", join(awaiting, events{bought(0, "g", 5), started(0, "paid")}), grant,
			events{debited(0, 5), exhausted(5), granted, started(5_000, "granted")}, nil},
		{"its time moves no money", join(awaiting, events{granted, started(5_000, "granted")}), settle(5_010),
			events{&resource.Debited{At: stamp(5_010), From: zero + 5_000, Time: 10}}, nil},
		{"is not taken back by a reversal", join(awaiting, events{granted}), reverse("g"), nil, resource.ErrNoCredit},
	})
}

// TestDrawing draws lots of 10, 0 and 20 ms, for 3, 5 and 7 msat.
func TestDrawing(t *testing.T) {
	p := money.Price{Msat: 1, Per: 1} // not used to draw
	lots := join(awaiting, events{
		&resource.Credited{At: stamp(0), Payment: "a", Amount: 3, Time: 10, Price: p}, started(0, "paid"),
		&resource.Credited{At: stamp(0), Payment: "z", Amount: 5, Time: 0, Price: p},
		&resource.Credited{At: stamp(0), Payment: "b", Amount: 7, Time: 20, Price: p},
	})
	first := join(awaiting, events{
		&resource.Credited{At: stamp(0), Payment: "z", Amount: 5, Time: 0, Price: p},
		&resource.Credited{At: stamp(0), Payment: "b", Amount: 7, Time: 20, Price: p}, started(0, "paid"),
	})
	used := func(from, ms instant.Time, amount money.Msat) *resource.Debited {
		e := debited(from, from+ms)
		e.Amount = amount
		return e
	}
	run(t, []example{
		{"the money of a lot follows its time, rounded down", lots, settle(6), events{used(0, 6, 1)}, nil},
		{"cumulatively", join(lots, events{used(0, 6, 1)}), settle(7), events{used(6, 1, 1)}, nil},
		{"to the end of the lot, and past the one without time", join(lots, events{used(0, 6, 1)}), settle(10),
			events{used(6, 4, 7)}, nil},
		{"not before", lots, settle(9), events{used(0, 9, 2)}, nil},
		{"into the next", lots, settle(13), events{used(0, 13, 9)}, nil},
		{"to the end", lots, settle(30), events{used(0, 30, 15), exhausted(30)}, nil},
		{"a lot without time at the front goes with the first millisecond", first, settle(1), events{used(0, 1, 5)}, nil},
		{"one credited after the end waits for the next", join(lots, events{used(0, 30, 15), exhausted(30),
			&resource.Credited{At: stamp(40), Payment: "y", Amount: 2, Price: p}, bought(50, "c", 4), started(50, "paid")}),
			settle(51), events{used(50, 1, 3)}, nil},
	})
}

func TestReverse(t *testing.T) {
	two := join(running, events{bought(0, "p2", 6_000)})
	three := join(two, events{bought(0, "p3", 9_000)})
	both := join(two, events{debited(0, 12_000)})
	old := reverse("p1")
	old.At = zero + 12_000
	owed := &resource.Reversed{At: stamp(12_000), Payment: "p1", Amount: 10_000, Debt: 10_000, Reason: "reorg"}
	unknown := join(pausedAt4, events{
		&resource.Reversed{At: stamp(4_000), Payment: "p1", Amount: 10_000, Balance: 6_000, Time: 6_000, Debt: 4_000},
	})
	ended := join(pausedAt4, events{reversed("p1", 10_000, 6_000), exhausted(5_000)})
	back := &resource.Credited{At: stamp(6_000), Payment: "p1", Amount: 10_000, Time: 6_000, Price: perMilli, DebtPaid: 4_000}
	debt := join(both, events{owed})
	run(t, []example{
		{"of the only lot, partly drawn: debt, and no time", running, reverse("p1"),
			events{debited(0, 5_000), reversed("p1", 10_000, 5_000), exhausted(5_000)}, nil},
		{"of a lot in use", two, reverse("p1"), events{debited(0, 5_000), reversed("p1", 10_000, 5_000)}, nil},
		{"of a lot not drawn yet: no debt", two, reverse("p2"), events{debited(0, 5_000), reversed("p2", 6_000, 6_000)}, nil},
		{"of a lot in the middle", three, reverse("p2"), events{debited(0, 5_000), reversed("p2", 6_000, 6_000)}, nil},
		{"of a lot drawn to its end: all is debt", both, old, events{owed}, nil},
		{"and what is left runs on", debt, settle(16_000), events{debited(12_000, 16_000), exhausted(16_000)}, nil},
		{"on a paused resource: it ends, and its grace runs", pausedAt4, reverse("p1"),
			events{reversed("p1", 10_000, 6_000), exhausted(5_000)}, nil},
		{"which is released after it", ended, settle(9 * hour), events{released(5_000+2*hour, "grace_over")}, nil},
		{"or is paused again, when the money comes again", ended, credit(6_000, "p1", 10_000), events{back, paused(6_000)}, nil},
		{"and is then as if it had been all the time", join(ended, events{back, paused(6_000)}),
			resource.Resume{When: at(9_000)}, events{started(9_000, "resumed")}, nil},
		{"of one lot of a paused resource, which stays so", join(pausedAt4, events{bought(4_000, "p2", 7)}), reverse("p1"),
			events{reversed("p1", 10_000, 6_000)}, nil},
		{"leaves a paused resource without time", unknown, resource.Resume{When: at(5_000)}, nil, resource.ErrNoTime},
		{"of an unknown payment", running, reverse("p9"), nil, resource.ErrNoCredit},
		{"a second time", debt, old, nil, resource.ErrNoCredit},
		{"debt is paid first", debt, credit(12_000, "p4", 11_000), events{&resource.Credited{
			At: stamp(12_000), Payment: "p4", Amount: 11_000, Time: 1_000, Price: perMilli, DebtPaid: 10_000}}, nil},
		{"by as many credits as it takes", debt, credit(12_000, "p4", 400), events{&resource.Credited{
			At: stamp(12_000), Payment: "p4", Amount: 400, Price: perMilli, DebtPaid: 400}}, nil},
		{"the payment can be credited again", debt, credit(12_000, "p1", 10_000), events{&resource.Credited{
			At: stamp(12_000), Payment: "p1", Amount: 10_000, Price: perMilli, DebtPaid: 10_000}}, nil},
		{"a credit that paid debt is known by its whole amount", join(debt, events{&resource.Credited{
			At: stamp(12_000), Payment: "p4", Amount: 11_000, Time: 1_000, Price: perMilli, DebtPaid: 10_000}}),
			credit(12_000, "p4", 11_000), nil, nil},
	})
	s := fold(debt...)
	if s.Debt != 10_000 || s.Balance() != 4_000 || s.Credited-s.Debited-s.ReversedSum != s.Balance()-s.Debt {
		t.Errorf("debt %s, held %s", s.Debt, s.Balance())
	}
}

// TestReversalOfDebtPaid takes back a credit that had paid off debt: the debt returns.
func TestReversalOfDebtPaid(t *testing.T) {
	debt := join(running, events{debited(0, 4_000), paused(4_000),
		&resource.Reversed{At: stamp(4_000), Payment: "p1", Amount: 10_000, Balance: 6_000, Time: 6_000, Debt: 4_000},
		&resource.Credited{At: stamp(4_000), Payment: "p2", Amount: 5_000, Time: 1_000, Price: perMilli, DebtPaid: 4_000}})
	run(t, []example{{"with what its lot held", debt, reverse("p2"), events{&resource.Reversed{
		At: stamp(5_000), Payment: "p2", Amount: 5_000, Balance: 1_000, Time: 1_000, Debt: 4_000, Reason: "reorg"},
		exhausted(5_000)}, nil}})
	back := &resource.Reversed{At: stamp(5_000), Payment: "p2", Amount: 5_000, Balance: 1_000, Time: 1_000, Debt: 4_000}
	if s := fold(join(debt, events{back})...); s.Debt != 4_000 || len(s.Lots) != 0 {
		t.Errorf("debt %s with %d lots", s.Debt, len(s.Lots))
	}
}
