package follow_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/adapters/tilefiles"
	"sandglass/domain/proof/follow"
	"sandglass/domain/stream"
)

// edited is a log in memory that somebody edits, and whose reads the test hinders.
type edited struct {
	stream.EventStore

	mu    sync.Mutex // guards what follows
	recs  []stream.Record
	grown chan struct{}
	reads int
	begin func(ctx context.Context, after stream.Position) error // of a read; nil if nothing hinders it
}

func newEdited(n int) *edited { return editedOf(records(n)) }

func editedOf(recs []stream.Record) *edited {
	return &edited{recs: recs, grown: make(chan struct{})}
}

// edit changes what the log has.
func (e *edited) edit(change func(recs []stream.Record) []stream.Record) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.recs = change(slices.Clone(e.recs))
	close(e.grown)
	e.grown = make(chan struct{})
}

// hinder has reads begin with that.
func (e *edited) hinder(begin func(context.Context, stream.Position) error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.begin = begin
}

func (e *edited) read() (recs []stream.Record, grown chan struct{}, reads int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.recs, e.grown, e.reads
}

func (e *edited) Head(context.Context) (at stream.Position, _ error) {
	if recs, _, _ := e.read(); len(recs) > 0 {
		at = recs[len(recs)-1].Position
	}
	return at, nil
}

func (e *edited) Subscribe(ctx context.Context, after stream.Position) iter.Seq2[[]stream.Record, error] {
	return func(yield func([]stream.Record, error) bool) {
		e.mu.Lock()
		begin := e.begin
		e.reads++
		e.mu.Unlock()
		if begin != nil {
			if err := begin(ctx, after); err != nil {
				yield(nil, err)
				return
			}
		}
		for ctx.Err() == nil {
			recs, grown, _ := e.read()
			from := sort.Search(len(recs), func(i int) bool { return recs[i].Position > after })
			if from < len(recs) {
				page := recs[from:min(from+500, len(recs))]
				after = page[len(page)-1].Position
				if !yield(page, nil) {
					return
				}
				continue
			}
			select {
			case <-grown:
			case <-ctx.Done():
			}
		}
	}
}

// watched is a log of the bubble that is followed.
type watched struct {
	*follow.Log
	t    *testing.T
	dir  string
	stop func()

	mu   sync.Mutex
	told []string
}

// watch follows a log in a bubble, with the blocks of a folder.
func watch(t *testing.T, s stream.EventStore, dir string, blocks follow.Blocks) *watched {
	t.Helper()
	w := &watched{Log: follow.New(s, blocks), t: t, dir: dir}
	w.Told = func(err error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.told = append(w.told, err.Error())
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if files, ok := blocks.(*tilefiles.Files); ok {
			_ = files.Close()
		}
	})
	t.Cleanup(w.stop)
	if err := w.Caught(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// after lets so much time pass.
func (w *watched) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *watched) lines() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.told)
}

// is has the tree be that of the log.
func (w *watched) is(e *edited) {
	w.t.Helper()
	recs, _, _ := e.read()
	err := w.Caught(w.t.Context())
	tree := w.Tree()
	if want := treeOf(w.t, recs).root(w.t, int64(len(recs))); tree.Root() != want || err != nil {
		w.t.Errorf("the tree has %d events, and not the root of the log: %v", tree.Size(), err)
	}
}

// kept has the file be that of the tree, and what it was before be beside it.
func (w *watched) kept(blocks, before int) {
	w.t.Helper()
	files := tilefiles.New(w.dir)
	defer files.Close()
	kept, was, err := files.Open()
	if err != nil || len(kept) != blocks || len(was) != before {
		w.t.Errorf("%d blocks are kept, and %d of before: %v", len(kept), len(was), err)
	}
	roots, err := w.Tile(w.t.Context(), 1, 0, max(blocks, 1))
	for i := range kept {
		if err != nil || kept[i].Root != roots[i] {
			w.t.Errorf("block %d is another, %v", i, err)
		}
	}
}

// What the store has no more stands nowhere: it is told by its index alone.
func TestWhatIsGoneIsToldByItsIndex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, dir := newEdited(300), t.TempDir()
		w := watch(t, e, dir, tilefiles.New(dir))
		e.edit(func(recs []stream.Record) []stream.Record {
			recs[299].Position++ // which is followed as one more
			return recs
		})
		w.after(time.Hour)
		if told := w.lines(); len(told) != 1 || !strings.HasSuffix(told[0], "the one of index 300") {
			t.Errorf("it is told %q", told)
		}
		w.is(e)
	})
}

