// Package client calls the HTTP API of a Sandglass daemon.
//
// Each method is one call. What the daemon refuses is a [*Problem]; any other error is
// of the network. Nothing is tried again here but the streams of a client that is [Client.Resuming]:
// the calls can be repeated, orders under the same idempotency key, and whether to is for the
// caller to say.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/enforce/access"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/receipt"
)

const (
	maxAnswer = 64 << 20        // bytes of one JSON answer
	timeout   = 2 * time.Minute // of one call that is not a stream
)

// Client calls one daemon. It may be used by many goroutines.
type Client struct {
	base   string
	token  string
	http   *http.Client
	broken func(lost error, wait time.Duration) // nil: streams are not read on
}

// New returns a client of the daemon at base, as in "http://127.0.0.1:8420". The token
// is the operator's, the auditor's, or a holder key; it may be empty.
func New(base, token string) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("client: %q is no URL like http://127.0.0.1:8420", base)
	}
	return &Client{base: strings.TrimSuffix(base, "/"), token: token, http: &http.Client{}}, nil
}

// As returns the same client with another token, such as the holder key of a resource.
func (c *Client) As(token string) *Client {
	d := *c
	d.token = token
	return &d
}

// Over returns the same client over another HTTP client.
func (c *Client) Over(h *http.Client) *Client {
	d := *c
	d.http = h
	return &d
}

// Problem is what the daemon answered instead, as RFC 9457 has it.
type Problem struct {
	wire.Problem
	RetryAfter time.Duration // 0 if the daemon named none
}

// Error returns the detail: what was wrong, and what would be right.
func (p *Problem) Error() string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	if p.Status >= 500 && p.RequestID != "" {
		text += " (request " + p.RequestID + ")"
	}
	return text
}

// Code returns the code of the problem that err is, or "".
func Code(err error) string {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p.Code
	}
	return ""
}

// Plans returns what is on offer.
func (c *Client) Plans(ctx context.Context) ([]wire.Plan, error) {
	var out wire.Plans
	return out.Plans, c.call(ctx, "GET", "/v1/plans", nil, &out)
}

// Plan returns a plan, also one that is withdrawn.
func (c *Client) Plan(ctx context.Context, name string) (out wire.Plan, err error) {
	return out, c.call(ctx, "GET", "/v1/plans/"+url.PathEscape(name), nil, &out)
}

// Quote prices a time or an amount, of which exactly one is not zero.
func (c *Client) Quote(ctx context.Context, plan string, time instant.Millis, amount money.Msat) (out wire.Quote, err error) {
	q := url.Values{"plan": {plan}}
	if time != 0 {
		q.Set("time_ms", strconv.FormatInt(int64(time), 10))
	}
	if amount != 0 {
		q.Set("amount_msat", strconv.FormatInt(int64(amount), 10))
	}
	return out, c.call(ctx, "GET", "/v1/quotes?"+q.Encode(), nil, &out)
}

// Order asks for a resource. The key makes it safe to send again: it is a random secret
// of 20 to 128 printable characters, from which the holder key follows. It may be empty.
func (c *Client) Order(ctx context.Context, r wire.OrderRequest, key string) (out wire.Order, err error) {
	return c.order(ctx, "/v1/orders", r, key)
}

// OrderOnChain is Order, with an address on the chain beside the invoice. It is refused where
// nothing is paid on the chain.
func (c *Client) OrderOnChain(ctx context.Context, r wire.OrderRequest, key string) (out wire.Order, err error) {
	return c.order(ctx, "/v1/orders?address=true", r, key)
}

