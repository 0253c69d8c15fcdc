package l402_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sandglass/adapters/cashu"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/testutil/fakemint"
)

// openTrouble opens a till that waits neither for a mint for long nor for a credit: for what is not to come.
func openTrouble(t *testing.T) *till {
	t.Helper()
	return openTill(t, func(s *shop) { s.wait, s.melting = 100*time.Millisecond, 2*time.Second })
}

func (m *till) token(sat int64) string {
	return m.mint.Token(m.mint.Proofs(fakemint.Active, sat)...)
}

// answers has a path answered by something else.
func (m *till) answers(path string, with http.HandlerFunc) {
	m.mint.Set(func() {
		m.mint.Answer = func(w http.ResponseWriter, r *http.Request) bool {
			if with == nil || !strings.HasPrefix(r.URL.Path, path) || r.URL.Path == path+"/quote/bolt11" {
				return false
			}
			with(w, r)
			return true
		}
	})
}

const (
	keysets = "/v1/keysets"
	quotes  = "/v1/melt/quote"
	melts   = "/v1/melt/bolt11"
)

// in the end a token buys, once.
func (m *till) once(token string, melted int) {
	m.t.Helper()
	m.answers("", nil)
	m.mint.Set(func() { m.mint.Pay = m.pay })
	r := m.buys(buys, token)
	for tries := 0; tries < 20 && (r.demand.Code == "not_known_yet" || r.demand.Code == "not_credited"); tries++ {
		r = m.buys(buys, token) // as it says: a loaded machine takes longer than a till waits
	}
	o := m.gets(r, r.bought.Resource.Remaining)
	if left := o.Resource.Remaining; left < 2*hour || left > 7_425*second {
		m.t.Errorf("it bought %d s", left/second)
	}
	if again := m.gets(m.buys(buys, token), o.Resource.Remaining); again.HolderKey != o.HolderKey ||
		again.Resource.Credited != o.Resource.Credited {
		m.t.Errorf("again it is %+v", again)
	}
	if n := m.mint.Calls("POST " + melts); n != melted {
		m.t.Errorf("it was melted %d times, want %d", n, melted)
	}
}

// TestAMintThatTalksNonsense before it has the token: nothing is sent to it, and nothing is used.
func TestAMintThatTalksNonsense(t *testing.T) {
	var inside atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside.Add(1) }))
	defer elsewhere.Close()
	says := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); _, _ = io.WriteString(w, text) }
	}
	for name, tc := range map[string]struct {
		path string
		with http.HandlerFunc
	}{
		"HTML for keysets":     {keysets, says(200, "<html>")},
		"10 MB of keysets":     {keysets, says(200, `{"keysets":[`+strings.Repeat(" ", 10<<20)+`]}`)},
		"a fee below 0":        {keysets, says(200, `{"keysets":[{"id":"`+fakemint.Active+`","unit":"sat","input_fee_ppk":-1000}]}`)},
		"a fee beyond all":     {keysets, says(200, `{"keysets":[{"id":"`+fakemint.Active+`","unit":"sat","input_fee_ppk":9e18}]}`)},
		"a 500":                {quotes, says(500, `{"detail":"no"}`)},
		"HTML for a quote":     {quotes, says(400, "<html>")},
		"another amount":       {quotes, says(200, `{"quote":"q","amount":1,"fee_reserve":0,"state":"UNPAID","expiry":0}`)},
		"a reserve below 0":    {quotes, says(200, `{"quote":"q","amount":7200,"fee_reserve":-1,"state":"UNPAID"}`)},
		"no quote":             {quotes, says(200, `{"amount":7200,"fee_reserve":1,"state":"UNPAID"}`)},
		"an amount beyond all": {quotes, says(200, `{"quote":"q","amount":99999999999999999999}`)},
		"elsewhere for a quote": {quotes, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}},
		"it hangs up": {quotes, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
	} {
		m := openTill(t, nil)
		token := m.token(7_500)
		m.answers(tc.path, tc.with)
		r := m.buys(buys, token)
		if tc.path == keysets && m.mint.Calls("GET "+keysets) == 1 { // they were read before
			continue
		}
		m.refuses(r, 503, "mint_unavailable", "your token was not used")
		if n := m.mint.Calls("POST " + melts); n != 0 || inside.Load() != 0 {
			t.Errorf("%s: it was melted %d times, %d calls went inside", name, n, inside.Load())
		}
		m.once(token, 1)
		m.stop()
		m.stop = func() {}
		m.mint.Close()
	}
}

