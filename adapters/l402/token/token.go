// Package token makes and reads the tokens of L402: macaroons that name an invoice, a resource and what was
// asked for. With the preimage of the invoice one is a credential, which says that it was paid.
//
// Nothing of a token is kept. Its id, which is random, gives with the daemon's secret the key that it is signed
// by, and the secret that names its order: so whoever asked for it holds what that order opens, on every host
// that has the same secret, and after every restart. The preimage alone proves nothing, since each node on the
// way of a payment learns it.
package token

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"sandglass/domain/billing/keys"
	"sandglass/domain/resource"

	"gopkg.in/macaroon.v2"
)

const (
	version  = 0 // of the identifiers
	idBytes  = 2 + 32 + 32
	maxAdded = 64 // caveats: each costs whoever verifies it
)

// Mint makes tokens, and reads those that it made.
type Mint struct {
	Secret [32]byte // of the daemon, the same on all hosts of one log
}

// Token is a macaroon of ours.
type Token struct {
	ID       [32]byte // random
	Hash     [32]byte // payment_hash of the invoice that it is paid by
	Resource resource.ID
	Request  string // what was asked for: a hash
	// Added are the caveats that those who had it have added, oldest first.
	Added []string
}

// The first two caveats are ours: what L402 calls a service is a resource here.
func (t *Token) services() string { return "services=" + string(t.Resource) + ":0" }
func (t *Token) request() string  { return string(t.Resource) + "_request=" + t.Request }

// Make returns a token as binary of version 2.
func (m *Mint) Make(t *Token) []byte {
	id := binary.BigEndian.AppendUint16(nil, version)
	id = append(append(id, t.Hash[:]...), t.ID[:]...)
	made, err := macaroon.New(m.derive("root", t.ID), id, "", macaroon.V2) // a location is not signed
	for _, caveat := range append([]string{t.services(), t.request()}, t.Added...) {
		if err == nil {
			err = made.AddFirstPartyCaveat([]byte(caveat))
		}
	}
	var b []byte
	if err == nil {
		b, err = made.MarshalBinary()
	}
	if err != nil {
		panic(err) // only what is longer than a request can be, or of version 1, is refused
	}
	return b
}

// Seed returns the secret that the order of a token is named by: its Idempotency-Key.
func (m *Mint) Seed(id [32]byte) string { return hex.EncodeToString(m.derive("order", id)) }

// HolderKey returns the holder key of what the order of a token opens, and the id of that.
func (m *Mint) HolderKey(id [32]byte) (of resource.ID, key string) {
	seed := []byte(m.Seed(id))
	return resource.ID(keys.Derive("order", seed)[:20]), keys.Derive("holder", seed)
}

func (m *Mint) derive(purpose string, id [32]byte) []byte {
	key, err := hkdf.Key(sha256.New, m.Secret[:], id[:], "sandglass l402 "+purpose, 32)
	if err != nil {
		panic(err) // 32 bytes of SHA-256 can be had
	}
	return key
}

// verify returns the token that a macaroon is, if it is one of ours.
func (m *Mint) verify(b []byte) (*Token, error) {
	var made macaroon.Macaroon
	if err := made.UnmarshalBinary(b); err != nil {
		return nil, bad("the token is no macaroon")
	}
	id := made.Id()
	if len(id) != idBytes || binary.BigEndian.Uint16(id) != version {
		return nil, bad("the token is not of this daemon")
	}
	if len(made.Caveats()) > 2+maxAdded {
		return nil, errTooMany
	}
	t := &Token{Hash: [32]byte(id[2:34]), ID: [32]byte(id[34:])}
	caveats, err := made.VerifySignature(m.derive("root", t.ID), nil)
	if err != nil || len(caveats) < 2 {
		return nil, bad("the token is forged, or of another daemon")
	}
	name, _ := strings.CutPrefix(caveats[0], "services=") // as we signed them
	name, _, _ = strings.Cut(name, ":")
	t.Resource = resource.ID(name)
	t.Request, _ = strings.CutPrefix(caveats[1], name+"_request=")
	t.Added = caveats[2:]
	if t.services() != caveats[0] || t.request() != caveats[1] {
		return nil, bad("the token is not of this daemon")
	}
	return t, nil
}

// Text returns a token as L402 sends it.
func Text(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

var errTooMany = bad("the token was narrowed more than %d times", maxAdded)

// bad says why a credential is refused.
func bad(format string, args ...any) error {
	return &Error{fmt.Sprintf(format, args...)}
}

// Error says why a credential is refused, for whoever sent it.
type Error struct{ Why string }

// Error implements error.
func (e *Error) Error() string { return e.Why }
