package esdbserver_test

import (
	"context"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"sandglass/testutil/esdbserver"
)

// cluster starts three nodes and connects to the leader and to a follower.
func cluster(t *testing.T) (c *esdbserver.Cluster, leader, follower *esdb.Client) {
	t.Helper()
	return lagging(t, -1)
}

// lagging is cluster with a lag of its followers.
func lagging(t *testing.T, lag time.Duration) (c *esdbserver.Cluster, leader, follower *esdb.Client) {
	t.Helper()
	c = esdbserver.New(t, esdbserver.Options{Nodes: 3, Lag: lag})
	preferring := func(what string) *esdb.Client { return connect(t, c.ConnectionString()+"&nodePreference="+what) }
	return c, preferring("leader"), preferring("follower")
}

func members(t *testing.T, addr string) []*gossip.MemberInfo {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	info, err := gossip.NewGossipClient(conn).Read(ctx(t), &shared.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	return info.GetMembers()
}

func TestGossip(t *testing.T) {
	c, _, _ := cluster(t)
	for range 3 {
		for _, addr := range c.Addrs() {
			list := members(t, addr)
			if len(list) != 3 {
				t.Fatalf("%s knows %d members", addr, len(list))
			}
			for i, m := range list {
				leads := m.GetState() == gossip.MemberInfo_Leader
				if leads != (i == c.Leader()) || !m.GetIsAlive() {
					t.Errorf("member %d is %v; the leader is %d", i, m, c.Leader())
				}
			}
		}
		c.MoveLeader()
	}
	was := c.Leader()
	c.StopNode(was)
	if c.Leader() == was {
		t.Error("a node that is away is the leader")
	}
	if list := members(t, c.Addrs()[c.Leader()]); list[was].GetIsAlive() {
		t.Error("a node that is away is alive")
	}
}

func TestAFollowerForwardsWrites(t *testing.T) {
	c, leader, follower := cluster(t)
	appendTo(t, follower, "s", esdb.NoStream{}, events(2)...)
	appendTo(t, leader, "s", esdb.Revision(1), events(1)...)
	if list, err := drain(follower.ReadStream(ctx(t), "s", esdb.ReadStreamOptions{}, 9)); err != nil || len(list) != 3 {
		t.Errorf("the follower has %d events, %v", len(list), err)
	}
	c.RefuseOnFollowers(true)
	opts := esdb.AppendToStreamOptions{ExpectedRevision: esdb.Revision(2)}
	if _, err := follower.AppendToStream(ctx(t), "s", opts, events(1)...); code(err) != esdb.ErrorCodeNotLeader {
		t.Fatalf("a follower that doesn't forward answers %v", err)
	}
	// The client has gone to the leader with that.
	appendTo(t, follower, "s", esdb.Revision(2), events(1)...)
}

// A follower answers from a copy that lags, and hands on what is appended; who asks for the
// leader is sent there, but with a subscription.
func TestFollowersLag(t *testing.T) {
	c, leader, follower := lagging(t, time.Hour)
	appendTo(t, follower, "s", esdb.NoStream{}, events(2)...)
	read := func(ctx context.Context, client *esdb.Client) (int, error) {
		list, err := drain(client.ReadStream(ctx, "s", esdb.ReadStreamOptions{}, 9))
		return len(list), err
	}
	if n, err := read(ctx(t), follower); code(err) != esdb.ErrorCodeResourceNotFound {
		t.Errorf("the follower reads %d events, %v", n, err)
	}
	strict := metadata.AppendToOutgoingContext(ctx(t), "requires-leader", "true")
	if n, err := read(strict, leader); n != 2 || err != nil {
		t.Errorf("the leader reads %d events, %v", n, err)
	}
	sub, err := follower.SubscribeToAll(strict, esdb.SubscribeToAllOptions{From: esdb.End{}})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	expect(t, sub, "live")
	for what, backwards := range map[string]esdb.Direction{"forwards": esdb.Forwards, "backwards": esdb.Backwards} {
		client := connect(t, c.ConnectionString()+"&nodePreference=follower")
		_, err := drain(client.ReadAll(strict, esdb.ReadAllOptions{Direction: backwards}, 1))
		if code(err) != esdb.ErrorCodeNotLeader {
			t.Errorf("reading all %s: %v", what, err)
		}
		if n, err := read(strict, client); n != 2 || err != nil {
			t.Errorf("having gone to the leader it reads %d events, %v", n, err)
		}
	}
	c.MoveLeader() // what was the leader lags from now on, and shows what it showed
	appendTo(t, leader, "s", esdb.Revision(1), events(1)...)
	if n, err := read(ctx(t), leader); n != 2 || err != nil {
		t.Errorf("the leader that was reads %d events, %v", n, err)
	}
}

// A follower has what was written after a while, and tells its subscriptions.
func TestFollowersCatchUp(t *testing.T) {
	_, leader, follower := lagging(t, time.Millisecond)
	sub := toStream(t, follower, "s", esdb.Start{})
	appendTo(t, leader, "s", esdb.NoStream{}, events(2)...)
	expect(t, sub, "s0", "s1")
}

func TestAFrozenFollowerLags(t *testing.T) {
	c, leader, _ := cluster(t)
	appendTo(t, leader, "s", esdb.NoStream{}, events(2)...)
	frozen := (c.Leader() + 1) % 3
	c.Freeze(frozen)
	lagging := connect(t, "esdb://"+c.Addrs()[frozen]+"?tls=false")
	sub := toStream(t, lagging, "s", esdb.Start{})
	expect(t, sub, "s0", "s1", "live")
	appendTo(t, lagging, "s", esdb.Revision(1), events(1)...)
	deleted(t, leader)
	if list, err := drain(lagging.ReadStream(ctx(t), "s", esdb.ReadStreamOptions{}, 9)); err != nil || len(list) != 2 {
		t.Errorf("it reads %d events, %v; want the 2 from before", len(list), err)
	}
	all, err := drain(lagging.ReadAll(ctx(t), esdb.ReadAllOptions{Direction: esdb.Backwards, From: esdb.End{}}, 1))
	if err != nil || len(all) != 1 || all[0].Event.EventNumber != 1 {
		t.Errorf("its last event is %v, %v", all, err)
	}
	c.Thaw(frozen)
	_, err = drain(lagging.ReadStream(ctx(t), "s", esdb.ReadStreamOptions{}, 9))
	if code(err) != esdb.ErrorCodeResourceNotFound {
		t.Errorf("after that it reads %v", err)
	}
	appendTo(t, leader, "s", esdb.Any{}, events(1)...)
	expect(t, sub, "s3")
}

func TestWithoutAQuorumNothingIsWritten(t *testing.T) {
	c, _, _ := cluster(t)
	c.StopNode(0)
	left := connect(t, "esdb://"+c.Addrs()[c.Leader()]+"?tls=false")
	appendTo(t, left, "s", esdb.NoStream{}, events(1)...)
	c.StopNode(3 - c.Leader())
	opts := esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}
	if _, err := left.AppendToStream(ctx(t), "s", opts, events(1)...); code(err) != esdb.ErrorUnavailable {
		t.Errorf("one node of three answers %v", err)
	}
	if err := c.StartNode(0); err != nil {
		t.Fatal(err)
	}
	appendTo(t, left, "s", esdb.Revision(0), events(1)...)
}

