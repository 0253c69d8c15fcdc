package l402

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sandglass/adapters/httpapi/wire"
	"sandglass/adapters/l402/token"
	"sandglass/domain/billing/keys"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
)

// challenge is what is asked for before something is given.
type challenge struct {
	token   []byte
	hash    string // payment_hash
	payment wire.Payment
}

// challenge makes a challenge for a request: an order at the API, or an invoice of a resource. Whoever holds the
// resource by a credential gets a token that is good for the same, and no more.
func (s *Server) challenge(
	w http.ResponseWriter, r *http.Request, req *wire.BuyRequest, c *token.Credential,
) (*challenge, error) {
	t := token.Token{ID: newID(), Resource: resource.ID(req.Resource), Request: hashOfRequest(req)}
	made, err := &challenge{}, error(nil)
	if req.Plan != "" {
		o, orderErr := s.client(w, r, "").Order(r.Context(), wire.OrderRequest{
			Plan: req.Plan, Time: req.Time, Amount: req.Amount, Host: req.Host, Params: req.Params,
		}, s.mint.Seed(t.ID))
		if orderErr != nil {
			return nil, orderErr
		}
		t.Resource, made.payment = resource.ID(o.Resource.ID), *o.Payment // it is new, and nobody has paid
	} else {
		key := bearer(r)
		state, _ := s.Billing.Resource(t.Resource)
		switch holds := s.holder(c); {
		case c != nil && c.Resource != t.Resource:
		case holds != "":
			key, t.ID, t.Added = holds, c.ID, c.Added
		case c != nil && s.holds(c):
			t.Request, t.Added = held+t.Request, c.Added
		case keys.Holds(state, key):
			t.Request = held + t.Request
		}
		made.payment, err = s.client(w, r, key).Fund(r.Context(), req.Resource, wire.FundRequest{
			Time: req.Time, Amount: req.Amount, Own: !keys.Holds(state, key),
		})
	}
	if err == nil {
		t.Hash, err = hashOf(payment.Key(made.payment.Key))
	}
	made.hash, _ = payment.Key(made.payment.Key).Hash()
	made.token = s.mint.Make(&t)
	return made, err
}

// bearer returns the bearer token of a request, if it has one.
func bearer(r *http.Request) string {
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(key)
}

// dialects returns a challenge in all that is spoken here. L402 comes first, since some clients read the first
// header alone; its old names come before the new ones, since some know the old ones in that order alone.
func (s *Server) dialects(c *challenge) []string {
	text, invoice := token.Text(c.token), c.payment.Request
	return []string{
		fmt.Sprintf(`L402 macaroon="%s", invoice="%s", version="0", token="%s"`, text, invoice, text),
		fmt.Sprintf(`Payment id="%s", realm="%s", method="lightning", intent="charge", request="%s", expires="%s"`,
			base64.RawURLEncoding.EncodeToString(c.token), s.realm, charge(c), c.payment.ExpiresAt),
	}
}

// demand returns what is said of a challenge in the body of an answer.
func demand(status int, c *challenge) *wire.PaymentRequired {
	text := token.Text(c.token)
	return &wire.PaymentRequired{Payment: c.payment, Token: text, Problem: problem(status, "payment_required",
		"%d msat are to be paid: pay the invoice, then send the same request again with Authorization: L402 %s:PREIMAGE, "+
			"where the preimage is what paying it gave", c.payment.Asked, text).Problem}
}

// send answers with a demand.
func send(w http.ResponseWriter, p *wire.PaymentRequired) {
	p.RequestID = w.Header().Get("X-Request-Id")
	write(w, p.Status, "application/problem+json", p)
}

// charge returns what the Payment scheme says of an invoice, as canonical JSON: names in order.
func charge(c *challenge) string {
	type details struct {
		Invoice string `json:"invoice"`
		Network string `json:"network"`
		Hash    string `json:"paymentHash"`
	}
	b, _ := json.Marshal(struct { // plain values
		Amount   string  `json:"amount"`
		Currency string  `json:"currency"`
		Details  details `json:"methodDetails"`
	}{sats(c.payment.Asked), "sat", details{c.payment.Request, network(c.payment.Request), c.hash}})
	return base64.RawURLEncoding.EncodeToString(b)
}

// sats returns an amount in whole satoshi, which is at least that.
func sats(m money.Msat) string { return strconv.FormatInt((int64(m)+999)/1000, 10) }

// network returns the network of an invoice by how it begins.
func network(invoice string) string {
	for _, n := range []struct{ prefix, name string }{
		{"lnbcrt", "regtest"}, {"lntbs", "signet"}, {"lntb", "testnet"}, {"lnsb", "simnet"},
	} {
		if strings.HasPrefix(strings.ToLower(invoice), n.prefix) {
			return n.name
		}
	}
	return "mainnet"
}

// write answers with JSON.
func write(w http.ResponseWriter, status int, kind string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // a client that is gone needs no answer
}

// retryAfter sets when to try again, in whole seconds.
func retryAfter(w http.ResponseWriter, d time.Duration) {
	if d > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10))
	}
}
