package clients_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sandglass/adapters/httpapi/wire"
	"sandglass/testutil/daemon"
)

// agent is a program that buys of a seller, by Alby's client and with bob's wallet.
type agent struct {
	*rig
	front, wallet string // the proxy before the daemon, and where invoices are paid

	mu sync.Mutex
	way
	paid, demanded int // payments, and answers of 402, since

	requests atomic.Uint32
}

// way is what a purchase meets with.
type way struct {
	paymentFirst  bool   // the proxy turns the order of the challenges about
	before, after func() // what happens to the daemon before it pays, and when it has
}

func newAgent(t *testing.T) *agent {
	t.Helper()
	a := &agent{rig: newRig(t, "SANDGLASS_TRUST_PROXY=true")}
	to, err := url.Parse(a.URL)
	a.Must(err)
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Header.Set("X-Forwarded-For", a.address())
		},
		ModifyResponse: a.passes,
	})
	t.Cleanup(front.Close)
	wallet := httptest.NewServer(http.HandlerFunc(a.pays))
	t.Cleanup(wallet.Close)
	a.front, a.wallet = front.URL, wallet.URL
	return a
}

// address returns where the next request comes from: from one address there are not so many at once.
func (a *agent) address() string { return fmt.Sprintf("192.0.2.%d", 1+a.requests.Add(1)%250) }

// meets says what the next purchases meet with, and counts them from 0.
func (a *agent) meets(w way) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.way, a.paid, a.demanded = w, 0, 0
}

// counted returns how often it paid, and was asked to.
func (a *agent) counted() (paid, demanded int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.paid, a.demanded
}

// passes is what the proxy does with an answer.
func (a *agent) passes(r *http.Response) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.StatusCode == http.StatusPaymentRequired {
		a.demanded++
	}
	if a.paymentFirst {
		slices.Reverse(r.Header["Www-Authenticate"])
	}
	return nil
}

// pays has bob pay an invoice.
func (a *agent) pays(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := daemon.Step(context.WithoutCancel(r.Context()))
	defer cancel()
	a.mu.Lock()
	met := a.way
	a.mu.Unlock()
	if met.before != nil {
		met.before()
	}
	preimage, err := a.preimage(ctx, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	if met.after != nil {
		met.after()
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"preimage": preimage}) // else the client says that it got none
}

func (a *agent) preimage(ctx context.Context, invoice io.Reader) (string, error) {
	bolt11, err := io.ReadAll(invoice)
	if err != nil {
		return "", err
	}
	p, err := a.Net.Bob.Pay(ctx, string(bolt11))
	if err != nil {
		return "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.paid++
	return p.PaymentPreimage, nil
}

// fetched is what the client made of a request.
type fetched struct {
	Status      int
	Interrupted bool // after it had paid
	Paid        bool
	Sat         int64
	Credentials json.RawMessage
	Challenge   string
	RetryAfter  string `json:"retry_after"`
	Body        string
}

// fetch sends a request by the client, with the credentials of an earlier one if there are some.
func (a *agent) fetch(method, path, body string, credentials ...json.RawMessage) (f fetched) {
	a.t.Helper()
	args := []string{method, "https://host.example" + path, body, a.wallet}
	for _, c := range credentials {
		args = append(args, string(c))
	}
	if err := a.Clients.Run(a.t.Context(), a.front, "fetch402.mjs", &f, args...); err != nil {
		a.t.Fatalf("%v\n%s", err, a.Log())
	}
	return f
}

// bought reads what was bought.
func (a *agent) bought(f fetched) (o wire.Order) {
	a.t.Helper()
	if err := json.Unmarshal([]byte(f.Body), &o); f.Status != http.StatusOK || err != nil || o.HolderKey == "" {
		a.t.Fatalf("%+v, %v\n%s", f, err, a.Log())
	}
	return o
}

// authorization returns the header of credentials.
func (a *agent) authorization(credentials json.RawMessage) string {
	a.t.Helper()
	var c struct{ Header, Value string }
	if err := json.Unmarshal(credentials, &c); err != nil || c.Header != "Authorization" {
		a.t.Fatalf("the credentials are %s", credentials)
	}
	return c.Value
}

// send sends a request without the client, and reads the answer.
func (a *agent) send(method, path, body, authorization string, answer any) (*http.Response, error) {
	ctx, cancel := daemon.Step(a.t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, a.URL+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header = http.Header{
		"Authorization": {authorization}, "Content-Type": {"application/json"}, "X-Forwarded-For": {a.address()},
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil {
		err = json.Unmarshal(b, answer)
	}
	if err != nil {
		err = fmt.Errorf("%s %s: %d %w %s", method, path, res.StatusCode, err, b)
	}
	return res, err
}

// status sends a request without the client, and returns the status of the answer.
func (a *agent) status(method, path, body, authorization string) int {
	a.t.Helper()
	var answer json.RawMessage
	res, err := a.send(method, path, body, authorization, &answer)
	a.Must(err)
	return res.StatusCode
}

// restart kills the daemon, and starts another on what it left.
func (a *agent) restart() {
	a.Kill()
	a.Start()
	a.WaitReady(a.t.Context())
}
