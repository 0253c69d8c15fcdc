package esdbserver_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"sandglass/testutil/esdbserver"
)

// named makes an event of each word, whose id is made of it.
func named(words string) []esdb.EventData {
	list := events(len(strings.Fields(words)))
	for i, w := range strings.Fields(words) {
		list[i].EventID = uuid.NewSHA1(uuid.Nil, []byte(w))
	}
	return list
}

// given brings the stream "s" about.
type given func(t *testing.T, client *esdb.Client)

func holding(words string) given {
	return func(t *testing.T, client *esdb.Client) { appendTo(t, client, "s", esdb.Any{}, named(words)...) }
}

func another(words string) given {
	return func(t *testing.T, client *esdb.Client) { appendTo(t, client, "other", esdb.Any{}, named(words)...) }
}

func deleted(t *testing.T, client *esdb.Client) {
	if _, err := client.DeleteStream(ctx(t), "s", esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}}); err != nil {
		t.Fatal(err)
	}
}

func tombstoned(t *testing.T, client *esdb.Client) {
	if _, err := client.TombstoneStream(ctx(t), "s", esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}}); err != nil {
		t.Fatal(err)
	}
}

func described(t *testing.T, client *esdb.Client) {
	var m esdb.StreamMetadata
	m.SetMaxCount(100)
	if _, err := client.SetStreamMetadata(ctx(t), "s", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, m); err != nil {
		t.Fatal(err)
	}
}

const (
	ok           = esdb.ErrorCode(-1)
	wrongVersion = esdb.ErrorCodeWrongExpectedVersion
	isDeleted    = esdb.ErrorCodeStreamDeleted
)

func TestAppend(t *testing.T) {
	none, exists := esdb.NoStream{}, esdb.StreamExists{}
	for _, c := range []struct {
		name     string
		given    []given
		expected esdb.ExpectedRevision
		events   string
		code     esdb.ErrorCode
		number   uint64 // the last event's
		written  int    // how many were
	}{
		{"a new stream", nil, none, "a b", ok, 1, 2},
		{"a new stream with any", nil, esdb.Any{}, "a", ok, 0, 1},
		{"a new stream at a number", nil, esdb.Revision(0), "a", wrongVersion, 0, 0},
		{"a new stream that should exist", nil, exists, "a", wrongVersion, 0, 0},
		{"a stream with metadata alone exists", []given{described}, exists, "a", ok, 0, 1},
		{"a stream with metadata alone is no stream", []given{described}, none, "a", ok, 0, 1},
		{"the last number", []given{holding("a b")}, esdb.Revision(1), "c d", ok, 3, 2},
		{"a number beyond", []given{holding("a b")}, esdb.Revision(2), "c", wrongVersion, 0, 0},
		{"the highest number", []given{holding("a b")}, esdb.Revision(math.MaxUint64 - 1), "c", wrongVersion, 0, 0},
		{"an earlier number, other events", []given{holding("a b")}, esdb.Revision(0), "c", wrongVersion, 0, 0},
		{"an earlier number, the same events", []given{holding("a b c")}, esdb.Revision(0), "b c", ok, 2, 0},
		{"an earlier number, some of the events", []given{holding("a b c")}, esdb.Revision(0), "b", ok, 1, 0},
		{"an earlier number, the same and one more", []given{holding("a b")}, esdb.Revision(0), "b c", wrongVersion, 0, 0},
		{"an earlier number, no events", []given{holding("a b")}, esdb.Revision(0), "", wrongVersion, 0, 0},
		{"no stream, the same events", []given{holding("a b")}, none, "a b", ok, 1, 0},
		{"no stream, other events", []given{holding("a b")}, none, "c", wrongVersion, 0, 0},
		{"any, the same events", []given{holding("a b c")}, esdb.Any{}, "a b", ok, 1, 0},
		{"any, new events", []given{holding("a b")}, esdb.Any{}, "c", ok, 2, 1},
		{"any, the same and one more", []given{holding("a b")}, esdb.Any{}, "b c", wrongVersion, 0, 0},
		{"any, one more and the same", []given{holding("a b")}, esdb.Any{}, "c b", ok, 3, 2},
		{"any, an id of another stream", []given{another("a")}, esdb.Any{}, "a", ok, 0, 1},
		{"exists, the same events", []given{holding("a b")}, exists, "a b", ok, 1, 0},
		{"exists, new events", []given{holding("a b")}, exists, "c", ok, 2, 1},
		{"exists, the same and one more", []given{holding("a b")}, exists, "b c", wrongVersion, 0, 0},
		{"deleted, no stream", []given{holding("a b"), deleted}, none, "c", ok, 2, 1},
		{"deleted, any", []given{holding("a b"), deleted}, esdb.Any{}, "c", ok, 2, 1},
		{"deleted, its number", []given{holding("a b"), deleted}, esdb.Revision(1), "c", ok, 2, 1},
		{"deleted, exists", []given{holding("a b"), deleted}, exists, "c", isDeleted, 0, 0},
		{"deleted, no stream, the same events", []given{holding("a b"), deleted}, none, "a b", ok, 1, 0},
		{"tombstoned, no stream", []given{holding("a b"), tombstoned}, none, "c", isDeleted, 0, 0},
		{"tombstoned, any", []given{holding("a b"), tombstoned}, esdb.Any{}, "c", isDeleted, 0, 0},
		{"tombstoned, any, the same events", []given{holding("a b"), tombstoned}, esdb.Any{}, "a b", isDeleted, 0, 0},
		{"tombstoned, its number", []given{holding("a b"), tombstoned}, esdb.Revision(1), "c", isDeleted, 0, 0},
		{"tombstoned, exists", []given{tombstoned}, exists, "c", isDeleted, 0, 0},
		{"nothing to a new stream", nil, none, "", ok, 1, 0}, // what the client makes of it
		{"nothing to a stream", []given{holding("a b")}, esdb.Revision(1), "", ok, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, client := single(t)
			for _, g := range c.given {
				g(t, client)
			}
			before := written(t, client)
			options := esdb.AppendToStreamOptions{ExpectedRevision: c.expected}
			res, err := client.AppendToStream(ctx(t), "s", options, named(c.events)...)
			if code(err) != c.code {
				t.Fatalf("the code is %d, %v; want %d", code(err), err, c.code)
			}
			if err == nil && res.NextExpectedVersion != c.number {
				t.Errorf("the last number is %d, want %d", res.NextExpectedVersion, c.number)
			}
			after := written(t, client)
			if n := len(after) - len(before); n != c.written {
				t.Fatalf("%d events were written, want %d", n, c.written)
			}
			if err == nil && c.events != "" {
				at := find(t, after, "s", res.NextExpectedVersion).Position
				if at.Commit != res.CommitPosition || at.Prepare != res.PreparePosition {
					t.Errorf("the position is %d, want %v, that of the event", res.CommitPosition, at)
				}
			}
		})
	}
}

