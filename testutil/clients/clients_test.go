package clients_test

import (
	"strings"
	"testing"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/testutil/clients"
	"sandglass/testutil/devnet"
	"sandglass/testutil/seller"
)

func TestMain(m *testing.M) { devnet.Run(m) }

// small costs 1 sat a second.
var small = wire.PublishRequest{
	Name: "small", Title: "A small server", Price: wire.Price{Msat: 1, Per: 1},
	Min: instant.Minute, Max: 365 * instant.Day, Grace: instant.Day,
}

// rig is a seller whom clients pay.
type rig struct {
	*seller.Seller
	*clients.Clients
	t *testing.T
}

func newRig(t *testing.T, env ...string) *rig {
	t.Helper()
	c := clients.New(t)
	r := &rig{seller.Open(t, append(env, "SANDGLASS_PUBLIC_URL=https://host.example")...), c, t}
	r.Publish(small)
	return r
}

func (r *rig) run(script string, answer any, args ...string) {
	r.t.Helper()
	if err := r.Clients.Run(r.t.Context(), r.URL, script, answer, args...); err != nil {
		r.t.Fatalf("%v\n%s", err, r.Log())
	}
}

// decoded is an invoice, as light-bolt11-decoder reads it.
type decoded struct {
	Msat            money.Msat
	Hash            string
	Description     string
	DescriptionHash string `json:"description_hash"`
	Expiry          int64
}

func (r *rig) decode(invoice string) (d decoded) {
	r.t.Helper()
	r.run("bolt11.mjs", &d, invoice)
	return d
}

// TestOrderByALink orders as the API has it, and pays what two libraries read in the link.
func TestOrderByALink(t *testing.T) {
	r := newRig(t)
	o, err := r.Client().OrderOnChain(t.Context(), wire.OrderRequest{Plan: "small", Time: instant.Hour, ID: "vm-1"}, "")
	r.Must(err)
	var link struct {
		Address string
		Options struct {
			Amount    float64
			Lightning string
		}
	}
	r.run("bip21.mjs", &link, o.Payment.URI)
	if strings.ToLower(link.Address) != o.Resource.Address || link.Options.Amount != 3_600e-8 {
		t.Errorf("%s is read as %+v", o.Payment.URI, link)
	}
	d := r.decode(strings.ToLower(link.Options.Lightning))
	if d.Msat != 3_600_000 || "ln-"+d.Hash != o.Payment.Key || d.Expiry != 3600 {
		t.Errorf("the invoice is read as %+v, and is %+v", d, o.Payment)
	}
	r.Pay(link.Options.Lightning)
	r.Becomes("vm-1", "running")
}

// TestScripts is about the scripts themselves, which need no daemon.
func TestScripts(t *testing.T) {
	c := clients.New(t)
	var link struct {
		Address string
		Options struct{ Amount float64 }
	}
	if err := c.Run(t.Context(), "", "bip21.mjs", &link, "bitcoin:bcrt1q?amount=0.5"); err != nil {
		t.Fatal(err)
	}
	if link.Address != "bcrt1q" || link.Options.Amount != 0.5 {
		t.Errorf("%+v", link)
	}
	if err := c.Run(t.Context(), "", "bolt11.mjs", &link, "nothing"); err == nil {
		t.Error("it read an invoice in nothing")
	}
}
