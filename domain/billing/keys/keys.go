// Package keys is about holder keys: what follows from them, what they follow from, and what names
// an order besides.
package keys

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"io"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/plan"
	"sandglass/domain/plan/param"
	"sandglass/domain/resource"
)

// ErrInvalid says that what is asked for can't be: nothing was changed.
var ErrInvalid = errors.New("billing: invalid request")

// Names returns the id of an order, unless it has one, and its holder key. Both follow from the
// Idempotency-Key, if there is one, else they are random. One that could be guessed is
// [ErrInvalid], and an id that can't be one is [plan.ErrInvalid].
func Names(random io.Reader, idempotency string, chosen resource.ID) (id resource.ID, holder string, err error) {
	seed := []byte(idempotency)
	if len(seed) == 0 {
		seed = make([]byte, 32)
		if _, err := io.ReadFull(random, seed); err != nil {
			return "", "", fmt.Errorf("billing: reading random bytes: %w", err)
		}
	} else if len(seed) < 20 || len(seed) > 128 {
		return "", "", fmt.Errorf("%w: an Idempotency-Key is a random secret of 20 to 128 characters, such as a UUID", ErrInvalid)
	}
	id = chosen
	if id == "" {
		id = resource.ID(Derive("order", seed)[:20])
	}
	return id, Derive("holder", seed), plan.CheckName(string(id))
}

// OfRequest returns what tells orders of one id apart: the first 128 bits of the SHA-256 of what is
// asked for.
func OfRequest(
	plan string, time instant.Millis, amount money.Msat, host string, said param.Values, holder string,
) [16]byte {
	text := fmt.Appendf(nil, "%s\x00%d\x00%d", plan, time, amount)
	if host != "" { // without one it is what it was before there were hosts
		text = append(append(text, 0), host...)
	}
	if len(said) > 0 {
		hash := said.Hash(Salt(holder))
		text = append(append(text, "\x00params\x00"...), hash[:]...)
	}
	sum := sha256.Sum256(text)
	return [16]byte(sum[:16])
}

// Hash returns what is stored of a holder key: the first 128 bits of its SHA-256.
func Hash(key string) [16]byte {
	sum := sha256.Sum256([]byte(key))
	return [16]byte(sum[:16])
}

// Holds reports in constant time whether key is the holder key of s.
func Holds(s resource.State, key string) bool {
	h := Hash(key)
	return subtle.ConstantTimeCompare(h[:], s.Holder[:]) == 1
}

// Salt returns what keeps an order's parameters from being guessed by their hash: it follows from the
// holder key, so that an order that is sent again is the same.
func Salt(key string) [16]byte {
	sum := sha256.Sum256([]byte("sandglass params salt\x00" + key))
	return [16]byte(sum[:16])
}

// Derive returns 256 bits that follow from a secret for one purpose, in letters and
// digits that are hard to mistake.
func Derive(purpose string, seed []byte) string {
	sum := sha256.Sum256(append([]byte("sandglass "+purpose+"\x00"), seed...))
	return base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding).EncodeToString(sum[:])
}
