package l402_test

import (
	"context"
	"iter"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sandglass/adapters/httpapi"
	"sandglass/domain/instant"
	"sandglass/domain/stream"
)

const gate = "/v1/auth?plan=small&time_ms=7200000"

// TestAProxyAsks: an agent is asked to pay, buys, passes until its time is over, and buys more of the same.
func TestAProxyAsks(t *testing.T) {
	s := open(t, nil)
	d := s.send("GET", gate, "")
	if d.status != http.StatusUnauthorized || d.demand.Payment.Asked != 2*price || len(d.header.Values("WWW-Authenticate")) != 1 ||
		d.header.Get("Vary") != "Authorization" || d.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v %s", d.status, d.header, d.body)
	}
	for _, of := range []string{`L402 macaroon="`, `, token="`, `, Payment id="`} {
		if !strings.Contains(d.header.Get("WWW-Authenticate"), of) {
			t.Errorf("the challenge %q has no %s", d.header.Get("WWW-Authenticate"), of)
		}
	}
	on := s.send("GET", gate+"&status=402", "")
	if on.status != 402 || on.header.Get("WWW-Authenticate") != d.header.Get("WWW-Authenticate") {
		t.Errorf("where 402 is handed on: %d %v", on.status, on.header)
	}
	credential := s.pays(d)
	pass := s.send("GET", gate, "", credential)
	if pass.status != 200 || pass.header.Get("X-Sandglass-Remaining") != "7200" || pass.header.Get("Cache-Control") != "max-age=5" ||
		pass.body != "" {
		t.Fatalf("%d %v %s", pass.status, pass.header, pass.body)
	}
	s.restart()
	for _, test := range []struct {
		advance         instant.Millis
		remaining, kept string
	}{{2*hour - 3*instant.Second, "3", "max-age=3"}, {2500, "0", "no-store"}} {
		s.clock.Advance(test.advance)
		r := s.send("GET", gate, "", credential)
		if r.status != 200 || r.header.Get("X-Sandglass-Remaining") != test.remaining || r.header.Get("Cache-Control") != test.kept {
			t.Errorf("%s left: %d %v", test.remaining, r.status, r.header)
		}
	}
	s.clock.Advance(500) // to its end
	over := s.send("GET", gate, "", credential)
	if over.status != 401 || over.demand.Payment.Resource != d.demand.Payment.Resource {
		t.Fatalf("its time is over: %d %s", over.status, over.body)
	}
	more := s.pays(over)
	for _, c := range []string{more, credential} {
		if r := s.send("GET", gate, "", c); r.status != 200 || r.header.Get("X-Sandglass-Remaining") != "7200" {
			t.Errorf("%d %v %s", r.status, r.header, r.body)
		}
	}
	s.must(onlyStatus(s.send("GET", "/v1/auth?plan=other&time_ms=7200000", "", credential), 401))
}

