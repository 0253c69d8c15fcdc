package httpapi_test

import (
	"bytes"
	"crypto/sha256"
	"io"
	"net"
	"strings"
	"testing"

	"sandglass/adapters/httpapi"
)

var (
	asOperator = []string{bearer(operatorToken)}
	asAuditor  = []string{bearer(auditorToken)}
)

// aPlan is a plan that could be published, without the end of its JSON.
const aPlan = `{"name":"p","price":{"msat":1,"per_ms":1},"min_time_ms":1,"max_time_ms":2,"grace_ms":0`

// malformed are requests that are refused: as what, and with which words in the detail.
var malformed = []struct {
	name, method, path, body string
	headers                  []string
	status                   int
	code, says               string
}{
	{"an unknown path", "GET", "/v2/plans", "", nil, 404, "unknown_path", "GET /openapi.json"},
	{"a path with dots", "GET", "/v1/%2e%2e/plans", "", nil, 404, "unknown_path", "openapi"},
	{"another method", "PUT", "/v1/orders", "", nil, 405, "wrong_method", "it takes POST"},
	{"a method of their own", "BREW", "/v1/plans", "", nil, 405, "wrong_method", "it takes GET, HEAD, POST"},
	{"a query that is no query", "GET", "/v1/quotes?plan=%zz", "", nil, 400, "malformed_request", "name=value"},
	{"a query with semicolons", "GET", "/v1/quotes?plan=small;time_ms=1", "", nil, 400, "malformed_request", "name=value"},
	{
		"an unknown query", "GET", "/v1/resources/web-1?as_off=2026-01-02T03:04:05Z", "", nil,
		422, "invalid_request", "query.as_off: unknown query parameter",
	},
	{
		"a query given twice", "GET", "/v1/quotes?plan=small&time_ms=3600000&time_ms=1", "", nil,
		422, "invalid_request", "give it once",
	},
	{"a quote of nothing", "GET", "/v1/quotes?plan=small", "", nil, 422, "invalid_request", "time_ms or amount_msat, one of them"},
	{
		"a quote of both", "GET", "/v1/quotes?plan=small&time_ms=3600000&amount_msat=1", "", nil,
		422, "invalid_request", "one of them",
	},
	{"a quote without a plan", "GET", "/v1/quotes?time_ms=1", "", nil, 422, "invalid_request", "query.plan: required"},
	{"a quote of no number", "GET", "/v1/quotes?plan=small&time_ms=1h", "", nil, 422, "invalid_request", "invalid integer"},
	{"a quote of a fraction", "GET", "/v1/quotes?plan=small&time_ms=1.5", "", nil, 422, "invalid_request", "invalid integer"},
	{"a quote below zero", "GET", "/v1/quotes?plan=small&time_ms=-1", "", nil, 422, "invalid_request", "expected number >= 1"},
	{
		"a quote of 2^63", "GET", "/v1/quotes?plan=small&amount_msat=9223372036854775808", "", nil,
		422, "invalid_request", "invalid integer",
	},
	{
		"a quote of 2^63-1", "GET", "/v1/quotes?plan=small&amount_msat=9223372036854775807", "", nil,
		422, "invalid_request", "expected number <= ",
	},
	{
		"a quote of all bitcoin", "GET", "/v1/quotes?plan=small&amount_msat=2100000000000000000", "", nil,
		422, "out_of_bounds", "one payment on plan",
	},
	{
		"a quote of too little", "GET", "/v1/quotes?plan=small&amount_msat=1", "", nil,
		422, "out_of_bounds", "buys 60000 to 2592000000 ms, for 60000 to 2592000000 msat",
	},
	{
		"a quote of an unknown plan", "GET", "/v1/quotes?plan=large&time_ms=3600000", "", nil,
		404, "unknown_plan", `no plan "large": GET /v1/plans lists`,
	},
	{
		"an unknown resource", "GET", "/v1/resources/nobody", "", nil,
		404, "unknown_resource", `no resource "nobody": POST /v1/orders`,
	},
	{"an id with a slash", "GET", "/v1/resources/a%2Fb", "", nil, 404, "unknown_resource", "no resource"},
	{"an id with a line break", "GET", "/v1/resources/a%0Ab", "", nil, 404, "unknown_resource", `"a\nb"`},
	{
		"an id that is too long", "GET", "/v1/resources/" + strings.Repeat("a", 65), "", nil,
		422, "invalid_request", "expected length <= 64",
	},
	{"the life of an unknown resource", "GET", "/v1/resources/nobody/live", "", nil, 404, "unknown_resource", "POST /v1/orders"},
	{
		"an as_of that is no time", "GET", "/v1/resources/web-1?as_of=yesterday", "", nil,
		422, "invalid_request", "an instant that has passed, such as 2026",
	},
	{
		"an as_of in the future", "GET", "/v1/resources/web-1?as_of=2040-01-02T03:04:05Z", "", nil,
		422, "invalid_request", "has passed",
	},
	{
		"an as_of before the epoch", "GET", "/v1/resources/web-1?as_of=1960-01-02T03:04:05Z", "", nil,
		422, "invalid_request", "has passed",
	},
	{
		"an as_of before its time", "GET", "/v1/resources/web-1?as_of=2020-01-02T03:04:05Z", "", nil,
		404, "unknown_resource", "was not opened by 2020-01-02T03:04:05.000Z",
	},
	{"an unknown payment", "GET", "/v1/payments/ln-00", "", nil, 404, "unknown_payment", "payment_hash"},
	{"a payment that is no name", "GET", "/v1/payments/%00%ff..%2f", "", nil, 404, "unknown_payment", "payment_hash"},
	{"a GET with a body", "GET", "/v1/plans", "{}", nil, 400, "malformed_request", "GET takes no body"},

	{"no body", "POST", "/v1/orders", "", nil, 400, "malformed_request", "request body is required"},
	{"no JSON", "POST", "/v1/orders", "plan=small", nil, 400, "malformed_request", "the body is not JSON"},
	{"half JSON", "POST", "/v1/orders", `{"plan":"small"`, nil, 400, "malformed_request", "the body is not JSON"},
	{"more than JSON", "POST", "/v1/orders", `{"plan":"small","time_ms":3600000}{}`, nil, 400, "malformed_request", "more follows"},
	{
		"deep JSON", "POST", "/v1/orders", strings.Repeat("[", 30000) + strings.Repeat("]", 30000), nil,
		400, "malformed_request", "nested more than 16 deep",
	},
	{"a list", "POST", "/v1/orders", `[]`, nil, 422, "invalid_request", "expected object"},
	{"null", "POST", "/v1/orders", `null`, nil, 422, "invalid_request", "expected object"},
	{
		"what is not UTF-8", "POST", "/v1/orders", "{\"plan\":\"small\xff\",\"time_ms\":3600000}", nil,
		400, "malformed_request", "not UTF-8",
	},
	{"another type", "POST", "/v1/orders", `{}`, []string{"Content-Type: text/plain"}, 415, "content_type", "application/json"},
	{"a type that is none", "POST", "/v1/orders", `{}`, []string{"Content-Type: ;+"}, 415, "content_type", "application/json"},
	{"no plan", "POST", "/v1/orders", `{"time_ms":3600000}`, nil, 422, "invalid_request", "expected required property plan"},
	{
		"an unknown field", "POST", "/v1/orders", `{"plan":"small","time":3600000}`, nil,
		422, "invalid_request", "body.time: unexpected property",
	},
	{"a field in capitals", "POST", "/v1/orders", `{"plan":"small","TIME_MS":3600000}`, nil, 400, "malformed_request", "lower case"},
	{
		"a field twice", "POST", "/v1/orders", `{"plan":"small","time_ms":3600000,"time_ms":1}`, nil,
		400, "malformed_request", "twice",
	},
	{
		"a time that is a text", "POST", "/v1/orders", `{"plan":"small","time_ms":"3600000"}`, nil,
		422, "invalid_request", "body.time_ms: expected integer",
	},
	{
		"a time that is a fraction", "POST", "/v1/orders", `{"plan":"small","time_ms":3600000.5}`, nil,
		422, "invalid_request", "body.time_ms: expected integer",
	},
	{
		"a time below zero", "POST", "/v1/orders", `{"plan":"small","time_ms":-3600000}`, nil,
		422, "invalid_request", "expected number >= 1",
	},
	{"a time of zero", "POST", "/v1/orders", `{"plan":"small","time_ms":0}`, nil, 422, "invalid_request", "expected number >= 1"},
	{
		"a time with an exponent", "POST", "/v1/orders", `{"plan":"small","time_ms":3.6e6}`, nil,
		422, "invalid_request", "body: time_ms: want a whole number of up to 63 bits, in digits alone, such as 3600000",
	},
	{
		"a title that clears a screen", "POST", "/v1/plans", aPlan + `,"title":"\u001b[2Jsmall"}`, asOperator,
		422, "invalid_request", "control character: want text on one line",
	},
	{
		"a price with an exponent", "POST", "/v1/plans", strings.Replace(aPlan, `"msat":1`, `"msat":3.6e6`, 1) + "}", asOperator,
		422, "invalid_request", "body: price.msat: want a whole number",
	},
	{
		"a time of 1e300", "POST", "/v1/orders", `{"plan":"small","time_ms":1e300}`, nil,
		422, "invalid_request", "expected number <= ",
	},
	{
		"an amount beyond 64 bits", "POST", "/v1/orders", `{"plan":"small","amount_msat":99999999999999999999}`, nil,
		422, "invalid_request", "expected number <= ",
	},
	{
		"an amount just beyond all bitcoin", "POST", "/v1/orders", `{"plan":"small","amount_msat":2100000000000000001}`, nil,
		422, "out_of_bounds", "one payment on plan",
	},
	{
		"250 years", "POST", "/v1/orders", `{"plan":"small","time_ms":7889400000000}`, nil,
		422, "out_of_bounds", "one payment on plan",
	},
	{"neither time nor amount", "POST", "/v1/orders", `{"plan":"small"}`, nil, 422, "invalid_request", "one of them"},
	{"an unknown plan", "POST", "/v1/orders", `{"plan":"large","time_ms":3600000}`, nil, 404, "unknown_plan", "GET /v1/plans"},
	{
		"an id in capitals", "POST", "/v1/orders", `{"plan":"small","time_ms":3600000,"id":"WEB"}`, nil,
		422, "invalid_request", "a-z, 0-9 and -",
	},
	{
		"an id that ends with -", "POST", "/v1/orders", `{"plan":"small","time_ms":3600000,"id":"web-"}`, nil,
		422, "invalid_request", "no - at the ends",
	},
	{
		"a short key", "POST", "/v1/orders", `{"plan":"small","time_ms":3600000}`, []string{"Idempotency-Key: short"},
		422, "invalid_request", "header.Idempotency-Key: expected length >= 20",
	},
	{
		"a long key", "POST", "/v1/orders",
		`{"plan":"small","time_ms":3600000}`, []string{"Idempotency-Key: " + strings.Repeat("k", 129)},
		422, "invalid_request", "expected length <= 128",
	},
	{
		"a key with spaces", "POST", "/v1/orders",
		`{"plan":"small","time_ms":3600000}`, []string{"Idempotency-Key: " + strings.Repeat("k ", 20)},
		422, "invalid_request", "printable ASCII",
	},
	{
		"the key of another order", "POST", "/v1/orders",
		`{"plan":"small","time_ms":3600000,"id":"web-1"}`, []string{"Idempotency-Key: " + key + "web-1"},
		409, "order_conflict", "choose a new id and key",
	},
	{
		"the id of another order", "POST", "/v1/orders", `{"plan":"small","time_ms":3600000,"id":"web-1"}`, nil,
		409, "order_conflict", "choose a new id and key",
	},
	{
		"an order on a host that is none", "POST", "/v1/orders", `{"plan":"small","time_ms":3600000,"host":"b"}`, nil,
		422, "wrong_host", "no hosts to choose from",
	},
	{
		"an order on no name", "POST", "/v1/orders", `{"plan":"small","time_ms":3600000,"host":"../b"}`, nil,
		422, "invalid_request", "1 to 64 of a-z",
	},
	{
		"funds for nobody", "POST", "/v1/resources/nobody/payments", `{"time_ms":3600000}`, nil,
		404, "unknown_resource", "POST /v1/orders",
	},

	{
		"a grant of no time", "POST", "/v1/resources/web-1/grants", `{"key":"k"}`, asOperator,
		422, "invalid_request", "required property time_ms",
	},
	{
		"a grant to nobody", "POST", "/v1/resources/nobody/grants", `{"key":"k","time_ms":1}`, asOperator,
		404, "unknown_resource", "POST /v1/orders",
	},
	{
		"a grant to an id with a slash", "POST", "/v1/resources/a%2Fb/grants", `{"key":"k","time_ms":1}`, asOperator,
		404, "unknown_resource", "POST /v1/orders",
	},
	{
		"a price with an unknown field", "POST", "/v1/resources/web-1/reprice",
		`{"price":{"msat":1,"per_ms":1,"per":1}}`, asOperator,
		422, "invalid_request", "body.price.per: unexpected property",
	},
	{
		"a price of nothing", "POST", "/v1/resources/web-1/reprice", `{"price":{"msat":0,"per_ms":1}}`, asOperator,
		422, "invalid_request", "expected number >= 1",
	},
	{
		"a move to no name", "POST", "/v1/resources/web-1/move", `{"host":"Rack 7"}`, asOperator,
		422, "invalid_request", "1 to 64 of a-z",
	},
	{"a move to nowhere", "POST", "/v1/resources/web-1/move", `{}`, asOperator, 422, "invalid_request", "required property host"},
	{
		"a move of nobody", "POST", "/v1/resources/nobody/move", `{"host":"b"}`, asOperator,
		404, "unknown_resource", "POST /v1/orders",
	},
	{
		"a move of an id with a slash", "POST", "/v1/resources/a%2Fb/move", `{"host":"b"}`, asOperator,
		404, "unknown_resource", "POST /v1/orders",
	},
	{
		"a plan on a host that is no name", "POST", "/v1/plans",
		aPlan + `,"hosts":["a","Rack 7"]}`, asOperator,
		422, "invalid_request", `the name "Rack 7"`,
	},
	{
		"a plan on 65 hosts", "POST", "/v1/plans",
		aPlan + `,"hosts":["a"` + strings.Repeat(`,"a"`, 64) + `]}`, asOperator,
		422, "invalid_request", "expected array length <= 64",
	},
	{
		"a plan that warns in two ways", "POST", "/v1/plans",
		aPlan + `,"warn":{"time_ms":1,"share_ppm":1}}`, asOperator,
		422, "invalid_request", "one of them",
	},
	{
		"a plan whose minimum is above its maximum", "POST", "/v1/plans",
		`{"name":"p","price":{"msat":1,"per_ms":1},"min_time_ms":3,"max_time_ms":2,"grace_ms":0}`, asOperator,
		422, "invalid_request", "minimum ≤ maximum",
	},
	{
		"a plan too dear for all bitcoin", "POST", "/v1/plans",
		`{"name":"p","price":{"msat":2100000000000000000,"per_ms":1},"min_time_ms":1,"max_time_ms":2,"grace_ms":0}`, asOperator,
		422, "invalid_request", "21 million",
	},
	{"a plan that is none", "GET", "/v1/plans/large", "", nil, 404, "unknown_plan", "GET /v1/plans"},
	{"withdrawing what is not", "DELETE", "/v1/plans/large", "", asOperator, 404, "unknown_plan", "GET /v1/plans"},
	{"withdrawing what can't be", "DELETE", "/v1/plans/a%2Fb", "", asOperator, 404, "unknown_plan", "GET /v1/plans"},
	{"a page of none", "GET", "/v1/resources?limit=0", "", asOperator, 422, "invalid_request", "expected number >= 1"},
	{"a page of 501", "GET", "/v1/resources?limit=501", "", asOperator, 422, "invalid_request", "expected number <= 500"},
	{"an unknown status", "GET", "/v1/resources?status=dead", "", asOperator, 422, "invalid_request", "one of"},
	{
		"allocating what is not", "POST", "/v1/unallocated/ln-00/allocate", `{"resource":"web-1"}`, asOperator,
		404, "unknown_payment", "GET /v1/unallocated",
	},
	{
		"allocating a name", "POST", "/v1/unallocated/..%2f/allocate", `{"resource":"web-1"}`, asOperator,
		404, "unknown_payment", "GET /v1/unallocated",
	},
	{
		"allocating to nobody", "POST", "/v1/unallocated/ln-00/allocate", `{"resource":"no body"}`, asOperator,
		404, "unknown_resource", "POST /v1/orders",
	},
	{
		"adopting where nothing is paid on the chain", "POST", "/v1/addresses/bcrt1q/adopt", `{"resource":"web-1"}`, asOperator,
		422, "invalid_request", "nothing is paid on the chain here",
	},
	{
		"adopting for nobody", "POST", "/v1/addresses/bcrt1q/adopt", `{"resource":"no body"}`, asOperator,
		404, "unknown_resource", "POST /v1/orders",
	},
	{"events from below zero", "GET", "/v1/events?from=-1", "", asAuditor, 422, "invalid_request", "invalid integer"},
	{
		"events from the future", "GET", "/v1/events?from=18446744073709551615", "", asAuditor,
		422, "out_of_bounds", "the log ends at position",
	},
}

