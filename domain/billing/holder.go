package billing

import (
	"crypto/sha256"
	"crypto/subtle"

	"sandglass/domain/resource"
)

// HashKey returns what is stored of a holder key: the first 128 bits of its SHA-256.
func HashKey(key string) [16]byte {
	sum := sha256.Sum256([]byte(key))
	return [16]byte(sum[:16])
}

// Holds reports in constant time whether key is the holder key of s.
func Holds(s resource.State, key string) bool {
	h := HashKey(key)
	return subtle.ConstantTimeCompare(h[:], s.Holder[:]) == 1
}
