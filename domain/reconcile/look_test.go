package reconcile_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/domain/chain"
	"sandglass/domain/lightning"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/reconcile"
	"sandglass/domain/stream"
)

// grown is a log of which more is there at each reading.
type grown struct {
	readings []events
	err      error
}

func (g *grown) records(_ context.Context, after stream.Position) iter.Seq2[stream.Record, error] {
	l := g.readings[0]
	if len(g.readings) > 1 {
		g.readings = g.readings[1:]
	}
	return func(yield func(stream.Record, error) bool) {
		for _, r := range l {
			if r.Position > after && !yield(r, nil) {
				return
			}
		}
		if g.err != nil {
			yield(stream.Record{}, g.err)
		}
	}
}

// What differs is looked at once more, after two seconds: what was booked meanwhile is no
// difference, and nor is what came up only then.
func TestTwoLooks(t *testing.T) {
	var adopted, first, second events
	adopted.adopt(node, 0)
	first = append(first, adopted...)
	first.booked("ln-1", settled(1000))
	second = append(second, first...)
	second.booked("ln-2", settled(2000))
	received := func(keys ...string) (entries []lightning.Entry) {
		for i, key := range keys {
			a := arrival(payment.LightningKey(key), 1000*money.Msat(i+1), 7)
			entries = append(entries, lightning.Entry{
				AddIndex: int64(i + 1), Hash: key, Status: lightning.EntrySettled, Arrivals: []lightning.Arrival{a},
			})
		}
		return entries
	}
	for _, c := range []struct {
		name     string
		log      []events
		received []lightning.Entry
		still    bool
		took     time.Duration
		want     string
	}{
		{"nothing differs", []events{first}, received("1"), false, 0, ""},
		{"booked while the wallet was read", []events{adopted, first}, received("1"), false, 0, ""},
		{"booked between the looks", []events{first, first, second}, received("1", "2"), false, 2 * time.Second, ""},
		{"never booked", []events{first}, received("1", "2"), false, 2 * time.Second, "not_in_log ln-2"},
		{"a file is read once", []events{first}, received("1", "2"), true, 0, "not_in_log ln-2"},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{entries: c.received}
			g := &grown{readings: c.log}
			begin := time.Now()
			r := reconcile.Reconciler{Records: g.records, Still: c.still, Reader: *f.reader(), Confirmations: depth}
			report, synced, err := r.Reconcile(t.Context())
			if err != nil || !synced || time.Since(begin) != c.took {
				t.Fatalf("%s: %v, synced %v after %s", c.name, err, synced, time.Since(begin))
			}
			if got := list(report); got != c.want {
				t.Errorf("%s: got %q, want %q", c.name, got, c.want)
			}
		})
	}
}

func TestLookEnds(t *testing.T) {
	away := errors.New("away")
	f, l := onChain()
	r := reconcile.Reconciler{Records: (&grown{readings: []events{l}, err: away}).records, Reader: *f.reader()}
	if _, _, err := r.Reconcile(t.Context()); !errors.Is(err, away) {
		t.Errorf("a log that can't be read: %v", err)
	}
	r.Records, r.Height = (&grown{readings: []events{l}}).records, f.tip+1
	if _, _, err := r.Reconcile(t.Context()); !errors.Is(err, reconcile.ErrHeight) {
		t.Errorf("above the chain: %v", err)
	}
	f.outputs = []chain.Output{} // so that something differs
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	r.Height = 0
	if _, _, err := r.Reconcile(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it was interrupted: %v", err)
	}
}
