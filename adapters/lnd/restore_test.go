package lnd_test

import (
	"testing"

	"sandglass/adapters/sqlite/backup"
	"sandglass/domain/payment"
)

// A backup of the log is restored; the wallet went on meanwhile. What was known then is credited
// again, once. What was asked for since is unallocated, and names the resource that it is meant
// for, as lnd's invoice does: anybody who makes invoices with this lnd can write that too, so
// that it is the operator who gives it to the resource.
func TestWhatALogLostNamesItsResource(t *testing.T) {
	f := newFake(t)
	d := newDaemon(t, configOf(f)).ready()
	d.open("vm-1")
	d.pays(f, 1_000)
	open := d.order("vm-1", 7_000) // asked for before the backup, paid after it
	d.sweep()
	saved := t.TempDir() + "/backup"
	must(new(backup.Maker).Write(t.Context(), d.path, saved))(t)
	check(t, f.Pay(open.Hash, 7_000))
	d.awaitBooked(2)
	since := d.order("vm-1", 50_000)
	check(t, f.Pay(since.Hash, 50_000))
	d.awaitBooked(3)
	d.expect(3, 58_000, 0)
	d.stop()

	must(new(backup.Maker).Restore(t.Context(), saved, d.path, now()))(t)
	d.ready()
	d.sweep()
	d.expect(3, 8_000, 50_000)
	if got := d.payment(open.Key); got.Status != payment.StatusCredited {
		t.Errorf("asked for before the backup: %s", got.Status)
	}
	got := d.payment(since.Key)
	if got.Status != payment.StatusUnallocated || got.Resource != "vm-1" || got.Reason != payment.ReasonForeignInvoice {
		t.Errorf("asked for after it: %s (%s) for resource %q", got.Status, got.Reason, got.Resource)
	}
}
