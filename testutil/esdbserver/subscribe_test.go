package esdbserver_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sandglass/testutil/esdbserver"
)

// told receives n things of a subscription: "s0" is an event, "live" says that it has
// caught up, "|" is a checkpoint, and the rest is the code that it was dropped with.
func told(sub *esdb.Subscription, n int) []string {
	var list []string
	for range n {
		switch e := sub.Recv(); {
		case e.EventAppeared != nil:
			list = append(list, fmt.Sprint(e.EventAppeared.Event.StreamID, e.EventAppeared.Event.EventNumber))
		case e.CaughtUp != nil:
			list = append(list, "live")
		case e.CheckPointReached != nil:
			list = append(list, "|")
		case e.SubscriptionDropped != nil:
			return append(list, status.Code(e.SubscriptionDropped.Error).String())
		}
	}
	return list
}

func expect(t *testing.T, sub *esdb.Subscription, want ...string) {
	t.Helper()
	if got := told(sub, len(want)); !slices.Equal(got, want) {
		t.Fatalf("it tells %q, want %q", got, want)
	}
}

func toStream(t *testing.T, client *esdb.Client, stream string, from esdb.StreamPosition) *esdb.Subscription {
	t.Helper()
	sub, err := client.SubscribeToStream(ctx(t), stream, esdb.SubscribeToStreamOptions{From: from})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sub.Close() })
	return sub
}

func toAll(t *testing.T, client *esdb.Client, o esdb.SubscribeToAllOptions) *esdb.Subscription {
	t.Helper()
	sub, err := client.SubscribeToAll(ctx(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sub.Close() })
	return sub
}

func TestSubscribeToStream(t *testing.T) {
	_, client := single(t)
	appendTo(t, client, "s", esdb.NoStream{}, events(3)...)
	start := toStream(t, client, "s", esdb.Start{})
	after := toStream(t, client, "s", esdb.Revision(1))
	end := toStream(t, client, "s", esdb.End{})
	beyond := toStream(t, client, "s", esdb.Revision(3))
	expect(t, start, "s0", "s1", "s2", "live")
	expect(t, after, "s2", "live")
	expect(t, end, "live")
	expect(t, beyond, "live")
	appendTo(t, client, "other", esdb.NoStream{}, events(1)...)
	appendTo(t, client, "s", esdb.Revision(2), events(2)...)
	expect(t, start, "s3", "s4")
	expect(t, after, "s3", "s4")
	expect(t, end, "s3", "s4")
	expect(t, beyond, "s4")
	tombstoned(t, client)
	expect(t, start, codes.FailedPrecondition.String())
}

func TestSubscribeToAStreamThatIsNotThereYet(t *testing.T) {
	_, client := single(t)
	start, end := toStream(t, client, "s", esdb.Start{}), toStream(t, client, "s", esdb.End{})
	expect(t, end, "live")
	appendTo(t, client, "s", esdb.NoStream{}, events(2)...)
	expect(t, start, "s0", "s1", "live")
	expect(t, end, "s0", "s1")
	tombstoned(t, client)
	expect(t, toStream(t, client, "s", esdb.Start{}), codes.FailedPrecondition.String()) // after the confirmation
}

func TestSubscribeToAll(t *testing.T) {
	_, client := single(t)
	appendTo(t, client, "s", esdb.NoStream{}, events(2)...)
	first := written(t, client)[0].Position
	start := toAll(t, client, esdb.SubscribeToAllOptions{From: esdb.Start{}})
	after := toAll(t, client, esdb.SubscribeToAllOptions{From: first})
	end := toAll(t, client, esdb.SubscribeToAllOptions{})
	expect(t, start, "$stats-127.0.0.1:21130", "s0", "s1", "live")
	expect(t, after, "s1", "live")
	expect(t, end, "live")
	deleted(t, client)
	for _, sub := range []*esdb.Subscription{start, after, end} {
		expect(t, sub, "$$s0")
	}
}

func TestFilters(t *testing.T) {
	_, client := single(t)
	kinds := events(3)
	kinds[0].EventType, kinds[1].EventType, kinds[2].EventType = "paid", "spent", "repaid"
	appendTo(t, client, "a-1", esdb.NoStream{}, kinds...)
	appendTo(t, client, "b-1", esdb.NoStream{}, kinds...)
	for name, c := range map[string]struct {
		filter *esdb.SubscriptionFilter
		want   []string
	}{
		"stream prefix": {
			&esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{"a-"}},
			[]string{"a-10", "a-11", "a-12"},
		},
		"stream prefixes": {
			&esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{"x", "b", "$stats"}},
			[]string{"$stats-127.0.0.1:21130", "b-10", "b-11", "b-12"},
		},
		"stream regex": {
			&esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Regex: "^[^$].*-1$"},
			[]string{"a-10", "a-11", "a-12", "b-10", "b-11", "b-12"},
		},
		"type prefix": {
			&esdb.SubscriptionFilter{Type: esdb.EventFilterType, Prefixes: []string{"paid"}},
			[]string{"a-10", "b-10"},
		},
		"type regex": {
			&esdb.SubscriptionFilter{Type: esdb.EventFilterType, Regex: "paid"},
			[]string{"a-10", "a-12", "b-10", "b-12"},
		},
		"no system": {
			esdb.ExcludeSystemEventsFilter(),
			[]string{"a-10", "a-11", "a-12", "b-10", "b-11", "b-12"},
		},
		"hidden": {
			&esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{"$epoch", "a-"}},
			[]string{"a-10", "a-11", "a-12"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			sub := toAll(t, client, esdb.SubscribeToAllOptions{From: esdb.Start{}, Filter: c.filter})
			expect(t, sub, append(c.want, "live")...)
		})
	}
	bad := &esdb.SubscriptionFilter{Type: esdb.EventFilterType, Regex: "("}
	if _, err := client.SubscribeToAll(ctx(t), esdb.SubscribeToAllOptions{Filter: bad}); err == nil {
		t.Error("a regular expression that is none is accepted")
	}
}

