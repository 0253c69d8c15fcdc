// Package checkpoint is what the operator of a log signs: that a log of a name had so many events,
// and that they were these.
//
// A [Checkpoint] is the body of a signed note, by c2sp.org/tlog-checkpoint: the log's origin, the
// size of its tree and the tree's root, which follows from every byte of every event. Whoever keeps
// one can tell later whether what is shown to him is the same log, grown on.
//
// The latest one of a log is kept by a [Store] before anybody sees it, so that no two roots are ever
// signed for one size. What a log's key and its names are is in [Key].
package checkpoint

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Bounds of what is read and kept.
const (
	MaxNote   = 16 << 10 // bytes of a signed checkpoint, with the lines of those who cosign it
	MaxOrigin = 255      // bytes of an origin
)

// Errors that callers branch on.
var (
	// ErrMoved says that another checkpoint was kept meanwhile: read it, and begin anew.
	ErrMoved = errors.New("checkpoint: another one was kept meanwhile")
	// ErrMalformed says that a text is no checkpoint.
	ErrMalformed = errors.New("checkpoint: malformed")
	// ErrForeign says that somebody else wrote where the latest checkpoint is kept, and what.
	ErrForeign = errors.New("checkpoint: what stands in its place was not written by this build of Sandglass")
	// ErrUnsigned says that a checkpoint has no signature by the key that it should be signed with.
	ErrUnsigned = errors.New("checkpoint: not signed by that key")
)

// Store keeps the latest checkpoint of a log beside it: it is no event, since it would then grow what
// it signs. testutil/storetest has its contract.
type Store interface {
	// Checkpoint returns the note that was kept last, and its version: 0 and no note if none was. It is
	// [ErrForeign] where something else stands there, with the version after which a note takes its place.
	Checkpoint(ctx context.Context) (note []byte, version int64, err error)
	// SwapCheckpoint puts a note of 1 to [MaxNote] bytes in the place of the one of that version, and
	// returns once it is durable: it has the next version then. Else it is [ErrMoved], unless this very
	// note was given the next version before. After another error it is open whether it was kept.
	SwapCheckpoint(ctx context.Context, version int64, note []byte) error
}

// CheckNote returns an error unless a [Store] takes a note of that length.
func CheckNote(n []byte) error {
	if len(n) == 0 || len(n) > MaxNote {
		return fmt.Errorf("%w: a note of %d bytes, want 1 to %d", ErrMalformed, len(n), MaxNote)
	}
	return nil
}

// Checkpoint says that the log Origin has Size events, of which the tree has that Root.
type Checkpoint struct {
	Origin string
	Size   int64 // events, from 0
	Root   tlog.Hash
}

// CheckOrigin returns an error unless s can be the name of a log: 1 to [MaxOrigin] bytes that can be seen,
// without spaces and +, such as sandglass.example.org/log.
func CheckOrigin(s string) error {
	bad := strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '+' })
	if s == "" || len(s) > MaxOrigin || bad >= 0 {
		return fmt.Errorf("%w: the origin %.300q: want 1 to %d characters of ASCII, without spaces and +", ErrMalformed, s, MaxOrigin)
	}
	return nil
}

// String returns the body of the note.
func (c Checkpoint) String() string {
	return c.Origin + "\n" + strconv.FormatInt(c.Size, 10) + "\n" + base64.StdEncoding.EncodeToString(c.Root[:]) + "\n"
}

// Parse reads the body of a note, which is exactly what [Checkpoint.String] writes: there is one text
// for each checkpoint, and lines of extensions are refused.
func Parse(text string) (c Checkpoint, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return c, fmt.Errorf("%w: want three lines: the origin, the size, the root", ErrMalformed)
	}
	c.Origin = lines[0]
	if err := CheckOrigin(c.Origin); err != nil {
		return c, err
	}
	if c.Size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || c.Size < 0 {
		return c, fmt.Errorf("%w: the size %.40q: want a number from 0", ErrMalformed, lines[1])
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != len(c.Root) {
		return c, fmt.Errorf("%w: the root %.60q: want 32 bytes in base64", ErrMalformed, lines[2])
	}
	c.Root = tlog.Hash(root)
	if c.String() != text {
		return c, fmt.Errorf("%w: it is written in another way than it should", ErrMalformed)
	}
	return c, nil
}

// Sign returns c as a note with the signature of a key, by its name for c's origin.
func Sign(c Checkpoint, k *Key) ([]byte, error) {
	if err := CheckOrigin(c.Origin); err != nil {
		return nil, err
	}
	signer, err := k.signer(c.Origin)
	if err != nil {
		return nil, err
	}
	return note.Sign(&note.Note{Text: c.String()}, signer)
}

// Open returns the checkpoint in a note that has a signature by the key vkey, which is for its origin.
// Lines of others are ignored, be they of a kind that is not known.
func Open(msg []byte, vkey string) (Checkpoint, error) {
	if err := CheckNote(msg); err != nil {
		return Checkpoint{}, err
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: the key %.100q: %w", vkey, err)
	}
	n, err := note.Open(msg, note.VerifierList(verifier))
	if err != nil {
		if c, bad := Read(msg); bad == nil && c.Origin != verifier.Name() { // as the key of another fork
			return Checkpoint{}, fmt.Errorf("%w %s: it is of %s", ErrUnsigned, verifier.Name(), c.Origin)
		}
		return Checkpoint{}, fmt.Errorf("%w %s: %w", ErrUnsigned, verifier.Name(), err)
	}
	c, err := Parse(n.Text)
	if err == nil && c.Origin != verifier.Name() {
		err = fmt.Errorf("%w: it is of %s and not of %s", ErrUnsigned, c.Origin, verifier.Name())
	}
	return c, err
}

// Read returns the checkpoint in a note, whoever signed it, or nobody.
func Read(msg []byte) (Checkpoint, error) {
	if err := CheckNote(msg); err != nil {
		return Checkpoint{}, err
	}
	text, _, ok := strings.Cut(string(msg), "\n\n")
	if !ok {
		return Checkpoint{}, fmt.Errorf("%w: no line divides it from its signatures", ErrMalformed)
	}
	return Parse(text + "\n")
}