// TestAResourceBehindAProxy: its holder passes, whoever paid for it does, and no one else.
func TestAResourceBehindAProxy(t *testing.T) {
	s := open(t, nil)
	credential, got := s.bought()
	id := got.Resource.ID
	at := "/v1/auth?time_ms=3600000&resource=" + id
	_, other := s.bought()
	for _, test := range []struct {
		name, header string
		status       int
	}{
		{"nobody", "X-Nobody: x", 401},
		{"his credential", credential, 200},
		{"his key", "Authorization: Bearer " + got.HolderKey, 200},
		{"another's key", "Authorization: Bearer " + other.HolderKey, 401},
		{"narrowed to this", narrowed(t, credential, id+"_capabilities=use"), 200},
		{"narrowed to other things", narrowed(t, credential, id+"_capabilities=status,topup"), 401},
		{"a stranger who paid", s.pays(s.send("POST", "/v1/buy", asks(id))), 200},
	} {
		if r := s.send("GET", at, "", test.header); r.status != test.status {
			t.Errorf("%s: %d %s", test.name, r.status, r.body)
		}
	}
	s.send("POST", "/v1/resources/"+id+"/pause", "", credential)
	if r := s.send("GET", at, "", credential); r.status != 403 || r.demand.Code != "paused" {
		t.Errorf("while its clock stands still: %d %s", r.status, r.body)
	}
	for path, code := range map[string]string{
		"/v1/auth":                                   "invalid_request",
		"/v1/auth?plan=small":                        "invalid_request",
		"/v1/auth?plan=small&time_ms=x":              "invalid_request",
		"/v1/auth?plan=small&time_ms=-1":             "invalid_request",
		"/v1/auth?plan=small&time_ms=1":              "out_of_bounds",
		"/v1/auth?plan=small&resource=x&time_ms=1":   "invalid_request",
		gate + "&status=403":                         "invalid_request",
		"/v1/auth?plan=none&time_ms=7200000":         "unknown_plan",
		"/v1/auth?resource=none&amount_msat=3600000": "unknown_resource",
	} {
		if r := s.send("GET", path, ""); r.demand.Code != code {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
}

// TestAPlanBehindAProxy: what somebody pays for another's resource lets nobody pass on that one's time; who holds it
// passes by what he pays, also if it was his key that he showed when he did.
func TestAPlanBehindAProxy(t *testing.T) {
	s := open(t, nil)
	_, got := s.bought()
	id := got.Resource.ID
	stranger := s.pays(s.send("POST", "/v1/buy", asks(id)))
	d := s.send("GET", gate, "", stranger)
	if d.status != 401 || d.demand.Payment.Resource == id || d.demand.Payment.Resource == "" {
		t.Errorf("a stranger who paid: %d %s", d.status, d.body)
	}
	if r := s.send("GET", gate, "", s.pays(d)); r.status != 200 {
		t.Errorf("once he has one of his own: %d %s", r.status, r.body)
	}
	shown := s.pays(s.send("POST", "/v1/buy", asks(id), "Authorization: Bearer "+got.HolderKey))
	for _, left := range []instant.Millis{4 * hour, 2 * hour} { // of which the stranger paid one
		if r := s.send("GET", gate, "", shown); r.status != 200 {
			t.Errorf("its holder: %d %s", r.status, r.body)
		}
		s.clock.Advance(left + 1)
		s.settleTime(id)
		more := s.send("GET", gate, "", shown)
		if more.status != 401 || more.demand.Payment.Resource != id {
			t.Fatalf("its holder, once its time is over: %d %s", more.status, more.body)
		}
		shown = s.pays(more)
	}
	if r := s.send("GET", gate, "", shown); r.status != 200 {
		t.Errorf("once he has paid: %d %s", r.status, r.body)
	}
}

// TestOneChallengeAClient: a page of fifty pictures makes one order, and each client has his own.
func TestOneChallengeAClient(t *testing.T) {
	s := open(t, func(s *shop) { s.writes = httpapi.Rate{PerSecond: 1e-6, Burst: 3} })
	from := func(address string, headers ...string) reply {
		return s.send("GET", gate, "", append(headers, "X-Forwarded-For: "+address)...)
	}
	first := from("192.0.2.1")
	for range 50 {
		r := from("192.0.2.1")
		if r.status != 401 || r.demand.Token != first.demand.Token || r.demand.Payment.Key != first.demand.Payment.Key {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	if r := from("192.0.2.2"); r.demand.Token == first.demand.Token || r.status != 401 {
		t.Errorf("another client: %d %s", r.status, r.body)
	}
	if n := s.wallet.made(); n != 2 {
		t.Errorf("%d invoices", n)
	}
	s.clock.Advance(hour/2 + 1) // it could not be paid for long
	if r := from("192.0.2.1"); r.demand.Token == first.demand.Token {
		t.Error("an old challenge is given")
	}
	paid := from("192.0.2.1")
	s.settle(&paid.demand.Payment)
	if r := from("192.0.2.1"); r.status != 401 || r.demand.Payment.Key == paid.demand.Payment.Key {
		t.Errorf("one that is paid is given again: %d %s", r.status, r.body)
	}
	s.clock.Advance(hour)
	refused := from("192.0.2.1")
	if refused.status != 401 || refused.demand.Code != "rate_limited" || refused.header.Get("Retry-After") == "" {
		t.Errorf("too many: %d %v %s", refused.status, refused.header, refused.body)
	}
	on := s.send("GET", gate+"&status=402", "", "X-Forwarded-For: 192.0.2.1")
	if on.status != 429 || on.header.Get("Retry-After") == "" {
		t.Errorf("too many, where that is handed on: %d %v", on.status, on.header)
	}
	if r := from("192.0.2.1", l402Of(paid.demand.Token, s.preimage(&paid.demand.Payment))); r.status != 200 {
		t.Errorf("whoever paid is not held up by that: %d %s", r.status, r.body)
	}
}

// TestAGateWaitsForTheCredit of what its challenge asked for.
func TestAGateWaitsForTheCredit(t *testing.T) {
	s := open(t, func(s *shop) { s.wait = 20 * time.Millisecond })
	d := s.send("GET", gate, "")
	credential := l402Of(d.demand.Token, s.preimage(&d.demand.Payment))
	if r := s.send("GET", gate, "", credential); r.status != 503 || r.demand.Code != "not_credited" {
		t.Errorf("%d %s", r.status, r.body)
	}
	s.settle(&d.demand.Payment)
	s.must(onlyStatus(s.send("GET", gate, "", credential), 200))
}

// TestAChallengeIsOfItsCaveats: whoever has less than another one at his address is not given the other's challenge.
func TestAChallengeIsOfItsCaveats(t *testing.T) {
	s := open(t, nil)
	credential, got := s.bought()
	id := got.Resource.ID
	less := narrowed(t, credential, id+"_capabilities=use,status")
	s.clock.Advance(2*hour + 1)
	s.settleTime(id)
	at := "/v1/auth?time_ms=3600000&resource=" + id
	whole, part := s.send("GET", at, "", credential), s.send("GET", at, "", less)
	if again := s.send("GET", at, "", less); again.demand.Token != part.demand.Token || part.demand.Token == whole.demand.Token {
		t.Error("the challenge is another's, or another one each time")
	}
	bought := s.pays(part)
	if r := s.send("GET", at, "", bought); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := s.send("POST", "/v1/resources/"+id+"/pause", "", bought); r.status != 401 {
		t.Errorf("it pauses: %d %s", r.status, r.body)
	}
}

// slow is a store whose subscribers learn of what is new late.
type slow struct {
	stream.EventStore
	by atomic.Int64
}

// Subscribe implements [stream.EventStore].
func (s *slow) Subscribe(ctx context.Context, after stream.Position) iter.Seq2[[]stream.Record, error] {
	return func(yield func([]stream.Record, error) bool) {
		for run, err := range s.EventStore.Subscribe(ctx, after) {
			time.Sleep(time.Duration(s.by.Load()))
			if !yield(run, err) {
				return
			}
		}
	}
}

// TestTheLogIsAhead of what is shown: whoever asks between the two is not asked to pay again.
func TestTheLogIsAhead(t *testing.T) {
	var late *slow
	s := open(t, func(s *shop) { late = &slow{EventStore: s.store}; s.store = late })
	for _, call := range []struct{ method, path, body string }{{"GET", gate, ""}, {"POST", "/v1/buy", buys}} {
		d := s.send(call.method, call.path, call.body)
		late.by.Store(int64(100 * time.Millisecond))
		s.book(&d.demand.Payment)
		r := s.send(call.method, call.path, call.body, l402Of(d.demand.Token, s.preimage(&d.demand.Payment)))
		if r.status != 200 || call.body != "" && r.bought.Resource.Remaining != 2*hour {
			t.Errorf("%s: %d %s", call.path, r.status, r.body)
		}
		late.by.Store(0)
		s.settle(&d.demand.Payment)
	}
}
