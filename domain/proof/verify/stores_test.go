package verify_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sandglass/adapters/eventstoredb"
	"sandglass/adapters/sqlite"
	"sandglass/adapters/tilefiles"
	"sandglass/domain/logcopy"
	"sandglass/domain/proof"
	"sandglass/domain/proof/follow"
	"sandglass/domain/proof/verify"
	"sandglass/domain/stream"
	"sandglass/testutil/esdbserver"
	"sandglass/testutil/histories"
	"sandglass/testutil/storetest"

	sqlitefile "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// shared returns a log of its own in a cluster.
func shared(t *testing.T, c *esdbserver.Cluster, namespace string) *eventstoredb.Store {
	t.Helper()
	o := eventstoredb.Options{Namespace: namespace}
	if err := eventstoredb.Create(t.Context(), c.ConnectionString(), o); err != nil {
		t.Fatal(err)
	}
	s, err := eventstoredb.Open(t.Context(), c.ConnectionString(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// verified verifies a store.
func verified(t *testing.T, s stream.EventStore, l *verify.Log) verify.Report {
	t.Helper()
	head, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := l.Run(t.Context(), verify.Of(t.Context(), s, head))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// followed returns the root of a log as a daemon has it that goes on from these blocks, and is stopped.
func followed(t *testing.T, s stream.EventStore, blocks *tilefiles.Files) proof.Hash {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := follow.New(s, blocks)
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	if err := l.Caught(t.Context()); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	tree := l.Tree()
	return tree.Root()
}

// A cluster whose clock goes back, a file, and copies of either have one root; so has a daemon of
// the cluster that was restarted.
func TestOneRoot(t *testing.T) {
	clock, n := time.UnixMilli(int64(histories.Start)), 0
	c := esdbserver.New(t, esdbserver.Options{Nodes: 3, SystemEvery: 7, Now: func() time.Time {
		if n++; n%40 == 0 {
			clock = clock.Add(-3 * time.Second)
		}
		clock = clock.Add(100 * time.Millisecond)
		return clock
	}})
	cluster := shared(t, c, "first")
	w := histories.New(3, 20)
	blocks, err := tilefiles.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer blocks.Close()
	for events := 0; events < 700; {
		for _, a := range w.Step() {
			if _, err := cluster.Append(t.Context(), a.Stream, a.Expected, a.Events); err != nil {
				t.Fatal(err)
			}
			if events += len(a.Events); events%300 < len(a.Events) {
				followed(t, cluster, blocks)
			}
		}
	}
	want := verified(t, cluster, &verify.Log{})
	if want.Count != 0 || want.Events < 700 {
		t.Fatalf("the cluster: %+v", want)
	}
	if root := followed(t, cluster, blocks); root != want.Root {
		t.Errorf("a daemon that was restarted has the root %s, want %s", root, want.Root)
	}
	file, _ := storetest.SQLite(t)
	again, _ := storetest.SQLite(t)
	var from stream.EventStore = cluster
	for i, to := range []logcopy.Destination{file, shared(t, c, "second"), again} {
		if _, err := (&logcopy.Copier{From: from, To: to}).Copy(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := verified(t, to, &verify.Log{}); got.Count != 0 || got.Root != want.Root || got.Events != want.Events {
			t.Errorf("copy %d: %+v, want the root %s", i, got, want.Root)
		}
		from = to
	}
}

// thefts are changes to the file of a log, of the event at a position, by who has the file. The
// index of the first event that is another is one below.
var thefts = []string{
	`UPDATE events SET id = randomblob(16) WHERE position = ?1`,
	`UPDATE events SET stream = stream || 'x' WHERE position = ?1`,
	`UPDATE events SET revision = revision + 1 WHERE position = ?1`,
	`UPDATE events SET type = type % 3 + 1 WHERE position = ?1 AND type <> type % 3 + 1`,
	`UPDATE events SET at = at + 1 WHERE position = ?1`,
	`UPDATE events SET recorded_at = recorded_at + 100000000 WHERE position = ?1`,
	`UPDATE events SET recorded_at = recorded_at - 1 WHERE position = ?1`,
	`UPDATE events SET data = CAST('{"x":1}' AS BLOB) WHERE position = ?1`,
	`UPDATE events SET meta = CAST('{"actor":"thief"}' AS BLOB) WHERE position = ?1`,
	`DELETE FROM events WHERE position = ?1`,
}

// steal changes the file, and reports whether that made a difference.
func steal(t *testing.T, path, theft string, at int) bool {
	t.Helper()
	conn, err := sqlitefile.OpenConn(path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := sqlitex.Execute(conn, theft, &sqlitex.ExecOptions{Args: []any{at}}); err != nil {
		t.Fatalf("%s: %v", theft, err)
	}
	return conn.Changes() > 0
}

func TestTheftsFromAFile(t *testing.T) {
	recs := history(4, 600)
	leaves := leavesOf(recs)
	for _, theft := range thefts {
		for seed := range uint64(max(1, *times/10)) {
			rng := rand.New(rand.NewPCG(seed, 9))
			path := filepath.Join(t.TempDir(), "log")
			s := storetest.SQLiteAt(t, path, storetest.NewClock().Now)
			if err := s.Import(t.Context(), recs); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			at := 2 + rng.IntN(len(recs)-3)
			for !steal(t, path, theft, at) {
				at++
			}
			stolen, err := sqlite.OpenReadOnly(path)
			if err != nil {
				t.Fatal(err)
			}
			r := verified(t, stolen, &verify.Log{Checkpoints: []verify.Expected{leaves.at(600)}, Tiles: leaves})
			if err := stolen.Close(); err != nil {
				t.Fatal(err)
			}
			if !told(&r, theft, &recs[at-1]) {
				t.Errorf("%s, of event %d, seed %d: %+v", theft, at-1, seed, r.Findings)
			}
		}
	}
}

// told reports whether a theft from a record is found, and its event named.
func told(r *verify.Report, theft string, rec *stream.Record) bool {
	if strings.Contains(theft, "- 1") { // its entry is the same where the event before has its time
		return r.Count > 0
	}
	moved := strings.Contains(theft, "stream") || strings.Contains(theft, "revision") || strings.Contains(theft, "DELETE")
	name := fmt.Sprintf("%s revision %d", rec.Stream, rec.Revision)
	return slices.ContainsFunc(r.Findings, func(f verify.Finding) bool {
		return f.Kind == verify.Event && f.Index == int64(rec.Position-1) && (moved || f.Where == name)
	})
}

// A cluster that serves another history than it did.
func TestAnotherHistoryInACluster(t *testing.T) {
	recs := history(5, 400)
	leaves := leavesOf(recs)
	c := esdbserver.New(t, esdbserver.Options{})
	for i, kind := range changes {
		for seed := range uint64(max(1, *times/10)) {
			rng := rand.New(rand.NewPCG(seed, uint64(i)))
			other, first := kind.do(rng, slices.Clone(recs))
			s := shared(t, c, fmt.Sprintf("n%d_%d", i, seed))
			if err := s.Import(t.Context(), other); err != nil {
				continue // no store takes it: its revisions or its names are not those of a log
			}
			r := verified(t, s, &verify.Log{Checkpoints: []verify.Expected{leaves.at(400)}, Tiles: leaves})
			if kind.name == "duplicated" && r.Events == 400 && r.Count == 0 {
				continue // an import passes over what is there
			}
			if !named(&r, other, first) {
				t.Errorf("%s, of event %d, seed %d: %+v", kind.name, first, seed, r.Findings)
			}
		}
	}
}
