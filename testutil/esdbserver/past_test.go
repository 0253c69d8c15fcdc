package esdbserver_test

import (
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"sandglass/testutil/esdbserver"
)

// What a cluster has lost is gone at all nodes, also for who read it, and what is written then has its place.
func TestAClusterHasAnotherPast(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{Nodes: 3, SystemEvery: 3})
	client := connect(t, c.ConnectionString())
	sub, err := client.SubscribeToAll(ctx(t), esdb.SubscribeToAllOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Close() }()
	first := appendTo(t, client, "a", esdb.NoStream{}, events(4)...)
	kept := c.Past()
	lost := appendTo(t, client, "a", esdb.Revision(3), events(4)...)
	c.Freeze(1)
	if err := c.Replace(kept); err != nil {
		t.Fatal(err)
	}
	if got := c.Past(); len(got) != len(kept) || got[len(got)-1].ID != kept[len(kept)-1].ID {
		t.Errorf("it has %d events, want %d", len(got), len(kept))
	}
	for dropped := false; !dropped; {
		dropped = sub.Recv().SubscriptionDropped != nil
	}
	again := connect(t, c.ConnectionString())
	for _, s := range []string{"a", "b"} {
		read, err := drain(again.ReadStream(ctx(t), s, esdb.ReadStreamOptions{From: esdb.Start{}}, 100))
		if want := map[string]int{"a": 4}[s]; len(read) != want || (want == 0) != (code(err) == esdb.ErrorCodeResourceNotFound) {
			t.Errorf("%s has %d events, %v; want %d", s, len(read), err, want)
		}
	}
	if res := appendTo(t, again, "a", esdb.Revision(3), events(4)...); res.CommitPosition != lost.CommitPosition ||
		res.CommitPosition <= first.CommitPosition {
		t.Errorf("what is written then is at %d, where %d was", res.CommitPosition, lost.CommitPosition)
	}
}
