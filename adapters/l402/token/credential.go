package token

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"sandglass/domain/instant"
)

// maxHeader bounds an Authorization, as most servers and proxies do.
const maxHeader = 8 << 10

// Credential is a token that was paid, with what it may still be used for.
type Credential struct {
	Token
	allowed [][]string     // each caveat's capabilities, of which all must have one
	until   []instant.Time // none of which may have passed
}

// Is reports whether an Authorization is a credential, good or bad.
func Is(authorization string) bool {
	_, _, ok := split(authorization)
	return ok
}

// split returns the scheme of a credential, and what follows.
func split(authorization string) (scheme, rest string, ok bool) {
	scheme, rest, _ = strings.Cut(strings.TrimSpace(authorization), " ")
	scheme = strings.ToUpper(scheme)
	return scheme, strings.TrimSpace(rest), scheme == "L402" || scheme == "LSAT" || scheme == "PAYMENT"
}

// Read returns the credential in an Authorization by L402, which was called LSAT, or by Payment. What is not good
// is an [*Error].
func (m *Mint) Read(authorization string) (*Credential, error) {
	if len(authorization) > maxHeader {
		return nil, bad("the credential is longer than %d bytes", maxHeader)
	}
	scheme, rest, _ := split(authorization)
	texts, proof, err := ofL402(rest)
	if scheme == "PAYMENT" {
		texts, proof, err = ofPayment(rest)
	}
	if err != nil {
		return nil, err
	}
	preimage, err := hex.DecodeString(proof)
	if err != nil || len(preimage) != sha256.Size {
		return nil, bad("the preimage is %d characters: want 64 hexadecimal digits", len(proof))
	}
	var all *Credential
	for _, text := range texts {
		c, err := m.readOne(text, preimage)
		switch {
		case err != nil:
			return nil, err
		case all == nil:
			all = c
		case all.ID != c.ID || all.Resource != c.Resource || all.Request != c.Request:
			return nil, bad("the tokens are of different purchases: send one")
		default: // each of them narrows
			all.allowed, all.until = append(all.allowed, c.allowed...), append(all.until, c.until...)
			all.Added = append(all.Added, c.Added...)
		}
		if len(all.Added) > maxAdded { // else what it buys were refused
			return nil, errTooMany
		}
	}
	return all, nil
}

// ofL402 takes apart TOKEN:PREIMAGE, where TOKEN may be several with commas between.
func ofL402(text string) (tokens []string, preimage string, err error) {
	list, preimage, ok := strings.Cut(text, ":")
	if !ok {
		return nil, "", bad("want Authorization: L402 and the token, a colon and the preimage")
	}
	return strings.Split(list, ","), strings.TrimSpace(preimage), nil
}

// ofPayment takes a credential apart as drafts of the Payment scheme have it. The id of the challenge is the token;
// what else of the challenge is said again was signed with it, and is not read.
func ofPayment(text string) (tokens []string, preimage string, err error) {
	var said struct {
		Challenge struct{ ID, Method string }
		Payload   struct{ Preimage string }
	}
	b, err := unbase64(text)
	if err == nil {
		err = json.Unmarshal(b, &said)
	}
	if err != nil || said.Challenge.ID == "" {
		return nil, "", bad("want Authorization: Payment and base64url of an object with the challenge and the payload's preimage")
	}
	if said.Challenge.Method != "lightning" {
		return nil, "", bad("the payment's method is %.20q: want lightning", said.Challenge.Method)
	}
	return []string{said.Challenge.ID}, said.Payload.Preimage, nil
}

func (m *Mint) readOne(text string, preimage []byte) (*Credential, error) {
	b, err := unbase64(strings.TrimSpace(text))
	if err != nil {
		return nil, bad("the token is not base64")
	}
	t, err := m.verify(b)
	if err != nil {
		return nil, err
	}
	if hash := sha256.Sum256(preimage); !bytes.Equal(hash[:], t.Hash[:]) {
		return nil, bad("the preimage is not that of the token's invoice: pay it, or send the preimage that paying it gave")
	}
	c := &Credential{Token: *t}
	for _, caveat := range t.Added {
		if err := c.narrow(caveat); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// narrow adds what a caveat forbids. One that is unknown here is another service's.
func (c *Credential) narrow(caveat string) error {
	condition, value, _ := strings.Cut(caveat, "=")
	switch condition {
	case "services":
		for one := range strings.SplitSeq(value, ",") {
			if name, _, _ := strings.Cut(one, ":"); strings.TrimSpace(name) == string(c.Resource) {
				return nil
			}
		}
		return bad("the token was narrowed to services that %s is none of", c.Resource)
	case string(c.Resource) + "_capabilities":
		var list []string
		for one := range strings.SplitSeq(value, ",") {
			list = append(list, strings.TrimSpace(one))
		}
		c.allowed = append(c.allowed, list)
	case string(c.Resource) + "_valid_until":
		unix, err := strconv.ParseInt(value, 10, 64)
		if err != nil || unix < 0 || unix > int64(instant.Max)/1000 {
			return bad("the token has the caveat %.60q: want seconds since 1970", caveat)
		}
		c.until = append(c.until, instant.Time(unix*1000))
	}
	return nil
}

// Allows returns why a credential may not be used for something at an instant, or nil.
func (c *Credential) Allows(capability string, now instant.Time) error {
	for _, t := range c.until {
		if now >= t {
			return bad("the token was narrowed to be good until %s", t)
		}
	}
	for _, list := range c.allowed {
		if !slices.Contains(list, capability) {
			return bad("the token was narrowed to %s, which does not allow %s", strings.Join(list, ", "), capability)
		}
	}
	return nil
}

// Narrowed reports whether it may be used for less than what was bought allows, now or later.
func (c *Credential) Narrowed() bool { return len(c.allowed)+len(c.until) > 0 }

// unbase64 decodes either alphabet, padded or not.
func unbase64(text string) ([]byte, error) {
	text = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(text, "="))
	return base64.RawURLEncoding.DecodeString(text)
}
