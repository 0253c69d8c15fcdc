package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"sandglass/domain/proof/checkpoint"
)

// CheckpointsHarness makes the stores that [Checkpoints] tests.
type CheckpointsHarness struct {
	// New makes an empty log and returns what opens it.
	New func(t *testing.T) func() CheckpointStore
	// Shared says that several may have the log open at once.
	Shared bool
	// Fail, if not nil, has the next write of the last log that New made fail.
	Fail func(t *testing.T, f Fault)
	// Spoil are ways in which somebody else writes where the last log that New made has its latest
	// checkpoint. Each returns what is told of it.
	Spoil []func(t *testing.T) (says string)
}

// CheckpointStore is a store of the latest checkpoint as the daemon has it.
type CheckpointStore interface {
	checkpoint.Store
	io.Closer
}

// Checkpoints is the contract of a [checkpoint.Store].
func Checkpoints(t *testing.T, h CheckpointsHarness) {
	tests := []struct {
		name string
		run  func(*testing.T, CheckpointsHarness)
		on   bool
	}{
		{"none was kept", noCheckpoint, true},
		{"each takes the place of the one before", checkpointsInTurn, true},
		{"one that comes too late is refused", checkpointMoved, true},
		{"bounds", checkpointBounds, true},
		{"many at once: one is kept", racingCheckpoints, true},
		{"several have it open", checkpointsShared, h.Shared},
		{"somebody else writes there", foreignCheckpoint, true},
		{"a write is lost, or its answer", checkpointFails, h.Fail != nil},
	}
	for _, test := range tests {
		if test.on {
			t.Run(test.name, func(t *testing.T) { test.run(t, h) })
		}
	}
}

// aNote is the i-th note.
func aNote(i int) []byte { return fmt.Appendf(nil, "log\n%d\nroot\n\n— log c2ln\n", i) }

// latest asserts what is kept.
func latest(t *testing.T, s checkpoint.Store, version int64, note []byte) {
	t.Helper()
	got, v, err := s.Checkpoint(t.Context())
	if err != nil || v != version || string(got) != string(note) {
		t.Fatalf("%q of version %d, %v; want %q of version %d", got, v, err, note, version)
	}
}

func swap(t *testing.T, s checkpoint.Store, version int64, note []byte) {
	t.Helper()
	if err := s.SwapCheckpoint(t.Context(), version, note); err != nil {
		t.Fatal(err)
	}
}

