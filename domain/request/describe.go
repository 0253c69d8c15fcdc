package request

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"sandglass/domain/instant"
	"sandglass/domain/resource"
)

// Signer writes and reads the descriptions of invoices:
//
//	web-1 · 2h · 4t1v0h8s6r3y7k9m2n5p8q1w3e
//	web-1 · 2h · log 1234567 Aippeebat6pa5MPl5F9-l3ESp-Y1k4IN · 4t1v0h8s6r3y7k9m2n5p8q1w3e
//
// the resource, the time that is bought, what is said of the log, and in 26 letters and digits a nonce
// of 64 bits and the first 64 bits of an HMAC-SHA256 of what stands before it. The key is the same on all
// hosts of one log. A description is public: whoever has seen one can have another program
// write it into an invoice of the same wallet. So it says who asked, and credits nobody.
type Signer struct {
	Key [32]byte
	// Log returns what a description says of the log, in up to 56 bytes: nothing where it is empty, or
	// there is no Log. It doesn't wait.
	Log func() string
}

const separator = " · "

// letters are of base 32 without those that are easily mistaken.
var letters = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// Describe returns the description of an invoice for a resource, in up to 200 bytes. The nonce is
// random: no two invoices are described alike.
func (s *Signer) Describe(id resource.ID, time instant.Millis, nonce [8]byte) string {
	text := string(id) + separator + time.InUnits() + separator
	if said := s.Said(); said != "" {
		text += said + separator
	}
	return text + letters.EncodeToString(append(nonce[:], s.mac(text, nonce[:])...))
}

// Said returns what is said of the log now, or nothing.
func (s *Signer) Said() string {
	if s.Log == nil {
		return ""
	}
	return s.Log()
}

// Preimage returns the secret that settles an invoice of that description whose money is held. It
// follows from the key, so that nothing of it is kept, and is never told before the money is taken.
func (s *Signer) Preimage(description string) [32]byte {
	secret, err := hkdf.Key(sha256.New, s.Key[:], nil, "sandglass preimage\x00"+description, 32)
	if err != nil {
		panic(err) // 32 bytes of SHA-256 can be had
	}
	return [32]byte(secret)
}

func (s *Signer) mac(text string, nonce []byte) []byte {
	h := hmac.New(sha256.New, s.Key[:])
	h.Write([]byte("sandglass invoice\x00" + text))
	h.Write(nonce)
	return h.Sum(nil)[:8]
}

// Seal returns 13 letters and digits that nobody can make of a text who has not the key.
func (s *Signer) Seal(text string) string {
	h := hmac.New(sha256.New, s.Key[:])
	h.Write([]byte("sandglass seal\x00" + text))
	return letters.EncodeToString(h.Sum(nil)[:8])
}

// Read returns the resource that a description names, and whether we wrote it. Earlier builds
// wrote "sandglass " and the id, as anybody can. The id is empty where it can't be one.
func (s *Signer) Read(description string) (id resource.ID, ours bool) {
	if name, ok := strings.CutPrefix(description, "sandglass "); ok {
		return checked(name), false
	}
	i := strings.LastIndex(description, separator)
	if i < 0 {
		return "", false
	}
	text, tag := description[:i+len(separator)], description[i+len(separator):]
	name, _, _ := strings.Cut(text, separator)
	id = checked(name)
	raw, err := letters.DecodeString(tag)
	written := err == nil && len(raw) == 16 && letters.EncodeToString(raw) == tag // line ends are passed over, and spare bits
	ours = written && id != "" && hmac.Equal(raw[8:], s.mac(text, raw[:8]))
	return id, ours
}

func checked(name string) resource.ID {
	if !resource.IsName(name) {
		return ""
	}
	return resource.ID(name)
}
