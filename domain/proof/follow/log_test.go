package follow_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"sandglass/adapters/sqlite"
	"sandglass/adapters/tilefiles"
	"sandglass/domain/proof"
	"sandglass/domain/proof/follow"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"

	"golang.org/x/mod/sumdb/tlog"
)

// records returns a log of so many events in seven streams, in which the clock goes back at times.
func records(n int) []stream.Record {
	recs := make([]stream.Record, n)
	for i := range recs {
		name := fmt.Sprintf("toy-%d", i%7)
		rev := stream.Revision(i / 7)
		e := storetest.Events(name, rev-1, fmt.Sprint(i), 1)[0]
		recs[i] = stream.Record{
			Event: e, Stream: name, Revision: rev, Position: stream.Position(i + 1), RecordedAt: e.At + e.At%10,
		}
		if i > 0 {
			recs[i].RecordedAt = max(recs[i].RecordedAt, recs[i-1].RecordedAt)
		}
	}
	return recs
}

// logOf returns a store of these records.
func logOf(t testing.TB, recs []stream.Record) *sqlite.Store {
	t.Helper()
	s, _ := storetest.SQLite(t)
	for len(recs) > 0 {
		n := min(len(recs), 2048)
		if err := s.Import(t.Context(), recs[:n]); err != nil {
			t.Fatal(err)
		}
		recs = recs[n:]
	}
	return s
}

// held is a log in memory, for the ones that are large.
type held struct {
	stream.EventStore
	recs []stream.Record
}

func (h held) Head(context.Context) (stream.Position, error) {
	return stream.Position(len(h.recs)), nil
}

func (h held) Read(_ context.Context, name string, from stream.Revision) iter.Seq2[stream.Record, error] {
	return func(yield func(stream.Record, error) bool) {
		for i := range h.recs {
			if r := h.recs[i]; r.Stream == name && r.Revision >= from && !yield(r, nil) {
				return
			}
		}
	}
}

func (h held) Subscribe(ctx context.Context, after stream.Position) iter.Seq2[[]stream.Record, error] {
	return func(yield func([]stream.Record, error) bool) {
		for at := int(after); at < len(h.recs); at += 1000 {
			if !yield(h.recs[at:min(at+1000, len(h.recs))], nil) {
				return
			}
		}
		<-ctx.Done()
	}
}

// followed is a log with all of its store in the tree.
type followed struct {
	*follow.Log
	files *tilefiles.Files
	stop  func() // restarts follow it
}

// start follows a store with the blocks of a folder, until it holds all.
func start(t testing.TB, s stream.EventStore, dir string) followed {
	t.Helper()
	files := tilefiles.New(dir)
	return followed{run(t, s, files), files, nil}.with(t)
}

