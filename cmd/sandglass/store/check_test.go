package store

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandglass/adapters/sqlite/requests"
	"sandglass/testutil/storetest"
)

// A record that was damaged is a fault; the file is of use all the same.
func TestADamagedRequestIsAFault(t *testing.T) {
	path := filepath.Join(t.TempDir(), "requests.db")
	if err := requests.Create(path); err != nil {
		t.Fatal(err)
	}
	s, err := requests.Open(path, requests.Options{FreeSpaceFloor: -1, Log: "01aa"})
	if err != nil {
		t.Fatal(err)
	}
	r := storetest.Request(1)
	if err := s.Keep(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	found := func(log string) *checked {
		c := &checked{Log: log}
		c.checkRequests(path)
		return c
	}
	if c := found("01aa"); c.Count != 0 || c.Error != "" {
		t.Errorf("a whole file: %+v", c)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(file, []byte(r.Key), []byte("ln-9"+r.Key[4:])), 0o600); err != nil {
		t.Fatal(err)
	}
	if c := found("01aa"); c.Count != 1 || c.damaged || !strings.Contains(c.Error, "record 1") {
		t.Errorf("one of its records is damaged: %+v", c)
	}
	if c := found("02bb"); c.Count != 2 || !c.damaged {
		t.Errorf("and it is of another log: %+v", c)
	}
}
