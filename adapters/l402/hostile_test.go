package l402_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"sandglass/domain/instant"

	"gopkg.in/macaroon.v2"
)

// narrowed returns a credential with caveats added, as whoever has it can.
func narrowed(t *testing.T, credential string, caveats ...string) string {
	t.Helper()
	scheme, rest, _ := strings.Cut(strings.TrimPrefix(credential, "Authorization: "), " ")
	text, preimage, _ := strings.Cut(rest, ":")
	var m macaroon.Macaroon
	b, err := base64.StdEncoding.DecodeString(text)
	if err == nil {
		err = m.UnmarshalBinary(b)
	}
	for _, c := range caveats {
		if err == nil {
			err = m.AddFirstPartyCaveat([]byte(c))
		}
	}
	if err == nil {
		b, err = m.MarshalBinary()
	}
	if err != nil {
		t.Fatal(err)
	}
	return "Authorization: " + scheme + " " + base64.StdEncoding.EncodeToString(b) + ":" + preimage
}

// TestCaveatsNarrow: who was given less can't have more, can't ask for it, and can't take it away.
func TestCaveatsNarrow(t *testing.T) {
	s := open(t, nil)
	credential, got := s.bought()
	id := got.Resource.ID
	at := "/v1/resources/" + id
	soon := s.clock.Now().Add(instant.Hour)
	for _, test := range []struct {
		name                     string
		caveats                  []string
		see, pause, topUp, again int
	}{
		{"none", nil, 200, 200, 402, 200},
		{"unknown ones are another's", []string{"ip=192.0.2.1", "no equals sign", "other_capabilities=none"}, 200, 200, 402, 200},
		{"to see it", []string{id + "_capabilities=status"}, 200, 401, 401, 200},
		{"to pause it", []string{id + "_capabilities=pause"}, 401, 200, 401, 401},
		{"several, with spaces", []string{id + "_capabilities=status, pause"}, 200, 200, 401, 200},
		{"again, and wider", []string{id + "_capabilities=status", id + "_capabilities=status,pause,topup"}, 200, 401, 401, 200},
		{"to nothing", []string{id + "_capabilities="}, 401, 401, 401, 401},
		{"for a while", []string{fmt.Sprintf("%s_valid_until=%d", id, soon/1000)}, 200, 200, 402, 200},
		{"it is over", []string{fmt.Sprintf("%s_valid_until=%d", id, s.clock.Now()/1000)}, 401, 401, 401, 401},
		{"over, and then longer", []string{id + "_valid_until=1", id + "_valid_until=99999999999"}, 401, 401, 401, 401},
		{"no time", []string{id + "_valid_until=never"}, 401, 401, 401, 401},
		{"beyond time", []string{id + "_valid_until=99999999999999999"}, 401, 401, 401, 401},
		{"another resource", []string{"services=web-1:0"}, 401, 401, 401, 401},
		{"this and another one", []string{"services=web-1:0," + id + ":0"}, 200, 200, 402, 200},
		{"it can't ask for something else", []string{id + "_request=0000"}, 200, 200, 402, 200},
	} {
		c := narrowed(t, credential, test.caveats...)
		see, again := s.send("GET", at, "", c), s.send("POST", "/v1/buy", buys, c)
		pause, topUp := s.send("POST", at+"/pause", "", c), s.send("POST", "/v1/buy", asks(id), c)
		s.send("POST", at+"/resume", "", credential)
		s.clock.Advance(instant.Minute + 1) // what was resumed is paused again no sooner
		if see.status != test.see || pause.status != test.pause || topUp.status != test.topUp || again.status != test.again {
			t.Errorf("%s: see %d, pause %d, top up %d, again %d: %s",
				test.name, see.status, pause.status, topUp.status, again.status, pause.body)
		}
		known := len(test.caveats) > 0 && strings.HasPrefix(test.caveats[0], id+"_") && !strings.Contains(test.caveats[0], "_request")
		if again.status == 200 && (again.bought.HolderKey == "") != known {
			t.Errorf("%s: was told the holder key %q", test.name, again.bought.HolderKey)
		}
	}
	if r := s.send("POST", at+"/payments", `{"time_ms":3600000}`, narrowed(t, credential, id+"_capabilities=status"),
		"Content-Type: application/json"); r.status != 401 {
		t.Errorf("a top-up by the call of the API: %d %s", r.status, r.body)
	}
}