// TestAMintThatDoesNotAnswer once it has the token: it is asked, and never paid by blindly.
func TestAMintThatDoesNotAnswer(t *testing.T) {
	t.Run("its answer is lost", func(t *testing.T) {
		m := openTill(t, nil)
		token := m.token(7_500)
		m.answers(melts, func(w http.ResponseWriter, r *http.Request) {
			m.mint.Serve(httptest.NewRecorder(), r)
			w.WriteHeader(502)
		})
		m.gets(m.buys(buys, token), 7_425*second)
		m.once(token, 1)
	})
	t.Run("nor says whether it paid", func(t *testing.T) {
		m := openTill(t, nil)
		token := m.token(7_500)
		m.answers(melts, func(w http.ResponseWriter, r *http.Request) {
			m.mint.Serve(httptest.NewRecorder(), r)
			m.answers(quotes+"/bolt11/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") })
			w.WriteHeader(502)
		})
		m.refuses(m.buys(buys, token), 503, "not_known_yet", "with the same token again")
		m.once(token, 1)
	})
	t.Run("it never had it", func(t *testing.T) {
		m := openTill(t, nil)
		token := m.token(7_500)
		m.answers(melts, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) })
		m.refuses(m.buys(buys, token), 503, "not_known_yet", "with the same token again")
		m.once(token, 2) // by the same quote
		if n := m.mint.Calls("POST /v1/melt/quote/bolt11"); n > 2 {
			t.Errorf("%d quotes were asked for", n)
		}
	})
	t.Run("it hangs", func(t *testing.T) {
		m := openTrouble(t)
		token, pays, paid := m.token(7_500), make(chan bool), make(chan bool)
		m.mint.Set(func() {
			m.mint.Pay = func(invoice string) (string, *fakemint.Error) {
				<-pays
				defer close(paid)
				return m.pay(invoice)
			}
		})
		for range 2 {
			m.refuses(m.buys(buys, token), 503, "not_known_yet", "with the same token again")
		}
		close(pays)
		<-paid
		m.once(token, 1)
	})
	t.Run("it is gone", func(t *testing.T) {
		m := openTill(t, nil)
		token := m.token(7_500)
		m.mint.Close()
		m.refuses(m.buys(buys, token), 503, "mint_unavailable", "your token was not used")
	})
}

// TestAMintThatIsTakenOffTheList sells nothing more; what it paid stays bought.
func TestAMintThatIsTakenOffTheList(t *testing.T) {
	m := openTill(t, nil)
	paid, sent := m.token(7_500), m.token(7_501)
	got := m.gets(m.buys(buys, paid), 7_425*second)
	m.answers(melts, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) })
	m.refuses(m.buys(buys, sent), 503, "not_known_yet", "with the same token again")
	m.stop()
	m.mints = []string{fakemint.New(t).URL}
	m.start()
	if again := m.gets(m.buys(buys, paid), 7_425*second); again.HolderKey != got.HolderKey {
		t.Errorf("%+v", again)
	}
	m.refuses(m.buys(buys, sent), 400, "wrong_mint", "are taken no more, and nothing has arrived that this one paid")
	m.refuses(m.buys(buys, m.token(7_500)), 400, "wrong_mint", "your token was not used")
}

// TestTwoDaemonsWithAToken at once: both answer with the one payment that it made.
func TestTwoDaemonsWithAToken(t *testing.T) {
	m := openTill(t, nil)
	_, got := m.bought()
	id, token := got.Resource.ID, m.token(4_000)
	other := cashu.New(cashu.Options{
		Mints: m.mints, Private: true, Requests: m.asked, Payment: m.billing.Payment, Now: m.clock.Now,
	})
	var first payment.Key
	m.answers(melts, func(w http.ResponseWriter, r *http.Request) {
		m.answers("", nil)
		var err error
		first, err = other.Pay(r.Context(), token, resource.ID(id), func(ctx context.Context, a money.Msat) (payment.Key, error) {
			p, err := m.billing.PayOwn(ctx, resource.ID(id), 0, max(a, 3_600_000), false)
			return p.Key, err
		})
		if err != nil {
			t.Error(err)
		}
		m.mint.Serve(w, r)
	})
	r := m.buys(asks(id), token)
	if r.status != 200 || r.bought.Payment == nil || r.bought.Payment.Key != string(first) {
		t.Errorf("%s: %d %s", first, r.status, r.body)
	}
}

// TestAMintThatHangs keeps nobody from paying by another one.
func TestAMintThatHangs(t *testing.T) {
	const most = 24
	other, hangs := fakemint.New(t), make(chan bool)
	m := openTill(t, func(s *shop) { s.mints = append(s.mints, other.URL) })
	other.Sat, other.Pay = m.mint.Sat, m.pay
	m.answers(melts, func(http.ResponseWriter, *http.Request) { <-hangs })
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(hangs)
	for range most {
		token := m.token(7_500)
		_ = other.Proofs(fakemint.Active, 7_500) // whose secrets are others then
		wg.Go(func() { _, _ = m.try("POST", "/v1/buy", buys, "X-Cashu: "+token) })
	}
	for m.mint.Calls("POST "+melts) < most {
		time.Sleep(time.Millisecond)
	}
	m.refuses(m.buys(buys, m.token(7_500)), 503, "mint_unavailable", "too many tokens of that mint")
	_ = other.Proofs(fakemint.Active, 7_500)
	m.gets(m.buys(buys, other.Token(other.Proofs(fakemint.Active, 7_500)...)), 7_425*second)
}

