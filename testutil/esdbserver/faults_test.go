package esdbserver_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sandglass/testutil/esdbserver"
)

func TestFaultsOfAppends(t *testing.T) {
	for _, c := range []struct {
		name    string
		fault   esdbserver.Fault
		code    esdb.ErrorCode
		written int
	}{
		{"none", esdbserver.None, ok, 1},
		{"lost", esdbserver.Lost, esdb.ErrorUnavailable, 0},
		{"answer lost", esdbserver.AnswerLost, esdb.ErrorUnavailable, 1},
		{"cut", esdbserver.Cut, esdb.ErrorUnavailable, 0},
		{"answer cut", esdbserver.AnswerCut, esdb.ErrorUnavailable, 1},
		{"hangs", esdbserver.Hangs, esdb.ErrorCodeDeadlineExceeded, 0},
		{"answer hangs", esdbserver.AnswerHangs, esdb.ErrorCodeDeadlineExceeded, 1},
		{"not leader", esdbserver.NotLeader, esdb.ErrorCodeNotLeader, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, client := single(t)
			appendTo(t, client, "s", esdb.NoStream{}, named("first")...)
			server.FailAppends(c.fault)
			deadline := 10 * time.Second
			if c.code == esdb.ErrorCodeDeadlineExceeded {
				deadline = 50 * time.Millisecond
			}
			opts := esdb.AppendToStreamOptions{ExpectedRevision: esdb.Revision(0), Deadline: &deadline}
			_, err := client.AppendToStream(ctx(t), "s", opts, named("second")...)
			if code(err) != c.code {
				t.Errorf("the code is %d, %v; want %d", code(err), err, c.code)
			}
			if n := len(written(t, client)) - 1; n != c.written {
				t.Errorf("%d events were written, want %d", n, c.written)
			}
			// The retry is the same write, whether it happened or not.
			res := appendTo(t, client, "s", esdb.Revision(0), named("second")...)
			if n := len(written(t, client)); res.NextExpectedVersion != 1 || n != 2 {
				t.Errorf("after a retry the last number is %d of %d events", res.NextExpectedVersion, n)
			}
		})
	}
}

func TestTheNextAppendsFail(t *testing.T) {
	server, client := single(t)
	server.LoseRequests(1)
	server.LoseAnswers(2)
	server.AnswerNotLeader(1)
	server.OnAppend(func(stream string) esdbserver.Fault {
		if stream == "doomed" {
			return esdbserver.Lost
		}
		return esdbserver.None
	})
	opts := esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}
	for _, want := range []esdb.ErrorCode{
		esdb.ErrorUnavailable,
		esdb.ErrorUnavailable,
		esdb.ErrorUnavailable,
		esdb.ErrorCodeNotLeader,
		ok,
	} {
		if _, err := client.AppendToStream(ctx(t), "s", opts, events(1)...); code(err) != want {
			t.Errorf("the code is %d, want %d", code(err), want)
		}
	}
	if _, err := client.AppendToStream(ctx(t), "doomed", opts, events(1)...); code(err) != esdb.ErrorUnavailable {
		t.Errorf("the hook lets it pass: %v", err)
	}
	server.OnAppend(nil)
	appendTo(t, client, "doomed", esdb.NoStream{}, events(1)...)
	if n := len(written(t, client)); n != 4 {
		t.Errorf("%d events were written, want 4", n)
	}
}

func TestReadsAreCut(t *testing.T) {
	server, client := single(t)
	holding("a b c d")(t, client)
	server.CutReadsAfter(0, 2)
	server.OnRead(func(r esdbserver.Reading) int {
		if r.Subscription && r.Stream == "s" {
			return 3
		}
		return -1
	})
	for _, want := range []int{0, 2} {
		list, err := drain(client.ReadStream(ctx(t), "s", esdb.ReadStreamOptions{}, 9))
		if len(list) != want || code(err) != esdb.ErrorUnavailable {
			t.Errorf("it reads %d, %v; want %d", len(list), err, want)
		}
	}
	if list, err := drain(client.ReadStream(ctx(t), "s", esdb.ReadStreamOptions{}, 9)); len(list) != 4 {
		t.Errorf("it reads %d, %v", len(list), err)
	}
	expect(t, toStream(t, client, "s", esdb.Start{}), "s0", "s1", "s2", codes.Unavailable.String())
	server.CutReadsAfter(0)
	if _, err := client.SubscribeToAll(ctx(t), esdb.SubscribeToAllOptions{}); code(err) != esdb.ErrorUnavailable {
		t.Errorf("a subscription that is cut at once: %v", err)
	}
}

