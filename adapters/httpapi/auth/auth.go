// Package auth tells whom a request is from, and what they may do.
//
// There are two tokens of the daemon's, the operator's and the auditor's, of which it knows
// the hashes; and a key of each resource, which its holder has. A [Caller] is what the
// Authorization of a request says; a [Role] is what a call asks for.
//
// Whether a token is the key of a resource is for the call to find out, as only billing
// can say.
package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"sandglass/adapters/httpapi/problem"
)

// TokenHash is the SHA-256 of a token. The zero hash is of no token.
type TokenHash [sha256.Size]byte

// HashToken returns the hash of a token, of which "" has the zero one.
func HashToken(token string) TokenHash {
	if token == "" {
		return TokenHash{}
	}
	return sha256.Sum256([]byte(token))
}

// is reports in constant time whether token has this hash.
func (h TokenHash) is(token string) bool {
	of := HashToken(token)
	same := subtle.ConstantTimeCompare(h[:], of[:]) == 1
	return same && h != (TokenHash{})
}

// Role is who may do a call.
type Role int

// The roles.
const (
	Anyone   Role = iota
	Holder        // of the resource, or the operator: the handler checks which
	Auditor       // or the operator
	Operator      // alone
)

// Schemes returns the names of the security schemes of a role in the OpenAPI document.
func (r Role) Schemes() []string { return schemes[r] }

var schemes = [...][]string{
	Anyone:   nil,
	Holder:   {"holder", "operator"},
	Auditor:  {"auditor", "operator"},
	Operator: {"operator"},
}

// tokens says in words what a role needs.
var tokens = [...]string{
	Holder:   "the holder key of the resource, or the operator's token",
	Auditor:  "the auditor's token or the operator's",
	Operator: "the operator's token",
}

// Tokens are the hashes of the daemon's tokens, and what else is as good as a holder key.
type Tokens struct {
	Operator, Auditor TokenHash
	// Credential returns the holder key that a credential in a request is as good as, "" where there is none, or
	// why it is refused. It may be nil.
	Credential func(*http.Request) (key string, err error)
}

// Caller is whom a request says it is from.
type Caller struct {
	Token             string // of its Authorization, empty without
	Operator, Auditor bool   // the operator is an auditor, too
	bad               error  // why its credential is refused
}

// CallerOf reads the Authorization of a request. Both tokens are always compared.
func (t Tokens) CallerOf(r *http.Request) Caller {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return t.byCredential(r)
	}
	token = strings.TrimSpace(token)
	c := Caller{Token: token, Operator: t.Operator.is(token)}
	c.Auditor = t.Auditor.is(token) || c.Operator
	return c
}

func (t Tokens) byCredential(r *http.Request) (c Caller) {
	if t.Credential != nil {
		c.Token, c.bad = t.Credential(r)
	}
	return c
}

// Refuse returns why the caller may not do calls of that role, nil if it may.
func (c Caller) Refuse(need Role) *problem.Problem {
	switch {
	case c.bad != nil:
		p := problem.New(http.StatusUnauthorized, "bad_credential", "%v", c.bad)
		p.Auth = `L402 version="0"`
		return p
	case need == Anyone, need == Holder && c.Token != "", need == Auditor && c.Auditor, need == Operator && c.Operator:
		return nil
	case c.Token == "":
		return noToken(need)
	}
	return WrongToken(need)
}

func noToken(need Role) *problem.Problem {
	p := problem.New(http.StatusUnauthorized, "no_token",
		"this call needs a token: send Authorization: Bearer with %s", tokens[need])
	p.Auth = `Bearer realm="sandglass"`
	return p
}

// WrongToken is the refusal of a caller whose token is not of that role.
func WrongToken(need Role) *problem.Problem {
	p := problem.New(http.StatusForbidden, "wrong_token",
		"the token is not the right one: this call needs %s", tokens[need])
	p.Auth = `Bearer realm="sandglass", error="insufficient_scope"`
	return p
}
