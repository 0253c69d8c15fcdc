package storeurl_test

import (
	"errors"
	"path/filepath"
	"testing"

	"sandglass/cmd/sandglass/storeurl"
	"sandglass/domain/request"
	"sandglass/testutil/esdbserver"
	"sandglass/testutil/storetest"

	"github.com/google/go-cmp/cmp"
)

// TestAMovedLogHasItsUnpaidOrders wherever it moves: also those of a daemon that runs, and once if
// done twice.
func TestAMovedLogHasItsUnpaidOrders(t *testing.T) {
	file := func(t *testing.T) storeurl.Place {
		return storeurl.Place{URL: "sqlite:" + filepath.Join(t.TempDir(), "log.db")}
	}
	inCluster := func(t *testing.T) storeurl.Place {
		return storeurl.Place{URL: esdbserver.New(t, esdbserver.Options{}).ConnectionString(), Namespace: "shop"}
	}
	for name, places := range map[string][2]func(*testing.T) storeurl.Place{
		"file to file":       {file, file},
		"file to cluster":    {file, inCluster},
		"cluster to file":    {inCluster, file},
		"cluster to cluster": {inCluster, inCluster},
	} {
		t.Run(name, func(t *testing.T) { moves(t, places[0](t), places[1](t)) })
	}
}

// moves copies the requests beside one log to another twice, and compares.
func moves(t *testing.T, from, to storeurl.Place) {
	const n = 600
	source, target := made(t, from), made(t, to)
	kept, err := from.OpenRequests(t.Context(), source)
	must(t, err)
	defer func() { must(t, kept.Close()) }()
	for i := range n {
		must(t, kept.Keep(t.Context(), storetest.Request(i)))
	}
	for range 2 {
		if got, err := to.CopyRequests(t.Context(), from, target); err != nil || got != n {
			t.Errorf("%d were copied, %v", got, err)
		}
	}
	copied, err := to.OpenRequests(t.Context(), target)
	must(t, err)
	defer func() { must(t, copied.Close()) }()
	found := map[string]*request.Record{}
	for run, err := range copied.Follow(t.Context()) {
		must(t, err)
		if len(run) == 0 {
			break
		}
		for _, r := range run {
			if found[r.Name()] != nil {
				t.Errorf("%s is there twice", r.Name())
			}
			found[r.Name()] = r
		}
	}
	for i := range n {
		if r := storetest.Request(i); !cmp.Equal(r, found[r.Name()]) {
			t.Errorf("%d (-want +got):\n%s", i, cmp.Diff(r, found[r.Name()]))
		}
	}
	if len(found) != n {
		t.Errorf("%d are there", len(found))
	}
}

// made makes a log, and opens it.
func made(t *testing.T, p storeurl.Place) storeurl.Importer {
	t.Helper()
	must(t, p.Create(t.Context()))
	s, err := p.Open(t.Context())
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// TestOneFolderHasOneFileOfRequests, into which none are copied from itself.
func TestOneFolderHasOneFileOfRequests(t *testing.T) {
	dir := t.TempDir()
	from := storeurl.Place{URL: "sqlite:" + filepath.Join(dir, "a.db")}
	to := storeurl.Place{URL: "sqlite:" + filepath.Join(dir, "b.db")}
	made(t, from)
	if _, err := to.CopyRequests(t.Context(), from, made(t, to)); !errors.Is(err, storeurl.ErrSameRequests) {
		t.Errorf("into the same folder: %v", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
