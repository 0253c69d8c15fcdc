package eventstoredb_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"sandglass/adapters/eventstoredb"
	"sandglass/domain/stream"
	"sandglass/testutil/esdbserver"
	"sandglass/testutil/storetest"
)

// until tries until it works, or fails the test when its patience ends.
func until(t *testing.T, what string, try func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited until %s: %v", what, err)
		}
	}
}

// everything returns the whole log, as a store that was just opened sees it.
func everything(t *testing.T, conn string, o eventstoredb.Options) (recs []stream.Record) {
	t.Helper()
	s := open(t, conn, o)
	head, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if head == 0 {
		return nil
	}
	for run, err := range s.Subscribe(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if recs = append(recs, run...); run[len(run)-1].Position >= head {
			break
		}
	}
	return recs
}

// Each way in which a write fails, with more events before and after: what is answered is
// there once, at the place that the answer says.
func TestWritesFail(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]esdbserver.Fault{
		"lost": esdbserver.Lost, "answer lost": esdbserver.AnswerLost, "cut": esdbserver.Cut, "answer cut": esdbserver.AnswerCut,
		"hangs": esdbserver.Hangs, "answer hangs": esdbserver.AnswerHangs, "not the leader": esdbserver.NotLeader,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := esdbserver.New(t, esdbserver.Options{Nodes: 3})
			o := eventstoredb.Impatient(eventstoredb.Options{Namespace: newLog(t, c.ConnectionString())}, 3*time.Second)
			s := open(t, c.ConnectionString(), o)
			for i := range 3 {
				expected := stream.Revision(2*i) - 1
				if i == 1 {
					c.FailAppends(fault, fault)
				}
				res, err := s.Append(t.Context(), "toy-1", expected, storetest.Events("toy-1", expected, "x", 2))
				if err != nil {
					t.Fatal(err)
				}
				recs := everything(t, c.ConnectionString(), o)
				if len(recs) != 2*i+2 || recs[2*i+1].Position != res.Position || recs[2*i+1].Revision != res.Revision {
					t.Fatalf("append %d is answered %+v, and the log is %+v", i, res, recs)
				}
			}
		})
	}
}

// An append whose every try fails says so; whether it was kept, the same append finds out.
func TestAWriteThatIsGivenUp(t *testing.T) {
	t.Parallel()
	for _, fault := range []esdbserver.Fault{esdbserver.Lost, esdbserver.AnswerLost} {
		c := esdbserver.New(t, esdbserver.Options{})
		o := eventstoredb.Impatient(eventstoredb.Options{Namespace: newLog(t, c.ConnectionString())}, 600*time.Millisecond)
		s := open(t, c.ConnectionString(), o)
		c.OnAppend(func(string) esdbserver.Fault { return fault })
		events := storetest.Events("toy-1", stream.NoStream, "x", 2)
		if _, err := s.Append(t.Context(), "toy-1", stream.NoStream, events); !errors.Is(err, stream.ErrUnavailable) {
			t.Errorf("%v, want %v", err, stream.ErrUnavailable)
		}
		if err := s.Writable(); !errors.Is(err, stream.ErrUnavailable) {
			t.Errorf("writable: %v, want %v", err, stream.ErrUnavailable)
		}
		began := time.Now()
		if _, err := s.Append(t.Context(), "toy-1", stream.NoStream, events); !errors.Is(err, stream.ErrUnavailable) {
			t.Errorf("again: %v, want %v", err, stream.ErrUnavailable)
		}
		t.Logf("told at once, after %s, that the cluster is still away", time.Since(began))
		c.OnAppend(nil)
		until(t, "it is writable again, which nobody asked for", s.Writable)
		if _, err := s.Append(t.Context(), "toy-1", stream.NoStream, events); err != nil {
			t.Error(err)
		}
		if recs := everything(t, c.ConnectionString(), o); len(recs) != 2 {
			t.Errorf("%d events, want 2", len(recs))
		}
	}
}

