package storeurl_test

import (
	"errors"
	"path/filepath"
	"testing"

	"sandglass/cmd/sandglass/storeurl"
	"sandglass/testutil/storetest"
)

// TestAMovedLogHasItsUnpaidOrders: also those of a daemon that runs, and once if done twice.
func TestAMovedLogHasItsUnpaidOrders(t *testing.T) {
	const n = 600
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	at := func(dir, name string) (storeurl.Place, storeurl.Importer) {
		p := storeurl.Place{URL: "sqlite:" + filepath.Join(dir, name)}
		must(p.Create(t.Context()))
		s, err := p.Open(t.Context())
		must(err)
		t.Cleanup(func() { must(s.Close()) })
		return p, s
	}
	dir := t.TempDir()
	from, source := at(dir, "a.db")
	to, target := at(t.TempDir(), "b.db")
	kept, err := from.OpenRequests(t.Context(), source)
	must(err)
	defer func() { must(kept.Close()) }()
	for i := range n {
		must(kept.Keep(t.Context(), storetest.Request(i)))
	}
	for range 2 {
		if got, err := to.CopyRequests(t.Context(), from, target); err != nil || got != n {
			t.Errorf("%d were copied, %v", got, err)
		}
	}
	copied, err := to.OpenRequests(t.Context(), target)
	must(err)
	defer func() { must(copied.Close()) }()
	names := map[string]int{}
	for run, err := range copied.Follow(t.Context()) {
		must(err)
		if len(run) == 0 {
			break
		}
		for _, r := range run {
			names[r.Name()]++
		}
	}
	if len(names) != n {
		t.Errorf("%d are there", len(names))
	}
	for i := range n {
		if names[storetest.Request(i).Name()] != 1 {
			t.Errorf("%d is there %d times", i, names[storetest.Request(i).Name()])
		}
	}
	beside, other := at(dir, "c.db")
	if _, err := beside.CopyRequests(t.Context(), from, other); !errors.Is(err, storeurl.ErrSameRequests) {
		t.Errorf("into the same folder: %v", err)
	}
}
