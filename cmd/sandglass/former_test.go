package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sandglass/adapters/sqlite"
	"sandglass/domain/instant"
	"sandglass/testutil/wholelog"
)

// Logs that earlier builds wrote are in testdata/former, one folder for each, by the commit of
// the build: its SQLite file, and the figures that it told of it ("audit dump"). Each tells the
// tour of cmd/devnet, and what was open at its end: an order and a top-up that nobody had paid,
// an order with a deposit of one confirmation, money without a resource. The first, b9a04f5,
// begins with an AMP payment that a build before it (53d3091) wrote under its former key. The
// second, b9a04f5-chain, has what the tour does not come to: a deposit without a block that holds
// off a release, one that was double-spent, one that is final, and a resource that was moved. The
// other two are of the quick tour alone: baf202b, the last build that wrote wallet.swept.v1, and
// 1fa170d, the last one that wrote payment.seen.v1.
//
// A folder is never changed. A build that adds a version of an event adds one, of the last
// build before it.

// TestLogsOfEarlierBuilds folds them to the figures that were told then. Figures that nobody
// told then are no difference.
func TestLogsOfEarlierBuilds(t *testing.T) {
	logs, err := filepath.Glob("testdata/former/*")
	if err != nil || len(logs) == 0 {
		t.Fatalf("no logs: %v", err)
	}
	for _, log := range logs {
		t.Run(filepath.Base(log), func(t *testing.T) {
			dir := t.TempDir()
			store := "sqlite:" + unpack(t, dir, filepath.Join(log, "sandglass.db.gz"))
			figures := unpack(t, dir, filepath.Join(log, "figures.ndjson.gz"))
			var verdict struct {
				Events, Figures int64
				Differences     []struct{ Stream, Field, Log, Daemon string }
				Broken          []any
				Error           string
			}
			said, err := command(t, "audit", "replay", "--store", store, "--dump", figures, "--json")
			if json.Unmarshal(said, &verdict) != nil {
				t.Fatalf("%v: %s", err, said)
			}
			if verdict.Error != "" || len(verdict.Broken) > 0 || verdict.Events < 40 || verdict.Figures < 150 {
				t.Errorf("it is audited as %s", said)
			}
			for _, d := range verdict.Differences {
				if d.Daemon != "" {
					t.Errorf("%s %s was %s, and is %s", d.Stream, d.Field, d.Daemon, d.Log)
				}
			}
			if said, err := command(t, "store", "check", "--store", store); err != nil {
				t.Errorf("it is checked: %v\n%s", err, said)
			}
		})
	}
}

// tour are the types of events that the tour of the later two comes to, and which both wrote.
var tour = []string{
	"address.issued.v1",
	"payment.requested.v2", "payment.settled.v2", "payment.credited.v1", "payment.seen.v1", "payment.confirmed.v1",
	"payment.reorged.v1",
	"plan.published.v1",
	"resource.opened.v1", "resource.credited.v2", "resource.started.v1", "resource.debited.v1", "resource.paused.v1",
	"resource.warned.v1", "resource.recovered.v1", "resource.exhausted.v1", "resource.reversed.v1",
	"wallet.adopted.v1",
}

// typesOf are the types of events in the logs of a build: of the first all that it could write.
var typesOf = map[string][]string{"b9a04f5": {
	"address.issued.v1",
	"payment.requested.v1", "payment.settled.v1", "payment.credited.v1", "payment.unallocated.v1", "payment.allocated.v1",
	"payment.expired.v1", "payment.seen.v1", "payment.confirmed.v1", "payment.reorged.v1", "payment.replaced.v1",
	"payment.finalized.v1",
	"plan.published.v1", "plan.withdrawn.v1",
	"resource.opened.v1", "resource.credited.v1", "resource.granted.v1", "resource.started.v1", "resource.debited.v1",
	"resource.paused.v1", "resource.warned.v1", "resource.recovered.v1", "resource.exhausted.v1", "resource.reversed.v1",
	"resource.held.v1", "resource.repriced.v1", "resource.placed.v1", "resource.released.v1",
	"wallet.adopted.v1", "wallet.swept.v1",
}, "baf202b": slices.Concat(tour, []string{"wallet.swept.v1"}), "1fa170d": slices.Concat(tour, []string{"wallet.swept.v2"})}

// TestLogsOfEarlierBuildsHaveEveryType holds that what typesOf names is in the logs, and nothing else.
func TestLogsOfEarlierBuildsHaveEveryType(t *testing.T) {
	found := map[string]map[string]bool{}
	logs, err := filepath.Glob("testdata/former/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range logs {
		path := unpack(t, t.TempDir(), filepath.Join(log, "sandglass.db.gz"))
		store, err := sqlite.Open(path, sqlite.Options{Now: func() instant.Time { return 0 }})
		if err != nil {
			t.Fatal(err)
		}
		build, _, _ := strings.Cut(filepath.Base(log), "-")
		if found[build] == nil {
			found[build] = map[string]bool{}
		}
		for _, line := range wholelog.Types(t, store) {
			_, kind, _ := strings.Cut(line, " ")
			found[build][kind] = true
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
	for build, types := range typesOf {
		for _, kind := range types {
			if !found[build][kind] {
				t.Errorf("%s is in no log of %s", kind, build)
			}
			delete(found[build], kind)
		}
	}
	for build, types := range found {
		for kind := range types {
			t.Errorf("%s is in a log of %s, and not among its types", kind, build)
		}
	}
}

// command runs a command, and returns what it prints.
func command(t *testing.T, args ...string) ([]byte, error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if err := run(t.Context(), args, nil, &stdout, &stderr); err != nil {
		return stdout.Bytes(), fmt.Errorf("sandglass %s: %w\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return stdout.Bytes(), nil
}

// unpack puts a file that is kept packed into a folder, and returns its path.
func unpack(t *testing.T, dir, packed string) string {
	t.Helper()
	file, err := os.Open(packed)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	from, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(from)
	path := filepath.Join(dir, strings.TrimSuffix(filepath.Base(packed), ".gz"))
	if err := errors.Join(err, os.WriteFile(path, data, 0o600)); err != nil {
		t.Fatal(err)
	}
	return path
}
