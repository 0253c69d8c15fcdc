package programs

import (
	"net/http"
	"reflect"
	"strconv"

	"sandglass/adapters/httpapi/openapi"
	"sandglass/adapters/httpapi/wire"

	"github.com/danielgtaylor/huma/v2"
)

type buyInput struct {
	Cashu string `header:"X-Cashu" doc:"A Cashu token that pays, where the daemon takes them; it may be in the body instead."`
	Key   string `header:"Idempotency-Key" minLength:"20" maxLength:"128" doc:"Of a purchase by a token: who sends that token again gets what it bought with this key alone, so that its mint does not."`
	Body  wire.BuyRequest
}

type buyOutput struct {
	Location string `header:"Location" doc:"Of the resource."`
	Body     wire.Order
}

// describeBuy documents POST /v1/buy.
func describeBuy(a *openapi.API) {
	openapi.Describe[buyInput, buyOutput](a, openapi.Operation{
		Name: "buy", Method: "POST", Path: "/v1/buy", Tag: "buy",
		Summary: "Buy a resource, or more time of one, and pay in the request",
		Doc: "What is not paid is answered with 402 and what to pay, which nobody has to. The same request with the proof of " +
			"payment is answered with what it bought, however often it is sent, also after a restart; what is paid is never " +
			"asked to be paid again. The credential is then good for what the holder_key is, at every call that takes one.\n\n" +
			"Give `plan` or `resource`, and `time_ms` or `amount_msat`. Of a credential that was narrowed there is no holder_key.",
		Refused: []int{http.StatusUnauthorized, http.StatusNotFound, http.StatusConflict},
	})
	op := a.OpenAPI().Paths["/v1/buy"].Post
	delete(op.Responses, strconv.Itoa(http.StatusUnsupportedMediaType)) // whatever its type, it is read as JSON
	demands(a, op, http.StatusPaymentRequired)
	op.Responses["402"].Headers["X-Cashu"] = &huma.Param{
		Description: "What is asked for as a Cashu token (NUT-24), where the daemon takes them.",
		Schema:      &huma.Schema{Type: huma.TypeString},
	}
}

type gateInput struct {
	Plan     string `query:"plan" doc:"What is sold: a resource of this plan, to each client one."`
	Resource string `query:"resource" doc:"Or the id of the one resource that all pay for."`
	Time     int64  `query:"time_ms" minimum:"1" doc:"The time that is sold at once, in milliseconds."`
	Amount   int64  `query:"amount_msat" minimum:"1" doc:"Or the amount that is asked for at once, in millisatoshi."`
	Status   int64  `query:"status" enum:"401,402" default:"401" doc:"Of an answer that asks to pay: 402 for what hands that on."`
}

type gateOutput struct {
	Remaining int64  `header:"X-Sandglass-Remaining" doc:"The time that is left, in whole seconds."`
	Cached    string `header:"Cache-Control" doc:"For how long this may be gone by: 5 seconds, or what is left."`
}

// describeGate documents GET /v1/auth.
func describeGate(a *openapi.API) {
	openapi.Describe[gateInput, gateOutput](a, openapi.Operation{
		Name: "gate", Method: "GET", Path: "/v1/auth", Tag: "buy", Status: http.StatusOK,
		Summary: "Tell a proxy whether a request may pass, which is paid for by time",
		Doc: "It passes while the resource of its credential has time; its holder_key is as good. Else what buys more is " +
			"answered, with 401, since some proxies don't hand a 402 on, or with 402 if the query's `status` says so. " +
			"Give `plan` or `resource`, and `time_ms` or `amount_msat`.",
		Refused: []int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict},
	})
	op := a.OpenAPI().Paths["/v1/auth"].Get
	demands(a, op, http.StatusUnauthorized)
	op.Responses["402"] = op.Responses["401"]
}

// demands documents the answer that says what is to be paid, and with what it is proved.
func demands(a *openapi.API, op *huma.Operation, status int) {
	of := a.OpenAPI()
	of.Components.SecuritySchemes["credential"] = &huma.SecurityScheme{
		Type: "apiKey", In: "header", Name: "Authorization",
		Description: "What proves that something was paid: L402 TOKEN:PREIMAGE, of the token that was answered and the preimage " +
			"that paying gave; or Payment and the challenge with the preimage, as base64url of JSON.",
	}
	op.Security = []map[string][]string{{}, {"credential": {}}}
	challenge := &huma.Param{
		Description: "What to pay, by L402 and by the Payment scheme: a header each, or one of a gate for both.",
		Schema:      &huma.Schema{Type: huma.TypeString},
	}
	op.Responses[strconv.Itoa(status)] = &huma.Response{
		Description: "What is to be paid first, or why what was shown is no proof of it",
		Headers:     map[string]*huma.Param{"WWW-Authenticate": challenge},
		Content: map[string]*huma.MediaType{"application/problem+json": {
			Schema: of.Components.Schemas.Schema(reflect.TypeFor[wire.PaymentRequired](), true, "PaymentRequired"),
		}},
	}
}