func TestMalformedRequests(t *testing.T) {
	s := open(t, nil)
	s.running("web-1")
	before := s.views.Position()
	for _, test := range malformed {
		t.Run(test.name, func(t *testing.T) {
			got := s.send(test.method, test.path, test.body, test.headers...)
			if got.status != test.status || got.problem.Code != test.code || !strings.Contains(got.problem.Detail, test.says) {
				t.Errorf("%d %s\nwant %d %s: …%s…", got.status, got.body, test.status, test.code, test.says)
			}
			wellFormed(t, got)
			if allow := got.header.Get("Allow"); got.status == 405 && (allow == "" || !strings.Contains(got.problem.Detail, allow)) {
				t.Errorf("Allow: %s, with %s", allow, got.problem.Detail)
			}
		})
	}
	if s.views.Position() != before {
		t.Error("a refused request was recorded")
	}
}

// wellFormed sees to what every problem has.
func wellFormed(t *testing.T, r reply) {
	t.Helper()
	p := r.problem
	if p.Type != "urn:sandglass:problem:"+p.Code || p.Title == "" || p.Status != r.status || p.Detail == "" ||
		p.RequestID == "" || p.RequestID != r.header.Get("X-Request-Id") {
		t.Errorf("%d is no whole problem: %s", r.status, r.body)
	}
}