// with has it end with the test, at the latest.
func (f followed) with(t testing.TB) followed {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	stopped := false
	f.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := errors.Join(<-done, f.files.Close()); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(f.stop)
	if err := f.Caught(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f
}

func run(t testing.TB, s stream.EventStore, blocks follow.Blocks) *follow.Log {
	l := follow.New(s, blocks)
	l.Told = func(err error) { t.Log(err) }
	return l
}

// tree is the tree of a log as package tlog makes it, and its entries.
type tree struct {
	hashes  []tlog.Hash
	entries []proof.Hash
}

func (s *tree) ReadHashes(indexes []int64) (hashes []tlog.Hash, _ error) {
	for _, i := range indexes {
		hashes = append(hashes, s.hashes[i])
	}
	return hashes, nil
}

func treeOf(t testing.TB, recs []stream.Record) *tree {
	t.Helper()
	s := &tree{}
	var h proof.Hasher
	for i := range recs {
		entry := h.Add(&recs[i])
		s.entries = append(s.entries, entry)
		hashes, err := tlog.StoredHashes(int64(i), entry[:], s)
		if err != nil {
			t.Fatal(err)
		}
		s.hashes = append(s.hashes, hashes...)
	}
	return s
}

func (s *tree) root(t testing.TB, n int64) proof.Hash {
	t.Helper()
	h, err := tlog.TreeHash(n, s)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestWhatIsAskedOfALog(t *testing.T) {
	recs := records(66_000) // more than a tile of blocks
	want := treeOf(t, recs)
	l := start(t, held{recs: recs}, t.TempDir())
	if tree := l.Tree(); tree.Root() != want.root(t, 66_000) {
		t.Fatalf("the root is %s", tree.Root())
	}
	sizes := []int64{1, 256, 257, 1000, 65_536, 65_537, 65_793, 66_000}
	for _, size := range sizes {
		root, err := l.Root(t.Context(), size)
		if err != nil || root != want.root(t, size) {
			t.Errorf("the root of %d is %s, %v", size, root, err)
		}
		for _, index := range []int64{0, size / 2, size - 1} {
			p, err := l.Inclusion(t.Context(), index, size)
			if err == nil {
				err = tlog.CheckRecord(p, size, root, index, proof.Leaf(want.entries[index]))
			}
			if err != nil {
				t.Errorf("event %d of %d: %v", index, size, err)
			}
		}
		for _, old := range sizes {
			if old > size {
				break
			}
			p, err := l.Consistency(t.Context(), old, size)
			if err == nil {
				err = tlog.CheckTree(p, size, root, old, want.root(t, old))
			}
			if err != nil {
				t.Errorf("%d goes on to %d: %v", old, size, err)
			}
		}
	}
	wantTiles(t, l, want)
	if root, err := l.Root(t.Context(), 0); err != nil || root != (&proof.Tree{}).Root() {
		t.Errorf("the root of nothing is %s, %v", root, err)
	}
	for _, i := range []int{0, 1, 255, 256, 511, 512, 40_000, 65_791, 65_792, 65_999} {
		index, rec, err := l.IndexOf(t.Context(), recs[i].Stream, recs[i].Revision)
		if err != nil || index != int64(i) || proof.Entry(&rec, rec.RecordedAt) != want.entries[i] {
			t.Errorf("event %d has index %d, %v", i, index, err)
		}
	}
}

// wantTiles asks a log of 66,000 events for tiles.
func wantTiles(t *testing.T, l followed, want *tree) {
	t.Helper()
	for _, tile := range []tlog.Tile{
		{L: 0, N: 0, W: 256}, {L: 0, N: 0, W: 1}, {L: 0, N: 200, W: 17}, {L: 0, N: 257, W: 208}, {L: 0, N: 257, W: 3},
		{L: 1, N: 0, W: 256}, {L: 1, N: 0, W: 255}, {L: 1, N: 1, W: 1}, {L: 2, N: 0, W: 1},
	} {
		tile.H = proof.Height
		data, err := tlog.ReadTileData(tile, want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := l.Tile(t.Context(), tile.L, tile.N, tile.W)
		if err != nil || fmt.Sprint(bytesOf(got)) != fmt.Sprint(data) {
			t.Errorf("%s: %v, and other hashes", tile.Path(), err)
		}
	}
	for _, tile := range []tlog.Tile{
		{L: 0, N: 257, W: 209}, {L: 0, N: 258, W: 1}, {L: 1, N: 1, W: 2}, {L: 2, N: 0, W: 2}, {L: 3, W: 1}, {L: 9, W: 1},
		{L: -1, W: 1}, {L: 0, N: -1, W: 1}, {L: 0, W: 0}, {L: 0, W: 257}, {L: 0, N: 1 << 62, W: 1},
	} {
		if got, err := l.Tile(t.Context(), tile.L, tile.N, tile.W); !errors.Is(err, follow.ErrNotYet) {
			t.Errorf("tile %d/%d of width %d: %d hashes, %v", tile.L, tile.N, tile.W, len(got), err)
		}
	}
	for _, err := range []error{
		second(l.Root(t.Context(), 66_001)), second(l.Inclusion(t.Context(), 3, 66_001)), second(l.Root(t.Context(), -1)),
		second(l.Consistency(t.Context(), 3, 66_001)), second(l.Entries(t.Context(), 258, 1)),
	} {
		if !errors.Is(err, follow.ErrNotYet) {
			t.Errorf("what is not there yet: %v", err)
		}
	}
	if _, _, err := l.IndexOf(t.Context(), "toy-0", 1<<40); !errors.Is(err, follow.ErrNotYet) {
		t.Errorf("an event that is not there: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func bytesOf(hashes []proof.Hash) (b []byte) {
	for i := range hashes {
		b = append(b, hashes[i][:]...)
	}
	return b
}

// counting counts the events that are read of a store by subscriptions.
type counting struct {
	*sqlite.Store
	n atomic.Int64
}

func (c *counting) Subscribe(ctx context.Context, after stream.Position) iter.Seq2[[]stream.Record, error] {
	return func(yield func([]stream.Record, error) bool) {
		for run, err := range c.Store.Subscribe(ctx, after) {
			c.n.Add(int64(len(run)))
			if !yield(run, err) {
				return
			}
		}
	}
}

func TestARestartReadsLittle(t *testing.T) {
	recs := records(5000)
	want := treeOf(t, recs)
	store := &counting{Store: logOf(t, recs)}
	dir := t.TempDir()
	start(t, store, dir).stop()
	store.n.Store(0)
	l := start(t, store, dir)
	if tree := l.Tree(); tree.Root() != want.root(t, 5000) {
		t.Error("it has another root")
	}
	if n := store.n.Load(); n > 1024 { // two pages of the store
		t.Errorf("%d events were read", n)
	}
	if _, changed := l.Changed(); changed {
		t.Error("nothing was changed")
	}
}

// A log that ends with a block has nothing that is read of the store after it.
func TestARestartAtTheEndOfABlock(t *testing.T) {
	recs := records(768)
	want := treeOf(t, recs).root(t, 768)
	store, dir := logOf(t, recs), t.TempDir()
	for range 20 {
		l := start(t, store, dir)
		if tree := l.Tree(); tree.Size() != 768 || tree.Root() != want {
			t.Errorf("it has %d events, and the root %s", tree.Size(), tree.Root())
		}
		l.stop()
	}
}

func TestTheTreeGrowsWithTheLog(t *testing.T) {
	recs := records(300)
	store, _ := storetest.SQLite(t)
	l := start(t, store, t.TempDir())
	want := treeOf(t, recs)
	for n := range recs {
		grown := l.Grown()
		if err := store.Import(t.Context(), recs[n:n+1]); err != nil {
			t.Fatal(err)
		}
		<-grown
		if tree := l.Tree(); tree.Size() != int64(n+1) || tree.Root() != want.root(t, int64(n+1)) {
			t.Fatalf("after %d events it has %d, and another root", n+1, tree.Size())
		}
	}
}

// Whatever is left of the file, what is in the tree then is the log.
func TestAFileThatWasDamagedIsMadeAgain(t *testing.T) {
	recs := records(1500)
	store := logOf(t, recs)
	dir := t.TempDir()
	start(t, store, dir).stop()
	want := treeOf(t, recs).root(t, 1500)
	path := filepath.Join(dir, tilefiles.Name)
	whole, err := os.ReadFile(path)
	if err != nil || len(whole) != 5*64 {
		t.Fatal(len(whole), err)
	}
	for at := 0; at <= len(whole); at += 13 {
		torn := whole[:at]
		if at%2 == 1 && at < len(whole) { // a byte is another
			torn = append([]byte(nil), whole...)
			torn[at] ^= 1 << (at % 8)
		}
		if err := os.WriteFile(path, torn, 0o600); err != nil {
			t.Fatal(err)
		}
		l := start(t, store, dir)
		tree := l.Tree()
		l.stop()
		again, err := os.ReadFile(path)
		if err != nil || string(again) != string(whole) || tree.Root() != want {
			t.Fatalf("cut or changed at byte %d: the root is %s, the file as before: %t, %v",
				at, tree.Root(), string(again) == string(whole), err)
		}
	}
}

// faulty is a log that can't be read to its end, or does not answer at first.
type faulty struct {
	held
	fails error
	away  atomic.Int64 // how often it does not answer
}

func (f *faulty) Head(ctx context.Context) (stream.Position, error) {
	if f.away.Add(-1) >= 0 {
		return 0, stream.ErrUnavailable
	}
	return f.held.Head(ctx)
}

func (f *faulty) Subscribe(ctx context.Context, after stream.Position) iter.Seq2[[]stream.Record, error] {
	if f.fails == nil {
		return f.held.Subscribe(ctx, after)
	}
	return func(yield func([]stream.Record, error) bool) { yield(nil, f.fails) }
}

// Why a log can't be followed is told to who waits for its tree, then and later.
func TestALogThatCantBeRead(t *testing.T) {
	fails := errors.New("the disk is broken")
	l := follow.New(&faulty{held: held{recs: records(10)}, fails: fails}, files(t))
	waits := make(chan error, 1)
	go func() { waits <- l.Caught(t.Context()) }()
	for _, err := range []error{l.Run(t.Context()), <-waits, l.Caught(t.Context())} {
		if !errors.Is(err, fails) {
			t.Errorf("it is told: %v", err)
		}
	}
}

// A store that does not answer at the start is asked again.
func TestAStoreThatIsAwayAtTheStart(t *testing.T) {
	blocks := files(t)
	s := &faulty{held: held{recs: records(700)}}
	ctx, cancel := context.WithCancel(t.Context())
	for range 2 { // the second time there are blocks, for which the store is asked
		l, done := follow.New(s, blocks), make(chan error, 1)
		go func() { done <- l.Run(ctx) }()
		for size(l) < 700 { // not Caught, which asks too
			select {
			case err := <-done:
				t.Fatal(err)
			case <-time.After(time.Millisecond):
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		s.away.Store(1)
	}
	cancel()
}

func size(l *follow.Log) int64 {
	tree := l.Tree()
	return tree.Size()
}

func files(t *testing.T) *tilefiles.Files {
	f := tilefiles.New(t.TempDir())
	t.Cleanup(func() { _ = f.Close() })
	return f
}