func TestSubscriptionsEnd(t *testing.T) {
	server, client := single(t)
	for _, c := range []struct {
		name string
		end  func()
		code codes.Code
	}{
		{"cut", server.CutReads, codes.Unavailable},
		{"connections cut", server.CutConnections, codes.Unavailable},
		{"too slow", server.CallConsumersSlow, codes.Aborted},
		{"gone away", server.GoAway, codes.Unavailable},
	} {
		all := toAll(t, client, esdb.SubscribeToAllOptions{})
		stream := toStream(t, client, "s", esdb.End{})
		expect(t, all, "live")
		expect(t, stream, "live")
		c.end()
		expect(t, all, c.code.String())
		expect(t, stream, c.code.String())
		if err := server.ComeBack(); err != nil {
			t.Fatal(err)
		}
		// A call tells the client that its connection is gone.
		_, _ = drain(client.ReadAll(ctx(t), esdb.ReadAllOptions{}, 1))
	}
}

func TestAStallEnds(t *testing.T) {
	server, client := single(t)
	sub := toAll(t, client, esdb.SubscribeToAllOptions{})
	expect(t, sub, "live")
	release := server.Stall()
	defer release()
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := drain(client.ReadAll(soon, esdb.ReadAllOptions{}, 1)); code(err) != esdb.ErrorCodeDeadlineExceeded {
		t.Errorf("a read during a stall: %v", err)
	}
	answered := make(chan error)
	go func() {
		_, err := client.AppendToStream(ctx(t), "s", esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}, events(1)...)
		answered <- err
	}()
	release()
	release() // once more does nothing
	if err := <-answered; err != nil {
		t.Error(err)
	}
	expect(t, sub, "s0")
}

func TestTheLogOutlivesTheNodes(t *testing.T) {
	for _, nodes := range []int{1, 3} {
		server := esdbserver.New(t, esdbserver.Options{Nodes: nodes})
		client := connect(t, server.ConnectionString())
		for i := range 3 {
			appendTo(t, client, "s", esdb.Any{}, events(1)...)
			addrs := server.ConnectionString()
			server.GoAway()
			if err := server.ComeBack(); err != nil {
				t.Fatal(err)
			}
			if server.ConnectionString() != addrs {
				t.Fatal("it has come back elsewhere")
			}
			_, _ = drain(client.ReadAll(ctx(t), esdb.ReadAllOptions{}, 1)) // the client learns of it
			if n := len(written(t, client)); n != i+1 {
				t.Errorf("%d events are left, want %d", n, i+1)
			}
		}
	}
}

// TestASlowConsumerIsSentAway lets more events pile up than the connection takes, before a
// subscription that is live and receives none.
func TestASlowConsumerIsSentAway(t *testing.T) {
	server := esdbserver.New(t, esdbserver.Options{SlowAfter: 1})
	client := connect(t, server.ConnectionString())
	sub := toAll(t, client, esdb.SubscribeToAllOptions{})
	expect(t, sub, "live")
	big := events(20)
	big[0].Data = make([]byte, 1<<19)
	for range 20 {
		appendTo(t, client, "s", esdb.Any{}, big...)
	}
	n := 0
	for e := sub.Recv(); ; e = sub.Recv() {
		if e.SubscriptionDropped != nil {
			if status.Code(e.SubscriptionDropped.Error) != codes.Aborted {
				t.Errorf("it ends with %v", e.SubscriptionDropped.Error)
			}
			break
		}
		n++
	}
	if n >= 400 {
		t.Errorf("it had all %d events", n)
	}
}

