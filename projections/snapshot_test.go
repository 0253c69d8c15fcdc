package projections_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"sandglass/domain/instant"
	"sandglass/projections"
	"sandglass/projections/snapshot"
)

// TestSnapshotChangesOnlyCost loads a snapshot of a random moment of a random history,
// and folds the rest: the views are those of a replay from nothing.
func TestSnapshotChangesOnlyCost(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		m := random(t, rapid.Uint64Range(0, 1000).Draw(rt, "seed"), 12, 150)
		if len(m.records) == 0 {
			return
		}
		path := filepath.Join(dir, "snapshot")
		place := rapid.IntRange(0, len(m.records)-1).Draw(rt, "place")
		at := m.records[place].Position
		if err := replayed(t, m, at).Save(path, "log"); err != nil {
			rt.Fatal(err)
		}
		v := projections.New(instant.Hour)
		if err := v.Load(path, "log"); err != nil {
			rt.Fatal(err)
		}
		if v.Position() != at {
			rt.Fatalf("position %d, want %d", v.Position(), at)
		}
		if err := projections.Replay(t.Context(), m, v, at); err != nil { // nothing, but for the deadlines
			rt.Fatal(err)
		}
		same(rt, "loaded", v, replayed(t, m, at))
		compare(t, v, fold(t, m.records[:place+1]))
		if err := projections.Replay(t.Context(), m, v, m.head()); err != nil {
			rt.Fatal(err)
		}
		whole := replayed(t, m, m.head())
		same(rt, "loaded and folded on", v, whole)
		if len(v.OpenPayments()) != len(whole.OpenPayments()) || len(v.Unallocated("", 999)) != len(whole.Unallocated("", 999)) {
			rt.Fatal("other payments")
		}
		if !slices.Equal(v.HeldSince("02aa", 0), whole.HeldSince("02aa", 0)) {
			rt.Fatal("others were held")
		}
		at1, a := v.NextDeadline(-1)
		at2, b := whole.NextDeadline(-1)
		if a != b || at1 != at2 {
			rt.Fatalf("next deadline %v %v, want %v %v", a, at1, b, at2)
		}
	})
}

// TestSnapshotDamaged changes each byte, and cuts at each: the file is refused.
func TestSnapshotDamaged(t *testing.T) {
	m := random(t, 1, 2, 25)
	path := filepath.Join(t.TempDir(), "snapshot")
	v := replayed(t, m, m.head())
	if err := v.Save(path, "log"); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		w := projections.New(instant.Hour)
		if err := w.Load(path, "log"); !errors.Is(err, snapshot.ErrUnusable) {
			t.Fatalf("%s: %v", what, err)
		}
		resources, others := w.Resources("", 1, nil), len(w.Plans())+len(w.OpenPayments())
		if w.Position() != 0 || resources != nil || others > 0 || w.TrialBalance() != (projections.Ledger{}) {
			t.Fatalf("%s: something is left", what)
		}
	}
	for i := range good {
		b := bytes.Clone(good)
		b[i] ^= 1 << (i % 8)
		refused("a changed byte", b)
		if i%16 == 0 {
			refused("a cut", good[:i])
		}
	}
	refused("more than it was", append(bytes.Clone(good), 0))
}

func TestSnapshotOfAnother(t *testing.T) {
	m := random(t, 1, 3, 40)
	path := filepath.Join(t.TempDir(), "snapshot")
	v := projections.New(instant.Hour)
	if err := v.Load(path, "log"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if err := replayed(t, m, m.head()).Save(path, "log"); err != nil {
		t.Fatal(err)
	}
	if err := v.Load(path, "other"); !errors.Is(err, snapshot.ErrUnusable) || v.Position() != 0 {
		t.Errorf("a snapshot of another log: %v", err)
	}
	// A log restored from a backup, which went on otherwise.
	for _, other := range []*memory{random(t, 2, 3, 100), random(t, 1, 3, 20), newMemory()} {
		if err := v.Load(path, "log"); err != nil {
			t.Fatal(err)
		}
		if err := projections.Replay(t.Context(), other, v, other.head()); err != nil {
			t.Fatal(err)
		}
		same(t, "another past", v, replayed(t, other, other.head()))
	}
	if err := replayed(t, m, m.head()).Save(filepath.Join(path, "no", "folder"), "log"); err == nil {
		t.Error("saved to nowhere")
	}
}

// TestSaveOnlyReads saves while the same payments are asked for: the race detector sees
// whether a snapshot that is written changes what it is written from.
func TestSaveOnlyReads(t *testing.T) {
	m := random(t, 1, 30, 600)
	v := replayed(t, m, m.records[len(m.records)-1].Position)
	path := filepath.Join(t.TempDir(), "snapshot")
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 20 {
			v.OpenPayments()
		}
	})
	for range 5 {
		if err := v.Save(path, "log"); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}
