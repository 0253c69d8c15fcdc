// Package cosign is who else vouches for a checkpoint, and whom of them a verifier trusts.
//
// A [Witness] is somebody's key: it signs a checkpoint if that goes on from the last one that it signed,
// and so holds the operator of the log to one history. Its line in the note is a cosignature of
// c2sp.org/tlog-cosignature: over the note's body, and the time. A [Policy] says which logs are known, by
// which key, and how many of which witnesses have to have cosigned a checkpoint for it to be believed.
package cosign

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"sandglass/domain/instant"
	"sandglass/domain/proof/checkpoint"

	"golang.org/x/mod/sumdb/note"
)

// algCosignature leads the bytes of a witness's key: Ed25519, by cosignature/v1.
const algCosignature = 4

// Lengths, in bytes, of a signature's parts.
const (
	idSize   = 4
	timeSize = 8
)

// ErrKey says that a text is no public key of a witness.
var ErrKey = errors.New("cosign: want the key of a witness, as name+8 hex digits+base64, with the type 04")

// Witness is the public key of a witness, by its name. It implements [note.Verifier].
type Witness struct {
	name string
	id   uint32
	key  ed25519.PublicKey
}

// ParseWitness reads the public key of a witness, as signed notes have it.
func ParseWitness(vkey string) (*Witness, error) {
	name, rest, _ := strings.Cut(vkey, "+")
	id, encoded, _ := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || checkpoint.CheckOrigin(name) != nil || len(raw) != 1+ed25519.PublicKeySize || raw[0] != algCosignature {
		return nil, fmt.Errorf("%w: it is %.200q", ErrKey, vkey)
	}
	w := &Witness{name: name, key: raw[1:]}
	sum := sha256.Sum256(append([]byte(name+"\n"), raw...))
	w.id = binary.BigEndian.Uint32(sum[:])
	if id != fmt.Sprintf("%08x", w.id) {
		return nil, fmt.Errorf("%w: %.200q is mistyped: its digits are those of another key or name", ErrKey, vkey)
	}
	return w, nil
}

// String returns the key, as [ParseWitness] reads it.
func (w *Witness) String() string {
	return fmt.Sprintf("%s+%08x+%s", w.name, w.id, base64.StdEncoding.EncodeToString(append([]byte{algCosignature}, w.key...)))
}

// Name implements [note.Verifier].
func (w *Witness) Name() string { return w.name }

// KeyHash implements [note.Verifier].
func (w *Witness) KeyHash() uint32 { return w.id }

// Verify implements [note.Verifier]: sig is the time and the signature.
func (w *Witness) Verify(msg, sig []byte) bool {
	if len(sig) != timeSize+ed25519.SignatureSize {
		return false
	}
	return ed25519.Verify(w.key, signed(binary.BigEndian.Uint64(sig), msg), sig[timeSize:])
}

// signed returns what a witness signs, at so many seconds since 1970.
func signed(at uint64, body []byte) []byte {
	return append([]byte("cosignature/v1\ntime "+strconv.FormatUint(at, 10)+"\n"), body...)
}

// Signer returns what cosigns by a private key at a time: of witnesses of tests, and nobody else here.
func Signer(name string, key ed25519.PrivateKey, now func() instant.Time) (note.Signer, error) {
	raw := append([]byte{algCosignature}, key.Public().(ed25519.PublicKey)...)
	sum := sha256.Sum256(append([]byte(name+"\n"), raw...))
	w, err := ParseWitness(fmt.Sprintf("%s+%x+%s", name, sum[:idSize], base64.StdEncoding.EncodeToString(raw)))
	return signer{w, key, now}, err
}

type signer struct {
	*Witness
	private ed25519.PrivateKey
	now     func() instant.Time
}

// Sign implements [note.Signer].
func (s signer) Sign(msg []byte) ([]byte, error) {
	at := uint64(s.now() / 1000)
	return append(binary.BigEndian.AppendUint64(nil, at), ed25519.Sign(s.private, signed(at, msg))...), nil
}

// Line is what a witness says of a checkpoint.
type Line struct {
	Witness *Witness
	At      instant.Time // when it signed, by its own clock
	Text    string       // the line of the note, with its end
}

// Lines returns those of the witnesses in a note, in the order of the note. A line of one of them that does
// not verify is an error; those of others are left out.
func Lines(msg []byte, witnesses []*Witness) ([]Line, error) {
	if err := checkpoint.CheckNote(msg); err != nil {
		return nil, err
	}
	verifiers := make([]note.Verifier, len(witnesses))
	for i, w := range witnesses {
		verifiers[i] = w
	}
	n, err := note.Open(msg, note.VerifierList(verifiers...))
	var unverified *note.UnverifiedNoteError
	if errors.As(err, &unverified) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cosign: %w", err)
	}
	lines := make([]Line, 0, len(n.Sigs))
	for _, sig := range n.Sigs {
		line, err := read(sig, witnesses)
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// read returns a line that is verified.
func read(sig note.Signature, witnesses []*Witness) (Line, error) {
	line := Line{Text: "— " + sig.Name + " " + sig.Base64 + "\n"}
	for _, w := range witnesses {
		if w.name == sig.Name && w.id == sig.Hash {
			line.Witness = w
		}
	}
	raw, err := base64.StdEncoding.DecodeString(sig.Base64)
	if err != nil || len(raw) < idSize+timeSize {
		return line, fmt.Errorf("cosign: the line of %s: %w", sig.Name, errors.Join(err, errors.New("it is short")))
	}
	const latest = 1 << 38 // seconds: no overflow in milliseconds
	at := binary.BigEndian.Uint64(raw[idSize:])
	if at == 0 || at > latest {
		return line, fmt.Errorf("cosign: the line of %s: it says that it was signed %d s after 1970", sig.Name, at)
	}
	line.At = instant.Time(at) * 1000
	return line, nil
}
