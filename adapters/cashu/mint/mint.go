// Package mint is a client of one mint of Cashu, by HTTP alone: what its keysets cost, and paying invoices by
// tokens, which is called melting (NUT-02, NUT-05).
//
// A mint is trusted with nothing but the money that it owes: its answers are bounded, checked and never
// followed elsewhere.
package mint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"sandglass/adapters/cashu/token"
)

const (
	maxAnswer = 1 << 20 // bytes
	maxWhy    = 200     // characters of what a mint says is wrong
	maxQuote  = 200     // characters of a quote's id
	callTime  = 10 * time.Second
	// MeltTime is how long a mint may take to pay: as long as a payment can be on its way.
	MeltTime = 3 * time.Minute
)

// ErrUnavailable says that a mint did not answer, or with something else: what it did is not known.
var ErrUnavailable = errors.New("mint: it does not answer")

// Refusal is what a mint refuses, and why: in its own words, which are cut off.
type Refusal struct {
	Code int // by NUT-00's list, 0 if it names none
	Why  string
}

// Error implements error.
func (r *Refusal) Error() string { return fmt.Sprintf("the mint refuses (code %d): %s", r.Code, r.Why) }

// Codes of refusals.
const (
	CodeSpent         = 11001
	CodePaymentFailed = 20004
)

// Client is a client of one mint.
type Client struct {
	url  string
	http *http.Client
}

// New returns a client of the mint at a URL that [CheckURL] takes. It dials no other than public addresses
// unless private ones may be.
func New(url string, private bool) *Client {
	d := &net.Dialer{Timeout: callTime}
	if !private {
		d.Control = onlyPublic
	}
	return &Client{url, &http.Client{
		Transport: &http.Transport{
			DialContext: d.DialContext, TLSHandshakeTimeout: callTime, MaxConnsPerHost: 32, MaxIdleConnsPerHost: 2,
			IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close closes connections that are not in use.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Keyset is a set of keys of a mint.
type Keyset struct {
	ID     string `json:"id"`
	Unit   string `json:"unit"`
	Active bool   `json:"active"`
	Fee    int64  `json:"input_fee_ppk"` // of each proof that is paid with, in thousandths of the unit
}

// maxFee bounds what a proof can cost, in thousandths of a satoshi: no sum of them overflows.
const maxFee = 1_000_000_000

// Keysets returns all of them, also those that are not active any more.
func (c *Client) Keysets(ctx context.Context) ([]Keyset, error) {
	var all struct{ Keysets []Keyset }
	if err := c.call(ctx, callTime, http.MethodGet, "/v1/keysets", nil, &all); err != nil {
		return nil, err
	}
	for _, k := range all.Keysets {
		if k.Fee < 0 || k.Fee > maxFee || k.ID == "" {
			return nil, fmt.Errorf("%w: a keyset that can't be", ErrUnavailable)
		}
	}
	return all.Keysets, nil
}

// State is whether a mint has paid.
type State string

// The states.
const (
	Unpaid  State = "UNPAID"
	Pending State = "PENDING"
	Paid    State = "PAID"
)

// Quote is a mint's offer to pay an invoice.
type Quote struct {
	ID      string `json:"quote"`
	Amount  int64  `json:"amount"`      // in satoshi
	Reserve int64  `json:"fee_reserve"` // in satoshi, which has to be sent besides
	State   State  `json:"state"`
	Expiry  int64  `json:"expiry"` // Unix seconds, 0 if it says none
}

// Quote asks what paying an invoice of so many satoshi costs.
func (c *Client) Quote(ctx context.Context, invoice string, sat int64) (q Quote, err error) {
	body := struct {
		Request string `json:"request"`
		Unit    string `json:"unit"`
	}{invoice, "sat"}
	if err = c.call(ctx, callTime, http.MethodPost, "/v1/melt/quote/bolt11", body, &q); err != nil {
		return q, err
	}
	return q, q.check(q.ID, sat)
}

// Ask asks how a quote of so many satoshi stands.
func (c *Client) Ask(ctx context.Context, id string, sat int64) (q Quote, err error) {
	if err = c.call(ctx, callTime, http.MethodGet, "/v1/melt/quote/bolt11/"+url.PathEscape(id), nil, &q); err != nil {
		return q, err
	}
	return q, q.check(id, sat)
}

// check returns why a quote is not what was asked for.
func (q *Quote) check(id string, sat int64) error {
	printable := strings.IndexFunc(q.ID, func(r rune) bool { return r < '!' || r > '~' }) < 0
	known := q.State == Unpaid || q.State == Pending || q.State == Paid
	switch {
	case q.ID == "" || len(q.ID) > maxQuote || !printable || q.ID != id:
		return fmt.Errorf("%w: another quote than was asked for", ErrUnavailable)
	case q.Amount != sat || q.Reserve < 0 || q.Reserve > token.MaxSat:
		return fmt.Errorf("%w: a quote of %d and %d sat for an invoice of %d", ErrUnavailable, q.Amount, q.Reserve, sat)
	case !known:
		return fmt.Errorf("%w: a quote of the state %.20q", ErrUnavailable, q.State)
	}
	return nil
}

// Melt has a token pay the invoice of a quote, and returns how it stands then. Unless it is paid, or refused
// with nothing done, only [Client.Ask] tells what became of it.
func (c *Client) Melt(ctx context.Context, quote string, proofs []token.Proof) (State, error) {
	body := struct {
		Quote  string        `json:"quote"`
		Inputs []token.Proof `json:"inputs"`
	}{quote, proofs}
	var a struct{ State State }
	if err := c.call(ctx, MeltTime, http.MethodPost, "/v1/melt/bolt11", body, &a); err != nil {
		return "", err
	}
	if a.State != Unpaid && a.State != Pending && a.State != Paid {
		return "", fmt.Errorf("%w: the state %.20q", ErrUnavailable, a.State)
	}
	return a.State, nil
}

// call makes a call. What is no answer of a mint is [ErrUnavailable], and what it refuses a [*Refusal].
func (c *Client) call(ctx context.Context, within time.Duration, method, path string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	b := []byte(nil)
	if body != nil {
		b, _ = json.Marshal(body) // plain values
	}
	r, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(r)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer res.Body.Close()
	b, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case len(b) > maxAnswer:
		return fmt.Errorf("%w: %s %s: its answer is longer than %d bytes", ErrUnavailable, method, path, maxAnswer)
	case res.StatusCode == http.StatusOK:
		if err := json.Unmarshal(b, answer); err != nil {
			return fmt.Errorf("%w: %s %s: its answer is no JSON of that call", ErrUnavailable, method, path)
		}
		return nil
	case res.StatusCode >= 400 && res.StatusCode < 500:
		return refusalOf(res.StatusCode, b)
	}
	return fmt.Errorf("%w: %s %s: status %d", ErrUnavailable, method, path, res.StatusCode)
}

// refusalOf returns the refusal that an answer is.
func refusalOf(status int, b []byte) error {
	var said struct {
		Detail any
		Code   int
	}
	if err := json.Unmarshal(b, &said); err != nil || said.Detail == nil {
		return fmt.Errorf("%w: status %d", ErrUnavailable, status)
	}
	why, ok := said.Detail.(string)
	if !ok {
		why = "status " + strconv.Itoa(status)
	}
	why = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(why, "?"))
	if cut := []rune(why); len(cut) > maxWhy {
		why = string(cut[:maxWhy])
	}
	return &Refusal{said.Code, why}
}