// TestANarrowedCredentialBuysANarrowedOne: a purchase gives nobody more than he had.
func TestANarrowedCredentialBuysANarrowedOne(t *testing.T) {
	s := open(t, nil)
	credential, got := s.bought()
	id := got.Resource.ID
	less := narrowed(t, credential, id+"_capabilities=topup,status")
	d := s.send("POST", "/v1/buy", asks(id), less)
	more := s.pays(d)
	r := s.send("POST", "/v1/buy", asks(id), more)
	if r.status != 200 || r.bought.Resource.Remaining != 3*hour || r.bought.HolderKey != "" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := s.send("POST", "/v1/resources/"+id+"/pause", "", more); r.status != 401 {
		t.Errorf("it pauses: %d %s", r.status, r.body)
	}
}

// TestForgeries: nothing but what we signed, with the preimage of its own invoice, is a credential.
func TestForgeries(t *testing.T) {
	s := open(t, nil)
	credential, got := s.bought()
	id := got.Resource.ID
	other := s.send("POST", "/v1/buy", buys)
	text, preimage, _ := strings.Cut(strings.TrimPrefix(credential, "Authorization: L402 "), ":")
	raw, err := base64.StdEncoding.DecodeString(text)
	s.must(err)
	var m macaroon.Macaroon
	s.must(m.UnmarshalBinary(raw))
	made := func(root string, id []byte, caveats ...string) string {
		m, err := macaroon.New([]byte(root), id, "sandglass", macaroon.V2)
		s.must(err)
		for _, c := range caveats {
			s.must(m.AddFirstPartyCaveat([]byte(c)))
		}
		b, err := m.MarshalBinary()
		s.must(err)
		return base64.StdEncoding.EncodeToString(b)
	}
	third := m.Clone()
	s.must(third.AddThirdPartyCaveat(make([]byte, 32), []byte("asks elsewhere"), "https://elsewhere.example"))
	thirdRaw, err := third.MarshalBinary()
	s.must(err)
	zero := sha256.Sum256(make([]byte, 32))
	pays := func(method, preimage string) string {
		return "Payment " + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil,
			`{"challenge":{"id":%q,"method":%q},"payload":{"preimage":%s}}`, text, method, preimage))
	}
	ours := []string{"services=" + id + ":0", id + "_request=0"}
	for name, header := range map[string]string{
		"no token":             "L402 ",
		"a preimage alone":     "L402 " + preimage,
		"a preimage, a colon":  "L402 :" + preimage,
		"no preimage":          "L402 " + text,
		"an empty one":         "L402 " + text + ":",
		"another's preimage":   "L402 " + text + ":" + s.preimage(&other.demand.Payment),
		"for an unpaid token":  "L402 " + other.demand.Token + ":" + preimage,
		"the hash":             "L402 " + text + ":" + hex.EncodeToString(zero[:]),
		"half a preimage":      "L402 " + text + ":" + preimage[:32],
		"no hex":               "L402 " + text + ":" + strings.Repeat("z", 64),
		"no base64":            "L402 !!!:" + preimage,
		"no macaroon":          "L402 AAAA:" + preimage,
		"cut":                  "L402 " + text[:len(text)-8] + ":" + preimage,
		"another key":          "L402 " + made("guess", m.Id(), ours...) + ":" + preimage,
		"no caveats of ours":   "L402 " + made("guess", m.Id()) + ":" + preimage,
		"another identifier":   "L402 " + made("guess", []byte("short"), ours...) + ":" + preimage,
		"a third party's":      "L402 " + base64.StdEncoding.EncodeToString(thirdRaw) + ":" + preimage,
		"a forged one before":  "L402 " + made("guess", m.Id(), ours...) + "," + text + ":" + preimage,
		"a forged one after":   "L402 " + text + "," + made("guess", m.Id(), ours...) + ":" + preimage,
		"another's after it":   "L402 " + text + "," + other.demand.Token + ":" + preimage,
		"a payment of nothing": "Payment",
		"a payment of no JSON": "Payment AAAA",
		"by another method":    pays("tempo", `"`+preimage+`"`),
		"without its preimage": pays("lightning", "null"),
		"a header of 8 KiB":    "L402 " + strings.Repeat("A", 8<<10) + ":" + preimage,
		"many caveats":         "L402 " + made("guess", m.Id(), make([]string, 500)...) + ":" + preimage,
		"thousands of tokens":  "L402 " + strings.Repeat(",", 8000) + ":" + preimage,
	} {
		for _, call := range []struct{ method, path, body string }{
			{"POST", "/v1/buy", buys}, {"POST", "/v1/resources/" + id + "/pause", ""},
			{"GET", "/v1/auth?time_ms=3600000&resource=" + id, ""},
		} {
			r := s.send(call.method, call.path, call.body, "Authorization: "+header)
			if r.status != http.StatusUnauthorized || r.demand.Code != "bad_credential" || r.demand.Detail == "" {
				t.Errorf("%s: %s %s: %d %s", name, call.method, call.path, r.status, r.body)
			}
			if strings.Contains(r.body, preimage) {
				t.Errorf("%s: the preimage is told again: %s", name, r.body)
			}
		}
	}
	for i := range raw { // each bit of it counts
		changed := append([]byte{}, raw...)
		changed[i] ^= 1 << (i % 8)
		r := s.send("POST", "/v1/resources/"+id+"/release", "", l402Of(base64.StdEncoding.EncodeToString(changed), preimage))
		if r.status != 401 {
			t.Fatalf("byte %d of %d was changed: %d %s", i, len(raw), r.status, r.body)
		}
	}
	if n := s.asked.Open().Orders; n != 1 {
		t.Errorf("forgeries made orders: %d are open", n)
	}
	long := narrowed(t, credential, "of-another="+strings.Repeat("x", 4<<10))
	if r := s.send("POST", "/v1/buy", buys, long); r.status != 200 {
		t.Errorf("a long one that is good: %d %s", r.status, r.body)
	}
	often := narrowed(t, credential, make([]string, 64)...)
	if r := s.send("POST", "/v1/buy", buys, often); r.status != 200 {
		t.Errorf("one that was narrowed often: %d %s", r.status, r.body)
	}
	token, _, _ := strings.Cut(strings.TrimPrefix(often, "Authorization: L402 "), ":")
	for _, more := range []string{narrowed(t, often, ""), l402Of(token+","+token, preimage)} {
		if r := s.send("POST", "/v1/buy", buys, more); r.status != 401 || !strings.Contains(r.body, "64 times") {
			t.Errorf("one that was narrowed too often: %d %s", r.status, r.body)
		}
	}
}

