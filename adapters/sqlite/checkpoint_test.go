package sqlite_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"

	"sandglass/adapters/sqlite"
	"sandglass/adapters/sqlite/backup"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
)

// failing has a statement fail within the transaction of the next swap, or its answer be lost.
type failing struct {
	*sqlite.Store
	next atomic.Int32
}

func (f *failing) SwapCheckpoint(ctx context.Context, version int64, note []byte) error {
	fault := storetest.Fault(f.next.Swap(int32(storetest.None)))
	if fault == storetest.Lost {
		return f.lose(ctx, version, note)
	}
	err := f.Store.SwapCheckpoint(ctx, version, note)
	if fault == storetest.AnswerLost && err == nil {
		return storetest.ErrFault
	}
	return err
}

// lose has the write fail.
func (f *failing) lose(ctx context.Context, version int64, note []byte) error {
	err := f.WriterSQL(`CREATE TEMP TRIGGER fails BEFORE UPDATE ON main.checkpoint BEGIN SELECT RAISE(ABORT, 'a fault'); END`)
	if err != nil {
		return err
	}
	err = f.Store.SwapCheckpoint(ctx, version, note)
	return errors.Join(err, f.WriterSQL(`DROP TRIGGER fails`))
}

func TestCheckpoints(t *testing.T) {
	t.Parallel()
	var last *failing
	storetest.Checkpoints(t, storetest.CheckpointsHarness{
		New: func(t *testing.T) func() storetest.CheckpointStore {
			path := filepath.Join(t.TempDir(), "log")
			return func() storetest.CheckpointStore {
				last = &failing{Store: storetest.SQLiteAt(t, path, storetest.NewClock().Now)}
				return last
			}
		},
		Fail: func(_ *testing.T, f storetest.Fault) { last.next.Store(int32(f)) },
		Spoil: []func(*testing.T) string{func(t *testing.T) string {
			if err := last.WriterSQL(`UPDATE checkpoint SET note = zeroblob(100000)`); err != nil {
				t.Fatal(err)
			}
			return "the table checkpoint"
		}},
	})
}

// A checkpoint is in the file: who reads beside the daemon sees it, and a copy has it. An append after it
// and a file that it stands in are as before.
func TestCheckpointsGoWhereTheFileGoes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, clock := filepath.Join(dir, "log"), storetest.NewClock()
	s := storetest.SQLiteAt(t, path, clock.Now)
	read := func(path string, version int64) {
		t.Helper()
		r, err := sqlite.OpenReadOnly(path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if _, got, err := r.Checkpoint(t.Context()); err != nil || got != version {
			t.Errorf("version %d, %v; want %d", got, err, version)
		}
		if err := r.SwapCheckpoint(t.Context(), version, []byte("x")); !errors.Is(err, stream.ErrReadOnly) {
			t.Errorf("who only reads writes: %v", err)
		}
	}
	read(path, 0) // as a log of an earlier build
	for version := range int64(3) {
		if err := s.SwapCheckpoint(t.Context(), version, []byte("note\n")); err != nil {
			t.Fatal(err)
		}
		e := stream.Event{Type: "toy.was.v1", At: 1, Data: []byte("{}")}
		e.ID = stream.NewID("toy-1", stream.Revision(version), e)
		if _, err := s.Append(t.Context(), "toy-1", stream.Revision(version)-1, []stream.Event{e}); err != nil {
			t.Fatal(err)
		}
	}
	read(path, 3)
	var m backup.Maker
	if _, err := m.Write(t.Context(), path, path+".copy"); err != nil {
		t.Fatal(err)
	}
	read(path+".copy", 3)
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Writable(); err != nil {
		t.Error(err)
	}
}

// A checkpoint that can't be kept is no reason to take no events.
func TestACheckpointIsNotKept(t *testing.T) {
	t.Parallel()
	s := &failing{Store: storetest.SQLiteAt(t, filepath.Join(t.TempDir(), "log"), storetest.NewClock().Now)}
	note := []byte("note\n")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.SwapCheckpoint(t.Context(), 0, note))
	s.next.Store(int32(storetest.Lost))
	if err := s.SwapCheckpoint(t.Context(), 1, note); err == nil {
		t.Error("it did not fail")
	}
	if err := s.Writable(); err != nil {
		t.Errorf("the log: %v", err)
	}
	must(s.SwapCheckpoint(t.Context(), 1, note))
}