// The leader moves fifty times under load: nothing is lost, nothing is doubled.
func TestTheLeaderMoves(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]bool{"followers forward": false, "followers refuse": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := esdbserver.New(t, esdbserver.Options{Nodes: 3, SystemEvery: 50})
			c.RefuseOnFollowers(refuse)
			var written counter
			c.OnAppend(func(string) esdbserver.Fault { written.add(); return esdbserver.None })
			under(t, c.ConnectionString(), eventstoredb.Options{}, func(r *rand.Rand) {
				for range 50 {
					if r.IntN(2) == 0 {
						c.MoveLeader()
					} else {
						i := c.Leader()
						c.StopNode(i) // the leader dies, and another takes over
						grown(t, written.get, 20)
						if err := c.StartNode(i); err != nil {
							t.Error(err)
						}
					}
					grown(t, written.get, 20)
				}
			})
		})
	}
}

// The server is cut off at random points: requests and answers are lost, connections and
// subscriptions break, it goes away and comes back.
func TestTheServerIsCutOff(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{SystemEvery: 50})
	var written counter
	under(t, c.ConnectionString(), eventstoredb.Impatient(eventstoredb.Options{}, 3*time.Second), func(r *rand.Rand) {
		var mu sync.Mutex
		draw := func(n int) int { mu.Lock(); defer mu.Unlock(); return r.IntN(n) }
		c.OnAppend(func(string) esdbserver.Fault {
			written.add()
			if draw(40) > 0 {
				return esdbserver.None
			}
			faults := []esdbserver.Fault{
				esdbserver.Lost,
				esdbserver.AnswerLost,
				esdbserver.Cut,
				esdbserver.AnswerCut,
				esdbserver.Hangs,
				esdbserver.AnswerHangs,
			}
			return faults[draw(len(faults))]
		})
		c.OnRead(func(esdbserver.Reading) int {
			if draw(3) > 0 {
				return -1
			}
			return draw(100)
		})
		for range 40 {
			switch draw(5) {
			case 0:
				c.CutReads()
			case 1:
				c.CutConnections()
			case 2:
				c.CallConsumersSlow()
			case 3:
				c.GoAway()
				if err := c.ComeBack(); err != nil {
					t.Error(err)
				}
			case 4:
				release := c.Stall()
				release()
			}
			grown(t, written.get, 30)
		}
		c.OnAppend(nil)
		c.OnRead(nil)
	})
}

// A client that has looked for a node in vain is dead, and calls that were under way on it
// hang for ever. Both are provoked here, with a client that looks only once; ours go on.
func TestTheClientDiesAndHangs(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{})
	conn := c.ConnectionString()
	o := eventstoredb.Impatient(eventstoredb.Options{Namespace: newLog(t, conn)}, 3*time.Second)
	s := open(t, conn, eventstoredb.LooksTimes(o, 1))
	var calls sync.WaitGroup
	for round := range 5 {
		release := c.Stall()
		for i := range 64 { // under way when the node dies, and begun while it is dead
			calls.Go(func() {
				name := fmt.Sprintf("toy-%d-%d", round, i)
				_, err := s.Append(t.Context(), name, stream.NoStream, storetest.Events(name, stream.NoStream, "x", 1))
				if err != nil && !errors.Is(err, stream.ErrUnavailable) {
					t.Error(err)
				}
			})
		}
		c.GoAway()
		release()
		calls.Wait() // each ends by its own deadline at the latest
		if err := s.Writable(); !errors.Is(err, stream.ErrUnavailable) {
			t.Errorf("writable: %v, want %v", err, stream.ErrUnavailable)
		}
		if err := c.ComeBack(); err != nil {
			t.Fatal(err)
		}
		until(t, "the cluster takes writes", s.Writable)
		name := fmt.Sprintf("toy-%d", round)
		if _, err := s.Append(t.Context(), name, stream.NoStream, storetest.Events(name, stream.NoStream, "x", 1)); err != nil {
			t.Error(err)
		}
	}
}

