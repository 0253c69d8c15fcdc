package clients_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sandglass/adapters/httpapi/wire"
	"sandglass/testutil/clients"
	"sandglass/testutil/devnet"
	"sandglass/testutil/mint"
)

// cashier is a seller who takes the tokens of a mint on bob's node, of which alice buys some.
type cashier struct {
	*rig
	mint   *mint.Mint
	wallet string // where invoices of the mint are paid
}

func newCashier(t *testing.T, fee int) *cashier {
	t.Helper()
	clients.New(t) // or it is skipped
	net := devnet.Shared(t)
	c := &cashier{mint: mint.Start(t, net.Bob.Info, fee)}
	c.rig = newRig(t, "SANDGLASS_CASHU_MINTS="+c.mint.URL, "SANDGLASS_CASHU_PRIVATE_MINTS=true")
	wallet := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		invoice, err := io.ReadAll(r.Body)
		if err == nil {
			_, err = c.Net.Alice.Pay(r.Context(), string(invoice))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
		}
	}))
	t.Cleanup(wallet.Close)
	c.wallet = wallet.URL
	return c
}

// cash returns so many satoshi of the mint.
func (c *cashier) cash(sat string) json.RawMessage {
	c.t.Helper()
	var got struct{ Proofs json.RawMessage }
	c.run("cashu.mjs", &got, "mint", c.mint.URL, sat, c.wallet)
	return got.Proofs
}

// sold is how a purchase went.
type sold struct {
	Status, Demanded int
	Amount, Fee      int64
	Unit, Token      string
	Mints            []string
	Keep             json.RawMessage
	Spent, Unspent   bool
	Body             struct {
		wire.Order
		Code, Detail string
	}
}

// buys buys by the wallet of cashu-ts.
func (c *cashier) buys(cash json.RawMessage, body, way string) (s sold) {
	c.t.Helper()
	c.run("cashu.mjs", &s, "buy", string(cash), "https://host.example/v1/buy", body, way)
	return s
}

// again sends a token once more.
func (c *cashier) again(s *sold, body string) (r sold) {
	c.t.Helper()
	c.run("cashu.mjs", &r, "send", s.Token, "https://host.example/v1/buy", body)
	return r
}

// TestCashu: cashu-ts buys two hours by a token of a real mint, which takes fees, in the header and in the body, and
// more of it; also after the daemon died, and after the mint had a new keyset.
func TestCashu(t *testing.T) {
	c := newCashier(t, 100)
	cash := c.cash("60000")
	for _, way := range []string{"header", "body"} {
		s := c.buys(cash, twoHours, way)
		o := s.Body.Order
		if s.Demanded != 402 || s.Status != 200 || !s.Spent || s.Unit != "sat" || s.Mints[0] != c.mint.URL ||
			o.HolderKey == "" {
			t.Fatalf("%s: %+v\n%s", way, s, c.Log())
		}
		lost := s.Amount - int64(o.Resource.Credited)/1000
		if o.Resource.Credited < 7_200_000 || s.Fee < 1 || lost > 7_200/50+s.Fee {
			t.Errorf("%s: of %d sat, of which the fee is %d, %s came", way, s.Amount, s.Fee, o.Resource.Credited)
		}
		t.Logf("%s: a token of %d characters and %d sat, fee %d, bought %d s",
			way, len(s.Token), s.Amount, s.Fee, o.Resource.Credited/1000)
		r := c.again(&s, twoHours)
		if r.Status != 200 || r.Body.HolderKey != o.HolderKey || r.Body.Resource.Credited != o.Resource.Credited {
			t.Errorf("%s: again: %+v", way, r)
		}
		cash = s.Keep
		more := `{"resource":"` + o.Resource.ID + `","time_ms":3600000}`
		s = c.buys(cash, more, way)
		if s.Status != 200 || s.Body.Resource.Credited < o.Resource.Credited+3_600_000 || s.Body.HolderKey != "" {
			t.Fatalf("%s: more: %+v", way, s)
		}
		cash = s.Keep
		c.Kill()
		c.Start()
		c.WaitReady(t.Context())
		if r := c.again(&s, more); r.Status != 200 || r.Body.Resource.Credited != s.Body.Resource.Credited {
			t.Errorf("%s: more, again after a restart: %+v", way, r)
		}
		c.mint.Rotate(500)
	}
	if out, err := c.Command(t.Context(), "audit", "replay"); err != nil {
		t.Errorf("audit replay: %v\n%s", err, out)
	}
	if strings.Contains(c.Log(), "cashuB") || strings.Contains(c.Log(), "secret") {
		t.Errorf("a token is in the log:\n%s", c.Log())
	}
}

// TestCashuRefused: what does not pay is the payer's still.
func TestCashuRefused(t *testing.T) {
	c := newCashier(t, 100)
	cash := c.cash("20000")
	s := c.buys(cash, twoHours, "header")
	if s.Status != 200 {
		t.Fatalf("%+v", s)
	}
	for name, body := range map[string]string{
		"for something else": `{"plan":"small","time_ms":3600000}`, "for no plan": `{"plan":"none","time_ms":7200000}`,
	} {
		if r := c.again(&s, body); r.Status < 400 || r.Status > 409 || r.Body.Code == "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
	c.mint.Stop()
	if r := c.again(&s, twoHours); r.Status != 200 {
		t.Errorf("what is bought is not told without the mint: %+v", r)
	}
}
