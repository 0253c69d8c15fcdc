// Package fakewitness is a witness of the tests, by c2sp.org/tlog-witness: an honest one, until it is told to
// misbehave.
package fakewitness

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"sandglass/domain/instant"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/cosign"
	"sandglass/domain/proof/witnessing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Misbehaviour takes the place of an answer: it is given what the witness would have said.
type Misbehaviour func(ctx context.Context, r witnessing.Request, lines []byte, err error) ([]byte, error)

// Witness is a witness. It is made by [New], and implements [witnessing.Client] and [http.Handler].
type Witness struct {
	Key *cosign.Witness

	signer note.Signer
	mu     sync.Mutex
	keys   map[string]string // of the logs that it knows, by origin
	trees  map[string]tlog.Tree
	bad    Misbehaviour
	asked  int
}

// New returns a witness that knows no log, with a key that follows from its name.
func New(name string, now func() instant.Time) *Witness {
	seed := bytes.Repeat([]byte(name), ed25519.SeedSize)[:ed25519.SeedSize]
	signer, err := cosign.Signer(name, ed25519.NewKeyFromSeed(seed), now)
	if err != nil {
		panic(err)
	}
	key, err := cosign.ParseWitness(signer.(fmt.Stringer).String())
	if err != nil {
		panic(err)
	}
	return &Witness{Key: key, signer: signer, keys: map[string]string{}, trees: map[string]tlog.Tree{}}
}

// Know has the witness cosign a log from now on.
func (w *Witness) Know(origin, vkey string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keys[origin] = vkey
}

// Set has the witness think that it cosigned a tree last.
func (w *Witness) Set(origin string, to tlog.Tree) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trees[origin] = to
}

// Misbehave has the witness answer so from now on: nil is honest.
func (w *Witness) Misbehave(bad Misbehaviour) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bad = bad
}

// Asked returns how often it was asked.
func (w *Witness) Asked() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked
}

// Add implements [witnessing.Client].
func (w *Witness) Add(ctx context.Context, r witnessing.Request) ([]byte, error) {
	w.mu.Lock()
	w.asked++
	lines, err := w.add(r)
	bad := w.bad
	w.mu.Unlock()
	if bad != nil {
		return bad(ctx, r, lines, err)
	}
	return lines, err
}

func (w *Witness) add(r witnessing.Request) ([]byte, error) {
	c, err := checkpoint.Read(r.Note)
	if err != nil {
		return nil, err
	}
	vkey, known := w.keys[c.Origin]
	if !known {
		return nil, witnessing.ErrUnknown
	}
	if _, err := checkpoint.Open(r.Note, vkey); err != nil {
		return nil, witnessing.ErrRefused
	}
	last := w.trees[c.Origin]
	switch {
	case r.Old > c.Size || r.Old == 0 && len(r.Proof) > 0:
		return nil, errors.New("a bad request")
	case r.Old != last.N:
		return nil, &witnessing.Elsewhere{Size: last.N}
	case r.Old == c.Size && c.Root != last.Hash:
		return nil, &witnessing.Elsewhere{Size: last.N}
	case r.Old > 0 && r.Old < c.Size && tlog.CheckTree(r.Proof, c.Size, c.Root, r.Old, last.Hash) != nil:
		return nil, witnessing.ErrForked
	}
	w.trees[c.Origin] = tlog.Tree{N: c.Size, Hash: c.Root}
	return w.Lines(r.Note)
}

// Lines returns the line by which the witness cosigns a note, whatever that is of.
func (w *Witness) Lines(msg []byte) ([]byte, error) {
	text, _, _ := strings.Cut(string(msg), "\n\n")
	cosigned, err := note.Sign(&note.Note{Text: text + "\n"}, w.signer)
	if err != nil {
		return nil, err
	}
	return cosigned[len(text)+2:], nil
}

// ServeHTTP implements [http.Handler].
func (w *Witness) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	all, err := io.ReadAll(in.Body)
	if err != nil || in.Method != http.MethodPost || !strings.HasSuffix(in.URL.Path, "/add-checkpoint") {
		http.Error(out, "want POST /add-checkpoint", http.StatusBadRequest)
		return
	}
	r, err := parse(string(all))
	if err != nil {
		http.Error(out, err.Error(), http.StatusBadRequest)
		return
	}
	lines, err := w.Add(in.Context(), r)
	var at *witnessing.Elsewhere
	switch {
	case err == nil:
		_, _ = out.Write(lines) // who asked may have gone
	case errors.As(err, &at):
		out.Header().Set("Content-Type", "text/x.tlog.size")
		out.WriteHeader(http.StatusConflict)
		_, _ = fmt.Fprintf(out, "%d\n", at.Size)
	case errors.Is(err, witnessing.ErrForked):
		http.Error(out, "bad proof", http.StatusUnprocessableEntity)
	case errors.Is(err, witnessing.ErrUnknown):
		http.Error(out, "unknown log", http.StatusNotFound)
	case errors.Is(err, witnessing.ErrRefused):
		http.Error(out, "bad signature", http.StatusForbidden)
	default:
		http.Error(out, err.Error(), http.StatusInternalServerError)
	}
}

// parse reads a request.
func parse(text string) (r witnessing.Request, err error) {
	head, msg, ok := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	if _, err := fmt.Sscanf(lines[0], "old %d", &r.Old); err != nil || !ok {
		return r, errors.New("want old, the proof, an empty line and the checkpoint")
	}
	for _, line := range lines[1:] {
		h, err := tlog.ParseHash(line)
		if err != nil {
			return r, err
		}
		r.Proof = append(r.Proof, h)
	}
	r.Note = []byte(msg)
	return r, nil
}
