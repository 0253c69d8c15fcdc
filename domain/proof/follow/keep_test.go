package follow_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/adapters/tilefiles"
	"sandglass/domain/proof/follow"
	"sandglass/domain/stream"
)

// disk are blocks on a disk on which the test has writes fail.
type disk struct {
	*tilefiles.Files

	mu     sync.Mutex // guards what follows
	ops    int        // renewals and writes
	blocks int        // that were written, over and over
	fault  func(op int) fault
}

// fault is how an operation fails.
type fault struct {
	err  error
	done bool // all of it was done
	part int  // or so many blocks of it, which is told
}

// next counts an operation.
func (d *disk) next(blocks int) fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ops++
	d.blocks += blocks
	if d.fault == nil {
		return fault{}
	}
	return d.fault(d.ops)
}

// fail has operations fail from now on.
func (d *disk) fail(f func(op int) fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ops, d.blocks, d.fault = 0, 0, f
}

func (d *disk) tried() (ops, blocks int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ops, d.blocks
}

func (d *disk) Write(n int, blocks []follow.Block) (int, error) {
	f := d.next(len(blocks))
	switch {
	case f.err == nil:
		return d.Files.Write(n, blocks)
	case f.done:
		if _, err := d.Files.Write(n, blocks); err != nil {
			return 0, err
		}
	case f.part > 0:
		kept, err := d.Files.Write(n, blocks[:min(f.part, len(blocks))])
		return kept, errors.Join(err, f.err)
	}
	return 0, f.err
}

func (d *disk) Renew() error {
	f := d.next(0)
	if f.err == nil || f.done {
		f.err = errors.Join(f.err, d.Files.Renew())
	}
	return f.err
}

// A disk that is full holds up nothing, is told once and tried seldom, and has all once there is room.
func TestAFullDiskStopsNothing(t *testing.T) {
	all := records(10_240) // 40 blocks
	for name, full := range map[string]fault{
		"nothing is written":              {err: syscall.ENOSPC},
		"it is, and the answer is lost":   {err: syscall.EIO, done: true},
		"two blocks of it are, each time": {err: syscall.ENOSPC, part: 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEdited(0)
				dir := t.TempDir()
				d := &disk{Files: tilefiles.New(dir)}
				d.fail(func(int) fault { return full })
				w := watch(t, e, dir, d)
				for n := 256; n <= len(all); n += 256 {
					e.edit(func([]stream.Record) []stream.Record { return all[:n] })
					w.after(30 * time.Second)
				}
				w.is(e)
				ops, blocks := d.tried()
				if ops > 60 || full.part == 0 && ops < 20 || blocks > 40*ops { // of 20 minutes
					t.Errorf("%d blocks were written in %d times", blocks, ops)
				}
				if told := w.lines(); full.part == 0 && len(told) != 1 || !errors.Is(w.Health().Unkept, full.err) && full.part == 0 {
					t.Errorf("it is told %q, and %v", told, w.Health().Unkept)
				}
				if root, err := w.Root(t.Context(), 5_000); err != nil || root != treeOf(t, all).root(t, 5_000) {
					t.Errorf("the root of 5000 is %s, %v", root, err)
				}
				d.fail(nil)
				w.after(time.Minute)
				if _, blocks := d.tried(); blocks > 40 || w.Health().Unkept != nil {
					t.Errorf("once there is room, %d blocks are written, %v", blocks, w.Health().Unkept)
				}
				w.stop()
				w.kept(40, 0)
				_ = d.Close()
			})
		})
	}
}

// What was written is not written again.
func TestWhatIsKeptIsWrittenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := records(5_200)
		e, dir := newEdited(0), t.TempDir()
		d := &disk{Files: tilefiles.New(dir)}
		w := watch(t, e, dir, d)
		for n := 100; n <= len(all); n += 100 {
			e.edit(func([]stream.Record) []stream.Record { return all[:n] })
			synctest.Wait()
		}
		w.stop()
		if _, blocks := d.tried(); blocks != 20 {
			t.Errorf("%d blocks were written", blocks)
		}
		w.kept(20, 0)
		_ = d.Close()
	})
}

