// Package fakemint is a mint of the tests: it speaks what a client by HTTP asks of one, knows the tokens that it
// made, and can hang, lie and fail. Its signatures are none: a real mint is in testutil/mint.
package fakemint

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// The keysets: of today, and of before.
const (
	Active   = "00aaaaaaaaaaaaaa"
	Inactive = "00bbbbbbbbbbbbbb"
	V2       = "01cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
	Dollars  = "00dddddddddddddd"
)

// Mint is a mint.
type Mint struct {
	URL string
	// Pay pays an invoice, and says in which state its quote is then. It may be changed between requests.
	Pay func(invoice string) (state string, err *Error)
	// Answer, if not nil, answers in the mint's place, and reports whether it did.
	Answer func(w http.ResponseWriter, r *http.Request) bool
	// Sat returns the amount of an invoice.
	Sat func(invoice string) int64
	// Reserve returns what the mint wants for the way of an amount.
	Reserve func(sat int64) int64
	// Fees are the input fees of the keysets, in thousandths.
	Fees map[string]int64

	mu     sync.Mutex
	http   *httptest.Server
	made   map[string]int64 // by secret
	spent  map[string]bool
	quotes map[string]*quote
	asked  map[string]int // calls, by method and path
}

// Error is a refusal.
type Error struct {
	Code   int    `json:"code"`
	Detail string `json:"detail"`
}

type quote struct {
	ID      string `json:"quote"`
	Amount  int64  `json:"amount"`
	Reserve int64  `json:"fee_reserve"`
	State   string `json:"state"`
	Expiry  int64  `json:"expiry"`
	invoice string
	inputs  []Proof
}

// New starts a mint that ends with the test.
func New(t testing.TB) *Mint {
	t.Helper()
	m := &Mint{
		Reserve: func(sat int64) int64 { return (sat + 99) / 100 },
		Fees:    map[string]int64{Active: 100, Inactive: 1000, V2: 100, Dollars: 0},
		made:    map[string]int64{}, spent: map[string]bool{}, quotes: map[string]*quote{}, asked: map[string]int{},
	}
	m.http = httptest.NewServer(m)
	m.URL = m.http.URL
	t.Cleanup(m.Close)
	return m
}

// Close ends the mint.
func (m *Mint) Close() { m.http.Close() }

// Set changes how the mint behaves.
func (m *Mint) Set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

// Calls returns how often a call was made, such as "POST /v1/melt/bolt11".
func (m *Mint) Calls(call string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked[call]
}

// Proof is a part of a token.
type Proof struct {
	Amount  int64  `json:"amount"`
	ID      string `json:"id"`
	Secret  string `json:"secret"`
	C       string `json:"C"`
	Witness string `json:"witness,omitempty"`
}

// Proofs makes proofs of so many satoshi, in as few as there can be.
func (m *Mint) Proofs(keyset string, sat int64) (all []Proof) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for bit := int64(1); bit <= sat; bit *= 2 {
		if sat&bit == 0 {
			continue
		}
		p := Proof{Amount: bit, ID: keyset, Secret: fmt.Sprintf("secret-%d-%d", len(m.made), bit), C: "02" + strings.Repeat("ab", 32)}
		m.made[p.Secret] = bit
		all = append(all, p)
	}
	return all
}

// Token returns proofs as a token, in its older form.
func (m *Mint) Token(proofs ...Proof) string { return TokenOf(m.URL, "sat", proofs...) }

// TokenOf returns a token of any mint and unit.
func TokenOf(url, unit string, proofs ...Proof) string {
	type one struct {
		Mint   string  `json:"mint"`
		Proofs []Proof `json:"proofs"`
	}
	b, _ := json.Marshal(struct {
		Token []one  `json:"token"`
		Unit  string `json:"unit"`
	}{[]one{{url, proofs}}, unit})
	return "cashuA" + base64.URLEncoding.EncodeToString(b)
}

// IsSpent reports whether a proof was taken.
func (m *Mint) IsSpent(p Proof) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.spent[p.Secret]
}

// ServeHTTP implements [http.Handler].
func (m *Mint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	m.asked[r.Method+" "+r.URL.Path]++
	answer := m.Answer
	m.mu.Unlock()
	if answer == nil || !answer(w, r) {
		m.Serve(w, r)
	}
}

