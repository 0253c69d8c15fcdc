// Package token reads tokens of digital cash as Cashu has them, and writes what a token is asked to be
// (NUT-00, NUT-18). It knows their form alone: whether one is good is for its mint to say.
package token

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fxamacker/cbor/v2"
)

// Bounds of a token.
const (
	MaxText   = 128 << 10 // characters
	MaxProofs = 512
	MaxSat    = 21_000_000 * 100_000_000
	maxSecret = 2 << 10 // characters of a secret or a witness: locks are written into them
	maxName   = 512     // of a mint's URL, and of a unit
)

// Token is money that a mint owes to whoever has it.
type Token struct {
	Mint   string // its URL, without a slash at the end
	Unit   string
	Proofs []Proof
}

// Proof is a part of a token, as a mint is sent it.
type Proof struct {
	Amount  int64  `json:"amount"` // 1 to [MaxSat], as is their sum
	Keyset  string `json:"id"`     // in hex; or as mints wrote it once, in base64
	Secret  string `json:"secret"`
	C       string `json:"C"`                 // in hex
	Witness string `json:"witness,omitempty"` // that opens a lock
}

// Sum returns what the proofs are worth, in the token's unit.
func (t *Token) Sum() (sum int64) {
	for i := range t.Proofs {
		sum += t.Proofs[i].Amount
	}
	return sum
}

// Hash names the token, however it is written: it is of its proofs' secrets, of which it tells nothing.
func (t *Token) Hash() [32]byte {
	secrets := make([]string, len(t.Proofs))
	for i := range t.Proofs {
		secrets[i] = t.Proofs[i].Secret
	}
	slices.Sort(secrets)
	h := sha256.New()
	for _, s := range secrets {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(s))))
		h.Write([]byte(s))
	}
	return [32]byte(h.Sum(nil))
}

// Error says why a text is no token, for whoever sent it. It holds nothing of the text.
type Error struct{ Why string }

// Error implements error.
func (e *Error) Error() string { return e.Why }

func bad(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// Read returns the token that a text is: "cashuA" and JSON, or "cashuB" and CBOR, in base64 of either alphabet,
// padded or not. What is none is an [*Error].
func Read(text string) (*Token, error) {
	text = strings.TrimPrefix(strings.TrimSpace(text), "cashu:")
	if len(text) > MaxText {
		return nil, bad("the token has %d characters: %d are the most", len(text), MaxText)
	}
	a, isA := strings.CutPrefix(text, "cashuA")
	b, isB := strings.CutPrefix(text, "cashuB")
	if !isA && !isB {
		return nil, bad("the token begins with neither cashuA nor cashuB")
	}
	of, read := a, readA
	if isB {
		of, read = b, readB
	}
	raw, err := unbase64(of)
	if err != nil {
		return nil, bad("the token is not base64")
	}
	t, err := read(raw)
	if err != nil {
		return nil, err
	}
	t.Mint = strings.TrimRight(t.Mint, "/")
	return t, t.check()
}

// unbase64 decodes either alphabet, padded or not.
func unbase64(text string) ([]byte, error) {
	text = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(text, "="))
	return base64.RawURLEncoding.DecodeString(text)
}

func (t *Token) check() error {
	if len(t.Proofs) == 0 || len(t.Proofs) > MaxProofs {
		return bad("the token has %d proofs: want 1 to %d, so swap it for one of fewer", len(t.Proofs), MaxProofs)
	}
	if t.Mint == "" || len(t.Mint) > maxName || len(t.Unit) > maxName {
		return bad("the token names no mint, or one of more than %d characters", maxName)
	}
	sum, seen := int64(0), map[string]bool{}
	for i := range t.Proofs {
		p := &t.Proofs[i]
		if p.Amount < 1 || p.Amount > MaxSat-sum {
			return bad("the amounts of the token's proofs are not from 1 to %d, as is their sum", int64(MaxSat))
		}
		sum += p.Amount
		c, err := hex.DecodeString(p.C)
		switch {
		case err != nil || len(c) != 33:
			return bad("the token's proof %d has no C of 33 bytes", i+1)
		case p.Secret == "" || len(p.Secret) > maxSecret || len(p.Witness) > maxSecret:
			return bad("the token's proof %d has no secret, or one of more than %d characters", i+1, maxSecret)
		case p.Keyset == "" || len(p.Keyset) > 66:
			return bad("the token's proof %d names no keyset", i+1)
		case seen[p.Secret]:
			return bad("the token has a proof twice")
		}
		seen[p.Secret] = true
	}
	return nil
}

// readA reads the older form, in which a token could be of several mints.
func readA(raw []byte) (*Token, error) {
	var said struct {
		Token []struct {
			Mint   string
			Proofs []Proof
		}
		Unit string
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := d.Decode(&said); err != nil {
		return nil, bad("the token is not JSON of a token")
	}
	if _, end := d.Token(); end != io.EOF {
		return nil, bad("more follows after the token")
	}
	t := &Token{Unit: said.Unit}
	for i := range said.Token {
		one := &said.Token[i]
		if i > 0 && one.Mint != t.Mint {
			return nil, bad("the token is of more than one mint: send one of a single mint")
		}
		t.Mint, t.Proofs = one.Mint, append(t.Proofs, one.Proofs...)
	}
	if t.Unit == "" {
		t.Unit = "sat" // as it was before there were others
	}
	return t, nil
}

// decoding refuses what a decoder could be kept busy by.
var decoding = must(cbor.DecOptions{
	DupMapKey: cbor.DupMapKeyEnforcedAPF, MaxArrayElements: MaxProofs + 1, MaxMapPairs: 64, MaxNestedLevels: 8,
	TagsMd: cbor.TagsForbidden,
}.DecMode())

func must[T any](mode T, err error) T {
	if err != nil {
		panic(err)
	}
	return mode
}

func readB(raw []byte) (*Token, error) {
	var said struct {
		Mint string `cbor:"m"`
		Unit string `cbor:"u"`
		Sets []struct {
			ID     []byte `cbor:"i"`
			Proofs []struct {
				Amount  uint64 `cbor:"a"`
				Secret  string `cbor:"s"`
				C       []byte `cbor:"c"`
				Witness string `cbor:"w"`
			} `cbor:"p"`
		} `cbor:"t"`
	}
	if err := decoding.Unmarshal(raw, &said); err != nil {
		return nil, bad("the token is not CBOR of a token")
	}
	t := &Token{Mint: said.Mint, Unit: said.Unit}
	for i := range said.Sets {
		for _, p := range said.Sets[i].Proofs {
			if len(t.Proofs) > MaxProofs {
				return t, nil // which is refused
			}
			t.Proofs = append(t.Proofs, Proof{
				int64(min(p.Amount, MaxSat+1)), hex.EncodeToString(said.Sets[i].ID), p.Secret, hex.EncodeToString(p.C), p.Witness,
			})
		}
	}
	return t, nil
}

// Asked is what a token is asked to be (NUT-18).
type Asked struct {
	Amount int64    `cbor:"a"` // at least
	Unit   string   `cbor:"u"`
	Mints  []string `cbor:"m"` // one of them
}

// Text returns what is asked for as wallets read it: "creqA" and CBOR in base64 for URLs.
func (a Asked) Text() string {
	b, err := cbor.Marshal(a)
	if err != nil {
		panic(err) // plain values
	}
	return "creqA" + base64.URLEncoding.EncodeToString(b)
}
