package request_test

import (
	"strings"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"

	"github.com/google/go-cmp/cmp"
)

const epoch instant.Time = 1_767_225_600_000

func invoice(hash string, id resource.ID) *request.Record {
	price := money.Price{Msat: 1000, Per: 1000}
	return &request.Record{
		Key: payment.LightningKey(hash), Node: "02aa", ByHolder: true,
		Request: payment.Request{
			At: epoch, Resource: id, Amount: 500, Price: price, Expiry: epoch + 3_600_000, Invoice: "lnbc5u1",
			Order: &resource.Order{
				Plan: "small", Terms: resource.Terms{Price: price, Warn: resource.Warn{Share: 1}, Grace: 2}, Enforcer: "systemd",
				Host: "a", Holder: [16]byte{2}, Request: [16]byte{1},
			},
		},
	}
}

func TestARecordIsReadAsItWasWritten(t *testing.T) {
	topUp, addr := invoice("01", "vm-1"), invoice("", "vm-2")
	topUp.Order = nil
	addr.Key, addr.Address, addr.Height, addr.Invoice, addr.Expiry, addr.ByHolder = "", "bcrt1q", 7, "", 0, false
	released, told, cash, ordered := *addr, *topUp, *topUp, *invoice("02", "vm-1")
	cash.Cash = payment.Cash{Mint: "https://mint.example.org", Quote: "q-1", Token: [32]byte{3}}
	ordered.Cash = cash.Cash
	released.Released, told.Text = epoch+7, strings.Repeat("0a", 32)
	for _, r := range []*request.Record{invoice("00", "vm-1"), topUp, addr, &released, &told, &cash, &ordered} {
		data := request.Encode(r)
		back, err := request.Decode(data)
		if err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if diff := cmp.Diff(r, back); diff != "" {
			t.Errorf("%s (-want +got):\n%s", data, diff)
		}
	}
	if r, err := request.Decode(request.Encode(invoice("", "vm-1"))); err == nil && r.Name() == "" {
		t.Errorf("one without a name is read as %+v", r)
	}
}
