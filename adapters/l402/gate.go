package l402

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/adapters/l402/token"
	"sandglass/domain/billing/keys"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
)

// maxCached is for how long a proxy may go by an answer of [Server.Gate].
const maxCached = 5 * instant.Second

// Gate answers GET /v1/auth, by which a proxy asks whether a request may pass: 200 while the resource of its
// credential runs and has time, else 401 with a challenge that buys some, or 402 where the query says so, which is
// for proxies that hand on what they are answered. The query names the resource that it is to be, or the plan of
// which it is to be one, and what is sold at once.
func (s *Server) Gate(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Authorization")
	req, unpaid, err := gateRequest(r.URL.Query())
	if err != nil {
		refuse(w, err)
		return
	}
	select {
	case <-s.Folded():
	default:
		starting := problem(http.StatusServiceUnavailable, "starting", "the daemon has just started: try again in a moment")
		starting.RetryAfter = 2 * time.Second
		refuse(w, starting)
		return
	}
	c, err := s.credential(r)
	if err == nil && c != nil {
		err = c.Allows(toUse, s.Now())
	}
	if err != nil {
		refuse(w, err)
		return
	}
	if of := s.shown(r, req, c); of != "" {
		if s.admit(w, r, of, c) {
			return
		}
		req = &wire.BuyRequest{Resource: string(of), Time: req.Time, Amount: req.Amount}
	}
	s.challengeOnce(w, r, req, unpaid, c)
}

// gateRequest reads what a gate asks for, and the status of an answer that asks to pay.
func gateRequest(q url.Values) (req *wire.BuyRequest, unpaid int, err error) {
	unpaid = http.StatusUnauthorized
	switch q.Get("status") {
	case "", "401":
	case "402":
		unpaid = http.StatusPaymentRequired
	default:
		return nil, 0, invalid("status in the query is neither 401 nor 402")
	}
	req = &wire.BuyRequest{Plan: q.Get("plan"), Resource: q.Get("resource")}
	for _, n := range []struct {
		name string
		into func(int64)
	}{
		{"time_ms", func(v int64) { req.Time = instant.Millis(v) }},
		{"amount_msat", func(v int64) { req.Amount = money.Msat(v) }},
	} {
		if text := q.Get(n.name); text != "" {
			v, err := strconv.ParseInt(text, 10, 64)
			if err != nil || v < 1 {
				return nil, 0, invalid(n.name + " in the query is no whole number from 1")
			}
			n.into(v)
		}
	}
	return req, unpaid, check(req)
}

// shown returns the resource that a request shows a credential of, or the holder key; "" if it is none that the
// gate is for, or is released: then a new one is to be bought, if the gate sells a plan.
func (s *Server) shown(r *http.Request, req *wire.BuyRequest, c *token.Credential) resource.ID {
	id := resource.ID(req.Resource)
	if c != nil {
		id = c.Resource
	}
	state, ok := s.Billing.Resource(id)
	switch {
	case !ok, req.Resource != "" && req.Resource != string(id), req.Plan != "" && req.Plan != state.Plan:
		return ""
	case req.Plan != "" && state.Status == resource.StatusReleased:
		return ""
	case req.Plan != "" && c != nil && !s.holds(c): // he paid for another's
		return ""
	case c == nil && !keys.Holds(state, bearer(r)):
		return ""
	}
	return id
}

// admit lets a request pass if its resource runs and has time, or says why not if that is no matter of money, and
// reports whether it answered. What was paid a moment ago is waited for.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, id resource.ID, c *token.Credential) bool {
	state, _ := s.Billing.Resource(id)
	if c != nil && state.Remaining(s.Now()) == 0 && !state.Has(string(keyOf(c))) {
		if err := s.paid(r, c.Resource, keyOf(c)); err != nil {
			refuse(w, err)
			return true
		}
		state, _ = s.Billing.Resource(id)
	}
	left := state.Remaining(s.Now())
	switch {
	case state.Status == resource.StatusPaused:
		refuse(w, problem(http.StatusForbidden, "paused", "%s is paused: resume it first, by POST /v1/resources/%s/resume", id, id))
	case state.Status == resource.StatusStarting:
		p := problem(http.StatusForbidden, "not_up", "%s is starting: try again in a moment", id)
		p.RetryAfter = 5 * time.Second
		refuse(w, p)
	case state.Status == resource.StatusRunning && left > 0:
		pass(w, left)
	default:
		return false
	}
	return true
}

