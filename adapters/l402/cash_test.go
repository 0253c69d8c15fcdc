package l402_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/payment"
	"sandglass/domain/stream"
	"sandglass/testutil/fakemint"
)

// till is a shop that takes the tokens of a mint, which pays its invoices.
type till struct {
	*shop
	mint *fakemint.Mint
}

func openTill(t *testing.T, change func(*shop)) *till {
	t.Helper()
	m := &till{mint: fakemint.New(t)}
	m.shop = open(t, func(s *shop) {
		m.shop, s.mints, s.melting = s, []string{m.mint.URL}, time.Minute
		if change != nil {
			change(s)
		}
	})
	m.mint.Sat = func(invoice string) int64 {
		r, ok := m.asked.Find(keyOfInvoice(invoice))
		if !ok {
			return -1
		}
		return int64(r.Amount) / 1000
	}
	m.mint.Pay = m.pay
	t.Cleanup(func() { m.mint.Close() })
	return m
}

func keyOfInvoice(invoice string) payment.Key {
	return payment.LightningKey(strings.TrimPrefix(invoice, "lnbcrt"))
}

// pay pays an invoice, as a mint does.
func (m *till) pay(invoice string) (string, *fakemint.Error) {
	if err := m.credit(invoice); err != nil {
		m.t.Error(err)
		return "UNPAID", nil
	}
	return "PAID", nil
}

// credit books what was paid for an invoice.
func (m *till) credit(invoice string) error {
	key := keyOfInvoice(invoice)
	c := payment.Settle{At: m.clock.Now(), Via: payment.ViaBOLT11}
	r, ok := m.asked.Find(key)
	if !ok {
		return fmt.Errorf("no invoice %s", key)
	}
	c.Amount, c.Request = r.Amount, &r.Request
	out, err := m.billing.Booker.Book(m.t.Context(), stream.Meta{}, key, c)
	if err == nil {
		err = m.views.WaitFor(m.t.Context(), out.Position)
	}
	m.asked.Done(m.t.Context(), string(key), 0)
	return errors.Join(err, m.wallet.Cancel(m.t.Context(), key))
}

// buys sends a request with a token.
func (m *till) buys(body, token string) reply {
	m.t.Helper()
	return m.send("POST", "/v1/buy", body, "X-Cashu: "+token)
}

// gets fails the test unless an answer is a resource with so much time, or some seconds less, and returns it.
func (m *till) gets(r reply, time instant.Millis) wire.Order {
	m.t.Helper()
	left := r.bought.Resource.Remaining
	if r.status != http.StatusOK || left > time || left < time-5*second || r.bought.Payment == nil ||
		r.bought.Payment.Status != "credited" {
		m.t.Fatalf("%d, %d s: %.300s", r.status, left/second, r.body)
	}
	return r.bought
}

// refuses fails the test unless an answer is a refusal of a code, which says something.
func (m *till) refuses(r reply, status int, code, says string) {
	m.t.Helper()
	if r.status != status || r.demand.Code != code || !strings.Contains(r.demand.Detail, says) {
		m.t.Errorf("want %d %s and %q: %d %s", status, code, says, r.status, r.body)
	}
}

const second = instant.Second // costs a satoshi

// TestAProgramBuysByCash: a token in the request buys, all that it is worth, and again the same.
func TestAProgramBuysByCash(t *testing.T) {
	m := openTill(t, nil)
	d := m.send("POST", "/v1/buy", buys, "Origin: https://agent.example")
	c := d.demand.Cashu
	if d.status != 402 || c == nil || c.Request != d.header.Get("X-Cashu") || !strings.HasPrefix(c.Request, "creqA") ||
		!slices.Equal(c.Mints, []string{m.mint.URL}) || c.Amount < 7_200+72+2 || c.Amount > 7_200+144+3 ||
		!strings.Contains(d.demand.Detail, fmt.Sprintf("%d sat", c.Amount)) ||
		!strings.Contains(d.header.Get("Access-Control-Expose-Headers"), "X-Cashu") {
		t.Fatalf("%d %v %s", d.status, d.header, d.body)
	}
	proofs := m.mint.Proofs(fakemint.Active, 7_500) // 8 of them: the fee is 1
	token := m.mint.Token(proofs...)
	got := m.gets(m.buys(buys, token), 7_425*second) // 74 or 75 for the way
	if got.HolderKey == "" || got.Resource.Status != "running" || !m.mint.IsSpent(proofs[0]) {
		t.Errorf("%+v", got)
	}
	slices.Reverse(proofs) // another text, and the same token
	for _, again := range []reply{
		m.buys(buys, token), m.buys(buys, m.mint.Token(proofs...)),
		m.send("POST", "/v1/buy", fmt.Sprintf(`{"plan":"small","time_ms":7200000,"cashu":%q}`, token)),
	} {
		if o := m.gets(again, 7_425*second); o.HolderKey != got.HolderKey || o.Payment.Key != got.Payment.Key {
			t.Errorf("again: %+v", o)
		}
	}
	m.restart()
	if o := m.gets(m.buys(buys, token), 7_425*second); o.HolderKey != got.HolderKey || o.Resource.ID != got.Resource.ID {
		t.Errorf("after a restart: %+v", o)
	}
	m.refuses(m.buys(`{"plan":"other","time_ms":7200000}`, token), 409, "other_purchase", "first sent with")
	if n := m.mint.Calls("POST /v1/melt/bolt11"); n != 1 {
		t.Errorf("it was melted %d times", n)
	}
}