// TestTokensOfNoKeyset have their mint asked for its keysets no more often than it can bear.
func TestTokensOfNoKeyset(t *testing.T) {
	m := openTill(t, nil)
	began, before := time.Now(), m.mint.Calls("GET "+keysets)
	var wg sync.WaitGroup
	for i := range 40 {
		token := m.mint.Token(m.mint.Proofs(fmt.Sprintf("00112233445566%02d", i), 7_500)...)
		wg.Go(func() {
			if r, err := m.try("POST", "/v1/buy", buys, "X-Cashu: "+token); err != nil || r.status != 400 {
				t.Errorf("%d %s %v", r.status, r.body, err)
			}
		})
	}
	wg.Wait()
	if n, most := m.mint.Calls("GET "+keysets)-before, int(time.Since(began)/(250*time.Millisecond))+2; n > most {
		t.Errorf("they were read %d times, of %d at most", n, most)
	}
}

// TestAMintThatDoesNotPay, says that it did, or may yet.
func TestAMintThatDoesNotPay(t *testing.T) {
	found := func(state string, err *fakemint.Error) func(string) (string, *fakemint.Error) {
		return func(string) (string, *fakemint.Error) { return state, err }
	}
	for name, pay := range map[string]func(string) (string, *fakemint.Error){
		"200 and UNPAID": found("UNPAID", nil), "its code": found("UNPAID", &fakemint.Error{Code: 20004, Detail: "no route"}),
	} {
		m := openTill(t, nil)
		token := m.token(7_500)
		m.mint.Set(func() { m.mint.Pay = pay })
		m.refuses(m.buys(buys, token), 503, "not_paid", "your token was not used")
		t.Log(name)
		m.once(token, 2)
	}
	t.Run("it lies", func(t *testing.T) {
		m := openTrouble(t)
		token := m.token(7_500)
		m.mint.Set(func() { m.mint.Pay = found("PAID", nil) })
		for range 2 {
			m.refuses(m.buys(buys, token), 503, "not_credited", "don't pay again")
		}
		m.clock.Advance(instant.Hour + request.Settling + instant.Second)
		m.refuses(m.buys(buys, token), 502, "mint_lies", "melt quote quote-")
		if n := m.mint.Calls("POST " + melts); n != 1 {
			t.Errorf("it was melted %d times", n)
		}
	})
	for _, state := range []string{"PAID", "UNPAID"} {
		t.Run("it is pending, and then "+state, func(t *testing.T) {
			m := openTrouble(t)
			token := m.token(7_500)
			m.mint.Set(func() { m.mint.Pay = found("PENDING", nil) })
			m.refuses(m.buys(buys, token), 503, "not_known_yet", "with the same token again")
			melted := 2
			for id, invoice := range m.mint.Pending() {
				if state == "PAID" {
					m.must(m.credit(invoice))
					melted = 1
				}
				m.mint.SetState(id, state)
			}
			m.once(token, melted)
		})
	}
}

var errDisk = errors.New("the disk is full")

// TestDeathsWithAToken: a write fails, lost or kept, or the daemon dies, at each step; the token buys once.
func TestDeathsWithAToken(t *testing.T) {
	for fails := range 6 {
		for _, kept := range []bool{false, true} {
			for _, dies := range []bool{false, true} {
				m := openTill(t, nil)
				token, at := m.token(7_500), 0
				m.kept.Fail = func(context.Context, *request.Record) (bool, error) {
					if at++; at == fails {
						return kept, errDisk
					}
					return true, nil
				}
				r := m.buys(buys, token)
				if r.status != 200 && (fails == 0 || fails > at || r.status != 503 && r.status != 500) {
					t.Fatalf("write %d of %d fails, kept %t: %d %.300s", fails, at, kept, r.status, r.body)
				}
				if dies {
					m.restart()
				}
				m.once(token, 1)
				m.stop()
				m.stop = func() {}
				m.mint.Close()
			}
		}
	}
}

// TestDeathsBesideAMint: the daemon dies while the mint has the token, before it pays and after.
func TestDeathsBesideAMint(t *testing.T) {
	for name, tc := range map[string]struct {
		paid   bool
		melted int
	}{"before it paid": {false, 2}, "after it paid": {true, 1}} {
		m := openTrouble(t)
		token, invoice := m.token(7_500), ""
		if tc.paid { // and the wallet has not told of it
			m.mint.Set(func() {
				m.mint.Pay = func(i string) (string, *fakemint.Error) { invoice = i; return "PAID", nil }
			})
			m.refuses(m.buys(buys, token), 503, "not_credited", "send the same request")
		} else {
			m.answers(melts, func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // or it is not told that the other side is gone
				<-r.Context().Done()
			})
			m.refuses(m.buys(buys, token), 503, "not_known_yet", "with the same token again")
		}
		m.restart()
		if tc.paid {
			m.refuses(m.buys(buys, token), 503, "not_credited", "send the same request")
			m.must(m.credit(invoice))
		}
		t.Log(name)
		m.once(token, tc.melted)
	}
}
