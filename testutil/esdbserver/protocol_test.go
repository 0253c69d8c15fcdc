package esdbserver_test

import (
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"sandglass/testutil/esdbserver"
)

// bare connects without the client, which hides trailers and makes no mistakes.
func bare(t *testing.T, addr string) streams.StreamsClient {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return streams.NewStreamsClient(conn)
}

func optionsOf(stream string, number uint64) *streams.AppendReq {
	return &streams.AppendReq{Content: &streams.AppendReq_Options_{Options: &streams.AppendReq_Options{
		StreamIdentifier:       identifier(stream),
		ExpectedStreamRevision: &streams.AppendReq_Options_Revision{Revision: number},
	}}}
}

func identifier(stream string) *shared.StreamIdentifier {
	return &shared.StreamIdentifier{StreamName: []byte(stream)}
}

func message(id string, metadata map[string]string) *streams.AppendReq {
	return &streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: &streams.AppendReq_ProposedMessage{
		Id: &shared.UUID{Value: &shared.UUID_String_{String_: id}}, Metadata: metadata,
	}}}
}

// send appends messages as they are and returns the answer with its trailers.
func send(t *testing.T, client streams.StreamsClient, list ...*streams.AppendReq) (*streams.AppendResp, metadata.MD, error) {
	t.Helper()
	call, err := client.Append(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		if call.Send(m) != nil {
			break // the answer says why
		}
	}
	res, err := call.CloseAndRecv()
	return res, call.Trailer(), err
}

func TestAppendsThatBreakTheProtocol(t *testing.T) {
	c := esdbserver.New(t, esdbserver.Options{})
	client, id := bare(t, c.Addrs()[0]), uuid.NewString()
	full := map[string]string{"type": "made", "content-type": "application/json"}
	untyped := message(id, map[string]string{"content-type": "x"})
	typed := message(id, map[string]string{"type": "x"})
	for name, m := range map[string]struct {
		messages  []*streams.AppendReq
		exception string
	}{
		"no options":      {[]*streams.AppendReq{message(id, full)}, ""},
		"options twice":   {[]*streams.AppendReq{optionsOf("s", 0), optionsOf("s", 0)}, ""},
		"no type":         {[]*streams.AppendReq{optionsOf("s", 0), untyped}, "missing-required-metadata-property"},
		"no content type": {[]*streams.AppendReq{optionsOf("s", 0), typed}, "missing-required-metadata-property"},
		"no id":           {[]*streams.AppendReq{optionsOf("s", 0), message("", full)}, ""},
	} {
		_, trailer, err := send(t, client, m.messages...)
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
		if got := append(trailer.Get("exception"), "")[0]; got != m.exception {
			t.Errorf("%s: the exception is %q, want %q", name, got, m.exception)
		}
	}
}

func TestAWrongVersionIsNoError(t *testing.T) {
	c := esdbserver.New(t, esdbserver.Options{})
	event := message(uuid.NewString(), map[string]string{"type": "a", "content-type": "b"})
	res, _, err := send(t, bare(t, c.Addrs()[0]), optionsOf("s", 7), event)
	wrong := res.GetWrongExpectedVersion()
	if err != nil || wrong.GetExpectedRevision() != 7 || wrong.GetExpectedRevision_20_6_0() != 7 ||
		wrong.GetCurrentNoStream() == nil || wrong.GetNoStream_20_6_0() == nil {
		t.Errorf("it answers %v, %v", res, err)
	}
}

