// Package l402 sells to programs, in the request: what is not paid is answered with 402 and what to pay, and the
// same request with the proof of payment gets what it asked for. It speaks L402 and the Payment scheme at once.
//
// It is a client of the API: a challenge is an order there, or an invoice for a resource, with all the limits of
// these, and costs nothing else. The proof is a credential of package token, of which nothing is kept. It holds
// what it bought: package auth takes it for the holder key that follows from it.
package l402

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/client/inprocess"
	"sandglass/adapters/l402/token"
	"sandglass/domain/instant"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
)

// Billing is what is asked of billing, besides what clients of the API can ask.
type Billing interface {
	Resource(id resource.ID) (resource.State, bool)
	Payment(ctx context.Context, key payment.Key) (payment.State, error)
	Unlogged(key payment.Key) payment.State
	Watch(id resource.ID) (changed <-chan struct{}, stop func())
}

// Options are what a server works with. All but PublicURL and Wait are required.
type Options struct {
	API       http.Handler // that answers calls
	Billing   Billing
	Secret    [32]byte // from which all tokens follow, the same on all hosts
	PublicURL string   // where clients reach the API, if that is known
	// ClientOf names who asks: what one client was given he is given again. It is "" where clients are not known
	// from another, of whom each request is given something else: a token is as good as money to whoever has the preimage.
	ClientOf func(*http.Request) string
	Folded   func() <-chan struct{} // closed once billing knows of all resources
	Now      func() instant.Time
	Wait     time.Duration // for the credit of what is paid; 0 is 5 s
	Cash     Cash          // nil where no tokens are taken
}

// Server answers.
type Server struct {
	Options
	mint  token.Mint
	realm string
	open  remembered
}

// New returns a server.
func New(o Options) *Server {
	s := &Server{Options: o, mint: token.Mint{Secret: o.Secret}, realm: "sandglass"}
	if s.Wait == 0 {
		s.Wait = 5 * time.Second
	}
	if u, err := url.Parse(o.PublicURL); err == nil && u.Host != "" {
		s.realm = u.Host
	}
	return s
}

// HolderKey returns the holder key that follows from the credential in a request, "" if there is none. A bad
// credential is an [*token.Error], and so is one that may not be used for such a request.
func (s *Server) HolderKey(r *http.Request) (string, error) {
	c, err := s.credential(r)
	if c == nil || err != nil {
		return "", err
	}
	if err := c.Allows(capabilityOf(r), s.Now()); err != nil {
		return "", err
	}
	_, key := s.mint.HolderKey(c.ID)
	return key, nil
}

// credential returns the credential in a request, nil if there is none.
func (s *Server) credential(r *http.Request) (*token.Credential, error) {
	said := r.Header.Values("Authorization")
	for _, one := range said {
		switch {
		case !token.Is(one):
		case len(said) > 1: // two programs could choose two of them
			return nil, &token.Error{Why: "there is more than one Authorization: send one"}
		default:
			return s.mint.Read(one)
		}
	}
	return nil, nil
}

// holder returns the holder key that a credential is as good as; "" if its purchase made nobody a holder.
func (s *Server) holder(c *token.Credential) string {
	if c == nil {
		return ""
	}
	of, key := s.mint.HolderKey(c.ID)
	if of != c.Resource {
		return ""
	}
	return key
}

// held begins what was asked for in a token that is for whoever showed the holder key.
const held = "held-"

// holds reports whether whom a credential was made for held its resource, or does by it.
func (s *Server) holds(c *token.Credential) bool {
	return s.holder(c) != "" || strings.HasPrefix(c.Request, held)
}

// client returns a client of the API in the name of a request.
func (s *Server) client(w http.ResponseWriter, r *http.Request, key string) *client.Client {
	return inprocess.Client(s.API, r, w, key)
}

// newID returns the id of a new token.
func newID() (id [32]byte) {
	rand.Read(id[:])
	return id
}

// hashOf returns the payment_hash of a Lightning payment.
func hashOf(key payment.Key) (hash [32]byte, err error) {
	text, _ := key.Hash()
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(hash) {
		return hash, errors.New("l402: the payment has no hash")
	}
	return [32]byte(b), nil
}

// keyOf returns the key of the payment that a credential is proof of.
func keyOf(c *token.Credential) payment.Key {
	return payment.LightningKey(hex.EncodeToString(c.Hash[:]))
}