// A server that hangs is told from one that is slow by our own deadlines alone.
func TestTheServerStalls(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{})
	var mu sync.Mutex
	var said []string
	o := eventstoredb.Impatient(eventstoredb.Options{Namespace: newLog(t, c.ConnectionString()), Log: func(text string) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, text)
	}}, 900*time.Millisecond)
	s := open(t, c.ConnectionString(), o)
	release := c.Stall()
	events := storetest.Events("toy-1", stream.NoStream, "x", 1)
	if _, err := s.Append(t.Context(), "toy-1", stream.NoStream, events); !errors.Is(err, stream.ErrUnavailable) {
		t.Errorf("append: %v, want %v", err, stream.ErrUnavailable)
	}
	if _, err := s.Head(t.Context()); !errors.Is(err, stream.ErrUnavailable) {
		t.Errorf("head: %v, want %v", err, stream.ErrUnavailable)
	}
	for _, err := range s.Read(t.Context(), "toy-1", 0) {
		if !errors.Is(err, stream.ErrUnavailable) {
			t.Errorf("read: %v, want %v", err, stream.ErrUnavailable)
		}
	}
	if _, err := eventstoredb.Open(t.Context(), c.ConnectionString(), o); !errors.Is(err, stream.ErrUnavailable) {
		t.Errorf("open: %v, want %v", err, stream.ErrUnavailable)
	}
	release()
	until(t, "the cluster takes writes", s.Writable)
	if _, err := s.Append(t.Context(), "toy-1", stream.NoStream, events); err != nil {
		t.Error(err)
	}
	until(t, "both are told", func() error { // the second once it is so
		mu.Lock()
		defer mu.Unlock()
		if len(said) < 2 || !strings.Contains(said[0], "does not answer") || !strings.Contains(said[1], "takes writes again") {
			return fmt.Errorf("it said %q", said)
		}
		return nil
	})
}

// What is read on a node that lags behind is what the leader has; a subscription goes on there
// once it can, which begins after the end of the node's own copy.
func TestAFollowerLags(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{Nodes: 3})
	o := eventstoredb.Options{Namespace: newLog(t, c.ConnectionString())}
	s := open(t, c.ConnectionString(), o)
	before, err := s.Append(t.Context(), "toy-1", stream.NoStream, storetest.Events("toy-1", stream.NoStream, "x", 1))
	if err != nil {
		t.Fatal(err)
	}
	c.Freeze(c.Leader()) // the node that s is connected to
	c.MoveLeader()
	res, err := open(t, c.ConnectionString(), o).Append(t.Context(), "toy-1", 0, storetest.Events("toy-1", 0, "y", 1))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range s.Read(t.Context(), "toy-1", 0) {
		if n++; err != nil {
			t.Error(err)
		}
	}
	if head, err := s.Head(t.Context()); n != 2 || head != res.Position || err != nil {
		t.Errorf("%d events, the last at %d, %v; want 2, the last at %d", n, head, err, res.Position)
	}
	_, err = s.Append(t.Context(), "toy-1", 0, storetest.Events("toy-1", 0, "z", 1))
	if !errors.Is(err, stream.ErrWrongRevision) {
		t.Errorf("an append at an old revision: %v, want %v", err, stream.ErrWrongRevision)
	}
	for i := range 3 {
		c.Thaw(i)
	}
	for run, err := range s.Subscribe(t.Context(), before.Position) {
		if err != nil || run[0].Position != res.Position {
			t.Errorf("%+v, %v", run, err)
		}
		break
	}
}

// A subscription to a node that lags behind is silent while the log grows: it goes on at
// another node.
func TestASubscriptionFallsSilent(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{Nodes: 3})
	o := eventstoredb.Impatient(eventstoredb.Options{Namespace: newLog(t, c.ConnectionString())}, 900*time.Millisecond)
	s := open(t, c.ConnectionString(), o)
	c.Freeze(c.Leader()) // the node that s is connected to
	c.MoveLeader()
	other := open(t, c.ConnectionString(), o)
	res, err := other.Append(t.Context(), "toy-1", stream.NoStream, storetest.Events("toy-1", stream.NoStream, "x", 1))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for run, err := range s.Subscribe(ctx, 0) {
		if err != nil || run[0].Position != res.Position {
			t.Errorf("%+v, %v", run, err)
		}
		return
	}
	t.Error("it is silent still")
}
