package witness_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sandglass/adapters/witness"
	"sandglass/domain/instant"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/cosign"
	"sandglass/domain/proof/witnessing"
	"sandglass/testutil/fakewitness"

	"golang.org/x/mod/sumdb/tlog"
)

const origin = "shop.example.org/log"

func now() instant.Time { return instant.Of(time.Now()) }

// serve returns a client of what answers at a URL.
func serve(t *testing.T, h http.Handler) *witness.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c, err := witness.New(server.URL + "/w/")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func key(t *testing.T) (*checkpoint.Key, string) {
	t.Helper()
	k, err := checkpoint.NewKey(rand.NewChaCha8([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	vkey, err := k.VKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	return k, vkey
}

func TestAdd(t *testing.T) {
	w := fakewitness.New("w.example/1", now)
	k, vkey := key(t)
	c := serve(t, w)
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) (out []tlog.Hash, err error) {
		for _, i := range indexes {
			out = append(out, hashes[i])
		}
		return out, nil
	})
	request := func(old, size int64) (r witnessing.Request) {
		t.Helper()
		root, err := tlog.TreeHash(size, reader)
		if err != nil {
			t.Fatal(err)
		}
		r.Old = old
		if old > 0 && old < size {
			if r.Proof, err = tlog.ProveTree(size, old, reader); err != nil {
				t.Fatal(err)
			}
		}
		r.Note, err = checkpoint.Sign(checkpoint.Checkpoint{Origin: origin, Size: size, Root: root}, k)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for i := range int64(300) {
		more, err := tlog.StoredHashes(i, []byte{byte(i)}, reader)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, more...)
	}
	add := func(what string, r witnessing.Request, want error) {
		t.Helper()
		lines, err := c.Add(t.Context(), r)
		if want != nil {
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", what, err, want)
			}
			return
		}
		got, err2 := cosign.Lines(append(bytes.Clone(r.Note), lines...), []*cosign.Witness{w.Key})
		if err != nil || err2 != nil || len(got) != 1 {
			t.Errorf("%s: %q, %v, %v", what, lines, err, err2)
		}
	}
	add("unknown", request(0, 3), witnessing.ErrUnknown)
	w.Know(origin, vkey+"x")
	add("of another key", request(0, 3), witnessing.ErrRefused)
	w.Know(origin, vkey)
	add("the first", request(0, 3), nil)
	add("the next", request(3, 300), nil)
	add("the same", request(300, 300), nil)
	var at *witnessing.Elsewhere
	if _, err := c.Add(t.Context(), request(3, 300)); !errors.As(err, &at) || at.Size != 300 {
		t.Errorf("from elsewhere: %v", err)
	}
	w.Set(origin, tlog.Tree{N: 3, Hash: tlog.Hash{1}})
	add("forked", request(3, 300), witnessing.ErrForked)
}

// Whatever is answered that is no answer is an error, soon and in few words.
func TestBadAnswers(t *testing.T) {
	for what, h := range map[string]http.HandlerFunc{
		"a large one": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("a", 1<<20)) },
		"words": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, strings.Repeat("no ", 1000), http.StatusInternalServerError)
		},
		"409 without a size": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "-1", http.StatusConflict) },
		"a way elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
		},
		"a cut one": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "a")
		},
	} {
		lines, err := serve(t, h).Add(t.Context(), witnessing.Request{Note: []byte("a\n")})
		if err == nil || len(err.Error()) > 400 {
			t.Errorf("%s: %q, %v", what, lines, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	hangs := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	if _, err := hangs.Add(ctx, witnessing.Request{Note: []byte("a\n")}); !errors.Is(err, context.Canceled) {
		t.Errorf("hanging: %v", err)
	}
	for _, bad := range []string{
		"", "w.example", "ftp://w.example", "https://", "https://w.example?a",
		"https://u:p@w.example", "://",
	} {
		if _, err := witness.New(bad); err == nil {
			t.Errorf("the URL %q is taken", bad)
		}
	}
}
