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
	"strings"
	"testing"
)

// Logs that earlier builds wrote are in testdata/former, one folder for each, by the commit of
// the build: its SQLite file, and the figures that it told of it ("audit dump"). Each tells the
// tour of cmd/devnet, and what was open at its end: an order and a top-up that nobody had paid,
// an order with a deposit of one confirmation, money without a resource. The first, b9a04f5,
// begins with an AMP payment that a build before it (53d3091) wrote under its former key.
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
			if verdict.Error != "" || len(verdict.Broken) > 0 || verdict.Events < 100 || verdict.Figures < 400 {
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