// TestTwoAuthorizations: which of them counts must not depend on their order.
func TestTwoAuthorizations(t *testing.T) {
	s := open(t, nil)
	credential, _ := s.bought()
	forged := "Authorization: L402 AAAA:" + strings.Repeat("0", 64)
	for _, headers := range [][]string{{credential, forged}, {forged, credential}, {credential, credential},
		{"Authorization: Bearer x", credential}, {credential, "Authorization: Bearer x"}} {
		if r := s.send("POST", "/v1/buy", buys, headers...); r.status != 401 {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
}

// TestAnotherSecret: the token of another daemon, or of one whose key was changed, is none.
func TestAnotherSecret(t *testing.T) {
	s := open(t, nil)
	credential, _ := s.bought()
	old := secret
	secret[31]++
	t.Cleanup(func() { secret = old })
	s.restart()
	if r := s.send("POST", "/v1/buy", buys, credential); r.status != 401 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// TestPaidForNothing: the money of a challenge comes when its resource is no more.
func TestPaidForNothing(t *testing.T) {
	s := open(t, func(s *shop) { s.wait = time.Second })
	credential, got := s.bought()
	d := s.send("POST", "/v1/buy", asks(got.Resource.ID), credential)
	if r := s.send("POST", "/v1/resources/"+got.Resource.ID+"/release", "", credential); r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	late := s.pays(d)
	r := s.send("POST", "/v1/buy", asks(got.Resource.ID), late)
	if r.status != 409 || r.demand.Code != "unallocated" || !strings.Contains(r.demand.Detail, d.demand.Payment.Key) {
		t.Errorf("%d %s", r.status, r.body)
	}
}
