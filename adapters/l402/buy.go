package l402

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/client/inprocess"
	"sandglass/adapters/httpapi/wire"
	"sandglass/adapters/l402/token"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
)

// Buy answers POST /v1/buy. The same request with the credential that its challenge led to is answered with what
// was bought, however often it is sent; every other request is answered with a challenge.
func (s *Server) Buy(w http.ResponseWriter, r *http.Request) {
	req, err := requestOf(r)
	cash := ""
	if err == nil {
		cash, err = cashOf(r, req)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	c, err := s.credential(r)
	bought := c != nil && strings.TrimPrefix(c.Request, held) == hashOfRequest(req)
	switch {
	case c == nil || err != nil:
	case bought:
		err = c.Allows(toSee, s.Now())
	case req.Resource == string(c.Resource):
		err = c.Allows(toTopUp, s.Now())
	}
	switch {
	case err != nil:
		refuse(w, err)
	case bought:
		s.answer(w, r, c)
	case cash != "":
		s.buyByCash(w, r, req, c, cash)
	default:
		s.ask(w, r, req, c)
	}
}

// requestOf reads a request, more strictly than encoding/json does.
func requestOf(r *http.Request) (*wire.BuyRequest, error) {
	b, err := io.ReadAll(r.Body)
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, problem(http.StatusRequestEntityTooLarge, "too_large",
			"the body is too large: %d bytes are the most", tooLarge.Limit)
	}
	if err != nil {
		return nil, problem(http.StatusBadRequest, "malformed_request", "the body did not arrive whole")
	}
	req := &wire.BuyRequest{}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err = d.Decode(req); err == nil {
		if _, end := d.Token(); end != io.EOF {
			err = errors.New("more follows after the object")
		}
	}
	if err != nil {
		return nil, problem(http.StatusBadRequest, "malformed_request", `the body is not what is asked for: want an object such as `+
			`{"plan":"vm-small","time_ms":7200000}: %v`, strings.TrimPrefix(err.Error(), "json: "))
	}
	return req, check(req)
}

// check returns why a request is none; what its values may be is for the call that it leads to.
func check(r *wire.BuyRequest) error {
	switch {
	case (r.Plan == "") == (r.Resource == ""):
		return invalid("give plan for a new resource, or resource for more time of one that there is: one of them")
	case (r.Time == 0) == (r.Amount == 0):
		return invalid("give time_ms or amount_msat: one of them")
	case r.Resource != "" && (r.Host != "" || len(r.Params) > 0):
		return invalid("host and params are of a new resource: leave them out")
	}
	return nil
}

func invalid(why string) error {
	return problem(http.StatusUnprocessableEntity, "invalid_request", "%s", why)
}

// hashOfRequest returns what tells requests apart.
func hashOfRequest(r *wire.BuyRequest) string {
	b, _ := json.Marshal(r) // plain values, names in order
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// ask answers with a challenge.
func (s *Server) ask(w http.ResponseWriter, r *http.Request, req *wire.BuyRequest, c *token.Credential) {
	made, err := s.challenge(w, r, req, c)
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header()["Www-Authenticate"] = s.dialects(made)
	p := demand(http.StatusPaymentRequired, made)
	s.askForCash(w, p)
	send(w, p)
}

// answer answers a paid request with what it bought. Money that comes takes a moment to be credited: until it is,
// the request can be sent again, and is never asked to pay anew.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, c *token.Credential) {
	key := s.holder(c)
	s.give(w, r, c.Resource, keyOf(c), key, func(out *wire.Order) {
		if !c.Narrowed() { // whoever was given less is not to have all
			out.HolderKey = key
		}
	})
}

// give answers with a resource once a payment is credited, as whoever has the holder key sees it, which may be "".
// tell may add to the answer. Without a payment's key it was credited long ago.
func (s *Server) give(
	w http.ResponseWriter, r *http.Request, id resource.ID, payment payment.Key, holder string, tell func(*wire.Order),
) {
	err, cl, out := error(nil), s.client(w, r, holder), wire.Order{}
	if payment != "" {
		err = s.paid(r, id, payment)
	}
	if err == nil {
		out.Resource, err = cl.Resource(r.Context(), string(id))
	}
	if err == nil && payment != "" {
		var p wire.Payment
		p, err = cl.PaymentOf(r.Context(), string(id), string(payment))
		out.Payment = &p
	}
	if err != nil {
		refuse(w, err)
		return
	}
	tell(&out)
	w.Header().Set("Location", "/v1/resources/"+string(id))
	write(w, http.StatusOK, "application/json", out)
}

// paid waits until a payment of a resource is credited.
func (s *Server) paid(r *http.Request, id resource.ID, key payment.Key) error {
	changed, stop := s.Billing.Watch(id)
	defer stop()
	late := time.NewTimer(s.Wait)
	defer late.Stop()
	for {
		p, err := s.Billing.Payment(r.Context(), key)
		switch {
		case err != nil && r.Context().Err() == nil:
			return unavailable(err)
		case p.Status == payment.StatusCredited && s.shows(id, &p):
			return nil
		case p.Status == payment.StatusUnallocated:
			return problem(http.StatusConflict, "unallocated", "it was paid, and %s could not have the money (%s): "+
				"the operator can give it to another resource, or back: name the payment %s", id, p.Reason, key)
		}
		select {
		case <-changed:
		case <-late.C:
			return unavailable(nil)
		case <-r.Context().Done():
			return unavailable(nil)
		}
	}
}

// shows reports whether what is shown of a resource has the credit of what is paid, or never will: the log may be ahead of it.
func (s *Server) shows(id resource.ID, paid *payment.State) bool {
	of, _ := s.Billing.Resource(id)
	return of.Has(string(paid.Key)) || of.Status == resource.StatusReleased || paid.Resource != id
}

// unavailable says that what is paid is not credited yet.
func unavailable(cause error) error {
	p := problem(http.StatusServiceUnavailable, "not_credited", "it is paid, and is not credited yet: "+
		"send the same request with the same proof of it again, and don't pay again")
	p.RetryAfter = 5 * time.Second
	if cause != nil {
		return errors.Join(p, cause)
	}
	return p
}

// problem returns a problem of ours.
func problem(status int, code, format string, args ...any) *client.Problem {
	title := strings.ReplaceAll(code, "_", " ")
	return &client.Problem{Problem: wire.Problem{
		Type:  "urn:sandglass:problem:" + code,
		Title: strings.ToUpper(title[:1]) + title[1:], Status: status, Code: code, Detail: fmt.Sprintf(format, args...),
	}}
}

// refuse answers with the problem that err is: ours, or what the API answered. What else it is is for the log alone.
func refuse(w http.ResponseWriter, err error) {
	err = unlessRefused(err)
	p, ok := errors.AsType[*client.Problem](err)
	bad, isBad := errors.AsType[*token.Error](err)
	if isBad {
		p, ok = problem(http.StatusUnauthorized, "bad_credential", "%s", bad.Why), true
		w.Header().Set("WWW-Authenticate", `L402 version="0"`)
	}
	if !ok {
		p = problem(http.StatusInternalServerError, "internal_error", "internal error: tell the operator the request_id")
	}
	var why error
	if !isBad && err != error(p) {
		why = err
	}
	inprocess.Note(w, p.Problem, why)
	retryAfter(w, p.RetryAfter)
	p.RequestID = w.Header().Get("X-Request-Id")
	write(w, p.Status, "application/problem+json", p.Problem)
}