func TestOptionsThatCannotBe(t *testing.T) {
	for _, o := range []esdbserver.Options{{Nodes: 2}, {Users: map[string]string{"admin": "changeit"}}} {
		if c, err := esdbserver.Start(o); err == nil {
			c.Close()
			t.Errorf("%+v is accepted", o)
		}
	}
}

func TestUsers(t *testing.T) {
	for _, nodes := range []int{1, 3} {
		users := map[string]string{"admin": "change it", "ops": "p@ss:w"}
		c := esdbserver.New(t, esdbserver.Options{Nodes: nodes, TLS: true, Users: users})
		opts := esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}
		append1 := func(client *esdb.Client, o esdb.AppendToStreamOptions) error {
			_, err := client.AppendToStream(ctx(t), "s", o, events(1)...)
			return err
		}
		if err := append1(connect(t, c.ConnectionString()), opts); err != nil {
			t.Errorf("the first user: %v", err)
		}
		if err := append1(connect(t, c.ConnectionStringAs("ops")), opts); err != nil {
			t.Errorf("another user: %v", err)
		}
		nobody := connect(t, c.ConnectionStringAs(""))
		if err := append1(nobody, opts); code(err) != esdb.ErrorCodeAccessDenied {
			t.Errorf("nobody: %v", err)
		}
		wrong := opts
		wrong.Authenticated = &esdb.Credentials{Login: "admin", Password: "wrong"}
		if err := append1(nobody, wrong); code(err) != esdb.ErrorCodeUnauthenticated {
			t.Errorf("a wrong password: %v", err)
		}
		stranger := opts
		stranger.Authenticated = &esdb.Credentials{Login: "mallory", Password: ""}
		if err := append1(nobody, stranger); code(err) != esdb.ErrorCodeUnauthenticated {
			t.Errorf("a stranger: %v", err)
		}
		if _, err := drain(nobody.ReadAll(ctx(t), esdb.ReadAllOptions{}, 1)); code(err) != esdb.ErrorCodeAccessDenied {
			t.Errorf("reading as nobody: %v", err)
		}
		if _, err := nobody.SubscribeToAll(ctx(t), esdb.SubscribeToAllOptions{}); code(err) != esdb.ErrorCodeAccessDenied {
			t.Errorf("subscribing as nobody: %v", err)
		}
	}
}

func TestTLSIsChecked(t *testing.T) {
	c := esdbserver.New(t, esdbserver.Options{TLS: true})
	appendTo(t, connect(t, c.ConnectionString()), "s", esdb.NoStream{}, events(1)...)
	other := connect(t, "esdb://"+c.Addrs()[0]+"?tls=true&maxDiscoverAttempts=1")
	_, err := other.AppendToStream(context.Background(), "s", esdb.AppendToStreamOptions{}, events(1)...)
	if code(err) != esdb.ErrorUnavailable {
		t.Errorf("a client that doesn't know the authority: %v", err)
	}
}
