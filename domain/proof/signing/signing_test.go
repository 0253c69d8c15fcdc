package signing_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sandglass/adapters/sqlite"
	"sandglass/adapters/tilefiles"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/follow"
	"sandglass/domain/proof/fork"
	"sandglass/domain/proof/signing"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
)

func key(seed byte) *checkpoint.Key {
	k, err := checkpoint.NewKey(rand.NewChaCha8([32]byte{seed}))
	if err != nil {
		panic(err)
	}
	return k
}

// copied is the copy of the latest checkpoint.
type copied struct {
	mu   sync.Mutex
	note []byte
	fail error
}

func (c *copied) Load() ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.note, nil
}

func (c *copied) Save(note []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail == nil {
		c.note = note
	}
	return c.fail
}

// failing is a store whose next swap fails.
type failing struct {
	checkpoint.Store
	next storetest.Fault
}

func (f *failing) SwapCheckpoint(ctx context.Context, version int64, note []byte) error {
	fault := f.next
	f.next = storetest.None
	if fault == storetest.Lost {
		return storetest.ErrFault
	}
	err := f.Store.SwapCheckpoint(ctx, version, note)
	if fault == storetest.AnswerLost {
		return storetest.ErrFault
	}
	return err
}

// host is a daemon's log, its files and its signer.
type host struct {
	*signing.Signer
	t      *testing.T
	dir    string
	clock  *storetest.Clock
	store  *sqlite.Store
	faults *failing
	events *storetest.Faulty
	copy   *copied
	seen   map[string]map[int64]string // roots that were shown, by origin and size: one for each
	stop   func()
}

// newHost returns a host with an empty log.
func newHost(t *testing.T) *host {
	h := &host{t: t, dir: t.TempDir(), clock: storetest.NewClock(), copy: new(copied), seen: map[string]map[int64]string{}}
	h.start(signing.Config{Key: key(1), Origin: "shop.example.org/log"})
	return h
}

func (h *host) path() string { return filepath.Join(h.dir, "log") }

// start starts a daemon on the files as they are.
func (h *host) start(c signing.Config) {
	h.t.Helper()
	h.store = storetest.SQLiteAt(h.t, h.path(), h.clock.Now)
	files := tilefiles.New(filepath.Join(h.dir, "tiles"))
	tree := follow.New(h.store, files)
	ctx, cancel := context.WithCancel(h.t.Context())
	done := make(chan error, 1)
	go func() { done <- tree.Run(ctx) }()
	h.faults = &failing{Store: h.store}
	h.events = &storetest.Faulty{EventStore: h.store}
	c.Tree, c.Store, c.Copy, c.Now = tree, h.faults, h.copy, h.clock.Now
	c.Forks = &fork.Handler{Aggregate: fork.Aggregate(), Store: h.events}
	h.Signer = signing.New(c)
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-done, files.Close(), h.store.Close()); err != nil {
			h.t.Error(err)
		}
	})
	h.t.Cleanup(h.stop)
}

// restart starts it again, with another configuration.
func (h *host) restart(c signing.Config) {
	h.t.Helper()
	h.stop()
	h.start(c)
}

func ours() signing.Config { return signing.Config{Key: key(1), Origin: "shop.example.org/log"} }