// TestFaultsFromManySides uses everything at once, for the race detector.
func TestFaultsFromManySides(t *testing.T) {
	server := esdbserver.New(t, esdbserver.Options{Nodes: 3})
	client := connect(t, server.ConnectionString())
	var count atomic.Int64
	server.OnAppend(func(string) esdbserver.Fault {
		return []esdbserver.Fault{esdbserver.None, esdbserver.AnswerLost, esdbserver.Lost}[count.Add(1)%3]
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 20 {
			server.MoveLeader()
			server.CutReads()
			server.Freeze(1)
			server.CallConsumersSlow()
			server.Stall()()
			server.Thaw(1)
		}
	}()
	for range 20 {
		for {
			_, err := client.AppendToStream(ctx(t), "s", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, events(1)...)
			if err == nil {
				break
			}
			if code(err) != esdb.ErrorUnavailable {
				t.Fatal(err)
			}
		}
	}
	<-done
	if n := len(written(t, connect(t, server.ConnectionString()))); n < 20 { // at the leader
		t.Errorf("%d events were written", n)
	}
}

// TestRandomFaultsKeepPromises writes and follows through faults of all kinds: who retries
// with the same ids and follows from where it was, has each event once.
func TestRandomFaultsKeepPromises(t *testing.T) {
	server := esdbserver.New(t, esdbserver.Options{SystemEvery: 5})
	server.OnAppend(esdbserver.RandomFaults(1, 30))
	server.OnRead(esdbserver.RandomCuts(1, 80, 20))
	const count = 100
	var writing sync.WaitGroup
	defer writing.Wait()
	writer, reader := connect(t, server.ConnectionString()), connect(t, server.ConnectionString())
	writing.Go(func() {
		for i := range count {
			opts := esdb.AppendToStreamOptions{ExpectedRevision: esdb.ExpectedRevision(esdb.NoStream{})}
			if i > 0 {
				opts.ExpectedRevision = esdb.Revision(uint64(i - 1))
			}
			event := named(fmt.Sprint("event", i))
			for failed := true; failed; {
				_, err := writer.AppendToStream(t.Context(), "s", opts, event...)
				if failed = err != nil; failed && code(err) != esdb.ErrorUnavailable {
					t.Errorf("event %d: %v", i, err)
					return
				}
			}
		}
	})
	var from esdb.AllPosition = esdb.Start{}
	for next := uint64(0); next < count; {
		filter := &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{"s"}}
		sub, err := reader.SubscribeToAll(ctx(t), esdb.SubscribeToAllOptions{From: from, Filter: filter})
		if err != nil && code(err) != esdb.ErrorUnavailable {
			t.Fatal(err)
		}
		for dropped := err != nil; !dropped && next < count; {
			e := sub.Recv()
			if e.EventAppeared != nil {
				if e.EventAppeared.Event.EventNumber != next {
					t.Fatalf("event %d comes where %d should", e.EventAppeared.Event.EventNumber, next)
				}
				next, from = next+1, e.EventAppeared.Event.Position
			}
			dropped = e.SubscriptionDropped != nil
		}
		if err == nil {
			_ = sub.Close()
		}
	}
}

// TestACallMayStopItsServer has the hook of an append take the node away in its midst.
func TestACallMayStopItsServer(t *testing.T) {
	server, client := single(t)
	appendTo(t, client, "s", esdb.NoStream{}, named("first")...)
	server.OnAppend(func(string) esdbserver.Fault {
		server.OnAppend(nil)
		server.GoAway()
		return esdbserver.None
	})
	opts := esdb.AppendToStreamOptions{ExpectedRevision: esdb.Revision(0)}
	if _, err := client.AppendToStream(ctx(t), "s", opts, named("second")...); code(err) != esdb.ErrorUnavailable {
		t.Errorf("an append to a node that goes away: %v", err)
	}
	if err := server.ComeBack(); err != nil {
		t.Fatal(err)
	}
	if res := appendTo(t, client, "s", esdb.Revision(0), named("second")...); res.NextExpectedVersion != 1 {
		t.Errorf("the retry has the number %d", res.NextExpectedVersion)
	}
}
