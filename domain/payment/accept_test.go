package payment_test

import (
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/testutil/given"
)

func accepted(ms instant.Time, amount money.Msat) *payment.Accepted {
	return &payment.Accepted{At: at(ms), Amount: amount, Node: "02aa"}
}

// TestHeldMoney holds that money which is held is one payment with one end: it is settled, or goes
// back, whichever the wallet says first.
func TestHeldMoney(t *testing.T) {
	hold := payment.Accept{At: epoch + 10, Amount: 500, Node: "02aa"}
	first := hold
	first.Request = &payment.Request{
		At: epoch - 7_000, Resource: "vm-1", Amount: 500, Price: quote, Expiry: epoch + 100, Invoice: "lnbc1", Order: anOrder(),
	}
	told := &payment.Requested{
		At: at(10), Resource: "vm-1", Amount: 500, Price: quote, Requested: epoch - 7_000, Expiry: epoch + 100, Invoice: "lnbc1",
		Order: anOrder(),
	}
	back := payment.Cancel{At: epoch + 20, Reason: payment.ReasonNotDelivered}
	canceled := &payment.Canceled{At: at(20), Reason: "not_delivered"}
	held := events{told, accepted(10, 500)}
	none, nobody := hold, hold
	none.Amount, nobody.Node = 0, ""
	check(t, []example{
		{"it comes with what it is for", nil, first, held, nil},
		{"once", held, first, nil, nil},
		{"what the log knows is not told again", open, first, events{accepted(10, 500)}, nil},
		{"what was settled was held before", paid, hold, nil, nil},
		{"so was what a resource has", had, hold, nil, nil},
		{"it is some money", nil, none, nil, payment.ErrInvalid},
		{"at some node", nil, nobody, nil, payment.ErrInvalid},
		{"it is settled", held, settle(20, 500), events{settled(20, 500)}, nil},
		{"it is no credit", held, credit(20, "vm-1"), nil, payment.ErrState},
		{"nor to be given away", held, allocate(20, "vm-2"), nil, payment.ErrState},
		{"nor expired", held, payment.Expire{At: epoch + 120, Reason: "canceled"}, nil, nil},
		{"it goes back", held, back, events{canceled}, nil},
		{"once", append(held[:2:2], canceled), back, nil, nil},
		{"and is not held again", append(held[:2:2], canceled), hold, nil, nil},
		{"what was settled does not", append(held[:2:2], settled(15, 500)), back, nil, nil},
		{"nor what was never held", open, back, nil, nil},
		{"if the wallet has it after all, it is money", append(held[:2:2], canceled), settle(30, 500), events{settled(30, 500)}, nil},
	})
	if s := fold(held...); !s.Waits() || s.Ended() || s.WasSettled || s.AcceptedAt != epoch+10 || s.Amount != 500 {
		t.Errorf("what is held: %+v", s)
	}
	if s := fold(append(held[:2:2], canceled)...); s.Waits() || !s.Ended() || s.WasSettled {
		t.Errorf("what went back: %+v", s)
	}
	output := given.Of(aggregate(), "btc-00-1")
	output.Check(t, "an output is not held", nil, hold, nil, payment.ErrInvalid)
}
