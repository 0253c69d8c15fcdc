package lightning_test

import (
	"fmt"
	"testing"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/lightning"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// formerOrder writes an order that nobody has paid, as builds wrote it that logged requests when
// they were made: the resource is opened, and its invoice is payment.requested.v1.
func (f *fixture) formerOrder(id resource.ID) (hash string) {
	f.t.Helper()
	f.open(id)
	hash = f.fakeWallet.add()
	name := payment.Prefix + "ln-" + hash
	expiry := now().Add(instant.Hour)
	e := stream.Event{Type: "payment.requested.v1", At: now(), Data: fmt.Appendf(nil,
		`{"resource":%q,"amount_msat":500,"price_msat":1,"per_ms":1000,"expires_at":%q,"payment_request":"lnbc5u1"}`, id, expiry)}
	e.ID = stream.NewID(name, 0, e)
	if _, err := f.store.Append(f.t.Context(), name, stream.NoStream, []stream.Event{e}); err != nil {
		f.t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, lightning.Waiting{Key: payment.LightningKey(hash), Expiry: expiry})
	return hash
}

// Orders of the build before whose invoices are paid after the upgrade: while no daemon runs,
// while this one does, after their expiry, and with more.
func TestOrdersOfAnEarlierBuildArePaidAfterTheUpgrade(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		away, told, listed, late := f.formerOrder("vm-1"), f.formerOrder("vm-2"), f.formerOrder("vm-3"), f.formerOrder("vm-4")
		f.fakeWallet.pay(away, 500, 0, false)
		f.ready()
		f.fakeWallet.pay(told, 500, 0, true)
		f.fakeWallet.pay(listed, 600, 0, false)
		f.pass(2 * time.Minute)
		f.stop() // and once more
		f.ready()
		f.pass(2 * time.Hour)
		f.fakeWallet.pay(late, 500, 0, true)
		f.pass(25 * time.Hour)
		for id, hash := range map[resource.ID]string{"vm-1": away, "vm-2": told, "vm-3": listed, "vm-4": late} {
			want := money.Msat(500)
			if id == "vm-3" {
				want = 600
			}
			s := load(t, f.booker, id)
			if s.Credited != want || len(s.Lots) > 1 || s.Status == resource.StatusAwaiting {
				t.Errorf("%s is %s with %s credited, want %s", id, s.Status, s.Credited, want)
			}
			if got := f.status(hash); got != payment.StatusCredited {
				t.Errorf("the payment of %s is %s", id, got)
			}
		}
	})
}
