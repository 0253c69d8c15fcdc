package checkpoint

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Key is the private key of a log: one Ed25519 key, which has another name, and so another id, for each
// origin that it signs for.
type Key struct{ private ed25519.PrivateKey }

// algEd25519 leads the bytes of a key in a text.
const algEd25519 = 1

// NewKey draws a key from random.
func NewKey(random io.Reader) (*Key, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(random, seed); err != nil {
		return nil, fmt.Errorf("checkpoint: drawing a key: %w", err)
	}
	return &Key{ed25519.NewKeyFromSeed(seed)}, nil
}

// ParseKey reads the text of [Key.Text], whatever name is in it.
func ParseKey(text string) (*Key, error) {
	text = strings.TrimSpace(text)
	if _, err := note.NewSigner(text); err != nil {
		return nil, fmt.Errorf("checkpoint: the private key: %w", err) // which does not tell it
	}
	const chars = 44 // of a byte and the seed in base64, in which + may be
	raw, err := base64.StdEncoding.DecodeString(text[len(text)-chars:])
	if err != nil || len(raw) != 1+ed25519.SeedSize {
		return nil, errors.New("checkpoint: the private key is not one of Ed25519")
	}
	return &Key{ed25519.NewKeyFromSeed(raw[1:])}, nil
}

// Text returns the private key by its name for an origin, as x/mod's note.GenerateKey writes it.
func (k *Key) Text(origin string) (string, error) {
	vkey, err := k.VKey(origin)
	if err != nil {
		return "", err
	}
	id := strings.TrimPrefix(vkey, origin+"+")[:8]
	raw := append([]byte{algEd25519}, k.private.Seed()...)
	return "PRIVATE+KEY+" + origin + "+" + id + "+" + base64.StdEncoding.EncodeToString(raw), nil
}

// VKey returns the public key by its name for an origin, as verifiers take it.
func (k *Key) VKey(origin string) (string, error) {
	if err := CheckOrigin(origin); err != nil {
		return "", err
	}
	return note.NewEd25519VerifierKey(origin, k.private.Public().(ed25519.PublicKey))
}

// Invalid returns the origin of a log that nobody gave a name: it is drawn from the key.
func (k *Key) Invalid() string {
	sum := sha256.Sum256(k.private.Public().(ed25519.PublicKey))
	return "sandglass.invalid/" + hex.EncodeToString(sum[:8])
}

func (k *Key) signer(origin string) (note.Signer, error) {
	text, err := k.Text(origin)
	if err != nil {
		return nil, err
	}
	return note.NewSigner(text)
}

// CheckVKey returns an error unless text is the public key of a log.
func CheckVKey(text string) error {
	v, err := note.NewVerifier(text)
	if err != nil {
		return fmt.Errorf("checkpoint: the key %.200q: %w", text, err)
	}
	return CheckOrigin(v.Name())
}