func closeCheckpoints(t *testing.T, s io.Closer) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func noCheckpoint(t *testing.T, h CheckpointsHarness) {
	s := h.New(t)()
	defer closeCheckpoints(t, s)
	latest(t, s, 0, nil)
	if err := s.SwapCheckpoint(t.Context(), 1, aNote(1)); !errors.Is(err, checkpoint.ErrMoved) {
		t.Errorf("after one that is not there: %v", err)
	}
	latest(t, s, 0, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.SwapCheckpoint(ctx, 0, aNote(1)); err == nil {
		t.Error("a context that has ended was taken")
	}
	if _, _, err := s.Checkpoint(ctx); err == nil {
		t.Error("a context that has ended was answered")
	}
	latest(t, s, 0, nil)
}

func checkpointsInTurn(t *testing.T, h CheckpointsHarness) {
	open := h.New(t)
	s := open()
	for i := range 20 {
		swap(t, s, int64(i), aNote(i))
		latest(t, s, int64(i)+1, aNote(i))
	}
	closeCheckpoints(t, s)
	s = open()
	defer closeCheckpoints(t, s)
	latest(t, s, 20, aNote(19))
	swap(t, s, 20, aNote(20))
	latest(t, s, 21, aNote(20))
}

func checkpointMoved(t *testing.T, h CheckpointsHarness) {
	s := h.New(t)()
	defer closeCheckpoints(t, s)
	swap(t, s, 0, aNote(0))
	swap(t, s, 1, aNote(1))
	swap(t, s, 1, aNote(1)) // once more: it is there
	for _, version := range []int64{0, 1, 3, 100} {
		if err := s.SwapCheckpoint(t.Context(), version, aNote(5)); !errors.Is(err, checkpoint.ErrMoved) {
			t.Errorf("after version %d: %v", version, err)
		}
	}
	latest(t, s, 2, aNote(1))
}

func checkpointBounds(t *testing.T, h CheckpointsHarness) {
	s := h.New(t)()
	defer closeCheckpoints(t, s)
	largest := []byte(strings.Repeat("— ü\n", checkpoint.MaxNote/7)) // 7 bytes each
	for _, bad := range [][]byte{nil, {}, []byte(strings.Repeat("a", checkpoint.MaxNote+1))} {
		if err := s.SwapCheckpoint(t.Context(), 0, bad); !errors.Is(err, checkpoint.ErrMalformed) {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
	swap(t, s, 0, largest)
	latest(t, s, 1, largest)
}

func racingCheckpoints(t *testing.T, h CheckpointsHarness) {
	s := h.New(t)()
	defer closeCheckpoints(t, s)
	for round := range 5 {
		errs := race(t, int64(round), s, s, s, s)
		kept := 0
		for i, err := range errs {
			if err == nil {
				kept++
				latest(t, s, int64(round)+1, aNote(i))
			} else if !errors.Is(err, checkpoint.ErrMoved) {
				t.Error(err)
			}
		}
		if kept != 1 {
			t.Fatalf("%d of %d were kept", kept, len(errs))
		}
	}
}

// race has each store keep a note of its own after the same version.
func race(t *testing.T, version int64, stores ...checkpoint.Store) []error {
	errs := make([]error, len(stores))
	var wg sync.WaitGroup
	for i, s := range stores {
		wg.Go(func() { errs[i] = s.SwapCheckpoint(t.Context(), version, aNote(i)) })
	}
	wg.Wait()
	return errs
}

func checkpointsShared(t *testing.T, h CheckpointsHarness) {
	open := h.New(t)
	a, b := open(), open()
	defer closeCheckpoints(t, a)
	defer closeCheckpoints(t, b)
	swap(t, a, 0, aNote(0))
	latest(t, b, 1, aNote(0))
	swap(t, b, 1, aNote(1))
	latest(t, a, 2, aNote(1))
	if err := a.SwapCheckpoint(t.Context(), 1, aNote(2)); !errors.Is(err, checkpoint.ErrMoved) {
		t.Errorf("too late: %v", err)
	}
	if errs := race(t, 2, a, b); (errs[0] == nil) == (errs[1] == nil) {
		t.Errorf("of two at once one is kept: %v", errs)
	}
}

// What somebody else wrote is told, is not passed over, and is gone with the next that is kept.
func foreignCheckpoint(t *testing.T, h CheckpointsHarness) {
	s := h.New(t)()
	defer closeCheckpoints(t, s)
	swap(t, s, 0, aNote(0))
	for i, spoil := range h.Spoil {
		says := spoil(t)
		note, version, err := s.Checkpoint(t.Context())
		if note != nil || !errors.Is(err, checkpoint.ErrForeign) || !strings.Contains(err.Error(), says) {
			t.Fatalf("%d: %q, %v, want %q", i, note, err, says)
		}
		if err := s.SwapCheckpoint(t.Context(), version-1, aNote(i+1)); !errors.Is(err, checkpoint.ErrMoved) {
			t.Errorf("%d: it was passed over: %v", i, err)
		}
		swap(t, s, version, aNote(i+1))
		latest(t, s, version+1, aNote(i+1))
	}
	if len(h.Spoil) == 0 {
		t.Error("nobody writes there")
	}
}

// Whatever became of a write, what is kept is the one or the other, and who tries it again has it.
func checkpointFails(t *testing.T, h CheckpointsHarness) {
	s := h.New(t)()
	defer closeCheckpoints(t, s)
	swap(t, s, 0, aNote(0))
	for version := int64(1); version < 9; version++ {
		before, after := aNote(int(version)-1), aNote(int(version))
		if version%2 == 0 {
			h.Fail(t, AnswerLost)
			_ = s.SwapCheckpoint(t.Context(), version, after) // whatever is answered, it was kept
			latest(t, s, version+1, after)
		} else {
			h.Fail(t, Lost)
			if err := s.SwapCheckpoint(t.Context(), version, after); err != nil { // else it was tried again
				latest(t, s, version, before)
			}
		}
		swap(t, s, version, after)
		latest(t, s, version+1, after)
	}
}
