// Package keys is about holder keys: what follows from them, and what they follow from.
package keys

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"

	"sandglass/domain/resource"
)

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