// Whenever the daemon dies while its file is written, and however the last write came out, the tree is that of the
// log at the next start, and what it was before is still known.
func TestDeathsBetweenWrites(t *testing.T) {
	dead := errors.New("dead")
	all := records(2600)
	for _, last := range []fault{{err: dead}, {err: dead, done: true}, {err: dead, part: 1}} {
		for at := 1; at <= 8; at++ {
			synctest.Test(t, func(t *testing.T) {
				e, dir := editedOf(all[:1300]), t.TempDir()
				watch(t, e, dir, tilefiles.New(dir)).stop()
				d := &disk{Files: tilefiles.New(dir)}
				d.fail(func(op int) fault {
					switch {
					case op < at:
						return fault{}
					case op == at:
						return last
					}
					return fault{err: dead}
				})
				w := watch(t, e, dir, d)
				e.edit(func(recs []stream.Record) []stream.Record {
					recs[300].At++
					return recs
				})
				w.after(10 * time.Minute)
				for n := 1400; n <= 2600; n += 100 {
					e.edit(func(recs []stream.Record) []stream.Record { return append(recs, all[len(recs):n]...) })
					w.after(time.Minute)
				}
				w.is(e)
				if c, ok := w.Changed(); !ok || c.From != 256 {
					t.Errorf("%v, %t", c, ok)
				}
				w.stop()
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
				w = watch(t, e, dir, tilefiles.New(dir))
				w.after(10 * time.Minute)
				w.is(e)
				if c, ok := w.Changed(); !ok || c.From != 256 {
					t.Errorf("after operation %d came out as %+v and a restart: %v, %t", at, last, c, ok)
				}
				w.stop()
				before := 5
				if at == 1 && !last.done { // nothing was put aside, and so the file went on
					before = 10
				}
				w.kept(10, before)
			})
		}
	}
}

// A folder that can't be opened is told, and tried again: until then all is in memory.
func TestAFolderThatCantBeOpened(t *testing.T) {
	for name, test := range map[string]struct {
		there  int // events whose blocks are in it when it can be opened
		edited bool
		kept   int
		before int
	}{
		"nothing was in it":               {0, false, 7, 0},
		"some of what is":                 {1000, false, 7, 0},
		"what the log had before":         {1000, true, 7, 3},
		"more than there is of it by now": {3000, false, 15, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir, away := filepath.Join(t.TempDir(), "log"), filepath.Join(t.TempDir(), "away")
				watch(t, newEdited(test.there), away, tilefiles.New(away)).stop()
				if err := os.WriteFile(dir, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				e := newEdited(1000)
				if test.edited {
					e.recs[100].At++
				}
				w := watch(t, e, dir, tilefiles.New(dir))
				w.is(e)
				w.after(20 * time.Minute)
				if told := w.lines(); len(told) != 1 || !strings.Contains(told[0], dir) || w.Health().Unkept == nil {
					t.Errorf("it is told %q", told)
				}
				e.edit(func(recs []stream.Record) []stream.Record { return append(recs, records(1900)[1000:]...) })
				w.is(e)
				if err := errors.Join(os.Remove(dir), os.Rename(away, dir)); err != nil {
					t.Fatal(err)
				}
				w.after(time.Minute)
				if h := w.Health(); h.Unkept != nil {
					t.Errorf("once it can be opened: %+v", h)
				}
				if c, ok := w.Changed(); ok != test.edited || test.edited && c.From != 0 {
					t.Errorf("%v, %t", c, ok)
				}
				if test.there > 1900 {
					e.edit(func(recs []stream.Record) []stream.Record { return append(recs, records(4000)[1900:]...) })
				}
				w.after(time.Minute)
				w.is(e)
				w.stop()
				w.kept(test.kept, test.before)
			})
		})
	}
}

// What was found meanwhile stays so once it can be opened, and has nothing that says otherwise.
func TestAFolderThatIsOpenedLateHidesNoChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(dir, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		e := newEdited(100)
		w := watch(t, e, dir, tilefiles.New(dir))
		e.edit(func(recs []stream.Record) []stream.Record {
			recs[50].At++
			return recs
		})
		w.after(20 * time.Minute)
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
		w.after(2 * time.Minute)
		want := follow.Change{From: 50, Until: 51}
		if c, ok := w.Changed(); !ok || c != want || w.Health().Unkept != nil {
			t.Errorf("%v, %t, %+v", c, ok, w.Health())
		}
	})
}
