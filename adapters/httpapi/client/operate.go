package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"sandglass/adapters/httpapi/wire"
)

// Publish puts a plan on offer, or changes it for later orders.
func (c *Client) Publish(ctx context.Context, r wire.PublishRequest) (out wire.Plan, err error) {
	return out, c.call(ctx, "POST", "/v1/plans", r, &out)
}

// Withdraw takes a plan off the offer. What was sold runs on.
func (c *Client) Withdraw(ctx context.Context, name string) (out wire.Plan, err error) {
	return out, c.call(ctx, "DELETE", "/v1/plans/"+url.PathEscape(name), nil, &out)
}

// Filter says which resources to list. What is zero takes all.
type Filter struct {
	Status, Host string
	Unplaced     bool // those of no host
	Opened       bool // no orders that nobody has paid yet
}

// Resources returns a page of the resources that a filter takes, by id. The next page
// comes after its Next, which is empty on the last one. A limit of 0 leaves it to the
// daemon.
func (c *Client) Resources(ctx context.Context, after string, limit int, f Filter) (out wire.Resources, err error) {
	q := page(after, limit)
	if f.Status != "" {
		q.Set("status", f.Status)
	}
	if f.Host != "" {
		q.Set("host", f.Host)
	}
	if f.Unplaced {
		q.Set("unplaced", "true")
	}
	if f.Opened {
		q.Set("opened", "true")
	}
	return out, c.call(ctx, "GET", "/v1/resources?"+q.Encode(), nil, &out)
}

// Grant gives time for nothing, once for each key.
func (c *Client) Grant(ctx context.Context, id string, r wire.GrantRequest) (out wire.Resource, err error) {
	return out, c.call(ctx, "POST", resource(id, "/grants"), r, &out)
}

// Reprice sets the price of a resource's later payments.
func (c *Client) Reprice(ctx context.Context, id string, p wire.Price) (out wire.Resource, err error) {
	return out, c.call(ctx, "POST", resource(id, "/reprice"), wire.RepriceRequest{Price: p}, &out)
}

// Move gives a resource to another host.
func (c *Client) Move(ctx context.Context, id, host string) (out wire.Resource, err error) {
	return out, c.call(ctx, "POST", resource(id, "/move"), wire.MoveRequest{Host: host}, &out)
}

// Unallocated returns a page of payments that no resource has, by key.
func (c *Client) Unallocated(ctx context.Context, after string, limit int) (out wire.Payments, err error) {
	return out, c.call(ctx, "GET", "/v1/unallocated?"+page(after, limit).Encode(), nil, &out)
}

// Allocate gives an unallocated payment to a resource.
func (c *Client) Allocate(ctx context.Context, key string, r wire.AllocateRequest) (out wire.Payment, err error) {
	return out, c.call(ctx, "POST", "/v1/unallocated/"+url.PathEscape(key)+"/allocate", r, &out)
}

// Wallets returns the nodes that were ever watched.
func (c *Client) Wallets(ctx context.Context) (out wire.Wallets, err error) {
	return out, c.call(ctx, "GET", "/v1/wallets", nil, &out)
}

// RetireWallet says that a node is gone for good.
func (c *Client) RetireWallet(ctx context.Context, node string) (out wire.Wallet, err error) {
	return out, c.call(ctx, "POST", "/v1/wallets/"+url.PathEscape(node)+"/retire", nil, &out)
}

// Log returns what is signed of the log.
func (c *Client) Log(ctx context.Context) (out wire.Log, err error) {
	return out, c.call(ctx, "GET", "/v1/log", nil, &out)
}

// ForkLog leaves behind what was signed of the log.
func (c *Client) ForkLog(ctx context.Context, r wire.ForkRequest) (out wire.LogFork, err error) {
	return out, c.call(ctx, "POST", "/v1/log/fork", r, &out)
}

// Adopt gives an address of the wallet to a resource.
func (c *Client) Adopt(ctx context.Context, address string, r wire.AdoptRequest) (out wire.Address, err error) {
	return out, c.call(ctx, "POST", "/v1/addresses/"+url.PathEscape(address)+"/adopt", r, &out)
}

// Dump writes the daemon's read models to w, for an auditor to compare.
func (c *Client) Dump(ctx context.Context, w io.Writer) error {
	req, err := c.request(ctx, "GET", "/v1/audit/dump", nil)
	if err != nil {
		return err
	}
	res, err := c.open(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(w, res.Body); err != nil {
		return fmt.Errorf("client: copying the dump: %w", err)
	}
	return nil
}

// Ready says which parts of the daemon are ready, and to an auditor or the operator what it waits
// for: that it is not ready is no error.
func (c *Client) Ready(ctx context.Context) (out wire.Ready, err error) {
	req, err := c.request(ctx, "GET", "/readyz", nil)
	if err != nil {
		return out, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return out, fmt.Errorf("client: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusServiceUnavailable {
		return out, problem(res)
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(&out); err != nil {
		return out, fmt.Errorf("client: GET /readyz: %s: reading the answer: %w", res.Status, err)
	}
	return out, nil
}

func page(after string, limit int) url.Values {
	q := url.Values{}
	if after != "" {
		q.Set("after", after)
	}
	if limit != 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return q
}
