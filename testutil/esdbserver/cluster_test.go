package esdbserver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"go.uber.org/goleak"

	"sandglass/testutil/esdbserver"
)

// connect makes a client that ends with the test, and logs nothing.
func connect(t testing.TB, connection string) *esdb.Client {
	t.Helper()
	config, err := esdb.ParseConnectionString(connection)
	if err != nil {
		t.Fatal(err)
	}
	config.Logger = esdb.NoopLogging()
	config.DiscoveryInterval = 1 // ms
	client, err := esdb.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// single starts a node and connects to it.
func single(t testing.TB) (*esdbserver.Cluster, *esdb.Client) {
	t.Helper()
	c := esdbserver.New(t, esdbserver.Options{})
	return c, connect(t, c.ConnectionString())
}

// ctx is for calls that must not hang.
func ctx(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// events makes n events with ids of their own.
func events(n int) []esdb.EventData {
	list := make([]esdb.EventData, n)
	for i := range list {
		list[i] = esdb.EventData{EventType: "made", ContentType: esdb.ContentTypeJson, Data: fmt.Appendf(nil, `{"n":%d}`, i)}
	}
	return list
}

func appendTo(
	t testing.TB, client *esdb.Client, stream string, expected esdb.ExpectedRevision, list ...esdb.EventData,
) *esdb.WriteResult {
	t.Helper()
	res, err := client.AppendToStream(ctx(t), stream, esdb.AppendToStreamOptions{ExpectedRevision: expected}, list...)
	if err != nil {
		t.Fatalf("appending to %s: %v", stream, err)
	}
	return res
}

// drain receives all events of a read.
func drain(s *esdb.ReadStream, err error) ([]*esdb.ResolvedEvent, error) {
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var list []*esdb.ResolvedEvent
	for {
		e, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return list, err
		}
		list = append(list, e)
	}
}

// code returns the client's code of an error, however it is wrapped.
func code(err error) esdb.ErrorCode {
	var e *esdb.Error
	if !errors.As(err, &e) {
		return -1
	}
	return e.Code()
}

func TestASubscriptionSeesWhatIsAppended(t *testing.T) {
	_, client := single(t)
	appendTo(t, client, "a", esdb.NoStream{}, events(3)...)
	sub, err := client.SubscribeToAll(ctx(t), esdb.SubscribeToAllOptions{
		From: esdb.Start{}, Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{"a", "b"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	var got []string
	for len(got) < 7 {
		switch e := sub.Recv(); {
		case e.SubscriptionDropped != nil:
			t.Fatal(e.SubscriptionDropped.Error)
		case e.CaughtUp != nil:
			got = append(got, "caught up")
			appendTo(t, client, "b", esdb.NoStream{}, events(2)...)
			appendTo(t, client, "a", esdb.Revision(2), events(1)...)
		case e.EventAppeared != nil:
			got = append(got, fmt.Sprint(e.EventAppeared.Event.StreamID, e.EventAppeared.Event.EventNumber))
		}
	}
	if want := "[a0 a1 a2 caught up b0 b1 a3]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	list, err := drain(client.ReadStream(ctx(t), "a", esdb.ReadStreamOptions{}, 100))
	if err != nil || len(list) != 4 {
		t.Errorf("read %d events, %v; want 4", len(list), err)
	}
	all, err := drain(client.ReadAll(ctx(t), esdb.ReadAllOptions{}, 100))
	if err != nil || len(all) != 7 {
		t.Errorf("read %d events of all, %v; want 7", len(all), err)
	}
}

func TestCloseLeavesNothingRunning(t *testing.T) {
	before := goleak.IgnoreCurrent()
	c, err := esdbserver.Start(esdbserver.Options{Nodes: 3, TLS: true})
	if err != nil {
		t.Fatal(err)
	}
	config, err := esdb.ParseConnectionString(c.ConnectionString())
	if err != nil {
		t.Fatal(err)
	}
	config.Logger = esdb.NoopLogging()
	client, err := esdb.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	appendTo(t, client, "s", esdb.NoStream{}, events(1)...)
	sub, err := client.SubscribeToAll(ctx(t), esdb.SubscribeToAllOptions{})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, sub, "live")
	c.Close()
	if _, err := os.Stat(c.CAFile()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the certificate is left: %v", err)
	}
	expect(t, sub, "Unavailable")
	_ = sub.Close()
	_ = client.Close()
	goleak.VerifyNone(t, before)
}

// TestTheMemoryOfIDsIsBounded tells a retry from a new write as long as the server does.
func TestTheMemoryOfIDsIsBounded(t *testing.T) {
	c := esdbserver.New(t, esdbserver.Options{RememberIDs: 10})
	client := connect(t, c.ConnectionString())
	early := named("early")
	appendTo(t, client, "s", esdb.Any{}, early...)
	appendTo(t, client, "s", esdb.Any{}, events(9)...)
	if res := appendTo(t, client, "s", esdb.Any{}, early...); res.NextExpectedVersion != 0 {
		t.Errorf("a retry is written as number %d", res.NextExpectedVersion)
	}
	appendTo(t, client, "s", esdb.Any{}, events(1)...)
	if res := appendTo(t, client, "s", esdb.Any{}, early...); res.NextExpectedVersion != 11 {
		t.Errorf("an id that is long past is still known: the number is %d", res.NextExpectedVersion)
	}
	appendTo(t, client, "s", esdb.Any{}, events(20)...)
	if res := appendTo(t, client, "s", esdb.NoStream{}, early...); res.NextExpectedVersion != 0 {
		t.Errorf("at its number it is not known: %d", res.NextExpectedVersion)
	}
}
