package fence_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandglass/domain/fence"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
)

const noon instant.Time = 1_767_355_200_000

var (
	released = stream.Encode(&resource.Released{At: resource.At{At: noon}, Reason: "operator"})
	settled  = stream.Encode(&payment.Settled{At: payment.At{At: noon}, Amount: 500, Via: payment.ViaBOLT11})
	newer    = stream.Event{
		Type: "payment.refunded.v1", At: noon, Data: []byte(`{}`), Meta: []byte(`{"build":"sandglass v9.9.9","why":1}`),
	}
)

// closed is of a log that was read to its end.
var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// appends appends an event to a new stream, with an id that follows from it.
func appends(t *testing.T, s stream.EventStore, name string, e stream.Event) error {
	t.Helper()
	e.ID = stream.NewID(name, 0, e)
	_, err := s.Append(t.Context(), name, stream.NoStream, []stream.Event{e})
	return err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newLog returns a log with one event that is known, and one of a newer build.
func newLog(t *testing.T) stream.EventStore {
	t.Helper()
	s, _ := storetest.SQLite(t)
	must(t, appends(t, s, "resource-vm-1", released))
	must(t, appends(t, s, "payment-ln-1", newer))
	return s
}

// read reads a stream until an error.
func read(ctx context.Context, s stream.EventStore, name string) (n int, err error) {
	for _, err := range s.Read(ctx, name, 0) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// stops holds that a store has met the event of the newer build, and does nothing any more.
func stops(t *testing.T, s *fence.Store, err error) {
	t.Helper()
	for _, err := range []error{err, s.Err(), s.Run(t.Context()), appends(t, s, "resource-vm-2", released)} {
		const want = `position 2, payment-ln-1 revision 0: unknown event type "payment.refunded.v1": run "sandglass v9.9.9"`
		if unknown, ok := errors.AsType[*stream.UnknownError](err); !ok || unknown.Build != "sandglass v9.9.9" ||
			!errors.Is(err, stream.ErrReadOnly) || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
	if n, err := read(t.Context(), s.EventStore, "resource-vm-2"); n != 0 || err != nil {
		t.Errorf("%d events were written, %v", n, err)
	}
}

func TestAStreamThatANewerBuildWroteStopsAll(t *testing.T) {
	s := fence.New(newLog(t), "", closed)
	if n, err := read(t.Context(), s, "resource-vm-1"); n != 1 || err != nil {
		t.Fatalf("%d events, %v", n, err)
	}
	must(t, s.Err())
	_, err := read(t.Context(), s, "payment-ln-1")
	stops(t, s, err)
}

// What comes before it in the same run is told.
func TestASubscriptionEndsBeforeWhatANewerBuildWrote(t *testing.T) {
	s := fence.New(newLog(t), "", closed)
	n := 0
	for run, err := range s.Subscribe(t.Context(), 0) {
		if err != nil {
			stops(t, s, err)
			break
		}
		n += len(run)
	}
	if n != 1 {
		t.Errorf("%d events were told, want 1", n)
	}
}

// A newer build's event that comes while all was well.
func TestASubscriptionMeetsWhatANewerBuildWritesMeanwhile(t *testing.T) {
	under, _ := storetest.SQLite(t)
	s := fence.New(under, "", closed)
	must(t, appends(t, s, "resource-vm-1", released))
	for run, err := range s.Subscribe(t.Context(), 0) {
		if err != nil {
			stops(t, s, err)
			return
		}
		if len(run) != 1 || s.Err() != nil {
			t.Fatalf("%d events, %v", len(run), s.Err())
		}
		must(t, appends(t, under, "payment-ln-1", newer))
	}
	t.Error("the subscription ended by itself")
}

func TestNothingIsWrittenBeforeTheLogWasRead(t *testing.T) {
	under, _ := storetest.SQLite(t)
	folded := make(chan struct{})
	s := fence.New(under, "", folded)
	if err := appends(t, s, "resource-vm-1", released); !errors.Is(err, fence.ErrUnread) {
		t.Errorf("before: %v", err)
	}
	close(folded)
	must(t, appends(t, s, "resource-vm-1", released))
}

// A payload that can't be read is as bad as a type.
func TestWhatCantBeFoldedStopsAll(t *testing.T) {
	under, _ := storetest.SQLite(t)
	s := fence.New(under, "", closed)
	must(t, s.Stop(nil))
	must(t, appends(t, s, "resource-vm-1", released))
	bad := errors.New("it does not follow")
	if err := s.Stop(bad); err != bad {
		t.Errorf("Stop returns %v", err)
	}
	if err := appends(t, s, "resource-vm-2", released); !errors.Is(err, bad) || !errors.Is(err, stream.ErrReadOnly) {
		t.Errorf("an append: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := fence.New(under, "", closed).Run(ended); err != nil {
		t.Errorf("when all ends: %v", err)
	}
}

// What the first builds don't know says who wrote it, and keeps what else it tells.
func TestALaterTypeNamesItsBuild(t *testing.T) {
	under, _ := storetest.SQLite(t)
	s := fence.New(under, "sandglass v1.2.3", closed)
	handler := payment.Handler{Aggregate: payment.Aggregate(), Store: s}
	key := payment.LightningKey(strings.Repeat("0", 64))
	for _, c := range []payment.Command{
		payment.Settle{At: noon, Amount: money.Msat(500), Via: payment.ViaBOLT11, Resource: "vm-1"},
		payment.Credit{At: noon, Resource: "vm-1"},
	} {
		if _, err := handler.Execute(t.Context(), key, stream.Meta{Actor: "watcher"}, c); err != nil {
			t.Fatal(err)
		}
	}
	said := map[string]string{}
	for r, err := range s.Read(t.Context(), payment.Prefix+string(key), 0) {
		must(t, err)
		meta, err := r.Metadata()
		must(t, err)
		if meta.Actor != "watcher" || !r.Salted() {
			t.Errorf("%s has the metadata %s", r.Type, r.Meta)
		}
		said[r.Type] = meta.Build
	}
	if said[settled.Type] != "sandglass v1.2.3" || said["payment.credited.v1"] != "" || len(said) != 2 {
		t.Errorf("the builds are %v", said)
	}
}

// Every type that was ever written is known, and none that was not.
func TestKnows(t *testing.T) {
	files, err := filepath.Glob("../*/testdata/*.v*.json")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		kind := strings.TrimSuffix(filepath.Base(path), ".json")
		if _, err := os.Stat(path); err != nil || !fence.Knows(kind) {
			t.Errorf("%s is not known, %v", kind, err)
		}
	}
	for _, kind := range []string{"", "payment", "payment.refunded.v1", "resource.released.v9", "host.joined.v1", "$streamDeleted"} {
		if fence.Knows(kind) {
			t.Errorf("%q is known", kind)
		}
	}
}