func TestAWrongVersionOfADeletionIsOne(t *testing.T) {
	c := esdbserver.New(t, esdbserver.Options{})
	var trailer metadata.MD
	_, err := bare(t, c.Addrs()[0]).Delete(ctx(t), &streams.DeleteReq{Options: &streams.DeleteReq_Options{
		StreamIdentifier:       identifier("s"),
		ExpectedStreamRevision: &streams.DeleteReq_Options_Any{Any: &shared.Empty{}},
	}}, grpc.Trailer(&trailer))
	if status.Code(err) != codes.FailedPrecondition {
		t.Error(err)
	}
	for key, want := range map[string]string{
		"exception": "wrong-expected-version", "stream-name": "s", "expected-version": "-2", "actual-version": "-1",
	} {
		if got := trailer.Get(key); len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
}

func TestReadsThatBreakTheProtocol(t *testing.T) {
	c := esdbserver.New(t, esdbserver.Options{})
	client := bare(t, c.Addrs()[0])
	all := &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{}}
	stream := &streams.ReadReq_Options_Stream{
		Stream: &streams.ReadReq_Options_StreamOptions{StreamIdentifier: identifier("s")},
	}
	nameless := &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{}}
	subscription := &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}
	filter := func(f *streams.ReadReq_Options_FilterOptions) *streams.ReadReq_Options_Filter {
		return &streams.ReadReq_Options_Filter{Filter: f}
	}
	prefix := &streams.ReadReq_Options_FilterOptions_EventType{
		EventType: &streams.ReadReq_Options_FilterOptions_Expression{Prefix: []string{"a"}},
	}
	emptyFilter := filter(&streams.ReadReq_Options_FilterOptions{})
	noCheckpoints := filter(&streams.ReadReq_Options_FilterOptions{Filter: prefix})
	emptyWindow := filter(&streams.ReadReq_Options_FilterOptions{
		Filter:                       prefix,
		Window:                       &streams.ReadReq_Options_FilterOptions_Max{},
		CheckpointIntervalMultiplier: 1,
	})
	afterPrepare := &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{
		AllOption: &streams.ReadReq_Options_AllOptions_Position{
			Position: &streams.ReadReq_Options_Position{PreparePosition: 1},
		},
	}}
	back := streams.ReadReq_Options_Backwards
	for name, o := range map[string]*streams.ReadReq_Options{
		"nothing to read":         {CountOption: subscription},
		"no name":                 {StreamOption: nameless, CountOption: subscription},
		"no count":                {StreamOption: all},
		"a subscription back":     {StreamOption: all, CountOption: subscription, ReadDirection: back},
		"a stream filtered":       {StreamOption: stream, CountOption: subscription, FilterOption: emptyFilter},
		"an empty filter":         {StreamOption: all, CountOption: subscription, FilterOption: emptyFilter},
		"no checkpoints":          {StreamOption: all, CountOption: subscription, FilterOption: noCheckpoints},
		"a window of no events":   {StreamOption: all, CountOption: subscription, FilterOption: emptyWindow},
		"a commit before prepare": {StreamOption: afterPrepare, CountOption: subscription},
	} {
		call, err := client.Read(ctx(t), &streams.ReadReq{Options: o})
		if err != nil {
			t.Fatal(err)
		}
		if res, err := call.Recv(); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v, %v", name, res, err)
		}
	}
}

func TestARequestThatWantsTheLeader(t *testing.T) {
	c := esdbserver.New(t, esdbserver.Options{Nodes: 3})
	follower, leader := c.Addrs()[1], c.Addrs()[0]
	del := &streams.DeleteReq{Options: &streams.DeleteReq_Options{
		StreamIdentifier:       identifier("s"),
		ExpectedStreamRevision: &streams.DeleteReq_Options_Any{Any: &shared.Empty{}},
	}}
	var trailer metadata.MD
	wanting := metadata.AppendToOutgoingContext(ctx(t), "requires-leader", "true")
	_, err := bare(t, follower).Delete(wanting, del, grpc.Trailer(&trailer))
	if status.Code(err) != codes.NotFound || len(trailer.Get("leader-endpoint-port")) != 1 {
		t.Fatalf("it answers %v, %v", err, trailer)
	}
	if at := trailer.Get("leader-endpoint-host")[0] + ":" + trailer.Get("leader-endpoint-port")[0]; at != leader {
		t.Errorf("the leader is said to be at %s, not at %s", at, leader)
	}
}
