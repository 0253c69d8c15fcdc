package tlog_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"sandglass/adapters/sqlite"
	"sandglass/adapters/tilefiles"
	served "sandglass/adapters/tlog"
	"sandglass/domain/proof"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/follow"
	"sandglass/domain/proof/fork"
	"sandglass/domain/proof/signing"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"

	"golang.org/x/mod/sumdb/tlog"
)

// counted counts what is read of a tree.
type counted struct {
	*follow.Log
	reads   atomic.Int64
	fail    error
	made    int64
	bounded bool // the last read has an end, whatever its store does
}

func (c *counted) Made() int64 { return c.made }

func (c *counted) Tile(ctx context.Context, level int, n int64, width int) ([]proof.Hash, error) {
	c.reads.Add(1)
	_, c.bounded = ctx.Deadline()
	if c.fail != nil {
		return nil, c.fail
	}
	return c.Log.Tile(ctx, level, n, width)
}

// shop is a log of so many events that is served.
type shop struct {
	t      *testing.T
	tree   *counted
	status signing.Status
	mux    *http.ServeMux
	failed atomic.Int64
	note   func() []byte
}

// newShop serves a log of events that have a salt.
func newShop(t *testing.T, events int) *shop {
	store, _ := storetest.SQLite(t)
	fill(t, store, events, salted)
	return newShopOf(t, store, events)
}

// newShopOf serves the log in a store, which has so many events.
func newShopOf(t *testing.T, store *sqlite.Store, events int) *shop {
	files := tilefiles.New(filepath.Join(t.TempDir(), "tiles"))
	log := follow.New(store, files)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- log.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, files.Close()); err != nil {
			t.Error(err)
		}
	})
	if err := log.Caught(t.Context()); err != nil {
		t.Fatal(err)
	}
	tree := log.Tree()
	s := &shop{t: t, tree: &counted{Log: log}, mux: http.NewServeMux()}
	s.status = signing.Status{
		Size: int64(events), Forks: []fork.One{{Origin: "shop", VKey: "shop+1+key", Size: 3}}, Note: []byte("the note\n"),
		Latest: checkpoint.Checkpoint{Origin: "shop", Size: int64(events), Root: tree.Root()},
	}
	l := served.New(served.Options{
		Tree: s.tree, Status: func() signing.Status { return s.status }, Failed: func(context.Context, error) { s.failed.Add(1) },
		Note: func() []byte {
			if s.note == nil {
				return s.status.Note
			}
			return s.note()
		},
		Auditor: func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer "+auditor },
	})
	for _, p := range served.Patterns() {
		s.mux.Handle(p, l)
	}
	return s
}

// salted are metadata of today.
const salted = `{"salt":"00112233445566778899aabbccddeeff"}`

// fill appends events with such metadata.
func fill(t *testing.T, store *sqlite.Store, events int, meta string) {
	for i := 0; i < events; i += stream.MaxAppend {
		name := fmt.Sprintf("toy-%d-%d", i, len(meta))
		some := storetest.Events(name, stream.NoStream, "toy", min(stream.MaxAppend, events-i))
		for j := range some {
			some[j].Meta = []byte(meta)
		}
		if _, err := store.Append(t.Context(), name, stream.NoStream, some); err != nil {
			t.Fatal(err)
		}
	}
}

// auditor is the auditor's token.
const auditor = "of-the-auditor"

func (s *shop) get(path string) *httptest.ResponseRecorder { return s.getBy(path, "") }

// getBy asks with a token.
func (s *shop) getBy(path, token string) *httptest.ResponseRecorder {
	s.t.Helper()
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", path, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	s.mux.ServeHTTP(w, r)
	return w
}

// ReadTiles implements [tlog.TileReader], as a client does.
func (s *shop) ReadTiles(tiles []tlog.Tile) (data [][]byte, err error) {
	for _, t := range tiles {
		w := s.get("/log/0/" + served.Path(t))
		if w.Code != 200 {
			return nil, fmt.Errorf("%s: %d %s", served.Path(t), w.Code, w.Body)
		}
		data = append(data, w.Body.Bytes())
	}
	return data, nil
}

func (s *shop) Height() int                         { return proof.Height }
func (s *shop) SaveTiles(_ []tlog.Tile, _ [][]byte) {}