// Whatever is changed of an old event is found by nobody's asking, told by where it stands, and found again when it
// is put back.
func TestWhatIsChangedIsFound(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(recs []stream.Record) []stream.Record
		want   follow.Change
		says   string
	}{
		{"the first", func(recs []stream.Record) []stream.Record {
			recs[0].Data = []byte(`{"n":"9"}`)
			return recs
		}, follow.Change{Until: 256}, "one of index 0 to 255, from toy-0 revision 0 at position 1 to toy-3 revision 36"},
		{"an old one", func(recs []stream.Record) []stream.Record {
			recs[700].Meta = []byte(`{"actor":"thief"}`)
			return recs
		}, follow.Change{From: 512, Until: 768}, "one of index 512 to 767, from toy-1 revision 73"},
		{"two, and the first is told", func(recs []stream.Record) []stream.Record {
			recs[300].RecordedAt += 1e9
			recs[900].ID[3]++
			return recs
		}, follow.Change{From: 256, Until: 512}, "index"},
		{"dropped", func(recs []stream.Record) []stream.Record {
			return slices.Delete(recs, 400, 401)
		}, follow.Change{From: 256, Until: 512}, "index"},
		{"swapped", func(recs []stream.Record) []stream.Record {
			a, b := &recs[10], &recs[11]
			*a, *b = *b, *a
			a.Position, b.Position = b.Position, a.Position
			return recs
		}, follow.Change{Until: 256}, "one of index 0 to 255"},
		{"one of no block yet", func(recs []stream.Record) []stream.Record {
			recs[1030].At++
			return recs
		}, follow.Change{From: 1030, Until: 1031}, "the one of index 1030, toy-1 revision 147 at position 1031"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, dir := newEdited(1050), t.TempDir()
				w := watch(t, e, dir, tilefiles.New(dir))
				w.after(time.Hour)
				whole, _, _ := e.read()
				e.edit(test.change)
				w.after(6 * time.Minute) // five parts, a minute each
				w.is(e)
				if c, ok := w.Changed(); !ok || c != test.want {
					t.Errorf("%v changed, %t", c, ok)
				}
				if told := w.lines(); len(told) == 0 || !strings.Contains(told[0], test.says) {
					t.Errorf("it is told %q", told)
				}
				recs, _, _ := e.read()
				w.stop()
				w.kept(len(recs)/256, 4)
				w = watch(t, e, dir, tilefiles.New(dir))
				if c, ok := w.Changed(); test.want.Until < 1024 && (!ok || c != test.want) {
					t.Errorf("after a restart, %v changed, %t", c, ok)
				}
				e.edit(func([]stream.Record) []stream.Record { return whole })
				w.after(6 * time.Minute)
				w.is(e)
				if h := w.Health(); h.Changed == 0 || h.Unread != nil || h.Unkept != nil {
					t.Errorf("after it was put back: %+v", h)
				}
			})
		})
	}
}

// A daemon that was stopped while the log was changed finds it soon.
func TestAFirstPassIsQuick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, dir := newEdited(20_000), t.TempDir()
		watch(t, e, dir, tilefiles.New(dir)).stop()
		e.edit(func(recs []stream.Record) []stream.Record {
			recs[15_000].At++
			return recs
		})
		e.hinder(func(context.Context, stream.Position) error {
			time.Sleep(time.Millisecond)
			return nil
		})
		w := watch(t, e, dir, tilefiles.New(dir))
		w.after(15 * time.Second)
		if c, ok := w.Changed(); !ok || c.From != 14_848 {
			t.Errorf("%v changed, %t", c, ok)
		}
		w.is(e)
	})
}

// Later passes take a day, and no more than a part of the time goes into reading, however slow that is.
func TestThePaceOfRereading(t *testing.T) {
	all := records(25_700)
	for _, test := range []struct {
		events      int
		takes       time.Duration // for a block
		least, most int64         // blocks in a day, after the first pass
	}{
		{0, 0, 1439, 1440},
		{200, time.Millisecond, 1439, 1440},
		{25_700, time.Millisecond, 1439, 1440},
		{25_700, 10 * time.Second, 425, 433}, // a twentieth of the day
	} {
		synctest.Test(t, func(t *testing.T) {
			e := editedOf(all[:test.events])
			e.hinder(func(context.Context, stream.Position) error {
				time.Sleep(test.takes)
				return nil
			})
			w := watch(t, e, "", files(t))
			for w.Health().Reread <= int64(test.events)/256 {
				w.after(10 * time.Minute)
			}
			first := w.Health().Reread
			w.after(24 * time.Hour)
			if n := w.Health().Reread - first; n < test.least || n > test.most {
				t.Errorf("of %d events, %v a block, %d blocks were read in a day", test.events, test.takes, n)
			}
			if h := w.Health(); h.Changed != 0 || h.Unread != nil {
				t.Errorf("%+v", h)
			}
		})
	}
	const million = 1_000_000 / 256
	a, b := follow.Pace(time.Millisecond, false, million), follow.Pace(time.Millisecond, false, 10_000*million)
	if a*million > 24*time.Hour || a*million < 23*time.Hour || b != 19*time.Millisecond {
		t.Errorf("of a million events a block is read each %v, of ten thousand million each %v", a, b)
	}
}

