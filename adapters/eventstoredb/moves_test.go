package eventstoredb_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"sandglass/adapters/eventstoredb"
	"sandglass/domain/stream"
	"sandglass/testutil/esdbserver"
	"sandglass/testutil/storetest"
)

// A leader that moves under many calls costs no session and is no fault.
func TestALeaderMovesUnderManyCalls(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{Nodes: 3})
	o := eventstoredb.Options{Namespace: newLog(t, c.ConnectionString()), Log: func(text string) { t.Errorf("it said %q", text) }}
	o = eventstoredb.Impatient(o, time.Minute) // so that no read is a look at the leader
	s := open(t, c.ConnectionString(), o)
	var sessions, looks, written counter
	c.OnRead(func(r esdbserver.Reading) int {
		if r.Stream == o.Namespace {
			sessions.add()
		}
		return -1
	})
	c.OnAppend(func(name string) esdbserver.Fault {
		if name == o.Namespace {
			looks.add()
		}
		written.add()
		return esdbserver.None
	})
	done := make(chan struct{})
	var writing sync.WaitGroup
	for i := range 64 {
		writing.Go(func() {
			name := fmt.Sprintf("toy-%d", i)
			for rev := stream.NoStream; ; rev++ {
				select {
				case <-done:
					return
				default:
				}
				if _, err := s.Append(t.Context(), name, rev, storetest.Events(name, rev, "x", 1)); err != nil {
					t.Error(err)
					return
				}
				n := stream.Revision(0)
				for _, err := range s.Read(t.Context(), name, 0) {
					if err != nil && !errors.Is(err, t.Context().Err()) {
						t.Error(err)
					}
					n++
				}
				if n != rev+2 {
					t.Errorf("%s shows %d events after an append of the one at %d", name, n, rev+1)
				}
			}
		})
	}
	for range 50 {
		grown(t, written.get, 64)
		c.MoveLeader()
	}
	close(done)
	writing.Wait()
	if n, m := sessions.get(), looks.get(); n > 0 || m > 0 {
		t.Errorf("%d sessions were begun, and %d looks whether the cluster is back", n, m)
	}
}
