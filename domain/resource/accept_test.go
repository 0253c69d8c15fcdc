package resource_test

import (
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/resource"
)

// TestHeldPayment holds that what waits for its first payment to be taken is starting without time,
// that its time begins with the credit, and that it ends if it does not come up.
func TestHeldPayment(t *testing.T) {
	held := byUptime(resource.Warn{})
	held.Hold = true
	order := resource.Order{Plan: "small", Terms: held, Request: [16]byte{1}}
	accept := resource.Accept{When: at(7_000), Order: order}
	other := accept
	other.Holder[0]++
	atOnce := accept
	atOnce.Terms.Hold = false
	opened := &resource.Opened{At: stamp(7_000), Plan: "small", Terms: held, Request: [16]byte{1}}
	begins := events{opened, starting(7_000, "accepted")}
	ready := join(begins, events{starting(9_000, "up")})
	released := func(ms instant.Time, why resource.Reason) *resource.Released {
		return &resource.Released{At: stamp(ms), Reason: why}
	}
	gone := resource.Release{When: at(20_000), Reason: resource.ReasonNotDelivered}
	none := &resource.Opened{At: stamp(7_000), Plan: "small", Terms: atOnce.Terms, Request: [16]byte{1}}
	pay := resource.Credit{When: at(30_000), Payment: "p1", Amount: 200_000, Paid: zero + 30_000, Order: &order}
	granted := &resource.Granted{At: stamp(10_000), Key: "g", Time: 9}
	run(t, []example{
		{"it opens, and is starting without time", nil, accept, begins, nil},
		{"once", begins, accept, nil, nil},
		{"not for another order", begins, other, nil, resource.ErrOtherOrder},
		{"nor once it is released", join(begins, events{released(8_000, "holder")}), accept, nil, resource.ErrReleased},
		{"without hold it awaits its payment", nil, atOnce, events{none}, nil},
		{"no time passes", begins, settle(9 * hour), nil, nil},
		{"nor does a deposit hold it", begins, resource.Hold{When: at(9_000), Payment: "p", Until: zero + hour}, nil, nil},
		{"it can't be paused", begins, resource.Pause{When: at(9_000)}, nil, resource.ErrNotRuns},
		{"nor resumed", begins, resource.Resume{When: at(9_000)}, nil, resource.ErrNoTime},
		{"that it is down is nothing new", begins, down(9_000, 8_000), nil, nil},
		{"up it waits for its payment", begins, up(9_500, 9_000), events{starting(9_000, "up")}, nil},
		{"and is known to", ready, up(12_000, 9_000), nil, nil},
		{"down again it was up all the same", ready, down(60_000, 12_000), nil, nil},
		{"its time begins with the credit", ready, pay, events{bought(30_000, "p1", 200_000), started(30_000, "up")}, nil},
		{"be it up later", begins, pay, events{bought(30_000, "p1", 200_000)}, nil},
		{"then it runs as it comes up", join(begins, events{bought(30_000, "p1", 200_000)}), up(40_000, 9_000),
			events{started(30_000, "up")}, nil},
		{"time that is granted begins as well", ready, resource.Grant{When: at(10_000), Key: "g", Time: 9},
			events{granted, started(10_000, "up")}, nil},
		{"what does not come up ends", begins, gone, events{released(20_000, "not_delivered")}, nil},
		{"not what has time meanwhile", join(begins, events{granted}), gone, nil, nil},
		{"nor what was paid", join(ready, events{bought(30_000, "p1", 200_000), started(30_000, "up")}), gone, nil, nil},
		{"elsewhere it is to come up anew", ready, resource.Place{When: at(10_000), Host: "b"},
			events{&resource.Placed{At: stamp(10_000), Host: "b"}, starting(10_000, "moved")}, nil},
		{"a credit that is reversed while it starts suspends", join(begins, events{bought(30_000, "p1", 200_000)}),
			resource.Reverse{When: at(31_000), Payment: "p1", Reason: "reorged"},
			events{&resource.Reversed{At: stamp(31_000), Payment: "p1", Amount: 200_000, Balance: 200_000, Time: 200_000,
				Reason: "reorged"}, exhausted(31_000)}, nil},
	})
}