// A client of another's making proves by the tiles alone that each entry is in the tree that was signed.
func TestTilesProveEntries(t *testing.T) {
	const events = 256*257 + 300
	s := newShop(t, events)
	reader := tlog.TileHashReader(tlog.Tree{N: events, Hash: s.status.Latest.Root}, s) // which checks what it is given
	for _, index := range []int64{0, 255, 256, 65535, 65536, events - 45, events - 1} {
		p, err := tlog.ProveRecord(events, index, reader)
		if err != nil {
			t.Fatal(err)
		}
		n := index / proof.Width
		w := s.get("/log/0/" + served.Path(tlog.Tile{H: 8, L: -1, N: n, W: int(min(proof.Width, events-n*proof.Width))}))
		entry := w.Body.Bytes()[index%proof.Width*34:][:34]
		if binary.BigEndian.Uint16(entry) != 32 {
			t.Fatalf("the entry %x", entry)
		}
		if err := tlog.CheckRecord(p, events, s.status.Latest.Root, index, tlog.RecordHash(entry[2:])); err != nil {
			t.Errorf("index %d: %v", index, err)
		}
	}
}

func TestWhatIsServed(t *testing.T) {
	s := newShop(t, 600)
	s.status.Latest.Size = 598 // the last two are not signed yet
	const notKept, kept, hour = "no-cache", "public, max-age=31536000, immutable", "public, max-age=3600"
	for _, test := range []struct {
		path  string
		code  int
		holds string
		size  int // bytes of the body, 0 of an answer in words
	}{
		{"/log/0/checkpoint", 200, notKept, 9},
		{"/log/0/tile/0/000", 200, kept, 256 * 32},
		{"/log/0/tile/0/002.p/86", 200, hour, 86 * 32},
		{"/log/0/tile/0/002.p/1", 200, hour, 32},
		{"/log/0/tile/0/001.p/7", 200, hour, 7 * 32},
		{"/log/0/tile/1/000.p/2", 200, hour, 2 * 32},
		{"/log/0/tile/entries/001", 200, kept, 256 * 34},
		{"/log/0/tile/entries/002.p/86", 200, hour, 86 * 34},
		{"/log/0/tile/0/002.p/87", 404, notKept, 0}, // not signed yet
		{"/log/0/tile/0/002", 404, notKept, 0},
		{"/log/0/tile/0/003", 404, notKept, 0},
		{"/log/0/tile/1/000", 404, notKept, 0},
		{"/log/0/tile/2/000.p/1", 404, notKept, 0},
		{"/log/0/tile/63/000", 404, notKept, 0},
		{"/log/0/tile/8/0/000", 404, notKept, 0}, // as x/mod writes it
		{"/log/0/tile/0/0", 404, notKept, 0},
		{"/log/0/tile/0/x000/000", 404, notKept, 0},
		{"/log/0/tile/0/000.p/256", 404, notKept, 0},
		{"/log/0/tile/0/000.p/0", 404, notKept, 0},
		{"/log/0/tile/-1/000", 404, notKept, 0},
		{"/log/0/tile/data/000", 404, notKept, 0},
		{"/log/0/tile/0/x999/x999/x999/x999/x999/x999/999", 404, notKept, 0},
		{"/log/0/", 200, notKept, 0},
		{"/log/1/checkpoint", 404, notKept, 0},
		{"/log/00/checkpoint", 404, notKept, 0},
	} {
		w := s.get(test.path)
		if w.Code != test.code || w.Header().Get("Cache-Control") != test.holds || test.size > 0 && w.Body.Len() != test.size {
			t.Errorf("%s: %d, %q, %d bytes: %.80s", test.path, w.Code, w.Header().Get("Cache-Control"), w.Body.Len(), w.Body)
		}
	}
	if !s.tree.bounded {
		t.Error("a tile is waited for for ever")
	}
	before := s.tree.reads.Load()
	for range 20 {
		s.get("/log/0/tile/0/000")
	}
	if n := s.tree.reads.Load() - before; n != 0 {
		t.Errorf("a tile that was read was read %d times more", n)
	}
	s.tree.made++
	if s.get("/log/0/tile/0/000"); s.tree.reads.Load() != before+1 {
		t.Error("a tile of before is served when the tree was made again")
	}
	s.tree.fail = follow.ErrChanged
	if w := s.get("/log/0/tile/0/001"); w.Code != 503 || s.failed.Load() != 1 {
		t.Errorf("a log that was changed: %d, told %d times", w.Code, s.failed.Load())
	}
	s.tree.fail = nil
	if w := s.get("/log/0/tile/0/001"); w.Code != 200 {
		t.Errorf("what failed once fails for ever: %d", w.Code)
	}
}