// TestATokenTopsUp, by whoever has one.
func TestATokenTopsUp(t *testing.T) {
	m := openTill(t, nil)
	got := m.gets(m.buys(buys, m.mint.Token(m.mint.Proofs(fakemint.Active, 7_500)...)), 7_425*second)
	id := got.Resource.ID
	token := m.mint.Token(m.mint.Proofs(fakemint.Inactive, 4_000)...) // 6 of 1 sat each
	o := m.gets(m.buys(asks(id), token), (7_425+3_955)*second)
	if o.HolderKey != "" {
		t.Error("a stranger has the holder key")
	}
	m.restart()
	if again := m.gets(m.buys(asks(id), token), (7_425+3_955)*second); again.Payment.Key != o.Payment.Key {
		t.Errorf("again: %+v", again)
	}
	byHolder := m.mint.Token(m.mint.Proofs(fakemint.Active, 3_700)...)
	r := m.send("POST", "/v1/buy", asks(id), "X-Cashu: "+byHolder, "Authorization: Bearer "+got.HolderKey)
	if r.status != 200 || r.bought.Resource.Credited <= o.Resource.Credited {
		t.Errorf("by its holder: %d %s", r.status, r.body)
	}
	if n := m.mint.Calls("POST /v1/melt/bolt11"); n != 3 {
		t.Errorf("%d were melted", n)
	}
}

// TestAPartOfASatoshi is asked for by Lightning alone: a token pays the next whole one.
func TestAPartOfASatoshi(t *testing.T) {
	m := openTill(t, nil)
	const part = 7_200*second + 500
	for _, body := range []string{`{"plan":"small","time_ms":7200500}`, `{"plan":"small","amount_msat":7200500}`} {
		sat := m.send("POST", "/v1/buy", body).demand.Cashu.Amount
		token := m.mint.Token(m.mint.Proofs(fakemint.Active, sat)...)
		r := m.buys(body, token)
		if got := m.gets(r, r.bought.Resource.Remaining); got.Resource.Remaining < part || got.Resource.Remaining%second != 0 {
			t.Errorf("%s: %+v", body, got)
		}
		again := m.gets(m.buys(body, token), r.bought.Resource.Remaining)
		more := fmt.Sprintf(`{"resource":%q,"time_ms":7200500}`, again.Resource.ID)
		top := m.buys(more, m.mint.Token(m.mint.Proofs(fakemint.Active, sat)...))
		if got := m.gets(top, top.bought.Resource.Remaining); got.Resource.Remaining < 2*part {
			t.Errorf("more of it: %+v", got)
		}
	}
}

// TestTheSameTokenAtOnce is one payment.
func TestTheSameTokenAtOnce(t *testing.T) {
	m := openTill(t, nil)
	token := m.mint.Token(m.mint.Proofs(fakemint.Active, 7_500)...)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			r, err := m.try("POST", "/v1/buy", buys, "X-Cashu: "+token)
			if err != nil || r.status != 200 || r.bought.HolderKey == "" {
				t.Errorf("%d %.300s %v", r.status, r.body, err)
			}
		})
	}
	wg.Wait()
	if n := m.mint.Calls("POST /v1/melt/bolt11"); n != 1 {
		t.Errorf("it was melted %d times", n)
	}
}

