package storeurl

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandglass/domain/request"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
)

// The requests are beside the log: made with it, kept for the next log there, and made anew
// where they are missing, which is told if the log has events.
func TestRequestsAreBesideTheLog(t *testing.T) {
	dir := t.TempDir()
	var told []string
	p := Place{URL: "sqlite:log.db", Dir: dir, Log: func(text string) { told = append(told, text) }}
	file := filepath.Join(dir, "requests.db")
	if err := p.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	log, err := p.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	advice := ""
	kept := func() (all []*request.Record) {
		t.Helper()
		s, err := p.OpenRequests(t.Context(), log)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		advice = s.Advice()
		for run, err := range s.Follow(t.Context()) {
			if err != nil {
				t.Error(err)
			}
			if len(run) == 0 {
				break
			}
			all = append(all, run...)
		}
		if err := s.Keep(t.Context(), storetest.Request(len(all))); err != nil {
			t.Error(err)
		}
		return all
	}
	for n := range 3 {
		if got := len(kept()); got != n {
			t.Errorf("%d requests, want %d", got, n)
		}
	}
	if err := (Place{URL: "sqlite:other.db", Dir: dir}).Create(t.Context()); err != nil || len(kept()) != 3 {
		t.Errorf("another log was made there: %v", err)
	}
	other, err := (Place{URL: "sqlite:other.db", Dir: dir}).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := p.OpenRequests(t.Context(), other); err == nil || !strings.Contains(err.Error(), "is of the log "+log.ID()) {
		t.Errorf("the requests of one log are opened beside another: %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if n := len(kept()); n != 0 || len(told) != 0 {
		t.Errorf("beside an empty log: %d requests, told %q", n, told)
	}
	if _, err := log.Append(t.Context(), "toy-1", stream.NoStream, storetest.Events("toy-1", stream.NoStream, "x", 1)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if n := len(kept()); n != 0 || len(told) != 1 || !strings.Contains(told[0], file+" was missing") || advice != told[0] {
		t.Errorf("beside a log with events: %d requests, told %q, the advice is %q", n, told, advice)
	}
	if n := len(kept()); n != 1 || len(told) != 1 || advice != "" {
		t.Errorf("started again: %d requests, told %q, the advice is %q", n, told, advice)
	}
}
