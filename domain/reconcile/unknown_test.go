package reconcile_test

import (
	"fmt"
	"testing"

	"sandglass/domain/chain"
	"sandglass/domain/lightning"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/reconcile"
)

// deposit is an output that somebody else sent to the wallet.
func deposit(n byte, addr string, m money.Msat, h int64) chain.Output {
	o := output(n, addr, m, h)
	o.Ours = true
	return o
}

// A backup of the log was restored that is older than an address: what that receives is a
// customer's, and nothing in the log says so.
func TestDepositsToAddressesThatTheLogLostAreListed(t *testing.T) {
	f, l := onChain()
	l.deposited(&f.outputs[3])
	lost, later := deposit(6, "bcrt1qlost", 6_000, 2_400), deposit(7, "bcrt1qlost", 7_000, 4_990)
	change := deposit(8, "bcrt1qchange", 8_000, 4_991)
	change.Sent = true
	gone, waiting := deposit(9, "bcrt1qlost", 9_000, 4_992), deposit(10, "bcrt1qlost", 1_000, 0)
	nothing := deposit(11, "bcrt1qlost", 0, 4_993)
	gone.Block = "gone"
	f.outputs = append(f.outputs, lost, later, later, change, gone, nothing)
	f.mempool = append(f.mempool, waiting)
	report := func(l events, r *reconcile.Reader) *reconcile.Report {
		t.Helper()
		log := l.log(t)
		w, err := r.Read(t.Context(), log, 0)
		if err != nil {
			t.Fatal(err)
		}
		return reconcile.Compare(log, w, reconcile.Options{Known: log.Position, Required: log.Required(depth)})
	}
	r := report(l, f.reader())
	want := []reconcile.Deposit{
		{Key: later.Key(), Address: "bcrt1qlost", Amount: 7_000, Height: 4_990},
		{Key: lost.Key(), Address: "bcrt1qlost", Amount: 6_000, Height: 2_400},
	}
	if len(r.Unknown) != 2 || r.Unknown[0] != want[0] || r.Unknown[1] != want[1] || !r.Clean() {
		t.Errorf("%+v, %+v", r.Unknown, r.Differences)
	}
	// Once the address is adopted they are money that is to be booked.
	l.issue("bcrt1qlost", "web", node)
	booked := "not_in_log " + string(lost.Key()) + " web, not_in_log " + string(later.Key()) + " web"
	if r = report(l, f.reader()); len(r.Unknown) > 0 || list(r) != booked {
		t.Errorf("%+v, %s", r.Unknown, list(r))
	}
	// A log that has no address at all, since it is so old, is asked for all the same.
	var old events
	old.adopt(node, 0)
	if r = report(old, f.reader()); len(r.Unknown) > 0 || r.Height > 0 {
		t.Errorf("nobody asked the chain: %+v", r)
	}
	asks := f.reader()
	asks.AskChain = true
	if r = report(old, asks); len(r.Unknown) != 2 {
		t.Errorf("%+v", r)
	}
}

// An invoice that is not in the log has the resource that its description names.
func TestAnInvoiceThatTheLogLostNamesItsResource(t *testing.T) {
	var l events
	l.adopt(node, 0)
	log := l.log(t)
	f := &fake{}
	for i, description := range []string{"sandglass web-2", "a coffee", "web-3 · 2h · aaaaaaaaaaaaaaaaaaaaaaaaaa"} {
		a := arrival(payment.LightningKey(fmt.Sprint(i)), 1_000, int64(7+i))
		f.entries = append(f.entries, lightning.Entry{
			AddIndex: int64(i + 1), Status: lightning.EntrySettled, Arrivals: []lightning.Arrival{a}, Description: description,
		})
	}
	w, err := f.reader().Read(t.Context(), log, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := reconcile.Compare(log, w, reconcile.Options{Known: log.Position, Required: log.Required(depth)})
	if got := list(r); got != "not_in_log ln-0 web-2, not_in_log ln-1, not_in_log ln-2 web-3" {
		t.Error(got)
	}
}
