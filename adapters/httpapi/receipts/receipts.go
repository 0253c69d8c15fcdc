// Package receipts is the call by which a payer gets a receipt that proves itself.
package receipts

import (
	"context"
	"net/http"

	"sandglass/adapters/httpapi/auth"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/httpapi/openapi"
	"sandglass/adapters/httpapi/problem"
	"sandglass/domain/billing"
	"sandglass/domain/payment"
	"sandglass/domain/proof/receipt"
	"sandglass/domain/resource"
)

// Calls answers the call. All fields but Issuer are required.
type Calls struct {
	Billing *billing.Service
	Issuer  *receipt.Issuer // nil: nothing is signed, and so there are none
	// Knows reports whether a caller's token shows that it knows a resource.
	Knows func(auth.Caller, resource.ID) bool
}

// Define defines the call.
func (c *Calls) Define(a *openapi.API) {
	openapi.Register(a, openapi.Operation{
		Name: "get-receipt", Method: "GET", Path: "/v1/payments/{key}/receipt", Tag: "buy",
		Summary: "A receipt of a payment that anybody can check",
		Doc: "The event of the log that says what the payment bought, that it was taken back, or that it bought nothing; and the " +
			"proof that it is in the log that was signed, by c2sp.org/tlog-proof. `sandglass receipt verify` checks it, and needs " +
			"nobody for that. It is for those who know the resource: who name it in `resource`, have its holder key, or the " +
			"operator's or auditor's token. 409 `no_receipt`: nothing is known yet of what becomes of the payment. 503 " +
			"`not_signed_yet`: no checkpoint that is signed and cosigned is of that event yet: wait for as long as `Retry-After` says.",
		Refused: []int{404, 409},
		Content: "text/plain", Example: "c2sp.org/tlog-proof@v1\nextra c2FuZGds...\nindex 17\nXo7m...\n\nshop.example.org/log\n...",
	}, c.get)
}

type input struct {
	Key      string `path:"key" maxLength:"200" doc:"ln-<payment_hash>, amp-<set_id>, or btc-<txid>-<vout>." example:"ln-5f3d..."`
	Resource string `query:"resource" maxLength:"64" doc:"The id of its resource." example:"web-1"`
}

// file is an answer that is a file.
type file struct {
	Type string `header:"Content-Type"`
	Body []byte
}

func (c *Calls) get(ctx context.Context, in *input) (*file, error) {
	state, err := c.Billing.Payment(ctx, payment.Key(in.Key))
	if err != nil {
		return nil, err
	}
	knows := in.Resource != "" && in.Resource == string(state.Resource)
	if in.Resource == "" {
		knows = c.Knows(middleware.RequestOf(ctx).Caller, state.Resource)
	}
	if state.Status == payment.StatusNone || !knows {
		return nil, problem.New(http.StatusNotFound, "unknown_payment", "no payment %.80q of a resource that you know: "+
			"name its resource by ?resource=ID, or send its holder key", in.Key)
	}
	if c.Issuer == nil {
		return nil, receipt.ErrNotYet
	}
	r, err := c.Issuer.Issue(ctx, &state)
	if err != nil {
		return nil, err
	}
	return &file{"text/plain; charset=utf-8", []byte(r.String())}, nil
}