// Serve answers as a good mint does.
func (m *Mint) Serve(w http.ResponseWriter, r *http.Request) {
	switch id, ok := strings.CutPrefix(r.URL.Path, "/v1/melt/quote/bolt11/"); {
	case r.URL.Path == "/v1/keysets":
		m.keysets(w)
	case r.URL.Path == "/v1/melt/quote/bolt11":
		m.quote(w, r)
	case ok:
		m.state(w, id)
	case r.URL.Path == "/v1/melt/bolt11":
		m.melt(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (m *Mint) keysets(w http.ResponseWriter) {
	type keyset struct {
		ID     string `json:"id"`
		Unit   string `json:"unit"`
		Active bool   `json:"active"`
		Fee    int64  `json:"input_fee_ppk"`
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []keyset
	for id, fee := range m.Fees {
		unit := "sat"
		if id == Dollars {
			unit = "usd"
		}
		all = append(all, keyset{id, unit, id == Active, fee})
	}
	say(w, 200, map[string]any{"keysets": all})
}

func (m *Mint) quote(w http.ResponseWriter, r *http.Request) {
	var in struct{ Request, Unit string }
	_ = json.NewDecoder(r.Body).Decode(&in)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, q := range m.quotes {
		if q.invoice == in.Request {
			say(w, 400, Error{20000, "there is a quote of that invoice"})
			return
		}
	}
	sat := m.Sat(in.Request)
	q := &quote{ID: fmt.Sprintf("quote-%d", len(m.quotes)), Amount: sat, Reserve: m.Reserve(sat), State: "UNPAID"}
	q.invoice = in.Request
	m.quotes[q.ID] = q
	say(w, 200, q)
}

func (m *Mint) state(w http.ResponseWriter, id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if q := m.quotes[id]; q != nil {
		say(w, 200, q)
		return
	}
	say(w, 400, Error{20000, "no such quote"})
}

// SetState says in which state a quote is.
func (m *Mint) SetState(id, state string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.quotes[id]
	if q.State = state; state == "UNPAID" {
		m.giveBack(q)
	}
}

// Pending returns the quotes that are pending, and their invoices.
func (m *Mint) Pending() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := map[string]string{}
	for id, q := range m.quotes {
		if q.State == "PENDING" {
			all[id] = q.invoice
		}
	}
	return all
}

func (m *Mint) melt(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Quote  string
		Inputs []Proof
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	q, refused := m.take(in.Quote, in.Inputs)
	if refused != nil {
		say(w, 400, refused)
		return
	}
	m.mu.Lock()
	pay := m.Pay
	m.mu.Unlock()
	state, refused := pay(q.invoice)
	m.mu.Lock()
	defer m.mu.Unlock()
	q.State = state
	q.inputs = in.Inputs
	if state == "UNPAID" {
		m.giveBack(q)
	}
	if refused != nil {
		say(w, 400, refused)
		return
	}
	say(w, 200, map[string]any{"state": state, "payment_preimage": hex.EncodeToString(make([]byte, 32))})
}

func (m *Mint) giveBack(q *quote) {
	for _, p := range q.inputs {
		delete(m.spent, p.Secret)
	}
}

// take takes proofs for a quote, if they are good and enough.
func (m *Mint) take(id string, proofs []Proof) (*quote, *Error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.quotes[id]
	switch {
	case q == nil:
		return nil, &Error{20000, "no such quote"}
	case q.State == "PENDING":
		return nil, &Error{20005, "the quote is pending"}
	case q.State == "PAID":
		return nil, &Error{20006, "the invoice is paid"}
	}
	var sum, ppk int64
	for _, p := range proofs {
		amount, made := m.made[p.Secret]
		switch fee, known := m.Fees[p.ID]; {
		case strings.HasPrefix(p.Secret, `["P2PK"`) && p.Witness == "":
			return nil, &Error{0, "Witness is missing for p2pk signature"}
		case m.spent[p.Secret]:
			return nil, &Error{11001, "Token already spent."}
		case !made || amount != p.Amount || !known:
			return nil, &Error{10003, "proof " + p.Secret + " could not be verified"}
		default:
			sum, ppk = sum+amount, ppk+fee
		}
	}
	if sum < q.Amount+q.Reserve+(ppk+999)/1000 {
		return nil, &Error{11002, "not enough proofs"}
	}
	for _, p := range proofs {
		m.spent[p.Secret] = true
	}
	q.State = "PENDING"
	return q, nil
}

func say(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