// TestALogOfBefore serves one of which 300 events have no salt: what is in the first two tiles is for auditors, and
// nobody else keeps it. Nothing above is, nor what is after.
func TestALogOfBefore(t *testing.T) {
	store, _ := storetest.SQLite(t)
	fill(t, store, 300, "")
	fill(t, store, 300, salted)
	s := newShopOf(t, store, 600)
	for path, open := range map[string]bool{
		"tile/0/000":            false,
		"tile/0/000.p/1":        false,
		"tile/entries/000":      false,
		"tile/0/001":            false,
		"tile/0/001.p/7":        false,
		"tile/entries/001":      false,
		"tile/0/002.p/88":       true,
		"tile/entries/002.p/88": true,
		"tile/0/002.p/3":        true,
		"tile/1/000.p/2":        true,
		"checkpoint":            true,
	} {
		for range 2 { // also from what was read already
			w, by, wrong := s.get("/log/0/"+path), s.getBy("/log/0/"+path, auditor), s.getBy("/log/0/"+path, "wrong")
			if by.Code != 200 || w.Code != wrong.Code || (w.Code == 200) != open || !open && (w.Code != 401 ||
				w.Header().Get("Cache-Control") != "no-cache" || !strings.Contains(w.Body.String(), "the auditor's token") ||
				w.Header().Get("WWW-Authenticate") == "" || by.Header().Get("Cache-Control") != "private, no-store") {
				t.Errorf("%s: %d %v %s; by an auditor %d %v", path, w.Code, w.Header(), w.Body, by.Code, by.Header())
			}
		}
	}
	for path, code := range map[string]int{"tile/0/002.p/89": 404, "tile/0/003": 404, "tile/0/000.p/0": 404} {
		if w := s.get("/log/0/" + path); w.Code != code {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestForksAreSaidForEver(t *testing.T) {
	s := newShop(t, 10)
	s.status.Forks = append(s.status.Forks, fork.One{
		Number: 2, Origin: "shop/fork/2/x", VKey: "shop/fork/2/x+2+key",
		Reason: "a backup\nwas restored", Gone: "shop", Left: "the last note\n", Size: 1,
	})
	for path, want := range map[string]string{
		"/log/0/checkpoint": "the last note\n", "/log/2/checkpoint": "the note\n", "/log/key": "shop/fork/2/x+2+key\n",
	} {
		if w := s.get(path); w.Code != 200 || w.Body.String() != want {
			t.Errorf("%s: %d, %q", path, w.Code, w.Body)
		}
	}
	if w := s.get("/log/0/tile/0/000.p/3"); w.Code != http.StatusGone {
		t.Errorf("a tile of what was left behind: %d", w.Code)
	}
	if w := s.get("/log/2/tile/0/000.p/3"); w.Code != 200 {
		t.Errorf("a tile: %d", w.Code)
	}
	s.status.Alarm, s.status.Detail = signing.Short, "the log has 3"
	if w := s.get("/log/2/tile/0/000.p/3"); w.Header().Get("Cache-Control") != "no-cache" {
		t.Errorf("a tile of what was not signed is kept: %v", w.Header())
	}
	s.note = func() []byte { return []byte("the note\n— w.example cosigned\n") }
	if w := s.get("/log/2/checkpoint"); w.Body.String() != "the note\n— w.example cosigned\n" {
		t.Errorf("cosigned: %q", w.Body)
	}
	if w := s.get("/log/0/checkpoint"); w.Body.String() != "the last note\n" {
		t.Errorf("of another name: %q", w.Body)
	}
	about := s.get("/log/").Body.String()
	for _, want := range []string{"tlog-tiles: 10 events.", "after 3 events\n", "after 1 event\n",
		"/log/0/  left behind", "/log/2/  present", "because  a backup was restored", "leaving  shop",
		"Nothing is signed now: short: the log has 3"} {
		if !strings.Contains(about, want) {
			t.Errorf("/log/ does not say %q:\n%s", want, about)
		}
	}
}

func TestALogThatIsNotSigned(t *testing.T) {
	s := newShop(t, 10)
	s.status = signing.Status{Size: 10}
	for path, code := range map[string]int{"/log/": 200, "/log/key": 404, "/log/0/checkpoint": 404, "/log/0/tile/0/000.p/1": 404} {
		if w := s.get(path); w.Code != code {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	s.status.Forks = []fork.One{{Origin: "shop"}}
	if w := s.get("/log/0/tile/0/000.p/1"); w.Code != 404 {
		t.Errorf("before the first checkpoint: %d", w.Code)
	}
}
