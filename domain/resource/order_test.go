package resource_test

import (
	"testing"

	"sandglass/domain/resource"
)

// TestMoneyOpens holds that an order is in the log from its first money on, and that money
// names an order, not an id.
func TestMoneyOpens(t *testing.T) {
	order := resource.Order{Plan: "small", Terms: terms(resource.Warn{}), Host: "a", Holder: [16]byte{2}, Request: [16]byte{1}}
	opened := &resource.Opened{
		At: stamp(7), Plan: "small", Terms: terms(resource.Warn{}), Holder: [16]byte{2}, Request: [16]byte{1},
	}
	placed := &resource.Placed{At: stamp(7), Host: "a"}
	credited := &resource.Credited{At: stamp(7), Payment: "p1", Amount: 500, Time: 500, Price: perMilli}
	paid := &resource.Started{At: stamp(7), Reason: resource.ReasonPaid}
	pay := func(payment string, o resource.Order) resource.Credit {
		return resource.Credit{When: at(7), Payment: payment, Amount: 500, Paid: 3, Order: &o}
	}
	anew, broken, badHost := order, order, order
	anew.Holder[0]++
	broken.Terms = resource.Terms{}
	badHost.Host = "no host"
	full := events{opened, placed, credited, paid}
	run(t, []example{
		{"the first money opens", nil, pay("p1", order), full, nil},
		{"it is credited once", full, pay("p1", order), nil, nil},
		{"a second payment of the order is credited", full, pay("p2", order),
			events{&resource.Credited{At: stamp(7), Payment: "p2", Amount: 500, Time: 500, Price: perMilli}}, nil},
		{"money for an order of that id before or after is not", full, pay("p2", anew), nil, resource.ErrOtherOrder},
		{"nor once it is released", append(full, &resource.Released{At: stamp(7)}), pay("p2", anew), nil, resource.ErrOtherOrder},
		{"late money of the order itself is told that it is", append(full, &resource.Released{At: stamp(7)}),
			pay("p2", order), nil, resource.ErrReleased},
		{"an order without terms opens nothing", nil, pay("p1", broken), nil, resource.ErrInvalid},
		{"nor does one on what is no host", nil, pay("p1", badHost), nil, resource.ErrInvalid},
		{"money that can't be credited opens nothing", nil,
			resource.Credit{When: at(7), Payment: "p1", Order: &order}, nil, resource.ErrInvalid},
	})
}