// written returns the events of users in the log, without tombstones.
func written(t *testing.T, client *esdb.Client) []*esdb.RecordedEvent {
	t.Helper()
	all, err := drain(client.ReadAll(ctx(t), esdb.ReadAllOptions{}, math.MaxUint64))
	if err != nil {
		t.Fatal(err)
	}
	var list []*esdb.RecordedEvent
	for _, e := range all {
		if !strings.HasPrefix(e.Event.EventType, "$") {
			list = append(list, e.Event)
		}
	}
	return list
}

func find(t *testing.T, list []*esdb.RecordedEvent, stream string, number uint64) *esdb.RecordedEvent {
	t.Helper()
	for _, e := range list {
		if e.StreamID == stream && e.EventNumber == number {
			return e
		}
	}
	t.Fatalf("%s has no event %d", stream, number)
	return nil
}

func TestAWrongVersionSaysWhatThereIs(t *testing.T) {
	_, client := single(t)
	appendTo(t, client, "s", esdb.NoStream{}, events(3)...)
	for _, c := range []struct {
		stream   string
		expected esdb.ExpectedRevision
		want     string
	}{
		{"s", esdb.NoStream{}, "expecting 'no_stream' but got '2'"},
		{"s", esdb.Revision(7), "expecting '7' but got '2'"},
		{"new", esdb.Revision(0), "expecting '0' but got 'no_stream'"},
		{"new", esdb.StreamExists{}, "expecting 'stream_exists' but got 'no_stream'"},
	} {
		_, err := client.AppendToStream(ctx(t), c.stream, esdb.AppendToStreamOptions{ExpectedRevision: c.expected}, events(1)...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.stream, err, c.want)
		}
	}
}

func TestAnAppendThatIsRefused(t *testing.T) {
	_, client := single(t)
	big := events(1)
	big[0].Data = make([]byte, 1<<20)
	for name, c := range map[string]struct {
		stream string
		events []esdb.EventData
	}{
		"too big":          {"s", big},
		"without a name":   {"", events(1)},
		"to all":           {"$all", events(1)},
		"to a meta's meta": {"$$$$s", events(1)},
	} {
		_, err := client.AppendToStream(ctx(t), c.stream, esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, c.events...)
		if err == nil {
			t.Errorf("an append %s is accepted", name)
		}
	}
	if list := written(t, client); len(list) != 0 {
		t.Errorf("%d events were written", len(list))
	}
	big[0].Data = make([]byte, 1<<20-2*len(big[0].EventType))
	appendTo(t, client, "s", esdb.NoStream{}, big...)
}

func TestAnEventKeepsAllThatItIsMadeOf(t *testing.T) {
	at := time.Date(2030, 1, 2, 3, 4, 5, 678_900, time.UTC)
	c := esdbserver.New(t, esdbserver.Options{Now: func() time.Time { return at }})
	client := connect(t, c.ConnectionString())
	in := esdb.EventData{
		EventID: uuid.New(), EventType: "kind", ContentType: esdb.ContentTypeBinary,
		Data: []byte{0, 1}, Metadata: []byte("meta"),
	}
	appendTo(t, client, "s", esdb.NoStream{}, in)
	list, err := drain(client.ReadStream(ctx(t), "s", esdb.ReadStreamOptions{}, 1))
	if err != nil {
		t.Fatal(err)
	}
	if list[0].Commit != nil || list[0].Link != nil {
		t.Errorf("a read of a stream tells a position in the log, or a link: %+v", list[0])
	}
	out := list[0].Event
	if out.EventID != in.EventID || out.EventType != in.EventType || out.ContentType != "application/octet-stream" ||
		string(out.Data) != string(in.Data) || string(out.UserMetadata) != string(in.Metadata) ||
		out.StreamID != "s" || out.EventNumber != 0 || out.Position.Commit == 0 || !out.CreatedDate.Equal(at) {
		t.Errorf("it is %+v", out)
	}
}
