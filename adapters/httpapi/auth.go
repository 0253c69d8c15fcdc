package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"sandglass/adapters/httpapi/problem"

	"github.com/danielgtaylor/huma/v2"
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

// is says in constant time whether token has this hash.
func (h TokenHash) is(token string) bool {
	of := HashToken(token)
	same := subtle.ConstantTimeCompare(h[:], of[:]) == 1
	return same && h != (TokenHash{})
}

// role is who may do a call.
type role int

const (
	anyone   role = iota
	holder        // of the resource, or the operator: the handler sees to it
	auditor       // or the operator
	operator      // alone
)

// schemes names the security scheme of a role in the OpenAPI document.
var schemes = [...][]string{anyone: nil, holder: {"holder", "operator"}, auditor: {"auditor", "operator"}, operator: {"operator"}}

// caller is who a request says it is from.
type caller struct {
	token             string // of its Authorization, empty without
	operator, auditor bool
}

// callerOf reads the Authorization of a request. Both tokens are always compared.
func (s *Server) callerOf(r *http.Request) caller {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return caller{}
	}
	token = strings.TrimSpace(token)
	c := caller{token: token, operator: s.Operator.is(token)}
	c.auditor = s.Auditor.is(token) || c.operator
	return c
}

// allow says whether the caller may do calls of that role, or what it lacks.
func (c caller) allow(need role) *problem.Problem {
	switch {
	case need == anyone, need == holder && c.token != "", need == auditor && c.auditor, need == operator && c.operator:
		return nil
	case c.token == "":
		p := problem.New(http.StatusUnauthorized, "no_token", "this call needs a token: send Authorization: Bearer with %s", tokens[need])
		p.Auth = `Bearer realm="sandglass"`
		return p
	}
	return wrongToken(need)
}

func wrongToken(need role) *problem.Problem {
	p := problem.New(http.StatusForbidden, "wrong_token", "the token is not the right one: this call needs %s", tokens[need])
	p.Auth = `Bearer realm="sandglass", error="insufficient_scope"`
	return p
}

var tokens = [...]string{
	holder:   "the holder key of the resource, or the operator's token",
	auditor:  "the auditor's token or the operator's",
	operator: "the operator's token",
}

// guard refuses who may not do calls of that role, before anything else is looked at.
func guard(need role) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r := requestOf(ctx.Context())
		if p := r.caller.allow(need); p != nil {
			r.refuse(p)
			return
		}
		next(ctx)
	}
}