func (c *Client) order(ctx context.Context, path string, r wire.OrderRequest, key string) (out wire.Order, err error) {
	req, err := c.request(ctx, "POST", path, r)
	if err != nil {
		return out, err
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	return out, c.do(req, &out)
}

// Address returns a resource or an order with its address on the chain, which is made when it
// is first asked for.
func (c *Client) Address(ctx context.Context, id string) (out wire.Resource, err error) {
	return out, c.call(ctx, "POST", resource(id, "/address"), nil, &out)
}

// Resource returns a resource as it is now.
func (c *Client) Resource(ctx context.Context, id string) (out wire.Resource, err error) {
	return out, c.call(ctx, "GET", resource(id, ""), nil, &out)
}

// ResourceAsOf returns a resource as it was at an instant.
func (c *Client) ResourceAsOf(ctx context.Context, id string, at instant.Time) (out wire.Resource, err error) {
	return out, c.call(ctx, "GET", resource(id, "?as_of="+at.String()), nil, &out)
}

// Fund asks for an invoice that funds a resource.
func (c *Client) Fund(ctx context.Context, id string, r wire.FundRequest) (out wire.Payment, err error) {
	return out, c.call(ctx, "POST", resource(id, "/payments"), r, &out)
}

// Payment returns the life of a payment so far, without what leads to its resource unless the
// token is that of its holder, the operator or the auditor.
func (c *Client) Payment(ctx context.Context, key string) (out wire.Payment, err error) {
	return out, c.call(ctx, "GET", "/v1/payments/"+url.PathEscape(key), nil, &out)
}

// PaymentOf returns the life of a payment for a resource, whole.
func (c *Client) PaymentOf(ctx context.Context, id, key string) (out wire.Payment, err error) {
	q := url.Values{"resource": {id}}
	return out, c.call(ctx, "GET", "/v1/payments/"+url.PathEscape(key)+"?"+q.Encode(), nil, &out)
}

// History returns what happened to a resource; of a payment alone, unless that is "".
func (c *Client) History(ctx context.Context, id, payment string) (out wire.History, err error) {
	return out, c.call(ctx, "GET", resource(id, "/history?"+url.Values{"payment": {payment}}.Encode()), nil, &out)
}

// Pause stops the clock of a resource. It takes its holder key or the operator's token.
func (c *Client) Pause(ctx context.Context, id string) (out wire.Resource, err error) {
	return out, c.call(ctx, "POST", resource(id, "/pause"), nil, &out)
}

// Resume lets a paused resource run again, by the same tokens.
func (c *Client) Resume(ctx context.Context, id string) (out wire.Resource, err error) {
	return out, c.call(ctx, "POST", resource(id, "/resume"), nil, &out)
}

// Release ends a resource for good, by the same tokens.
func (c *Client) Release(ctx context.Context, id string) (out wire.Resource, err error) {
	return out, c.call(ctx, "POST", resource(id, "/release"), nil, &out)
}

// SetParams changes parameters of a resource, by the same tokens: an empty text takes one away.
func (c *Client) SetParams(ctx context.Context, id string, params map[string]string) (out wire.Resource, err error) {
	return out, c.call(ctx, "PATCH", resource(id, "/params"), wire.Params{Params: params}, &out)
}

// DeleteParams deletes what is kept of the parameters of a resource, by the same tokens.
func (c *Client) DeleteParams(ctx context.Context, id string) (out wire.Resource, err error) {
	return out, c.call(ctx, "DELETE", resource(id, "/params"), nil, &out)
}

// Access returns how a resource is reached, JSON or text, by the same tokens.
func (c *Client) Access(ctx context.Context, id string) (string, error) {
	return c.text(ctx, resource(id, "/access"), access.MaxText)
}

// Receipt returns the receipt of a payment, which anybody can check. Without the id of its resource it takes
// the holder key of that, or the operator's or auditor's token.
func (c *Client) Receipt(ctx context.Context, id, key string) (string, error) {
	path := "/v1/payments/" + url.PathEscape(key) + "/receipt"
	if id != "" {
		path += "?" + url.Values{"resource": {id}}.Encode()
	}
	return c.text(ctx, path, receipt.Max)
}

// Checkpoint returns the checkpoint that is shown of a name under which the log was signed, with the lines of those who
// cosigned it. It takes no token.
func (c *Client) Checkpoint(ctx context.Context, fork int64) (string, error) {
	return c.text(ctx, fmt.Sprintf("/log/%d/checkpoint", fork), checkpoint.MaxNote)
}

// text returns an answer that is a text of at most so many bytes.
func (c *Client) text(ctx context.Context, path string, most int64) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := c.request(ctx, "GET", path, nil)
	if err != nil {
		return "", err
	}
	res, err := c.open(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("it has more than %d bytes", most)
	}
	if err != nil {
		return "", fmt.Errorf("client: GET %s: reading the answer: %w", req.URL.Path, err)
	}
	return string(b), nil
}

func resource(id, rest string) string { return "/v1/resources/" + url.PathEscape(id) + rest }

// call sends in, unless it is nil, and reads the answer into out.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	req, err := c.request(ctx, method, path, in)
	if err != nil {
		return err
	}
	return c.do(req, out)
}

func (c *Client) request(ctx context.Context, method, path string, in any) (*http.Request, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("client: %s %s: %w", method, path, err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	return req, nil
}

func (c *Client) do(req *http.Request, out any) error {
	ctx, cancel := context.WithTimeout(req.Context(), timeout)
	defer cancel()
	res, err := c.open(req.WithContext(ctx))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("client: %s %s: reading the answer: %w", req.Method, req.URL.Path, err)
	}
	return nil
}

// open sends req and returns an answer of 2xx, whose body is the caller's to close.
func (c *Client) open(req *http.Request) (*http.Response, error) {
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err) // it names the method and the URL
	}
	if res.StatusCode/100 == 2 {
		return res, nil
	}
	defer res.Body.Close()
	return nil, problem(res)
}

// problem reads a refusal. One that comes from something else, such as a proxy, has a
// status and no more.
func problem(res *http.Response) *Problem {
	p := &Problem{}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if kind == "application/problem+json" {
		if json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&p.Problem) != nil {
			p.Problem = wire.Problem{}
		}
	}
	p.Status = res.StatusCode
	if p.Detail == "" {
		p.Title = http.StatusText(res.StatusCode)
		p.Detail = "the server answered " + res.Status
	}
	if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && s > 0 {
		p.RetryAfter = time.Duration(s) * time.Second
	}
	return p
}