// TestBodiesHaveABound sends bodies of 100 MB, with and without saying so, and sees that
// the answer comes without their being read.
func TestBodiesHaveABound(t *testing.T) {
	s := open(t, nil)
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"of a known length": func(r io.Reader) io.Reader { return bytes.NewReader(make([]byte, 100<<20)) },
		"chunked":           func(r io.Reader) io.Reader { return r },
	} {
		endless := io.LimitReader(zeros{}, 100<<20)
		got := sendTo(t, s.url, "POST", "/v1/orders", wrap(endless), "Content-Type: application/json")
		if got.status != 413 || got.problem.Code != "too_large" || !strings.Contains(got.problem.Detail, "65536 bytes are the most") {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	exact := `{"plan":"small","time_ms":3600000}`
	exact += strings.Repeat(" ", 64<<10-len(exact))
	if got := s.send("POST", "/v1/orders", exact); got.status != 201 {
		t.Errorf("64 KiB: %d %s", got.status, got.body)
	}
	if got := s.send("POST", "/v1/orders", exact+" "); got.status != 413 {
		t.Errorf("64 KiB and a byte: %d %s", got.status, got.body)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// TestBrokenRequests speaks to the server as no client library would.
func TestBrokenRequests(t *testing.T) {
	s := open(t, nil)
	for name, test := range map[string]struct{ request, answer string }{
		"a chunk that is none": {
			"POST /v1/orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n{}\r\n",
			"408 Request Timeout",
		},
		"headers of 1 MB": {
			"GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 1<<20) + "\r\n\r\n",
			"431 Request Header Fields Too Large",
		},
		"no HTTP":                    {"\x16\x03\x01 hello\r\n\r\n", "400 Bad Request"},
		"a header with a line break": {"GET / HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\n b\r\n\r\n", " "},
	} {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		s.must(err)
		_, _ = io.WriteString(c, test.request) // the server may close before it has read all
		answer := make([]byte, 4096)
		n, _ := c.Read(answer)
		if !strings.Contains(string(answer[:n]), test.answer) || strings.Contains(string(answer[:n]), " 500 ") {
			t.Errorf("%s: %s", name, answer[:n])
		}
		c.Close()
	}
}

func TestTokensAreKeptAsHashes(t *testing.T) {
	if httpapi.HashToken("") != (httpapi.TokenHash{}) || httpapi.HashToken("a") != httpapi.TokenHash(sha256.Sum256([]byte("a"))) {
		t.Error("a hash is not as documented")
	}
}