// What can't be read now is no change.
func TestNoFalseAlarm(t *testing.T) {
	broken := errors.New("the disk is broken")
	for name, test := range map[string]struct {
		begin func(ctx context.Context) error
		says  string
	}{
		"a read fails":      {func(context.Context) error { return broken }, broken.Error()},
		"the store is away": {func(context.Context) error { return stream.ErrUnavailable }, stream.ErrUnavailable.Error()},
		"a node lags": {func(ctx context.Context) error {
			<-ctx.Done()
			return nil
		}, context.DeadlineExceeded.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEdited(1000)
				w := watch(t, e, "", files(t))
				e.hinder(func(ctx context.Context, _ stream.Position) error { return test.begin(ctx) })
				_, _, before := e.read()
				w.after(5 * time.Hour)
				if _, _, n := e.read(); n-before > 75 {
					t.Errorf("it was tried %d times in 5 hours", n-before)
				}
				h := w.Health()
				if h.Unread == nil || !strings.Contains(h.Unread.Error(), test.says) || h.Changed != 0 || len(w.lines()) != 1 {
					t.Errorf("%+v, %q", h, w.lines())
				}
				e.edit(func(recs []stream.Record) []stream.Record { return append(recs, records(1100)[1000:]...) })
				w.is(e) // and is followed meanwhile
				e.hinder(nil)
				w.after(20 * time.Minute)
				if h := w.Health(); h.Unread != nil || h.Changed != 0 || w.Made() != 0 {
					t.Errorf("once it can be read: %+v", h)
				}
				e.hinder(func(ctx context.Context, _ stream.Position) error { // a stop in the middle of a block
					<-ctx.Done()
					return nil
				})
				w.after(time.Minute)
				w.stop()
				if h := w.Health(); h.Changed != 0 || len(w.lines()) != 1 {
					t.Errorf("after it ended: %+v, %q", h, w.lines())
				}
			})
		})
	}
}

// A tree that can't be made again is not taken for one: nothing is said of the log until it can.
func TestATreeThatCantBeMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, dir := newEdited(1000), t.TempDir()
		w := watch(t, e, dir, tilefiles.New(dir))
		whole, _, _ := e.read()
		e.hinder(func(_ context.Context, after stream.Position) error {
			if after == 0 {
				return nil // the block is read, and found to be another
			}
			return fmt.Errorf("position %d is broken", after)
		})
		e.edit(func(recs []stream.Record) []stream.Record {
			recs[3].At++
			return recs[:900]
		})
		if _, err := w.Entries(t.Context(), 0, 1); !errors.Is(err, follow.ErrChanged) {
			t.Fatal(err)
		}
		w.after(time.Hour)
		err := w.Caught(t.Context())
		if err == nil || !strings.Contains(err.Error(), "ends at position 900, and had events up to 1000") {
			t.Errorf("what is shorter is a tree: %v", err)
		}
		if tree := w.Tree(); tree.Size() != 1000 || tree.Root() != treeOf(t, whole).root(t, 1000) {
			t.Error("meanwhile there is another tree")
		}
		e.hinder(nil)
		e.edit(func([]stream.Record) []stream.Record {
			recs := slices.Clone(whole)
			recs[3].At++
			return recs
		})
		w.after(10 * time.Minute)
		w.is(e)
		if c, ok := w.Changed(); !ok || c.From != 0 {
			t.Errorf("%v, %t", c, ok)
		}
	})
}

// Where nothing is another after all, as after a read that went wrong, all stays as it was.
func TestATreeThatIsMadeAgainForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, dir := newEdited(1000), t.TempDir()
		w := watch(t, e, dir, tilefiles.New(dir))
		whole, _, _ := e.read()
		e.edit(func(recs []stream.Record) []stream.Record {
			recs[3].At++
			return recs
		})
		_, _, before := e.read()
		e.hinder(func(context.Context, stream.Position) error {
			if _, _, n := e.read(); n == before+2 { // the block was read: which it is, is asked
				e.edit(func([]stream.Record) []stream.Record { return whole })
			}
			return nil
		})
		if _, err := w.Entries(t.Context(), 0, 1); !errors.Is(err, follow.ErrChanged) {
			t.Fatal(err)
		}
		w.after(time.Second)
		w.is(e)
		if c, ok := w.Changed(); ok {
			t.Errorf("%v", c)
		}
		w.stop()
		w.kept(3, 0)
	})
}