// grow appends so many events of a name.
func (h *host) grow(name string, n int) {
	h.t.Helper()
	head, err := h.store.Head(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	for i := range n {
		s := name + "-" + string(rune('a'+i%26)) + strings.Repeat("x", int(head)%100+i/26)
		if _, err := h.store.Append(h.t.Context(), s, stream.NoStream, storetest.Events(s, stream.NoStream, "toy", 1)); err != nil {
			h.t.Fatal(err)
		}
	}
}

// look looks, and holds that what is shown is kept, and that no two roots are shown for one size.
func (h *host) look() signing.Status {
	h.t.Helper()
	h.Look(h.t.Context())
	s := h.Status()
	if s.Note == nil {
		return s
	}
	sizes := h.seen[s.Latest.Origin]
	if sizes == nil {
		sizes = map[int64]string{}
		h.seen[s.Latest.Origin] = sizes
	}
	root := s.Latest.Root.String()
	if before, ok := sizes[s.Latest.Size]; ok && before != root {
		h.t.Fatalf("%s has two roots for %d events: %s and %s", s.Latest.Origin, s.Latest.Size, before, root)
	}
	sizes[s.Latest.Size] = root
	return s
}

// signed looks, and holds that all is signed.
func (h *host) signed() signing.Status {
	h.t.Helper()
	s := h.look()
	now, opened := (&fork.State{Forks: s.Forks}).Now()
	if s.Err != nil || s.Alarm != signing.None || !opened || s.Note == nil || s.Latest.Size != s.Size {
		h.t.Fatalf("not signed: %+v", s)
	}
	if c, err := checkpoint.Open(s.Note, now.VKey); err != nil || c != s.Latest {
		h.t.Fatalf("%+v, %v", c, err)
	}
	kept, _, err := h.store.Checkpoint(h.t.Context())
	if err != nil || string(kept) != string(s.Note) || string(h.copy.note) != string(s.Note) {
		h.t.Fatalf("kept are %q and %q, %v", kept, h.copy.note, err)
	}
	return s
}

// alarmed looks, and holds that nothing is signed for a reason, whatever comes to the log.
func (h *host) alarmed(a signing.Alarm, detail string) signing.Status {
	h.t.Helper()
	before, version, err := h.store.Checkpoint(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	s := h.look()
	if s.Err != nil || s.Alarm != a || !strings.Contains(s.Detail, detail) {
		h.t.Fatalf("%q, %q, %v; want %q: %q", s.Alarm, s.Detail, s.Err, a, detail)
	}
	if after, v, err := h.store.Checkpoint(h.t.Context()); err != nil || string(after) != string(before) || v != version {
		h.t.Fatalf("it signed %q, %v", after, err)
	}
	return s
}

// keep returns the file of the log as it is, for later.
func (h *host) keep() []byte {
	h.t.Helper()
	h.stop()
	b, err := os.ReadFile(h.path())
	if err != nil {
		h.t.Fatal(err)
	}
	h.start(ours())
	return b
}

// restore puts an older file in the place of the log.
func (h *host) restore(file []byte, c signing.Config) {
	h.t.Helper()
	h.stop()
	if err := os.WriteFile(h.path(), file, 0o600); err != nil {
		h.t.Fatal(err)
	}
	h.start(c)
}

func (h *host) fork(reason string) fork.One {
	h.t.Helper()
	one, err := h.Fork(h.t.Context(), stream.Meta{Actor: "operator"}, reason, false)
	if err != nil {
		h.t.Fatal(err)
	}
	return one
}

func TestALogIsSignedAsItGrows(t *testing.T) {
	h := newHost(t)
	if s := h.look(); s.Err != nil || s.Note != nil || s.Size != 0 || len(s.Forks) != 0 {
		t.Fatalf("an empty log: %+v", s)
	}
	h.grow("toy", 300)
	first := h.signed()
	if first.Size != 301 || first.Forks[0].Size != 300 || first.Forks[0].Origin != "shop.example.org/log" {
		t.Fatalf("%+v", first)
	}
	if again := h.signed(); string(again.Note) != string(first.Note) {
		t.Error("what has not grown was signed again")
	}
	h.grow("more", 500)
	h.signed()
	h.restart(ours())
	if s := h.signed(); s.Size != 801 {
		t.Errorf("%+v", s)
	}
	h.restart(signing.Config{Key: key(1), Origin: "another.example.org"}) // which is for a fork to come
	h.grow("still", 1)
	if s := h.signed(); s.Latest.Origin != "shop.example.org/log" {
		t.Errorf("%+v", s)
	}
}

func TestALogWithoutANameHasThatOfItsKey(t *testing.T) {
	h := newHost(t)
	h.restart(signing.Config{Key: key(1)})
	h.grow("toy", 1)
	if s := h.signed(); s.Latest.Origin != key(1).Invalid() {
		t.Errorf("%+v", s)
	}
}

func TestOtherHostsDoNotSign(t *testing.T) {
	h := newHost(t)
	h.restart(signing.Config{Shared: true})
	h.grow("toy", 3)
	if s := h.look(); s.Err != nil || s.Alarm != signing.None || s.Note != nil {
		t.Fatalf("%+v", s)
	}
	h.restart(ours())
	signed := h.signed()
	h.restart(signing.Config{Shared: true})
	h.grow("more", 3)
	if s := h.look(); s.Alarm != signing.None || string(s.Note) != string(signed.Note) || s.Size != signed.Size+3 {
		t.Errorf("it shows %+v", s)
	}
	if _, err := h.Fork(t.Context(), stream.Meta{}, "x", false); !errors.Is(err, signing.ErrNoKey) {
		t.Errorf("a fork without the key: %v", err)
	}
}

func TestEveryWriteFailsBothWays(t *testing.T) {
	h := newHost(t)
	h.grow("toy", 3)
	for _, fault := range []storetest.Fault{storetest.Lost, storetest.AnswerLost} {
		h.events.OnAppend = storetest.Faults(fault)
		if s := h.look(); s.Err == nil || s.Note != nil {
			t.Fatalf("the opening: %+v", s)
		}
		h.restart(ours())
	}
	for _, fault := range []storetest.Fault{storetest.Lost, storetest.AnswerLost, storetest.Lost, storetest.AnswerLost} {
		for _, dies := range []bool{false, true} {
			h.signed()
			h.grow("more", 2)
			h.faults.next = fault
			if s := h.look(); s.Err == nil || s.Alarm != signing.None {
				t.Fatalf("the checkpoint: %+v", s)
			}
			if h.grow("yet", 1); dies {
				h.restart(ours())
			}
		}
	}
	h.signed()
	h.grow("last", 1)
	h.copy.fail = storetest.ErrFault
	if s := h.look(); s.Err == nil || s.Latest.Size != s.Size {
		t.Errorf("the copy: %+v", s)
	}
	h.copy.fail = nil
	h.restart(ours())
	h.signed()
}
