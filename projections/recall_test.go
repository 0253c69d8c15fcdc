package projections_test

import (
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/stream"
	"sandglass/projections"
)

// slow is a store that calls something before each read.
type slow struct {
	*memory
	before func()
}

func (s slow) Read(ctx context.Context, name string, from stream.Revision) iter.Seq2[stream.Record, error] {
	s.before()
	return s.memory.Read(ctx, name, from)
}

// write appends facts to a stream.
func write(t *testing.T, m *memory, name string, facts ...stream.Fact) {
	t.Helper()
	var batch []stream.Event
	at := stream.Revision(len(m.streams[name]) - 1)
	for i, f := range facts {
		e := stream.Encode(f)
		e.ID = stream.NewID(name, at+1+stream.Revision(i), e)
		batch = append(batch, e)
	}
	if _, err := m.Append(t.Context(), name, at, batch); err != nil {
		t.Fatal(err)
	}
}

// What has come to its end is read again should it go on. Nobody waits for the store meanwhile,
// and the payment is read once, however often it ends in one run.
func TestNobodyWaitsForWhatIsReadAgain(t *testing.T) {
	m := newMemory()
	const name = payment.Prefix + "ln-1"
	at := payment.At{At: 1}
	write(t, m, name,
		&payment.Requested{
			At: at, Resource: "web", Amount: 500, Price: money.Price{Msat: 1, Per: 1}, Requested: 1, Expiry: 2, Invoice: "x",
		},
		&payment.Expired{At: at, Reason: payment.ReasonCanceled})
	v := replayed(t, m, m.head())
	write(t, m, name,
		&payment.Settled{At: at, Amount: 500, Via: payment.ViaBOLT11},
		&payment.Credited{At: at, Resource: "web"}, // its end
		&payment.Unallocated{At: at, Resource: "web", Reason: payment.ReasonReleased})
	reads := 0
	store := slow{m, func() {
		reads++
		answered := make(chan int)
		go func() { answered <- v.OpenCount() }()
		select {
		case <-answered:
		case <-time.After(time.Minute): // only where it hangs
			t.Error("whoever asks waits for the store")
		}
	}}
	before := v.Position()
	if err := projections.Replay(t.Context(), store, v, m.head()); err != nil || before == m.head() {
		t.Fatal(err)
	}
	if reads != 2 { // the other one looks for where the views stand
		t.Errorf("%d reads", reads)
	}
	same(t, "read again", v, replayed(t, m, m.head()))
	if list := v.Unallocated("", 9); len(list) != 1 || list[0].Asked != 500 {
		t.Errorf("unallocated: %+v", list)
	}
}

// A snapshot of another past is removed: once the log has grown, it could be taken for one of its
// own. One of the same event that was written at another time is of another past too.
func TestAForeignSnapshotIsRemoved(t *testing.T) {
	m, other := random(t, 1, 3, 40), random(t, 2, 3, 100)
	later := random(t, 1, 3, 40)
	later.records[len(later.records)-1].RecordedAt += instant.Time(instant.Second)
	path := filepath.Join(t.TempDir(), "snapshot")
	for _, test := range []struct {
		what string
		log  *memory
		kept bool
	}{{"its own", m, true}, {"another", other, false}, {"none", newMemory(), false}, {"the same, written later", later, false}} {
		if err := replayed(t, m, m.head()).Save(path, "log"); err != nil {
			t.Fatal(err)
		}
		v := projections.New(instant.Hour)
		if err := v.Load(path, "log"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- projections.Run(ctx, test.log, v) }()
		<-v.CaughtUp()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("%s: %v", test.what, err)
		}
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) == test.kept {
			t.Errorf("%s: the snapshot: %v", test.what, err)
		}
		same(t, test.what, v, replayed(t, test.log, test.log.head()))
	}
}
