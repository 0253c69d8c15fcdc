package eventstoredb_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"sandglass/adapters/eventstoredb"
	"sandglass/testutil/esdbserver"
	"sandglass/testutil/storetest"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

func TestCheckpoints(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]esdbserver.Options{
		"one node":                        {},
		"three nodes, with TLS and users": {Nodes: 3, TLS: true, Users: map[string]string{"ann": "open, sesame"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := esdbserver.New(t, options)
			c.Grant("ann") // no more than she needs
			checkpoints(t, c.ConnectionString(), func(_ *testing.T, f storetest.Fault) {
				if f == storetest.Lost {
					c.LoseRequests(1)
				} else {
					c.LoseAnswers(1)
				}
			})
		})
	}
}

// TestCheckpointsOnARealServer is TestCheckpoints on the server that the environment names.
func TestCheckpointsOnARealServer(t *testing.T) {
	conn := os.Getenv(real)
	if conn == "" {
		t.Skipf("there is no real server here: %s can hold the connection string of one", real)
	}
	checkpoints(t, conn, nil)
}

func checkpoints(t *testing.T, conn string, fail func(*testing.T, storetest.Fault)) {
	last := ""
	spoil := func(kind, data string) func(*testing.T) string {
		return func(t *testing.T) (says string) {
			client(t, conn, func(c *esdb.Client) {
				e := esdb.EventData{EventType: kind, ContentType: esdb.ContentTypeJson, Data: []byte(data)}
				res, err := c.AppendToStream(t.Context(), last+"-checkpoints", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, e)
				if err != nil {
					t.Fatal(err)
				}
				says = fmt.Sprintf("the stream %s-checkpoints ends with event %d, of type %q, written at 20",
					last, res.NextExpectedVersion, kind)
			})
			return says
		}
	}
	storetest.Checkpoints(t, storetest.CheckpointsHarness{
		Shared: true, Fail: fail,
		New: func(t *testing.T) func() storetest.CheckpointStore {
			namespace := newLog(t, conn)
			last = namespace
			return func() storetest.CheckpointStore { return open(t, conn, eventstoredb.Options{Namespace: namespace}) }
		},
		Spoil: []func(*testing.T) string{
			spoil("theirs", `{}`), spoil("checkpoint.signed.v2", `{"note":"a\n"}`), spoil("checkpoint.signed.v1", `{"note":""}`),
			spoil("checkpoint.signed.v1", `{"note":7}`), spoil("$>", `0@theirs`),
		},
	})
}

// The server forgets what was signed before, if it is told to, and the log has nothing of it.
func TestCheckpointsAreForgotten(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{})
	namespace := newLog(t, c.ConnectionString())
	s := open(t, c.ConnectionString(), eventstoredb.Options{Namespace: namespace})
	advice := func() string {
		text, err := s.Advice(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if !strings.Contains(advice(), "$maxCount") {
		t.Errorf("the advice is %q", advice())
	}
	c.Write("$$"+namespace+"-checkpoints", "$metadata", `{"$maxCount":2}`)
	if got := advice(); got != "" {
		t.Errorf("the advice is %q", got)
	}
	for version := range int64(5) {
		if err := s.SwapCheckpoint(t.Context(), version, []byte("note\n")); err != nil {
			t.Fatal(err)
		}
	}
	if _, version, err := s.Checkpoint(t.Context()); err != nil || version != 5 {
		t.Errorf("version %d, %v", version, err)
	}
	if head, err := s.Head(t.Context()); err != nil || head != 0 {
		t.Errorf("the log ends at %d, %v", head, err)
	}
}