// pass lets a request pass, and the proxy go by that for a moment.
func pass(w http.ResponseWriter, left instant.Millis) {
	w.Header().Set("X-Sandglass-Remaining", strconv.FormatInt(int64(left/instant.Second), 10))
	if cached := min(left, maxCached) / instant.Second; cached > 0 {
		w.Header().Set("Cache-Control", "max-age="+strconv.FormatInt(int64(cached), 10))
	}
	w.WriteHeader(http.StatusOK)
}

// challengeOnce answers with a challenge: the one that the same client was given for the same, if that can still
// be paid for a while.
func (s *Server) challengeOnce(w http.ResponseWriter, r *http.Request, req *wire.BuyRequest, unpaid int, c *token.Credential) {
	asked := asked{client: s.ClientOf(r), request: hashOfRequest(req)}
	if c != nil {
		asked.token = sha256.Sum256(fmt.Appendf(nil, "%x%q", c.ID, c.Added))
	}
	var made *challenge
	if asked.client != "" {
		made = s.open.get(asked, s.Now())
	}
	if made == nil || !s.payable(made) {
		var err error
		if made, err = s.challenge(w, r, req, c); err != nil {
			refuse(w, unasked(err, unpaid))
			return
		}
		if asked.client != "" {
			s.open.put(asked, made, s.Now())
		}
	}
	w.Header().Set("WWW-Authenticate", strings.Join(s.dialects(made), ", ")) // of a name nginx hands on one header
	send(w, demand(unpaid, made))                                            // a gate takes credentials alone
}

// payable reports whether a challenge can be paid still, and nobody has.
func (s *Server) payable(c *challenge) bool {
	of, _ := s.Billing.Resource(resource.ID(c.payment.Resource))
	return s.Billing.Unlogged(payment.Key(c.payment.Key)).Status == payment.StatusRequested && !of.Has(c.payment.Key)
}

// unasked returns why there is no challenge, as proxies understand it: what is neither success nor 401 or 403 is
// an error of theirs to those that want 401.
func unasked(err error, unpaid int) error {
	p, ok := errors.AsType[*client.Problem](err)
	if ok && p.Status == http.StatusTooManyRequests && unpaid == http.StatusUnauthorized {
		p.Status = unpaid
	}
	return err
}

// asked is who asked for what.
type asked struct {
	client, request string
	token           [32]byte // a hash of the one that was shown, with its caveats, which the challenge has too
}

// maxOpen bounds the challenges that are remembered.
const maxOpen = 16_384

// remembered are challenges that can be given again.
type remembered struct {
	mu   sync.Mutex
	open map[asked]*remembrance
}

type remembrance struct {
	*challenge
	until instant.Time
}

func (m *remembered) get(a asked, now instant.Time) *challenge {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o := m.open[a]; o != nil && now < o.until {
		return o.challenge
	}
	return nil
}

// put remembers a challenge for half the time that it can be paid in. Where there are too many, those that have
// lapsed are forgotten, or else all: their clients are given others.
func (m *remembered) put(a asked, c *challenge, now instant.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.open) >= maxOpen {
		for k, o := range m.open {
			if o.until <= now {
				delete(m.open, k)
			}
		}
	}
	if m.open == nil || len(m.open) >= maxOpen {
		m.open = map[asked]*remembrance{}
	}
	m.open[a] = &remembrance{c, now.Add(max(0, c.payment.ExpiresAt.Sub(now)) / 2)}
}
