package holding_test

import (
	"os"
	"strings"
	"testing"

	"sandglass/adapters/lnd"
	"sandglass/cmd/sandglass/serve/holding"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections"
	"sandglass/testutil/fakelnd"
	"sandglass/testutil/storetest"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestRightsThatAreMissing are told while a plan needs them, with what to bake.
func TestRightsThatAreMissing(t *testing.T) {
	node, err := fakelnd.New(t.TempDir())
	check(t, err)
	t.Cleanup(node.Kill)
	client, err := lnd.Dial(lnd.Config{
		Addr: node.Addr, TLSCert: node.TLSCert, WatchMacaroon: node.WatchMacaroon, IssueMacaroon: node.IssueMacaroon,
	})
	check(t, err)
	t.Cleanup(func() { check(t, client.Close()) })
	store, _ := storetest.SQLite(t)
	views := projections.New(instant.Hour)
	h := holding.New(holding.Config{Wallet: client, Booker: &payment.Booker{}, Requests: new(request.Set), Views: views})
	plans := &plan.Handler{Aggregate: plan.Aggregate(), Store: store}
	do := func(c plan.Command) {
		t.Helper()
		out, err := plans.Execute(t.Context(), "small", stream.Meta{}, c)
		check(t, err)
		check(t, projections.Replay(t.Context(), store, views, out.Position))
	}
	is := func(state, advice string) {
		t.Helper()
		all := h.Health()
		switch {
		case state == "" && len(all) == 0:
		case len(all) != 1 || all[0].State != state || !all[0].Ready || !strings.Contains(all[0].Advice, advice) ||
			(advice == "") != (all[0].Advice == "") || all[0].Advice != h.Advice():
			t.Errorf("%+v, want %s with %q", all, state, advice)
		}
	}
	offer := plan.Offer{
		Terms: resource.Terms{Price: money.Price{Msat: 1, Per: 1}, Grace: instant.Day, Uptime: true, Hold: true},
		Min:   instant.Minute, Max: instant.Day, Enforcer: "web",
	}
	weak, err := os.ReadFile(node.WatchMacaroon)
	check(t, err)
	strong, err := os.ReadFile(node.IssueMacaroon)
	check(t, err)

	is("", "")
	check(t, os.WriteFile(node.IssueMacaroon, weak, 0o600))
	is("", "") // nobody needs it
	do(plan.Publish{At: 1, Offer: offer})
	is("unable", "uri:/invoicesrpc.Invoices/AddHoldInvoice uri:/invoicesrpc.Invoices/SettleInvoice "+
		"uri:/invoicesrpc.Invoices/CancelInvoice")
	is("unable", "SANDGLASS_LND_ISSUE_MACAROON")
	check(t, os.WriteFile(node.IssueMacaroon, strong, 0o600))
	is("able", "")
	check(t, os.Remove(node.IssueMacaroon))
	is("unable", "no such file")
	do(plan.Withdraw{At: 2})
	is("", "")
}
