package eventstoredb_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"sandglass/adapters/eventstoredb"
	"sandglass/domain/stream"
	"sandglass/testutil/esdbserver"
	"sandglass/testutil/esdbserver/eventlog"
	"sandglass/testutil/storetest"
)

// A cluster that was restored under a daemon, or has lost what it acknowledged, goes on from other events than were
// read: a subscription ends there, and so does the store; one of which nothing was lost goes on.
func TestAClusterHasAnotherHistory(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(past []eventlog.Past) []eventlog.Past{
		"as before": func(past []eventlog.Past) []eventlog.Past { return past },
		"another event in the place of the last": func(past []eventlog.Past) []eventlog.Past {
			past[len(past)-1].ID = eventlog.NewID()
			return past
		},
		"the last is gone": func(past []eventlog.Past) []eventlog.Past { return past[:len(past)-1] },
		"the last is further on": func(past []eventlog.Past) []eventlog.Past {
			past[len(past)-2].Data = append([]byte(" "), past[len(past)-2].Data...)
			return past
		},
		"another's in its place": func(past []eventlog.Past) []eventlog.Past {
			past[len(past)-1].Stream = "x" + past[len(past)-1].Stream
			return past
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := esdbserver.New(t, esdbserver.Options{})
			o := eventstoredb.Impatient(eventstoredb.Options{Namespace: newLog(t, c.ConnectionString())}, 3*time.Second)
			s := open(t, c.ConnectionString(), o)
			if _, err := s.Append(t.Context(), "toy-1", stream.NoStream, storetest.Events("toy-1", stream.NoStream, "x", 9)); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			read, err := 0, error(nil)
			var run []stream.Record
			for run, err = range s.Subscribe(ctx, 0) {
				if err != nil {
					break
				}
				if read += len(run); read == 9 {
					if err := c.Replace(change(c.Past())); err != nil {
						t.Fatal(err)
					}
				}
				if read == 9 && name == "as before" {
					if _, err := s.Append(t.Context(), "toy-1", 8, storetest.Events("toy-1", 8, "y", 1)); err != nil {
						t.Fatal(err)
					}
				}
				if read > 9 {
					break
				}
			}
			_, headErr := s.Head(t.Context())
			if name == "as before" {
				if read != 10 || errors.Join(err, headErr) != nil {
					t.Errorf("%d events were read, %v", read, errors.Join(err, headErr))
				}
				return
			}
			for _, err := range []error{err, headErr} {
				if err == nil || !strings.Contains(err.Error(), "another history") || errors.Is(err, stream.ErrUnavailable) {
					t.Errorf("it ends with %v", err)
				}
			}
			for _, err := range s.Subscribe(ctx, 0) {
				if err == nil || !strings.Contains(err.Error(), "another history") {
					t.Errorf("and another with %v", err)
				}
			}
		})
	}
}

// A leader that does not show the last event yet has as long for it as a call with all its attempts.
func TestALeaderShowsTheLastEventLate(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{})
	o := eventstoredb.Impatient(eventstoredb.Options{Namespace: newLog(t, c.ConnectionString())}, time.Minute)
	s := open(t, c.ConnectionString(), o)
	if _, err := s.Append(t.Context(), "toy-1", stream.NoStream, storetest.Events("toy-1", stream.NoStream, "x", 9)); err != nil {
		t.Fatal(err)
	}
	var last stream.Record
	for rec, err := range s.Read(t.Context(), "toy-1", 8) {
		if last = rec; err != nil {
			t.Fatal(err)
		}
	}
	past := c.Past()
	if err := c.Replace(past[:len(past)-1]); err != nil {
		t.Fatal(err)
	}
	late := eventstoredb.MissedFor(t.Context(), s, last, 30*time.Second)
	if _, err := s.Head(t.Context()); late == nil || strings.Contains(late.Error(), "another history") || err != nil {
		t.Errorf("after half of its time: %v, and the head %v", late, err)
	}
	gone := eventstoredb.MissedFor(t.Context(), s, last, time.Minute)
	if _, err := s.Head(t.Context()); err == nil || gone == nil || !strings.Contains(gone.Error(), "another history") {
		t.Errorf("after all of it: %v, and the head %v", gone, err)
	}
}
