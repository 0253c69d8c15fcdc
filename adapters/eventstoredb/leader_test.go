package eventstoredb_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"sandglass/adapters/eventstoredb"
	"sandglass/domain/stream"
	"sandglass/testutil/esdbserver"
	"sandglass/testutil/storetest"
)

// A leader that resigns never answers what is under way. It is not waited for as long as a call
// that hangs, which is four seconds, by whoever appends then or before: the election and a second
// where the machine does nothing else. The best of three counts.
func TestALeaderThatResignsIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	const election, bound = 600 * time.Millisecond, 3500 * time.Millisecond
	c := esdbserver.New(t, esdbserver.Options{Nodes: 3})
	s := open(t, c.ConnectionString(), eventstoredb.Options{Namespace: newLog(t, c.ConnectionString())})
	for name, before := range map[string]bool{"toy-before": true, "toy-after": false} {
		best, rev := time.Hour, stream.NoStream
		for range 3 {
			var resigns atomic.Bool
			resigns.Store(before)
			c.OnAppend(func(name string) esdbserver.Fault {
				if resigns.CompareAndSwap(true, false) {
					c.Resign(election)
				}
				return esdbserver.None
			})
			if !before {
				c.Resign(election)
			}
			began := time.Now()
			res, err := s.Append(t.Context(), name, rev, storetest.Events(name, rev, "x", 1))
			if err != nil {
				t.Fatal(err)
			}
			best, rev = min(best, time.Since(began)), res.Revision
			until(t, "the cluster is well", s.Writable)
		}
		if best > bound {
			t.Errorf("%s: an append took %s", name, best)
		}
		t.Logf("%s: an append took %s at best", name, best.Round(time.Millisecond))
	}
}

// A cluster without a quorum answers what any node may, so that whoever asks for nothing else
// would not know. It is told all the same, and so is that the cluster is well again.
func TestThereIsNoQuorum(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{Nodes: 3})
	o := eventstoredb.Impatient(eventstoredb.Options{Namespace: newLog(t, c.ConnectionString())}, time.Second)
	s := open(t, c.ConnectionString(), o)
	others := []int{(c.Leader() + 1) % 3, (c.Leader() + 2) % 3}
	for _, i := range others {
		c.StopNode(i)
	}
	until(t, "it is told", func() error {
		if err := s.Writable(); errors.Is(err, stream.ErrUnavailable) {
			return nil
		}
		return errors.New("it is writable")
	})
	if err := c.StartNode(others[0]); err != nil {
		t.Fatal(err)
	}
	until(t, "the cluster is back", s.Writable)
}
