package verify_test

import (
	"context"
	"testing"
	"time"

	"sandglass/adapters/eventstoredb"
	"sandglass/adapters/tilefiles"
	"sandglass/domain/logcopy"
	"sandglass/domain/pieces"
	"sandglass/domain/proof"
	"sandglass/domain/proof/follow"
	"sandglass/domain/proof/verify"
	"sandglass/domain/stream"
	"sandglass/testutil/esdbserver"
	"sandglass/testutil/histories"
	"sandglass/testutil/storetest"
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
	r, err := l.Run(t.Context(), pieces.Of(t.Context(), s, head))
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
	first := shared(t, c, "first")
	w := histories.New(3, 20)
	blocks := tilefiles.New(t.TempDir())
	defer blocks.Close()
	for events := 0; events < 700; {
		for _, a := range w.Step() {
			if _, err := first.Append(t.Context(), a.Stream, a.Expected, a.Events); err != nil {
				t.Fatal(err)
			}
			if events += len(a.Events); events%300 < len(a.Events) {
				followed(t, first, blocks)
			}
		}
	}
	want := verified(t, first, &verify.Log{})
	if want.Count != 0 || want.Events < 700 {
		t.Fatalf("the cluster: %+v", want)
	}
	if root := followed(t, first, blocks); root != want.Root {
		t.Errorf("a daemon that was restarted has the root %s, want %s", root, want.Root)
	}
	file, _ := storetest.SQLite(t)
	again, _ := storetest.SQLite(t)
	var from stream.EventStore = first
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