// TestATokenThatDoesNotDo is the payer's still, and he is told what would.
func TestATokenThatDoesNotDo(t *testing.T) {
	m := openTill(t, nil)
	enough := m.mint.Proofs(fakemint.Active, 7_500)
	locked := enough[0]
	locked.Secret = `["P2PK",{"nonce":"1","data":"02","tags":[]}]`
	elsewhere := strings.Replace(m.mint.URL, "http://", "http://me@", 1)
	forged := slices.Clone(enough)
	forged[0].Secret = "forged"
	for _, tc := range []struct{ name, token, code, says string }{
		{"too little", m.mint.Token(m.mint.Proofs(fakemint.Active, 7_200)...), "too_little", "7200 are asked, so send one of at least"},
		{"another mint", fakemint.TokenOf("https://mint.example.org", "sat", enough...), "wrong_mint", m.mint.URL},
		{"with a user", fakemint.TokenOf(elsewhere, "sat", enough...), "wrong_mint", m.mint.URL},
		{"with a port", fakemint.TokenOf("http://127.0.0.1:22", "sat", enough...), "wrong_mint", m.mint.URL},
		{"a point", fakemint.TokenOf(m.mint.URL+".", "sat", enough...), "wrong_mint", m.mint.URL},
		{"capitals", fakemint.TokenOf(strings.ToUpper(m.mint.URL), "sat", enough...), "wrong_mint", m.mint.URL},
		{"another unit", fakemint.TokenOf(m.mint.URL, "usd", enough...), "wrong_unit", "sat"},
		{"a keyset in another unit", m.mint.Token(m.mint.Proofs(fakemint.Dollars, 7_500)...), "wrong_unit", "sat"},
		{"no such keyset", m.mint.Token(m.mint.Proofs("0011223344556677", 7_500)...), "bad_token", "0011223344556677"},
		{"locked", m.mint.Token(append(slices.Clone(enough), locked)...), "mint_refused", "Witness is missing"},
		{"forged", m.mint.Token(forged...), "mint_refused", "what it says would tell of the token"},
		{"no token", "cashuA", "bad_token", "not JSON"},
		{"what was asked for", m.send("POST", "/v1/buy", buys).header.Get("X-Cashu"), "bad_token", "cashuB"},
	} {
		r := m.buys(buys, tc.token)
		m.refuses(r, 400, tc.code, tc.says)
		if tc.name != "what was asked for" && !strings.Contains(r.demand.Detail, "your token was not used") {
			t.Errorf("%s: it does not say that the token was not used: %s", tc.name, r.body)
		}
	}
	r := m.send("POST", "/v1/buy", `{"plan":"none","time_ms":7200000}`, "X-Cashu: "+m.mint.Token(enough...))
	m.refuses(r, 404, "unknown_plan", "your token was not used")
	m.refuses(m.send("POST", "/v1/buy", buys, "X-Cashu: a", "X-Cashu: b"), 400, "bad_token", "more than one")
	m.gets(m.buys(buys, m.mint.Token(enough...)), 7_425*second) // it is not
	more := append(enough[:1:1], m.mint.Proofs(fakemint.Active, 7_500)...)
	m.refuses(m.buys(buys, m.mint.Token(more...)), 400, "spent_token", "spent before")
	m.refuses(m.buys(buys, m.mint.Token(more...)), 400, "spent_token", "spent before")
}

// TestNoMints: without any, nobody is told of cash.
func TestNoMints(t *testing.T) {
	s := open(t, nil)
	d := s.send("POST", "/v1/buy", buys)
	if d.header.Get("X-Cashu") != "" || d.demand.Cashu != nil || strings.Contains(d.body, "Cashu") {
		t.Errorf("%v %s", d.header, d.body)
	}
	if r := s.send("POST", "/v1/buy", buys, "X-Cashu: cashuA"); r.status != 400 || r.demand.Code != "no_cash" {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// TestAMintSendsATokenAgain and is not told what it bought, where the payer added what the mint has not seen.
func TestAMintSendsATokenAgain(t *testing.T) {
	m := openTill(t, nil)
	token := m.mint.Token(m.mint.Proofs(fakemint.Active, 7_500)...)
	sends := func(key string) reply {
		return m.send("POST", "/v1/buy", buys, "X-Cashu: "+token, "Idempotency-Key: "+key)
	}
	m.refuses(sends("short"), 422, "invalid_request", "Idempotency-Key has 5 characters: want 20 to 128")
	m.refuses(sends(strings.Repeat("k", 129)), 422, "invalid_request", "Idempotency-Key has 129 characters")
	const key = "only the payer knows this"
	got := m.gets(sends(key), 7_425*second)
	m.refuses(m.buys(buys, token), 409, "other_purchase", "first sent with")
	m.refuses(sends("the mint can but guess it"), 409, "other_purchase", "first sent with")
	m.restart()
	if again := m.gets(sends(key), 7_425*second); again.HolderKey != got.HolderKey || again.Resource.ID != got.Resource.ID {
		t.Errorf("%+v", again)
	}
	if n := m.mint.Calls("POST " + melts); n != 1 {
		t.Errorf("it was melted %d times", n)
	}
}