func TestCheckpoints(t *testing.T) {
	_, client := single(t) // its log begins with two events of the server
	appendTo(t, client, "other", esdb.NoStream{}, events(6)...)
	appendTo(t, client, "s", esdb.NoStream{}, events(2)...)
	appendTo(t, client, "other", esdb.Revision(5), events(5)...)
	var at []uint64
	for _, e := range logOf(t, client) {
		at = append(at, e.Position.Commit)
	}
	at = append([]uint64{0}, at...) // the first event is hidden
	options := esdb.SubscribeToAllOptions{
		From: esdb.Start{}, MaxSearchWindow: 5, CheckpointInterval: 1,
		Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{"s"}},
	}
	sub := toAll(t, client, options)
	// Pages of 5 begin at 0, 5 and 10: without a match a checkpoint is where the page began.
	checkpointAt(t, sub, at[0])
	expect(t, sub, "s0", "s1")
	checkpointAt(t, sub, at[9])
	expect(t, sub, "live") // the last page tells none
	// The last page has filled the interval, which the first live event ends.
	appendTo(t, client, "other", esdb.Revision(10), events(7)...)
	log := logOf(t, client)
	checkpointAt(t, sub, log[14].Position.Commit)
	checkpointAt(t, sub, log[19].Position.Commit)
	appendTo(t, client, "s", esdb.Revision(1), events(1)...)
	expect(t, sub, "s2")

	options.CheckpointInterval = 2
	sub = toAll(t, client, options)
	expect(t, sub, "s0", "s1")
	checkpointAt(t, sub, at[9])
	from := esdb.Position{Commit: at[9], Prepare: at[9]}
	resumed := toAll(t, client, esdb.SubscribeToAllOptions{From: from, Filter: options.Filter})
	expect(t, resumed, "s2", "live")
}

// TestEarlyCheckpoints resumes from the end of the log in both ways.
func TestEarlyCheckpoints(t *testing.T) {
	c := esdbserver.New(t, esdbserver.Options{EarlyCheckpoints: true})
	client := connect(t, c.ConnectionString())
	appendTo(t, client, "s", esdb.NoStream{}, events(2)...)
	options := esdb.SubscribeToAllOptions{
		From: esdb.Start{}, Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{"s"}},
	}
	sub := toAll(t, client, options)
	expect(t, sub, "s0", "s1")
	early := sub.Recv().CheckPointReached
	expect(t, sub, "live")
	appendTo(t, client, "s", esdb.Revision(1), events(2)...)
	expect(t, sub, "s2", "s3")
	if at := written(t, client)[2].Position; early == nil || early.Commit != at.Commit || early.Prepare != 0 {
		t.Fatalf("the checkpoint is %v, the next event is at %v", early, at)
	}
	options.From = *early
	expect(t, toAll(t, client, options), "s2", "s3", "|", "live")
	options.From = esdb.Position{Commit: early.Commit, Prepare: early.Commit}
	expect(t, toAll(t, client, options), "s3", "|", "live")
}

func logOf(t *testing.T, client *esdb.Client) []*esdb.RecordedEvent {
	t.Helper()
	all, err := drain(client.ReadAll(ctx(t), esdb.ReadAllOptions{}, 1000))
	if err != nil {
		t.Fatal(err)
	}
	var list []*esdb.RecordedEvent
	for _, e := range all {
		list = append(list, e.Event)
	}
	return list
}

func checkpointAt(t *testing.T, sub *esdb.Subscription, commit uint64) {
	t.Helper()
	e := sub.Recv()
	if e.CheckPointReached == nil || e.CheckPointReached.Commit != commit {
		t.Fatalf("it tells %+v, want a checkpoint at %d", e, commit)
	}
}

// TestNothingIsMissedOrRepeated subscribes while many write.
func TestNothingIsMissedOrRepeated(t *testing.T) {
	c := esdbserver.New(t, esdbserver.Options{SystemEvery: 7})
	client := connect(t, c.ConnectionString())
	const writers, each = 4, 60
	var writing sync.WaitGroup
	defer writing.Wait()
	for w := range writers {
		writing.Go(func() {
			opts := esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}
			for range each {
				if _, err := client.AppendToStream(t.Context(), fmt.Sprint("s", w), opts, events(2)...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 3 {
		sub := toAll(t, client, esdb.SubscribeToAllOptions{From: esdb.Start{}})
		next := map[string]uint64{}
		last := uint64(0)
		for n := 0; n < writers*each*2; {
			e := sub.Recv()
			if e.SubscriptionDropped != nil {
				t.Fatal(e.SubscriptionDropped.Error)
			}
			if e.EventAppeared == nil {
				continue
			}
			rec := e.EventAppeared.Event
			if rec.EventNumber != next[rec.StreamID] || rec.Position.Commit < last {
				t.Fatalf("%s has %d at %d, want %d after %d",
					rec.StreamID, rec.EventNumber, rec.Position.Commit, next[rec.StreamID], last)
			}
			next[rec.StreamID]++
			if last = rec.Position.Commit; rec.StreamID[0] == 's' {
				n++
			}
		}
	}
}
