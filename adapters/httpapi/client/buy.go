package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"

	"sandglass/adapters/httpapi/wire"
)

// Due is the refusal that says what is to be paid first, and how that is proved: by the credential "L402 ",
// Token, ":" and the preimage of the invoice, sent with the same request.
type Due struct {
	Problem
	Payment wire.Payment
	Token   string
}

// Unwrap returns the problem that it is.
func (d *Due) Unwrap() error { return &d.Problem }

// Buy asks for a resource, or for more time of one, with a credential or none. What is not paid is a [*Due].
func (c *Client) Buy(ctx context.Context, r wire.BuyRequest, credential string) (out wire.Order, err error) {
	req, err := c.request(ctx, "POST", "/v1/buy", r)
	if err != nil {
		return out, err
	}
	if credential != "" {
		req.Header.Set("Authorization", credential)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	res, err := c.http.Do(req.WithContext(ctx))
	if err != nil {
		return out, err // it names the method and the URL
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
		return out, json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(&out)
	case http.StatusPaymentRequired:
		var due wire.PaymentRequired
		if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&due); err != nil || due.Token == "" {
			return out, problem(res)
		}
		return out, &Due{Problem{Problem: due.Problem}, due.Payment, due.Token}
	}
	return out, problem(res)
}
