package payment_test

import (
	"reflect"
	"testing"

	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/testutil/golden"
)

// samples has every type of event once, with no field left out.
var samples = []payment.Event{
	&payment.Requested{
		At: at(0), Resource: "vm-1", Amount: 500, Price: quote, Requested: epoch - 1, Expiry: epoch + 3_600_000, Invoice: "lnbc5u1",
		Order: &resource.Order{
			Plan:     "small",
			Terms:    resource.Terms{Price: quote, Warn: resource.Warn{Time: 60_000}, Grace: 86_400_000},
			Enforcer: "systemd", Host: "host-a", Holder: [16]byte{2}, Request: [16]byte{1},
		},
	},
	&payment.Accepted{At: at(0), Amount: 500, Node: "02aa"},
	&payment.Canceled{At: at(0), Reason: "not_delivered"},
	&payment.Settled{
		At: at(0), Amount: 500, Via: "keysend", Node: "02aa", Index: 7, Resource: "vm-1", Meant: "vm-2", Ours: true,
	},
	&payment.Credited{At: at(0), Resource: "vm-1"},
	&payment.Unallocated{At: at(0), Resource: "vm-1", Reason: "released"},
	&payment.Allocated{At: at(0), Resource: "vm-2"},
	&payment.Expired{At: at(0), Reason: "canceled"},
	&payment.Seen{At: at(0), Resource: "vm-1", Address: "bcrt1qxyz", Amount: 50_000_000, Meant: "vm-2"},
	&payment.Confirmed{At: at(0), Height: 840_000, Block: "00000000000000000000a1"},
	&payment.Reorged{At: at(0), Height: 840_000, Block: "00000000000000000000a1"},
	&payment.Replaced{At: at(0), Reason: "conflict"},
	&payment.Finalized{At: at(0), Height: 840_100},
}

var codec = golden.Codec[payment.Event]{Decode: payment.Decode, Former: map[string]payment.Event{
	"payment.requested.v1": &payment.Requested{
		At: at(0), Resource: "vm-1", Amount: 500, Price: quote, Requested: epoch, Expiry: epoch + 3_600_000, Invoice: "lnbc5u1",
	},
	"payment.seen.v1": &payment.Seen{At: at(0), Resource: "vm-1", Address: "bcrt1qxyz", Amount: 50_000_000},
	"payment.settled.v1": &payment.Settled{
		At: at(0), Amount: 500, Via: "keysend", Node: "02aa", Index: 7, Resource: "vm-1",
	},
}}

func TestGoldenFiles(t *testing.T) { codec.Check(t, samples...) }

// An order's terms have more since the golden file was written, which stands at the end.
func TestLaterTerms(t *testing.T) {
	e, o := *samples[0].(*payment.Requested), *samples[0].(*payment.Requested).Order
	o.Terms.Uptime, o.Terms.StartWithin, o.Terms.MaxOutage, o.Terms.MaxPause = true, 1, 2, 3
	o.Terms.Hold = true
	e.Order = &o
	got, err := payment.Decode(&stream.Record{Event: stream.Encode(&e)})
	if err != nil || !reflect.DeepEqual(got, &e) {
		t.Errorf("it is read as %+v, %v", got, err)
	}
}

// An invoice that a token of digital cash pays says so, whether it is of an order or not.
func TestCash(t *testing.T) {
	e := *samples[0].(*payment.Requested)
	e.Cash = payment.Cash{Mint: "https://mint.example.org", Quote: "q-1", Token: [32]byte{1, 31: 2}}
	topUp := e
	topUp.Order = nil
	for _, want := range []*payment.Requested{&e, &topUp} {
		got, err := payment.Decode(&stream.Record{Event: stream.Encode(want)})
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("it is read as %+v, %v", got, err)
		}
	}
}

func TestDecodeRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, x := range []struct{ kind, data string }{
		{"payment.credited.v2", `{"resource":"vm-1"}`},
		{"resource.paused.v1", `{}`},
		{"payment.credited.v1", `{"resource":"vm-1","why":"luck"}`},
		{"payment.credited.v1", `{}`},
		{"payment.credited.v1", `{"resource": "vm-1"}`},
		{"payment.settled.v1", `{"amount_msat":-1,"via":"amp"}`},
		{"", ``},
	} {
		codec.Refuses(t, x.kind, x.data)
	}
}

func FuzzDecode(f *testing.F) { codec.Fuzz(f) }
