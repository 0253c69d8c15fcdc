package eventstoredb_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"sandglass/adapters/eventstoredb"
	"sandglass/domain/stream"
	"sandglass/testutil/esdbserver"
	"sandglass/testutil/storetest"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"go.uber.org/goleak"
)

// theirs is an event of somebody else.
var theirs = esdb.EventData{EventType: "theirs", ContentType: esdb.ContentTypeJson, Data: []byte(`{}`)}

// TestMain looks for goroutines that outlive the tests. Those of gRPC's connections are
// passed over: the client loses one now and then when it looks for another node. And those
// that hang in a dead client, which only a test makes: TestTheClientDiesAndHangs.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("google.golang.org/grpc/internal/grpcsync.(*CallbackSerializer).run"),
		goleak.IgnoreAnyFunction("google.golang.org/grpc.(*addrConn).connect"),
		goleak.IgnoreAnyFunction("google.golang.org/grpc/internal/transport.(*http2Client).reader"),
		goleak.IgnoreAnyFunction("google.golang.org/grpc/internal/transport.(*http2Client).keepalive"),
		goleak.IgnoreAnyFunction("google.golang.org/grpc/internal/transport.(*loopyWriter).run"),
		goleak.IgnoreTopFunction("github.com/EventStore/EventStore-Client-Go/v4/esdb.(*grpcClient).handleError"),
		goleak.IgnoreTopFunction("github.com/EventStore/EventStore-Client-Go/v4/esdb.(*grpcClient).getConnectionHandle"),
	)
}

// What is wrong with a connection string is said without a try, and without its password.
func TestBadConnectionStrings(t *testing.T) {
	for conn, want := range map[string]string{
		"":                                      "no connection string",
		"http://a:2113":                         "no connection string",
		"esdb://ann:secret@a:port":              "no connection string",
		"esdb://ann:secret@a/b?tls=false":       "no connection string",
		"esdb://:secret@a?tls=false":            "no connection string",
		"esdb://ann:secret@a?tls=perhaps":       "no connection string",
		"esdb://ann:secret@a?tlss=false":        `unknown setting "tlss"`,
		"esdb://ann:secret@a?tls=false;x":       "settings can't be read",
		`esdb://ann:"secret"@a:port?tls=false`:  "%2F",
		"esdb://ann:/secret@a?tls=false":        "%2F",
		"esdb://ann:12/secret@a?tls=false":      "%2F",
		"esdb://ann:12/secret@a,b?tls=false":    "%2F",
		"esdb://ann:?secret@a":                  "%2F",
		"esdb://ann:12?secret@a?tls=false":      "%2F",
		"esdb://ann:secret#x@a":                 "%2F",
		"esdb://ann:%secret@a":                  "%2F",
		"esdb://ann:secret@a?tlsCAFile=/no/one": "no such file",
		"esdb://ann:secret@a?userCertFile=x":    "userKeyFile",
	} {
		_, err := eventstoredb.Open(t.Context(), conn, eventstoredb.Options{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", conn, err, want)
		}
	}
	for _, namespace := range []string{"a-b", "a.b", "A", "$a", "1a", strings.Repeat("a", 41)} {
		err := eventstoredb.Create(t.Context(), "esdb://a", eventstoredb.Options{Namespace: namespace})
		if err == nil || !strings.Contains(err.Error(), "namespace") {
			t.Errorf("namespace %q: %v", namespace, err)
		}
	}
}

func TestCreateAndOpen(t *testing.T) {
	t.Parallel()
	conn := esdbserver.New(t, esdbserver.Options{}).ConnectionString()
	refused := func(err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	_, err := eventstoredb.Open(t.Context(), conn, eventstoredb.Options{})
	refused(err, "sandglass init")
	if err := eventstoredb.Create(t.Context(), conn, eventstoredb.Options{}); err != nil {
		t.Fatal(err)
	}
	refused(eventstoredb.Create(t.Context(), conn, eventstoredb.Options{}), "holds a log already")
	s, again := open(t, conn, eventstoredb.Options{}), open(t, conn, eventstoredb.Options{})
	if len(s.ID()) != 32 || s.ID() != again.ID() {
		t.Errorf("ids %q and %q", s.ID(), again.ID())
	}
	other := open(t, conn, eventstoredb.Options{Namespace: newLog(t, conn)})
	if other.ID() == s.ID() {
		t.Error("two logs have one id")
	}
	events := storetest.Events("toy-1", stream.NoStream, "x", 1)
	if _, err := other.Append(t.Context(), "toy-1", stream.NoStream, events); err != nil {
		t.Fatal(err)
	}
	if head, err := s.Head(t.Context()); head != 0 || err != nil {
		t.Errorf("what is in another namespace is at %d, %v", head, err)
	}
	client(t, conn, func(c *esdb.Client) {
		options := esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}
		if _, err := c.AppendToStream(t.Context(), "others", options, theirs); err != nil {
			t.Fatal(err)
		}
	})
	_, err = eventstoredb.Open(t.Context(), conn, eventstoredb.Options{Namespace: "others"})
	refused(err, "does not begin a log")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Head(t.Context()); !errors.Is(err, eventstoredb.ErrClosed) {
		t.Errorf("a closed store: %v", err)
	}
	for _, err := range s.Subscribe(t.Context(), 0) {
		if !errors.Is(err, eventstoredb.ErrClosed) {
			t.Errorf("a subscription to a closed store: %v", err)
		}
	}
}

// client runs f with a client of its own, as another program beside ours would.
func client(t *testing.T, conn string, f func(*esdb.Client)) {
	t.Helper()
	config, err := esdb.ParseConnectionString(conn)
	if err != nil {
		t.Fatal(err)
	}
	config.Logger = esdb.NoopLogging()
	c, err := esdb.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	f(c)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// What somebody else does to our streams is told, and never taken for ours.
func TestWhatOthersDo(t *testing.T) {
	t.Parallel()
	conn := esdbserver.New(t, esdbserver.Options{}).ConnectionString()
	o := eventstoredb.Options{Namespace: newLog(t, conn)}
	s := open(t, conn, o)
	for _, name := range []string{"toy-foreign", "toy-truncated", "toy-deleted", "toy-buried"} {
		if _, err := s.Append(t.Context(), name, stream.NoStream, storetest.Events(name, stream.NoStream, "x", 3)); err != nil {
			t.Fatal(err)
		}
	}
	client(t, conn, func(c *esdb.Client) {
		full := func(name string) string { return o.Namespace + "." + name }
		options := esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}
		_, err := c.AppendToStream(t.Context(), full("toy-foreign"), options, theirs)
		var m esdb.StreamMetadata
		m.SetTruncateBefore(2)
		_, err2 := c.SetStreamMetadata(t.Context(), full("toy-truncated"), options, m)
		_, err3 := c.DeleteStream(t.Context(), full("toy-deleted"), esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}})
		_, err4 := c.TombstoneStream(t.Context(), full("toy-buried"), esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}})
		if err := errors.Join(err, err2, err3, err4); err != nil {
			t.Fatal(err)
		}
	})
	read := func(name string) (err error) {
		for _, err = range s.Read(t.Context(), name, 0) {
		}
		return err
	}
	write := func(name string, expected stream.Revision) error {
		_, err := s.Append(t.Context(), name, expected, storetest.Events(name, expected, "y", 1))
		return err
	}
	for what, test := range map[string]struct {
		err  error
		want string
	}{
		"an event without our metadata":     {read("toy-foreign"), "not written by Sandglass"},
		"a stream that was truncated":       {read("toy-truncated"), ".toy-truncated without $tb"},
		"a stream that was deleted":         {write("toy-deleted", stream.NoStream), ".toy-deleted without $tb"},
		"a stream with a tombstone":         {read("toy-buried"), "hard-deleted in the store"},
		"an append to one with a tombstone": {write("toy-buried", 2), "hard-deleted in the store"},
	} {
		if test.err == nil || !strings.Contains(test.err.Error(), test.want) || errors.Is(test.err, stream.ErrUnavailable) {
			t.Errorf("%s: %v, want %q", what, test.err, test.want)
		}
	}
	var last error
	for _, last = range s.Subscribe(t.Context(), 0) {
	}
	if last == nil || !strings.Contains(last.Error(), "not written by Sandglass") {
		t.Errorf("the subscription ends with %v", last)
	}
}

// A subscription that comes upon a stream that was deleted for good says so.
func TestAStreamIsHardDeleted(t *testing.T) {
	t.Parallel()
	conn := esdbserver.New(t, esdbserver.Options{}).ConnectionString()
	o := eventstoredb.Options{Namespace: newLog(t, conn)}
	s := open(t, conn, o)
	if _, err := s.Append(t.Context(), "toy-1", stream.NoStream, storetest.Events("toy-1", stream.NoStream, "x", 3)); err != nil {
		t.Fatal(err)
	}
	client(t, conn, func(c *esdb.Client) {
		options := esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}}
		if _, err := c.TombstoneStream(t.Context(), o.Namespace+".toy-1", options); err != nil {
			t.Fatal(err)
		}
	})
	var last error
	for _, last = range s.Subscribe(t.Context(), 0) {
	}
	if last == nil || !strings.Contains(last.Error(), ".toy-1 was hard-deleted in the store, as $streamDeleted at position") {
		t.Errorf("the subscription ends with %v", last)
	}
}

// Who asks for what is after an event that the log does not have has read another one.
func TestSubscribeAfterNoEvent(t *testing.T) {
	t.Parallel()
	conn := esdbserver.New(t, esdbserver.Options{}).ConnectionString()
	var logs [2]*eventstoredb.Store
	for i := range logs {
		logs[i] = open(t, conn, eventstoredb.Impatient(eventstoredb.Options{Namespace: newLog(t, conn)}, 300*time.Millisecond))
	}
	var ends []stream.Position
	for i := range 3 {
		name := fmt.Sprintf("toy-%d", i)
		res, err := logs[i%2].Append(t.Context(), name, stream.NoStream, storetest.Events(name, stream.NoStream, "x", 1))
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, res.Position)
	}
	for what, after := range map[string]stream.Position{
		"of the other log": ends[1],
		"within an event":  ends[0] + 1,
		"beyond the end":   ends[2] + 1,
	} {
		var last error
		for _, last = range logs[0].Subscribe(t.Context(), after) {
		}
		if last == nil || errors.Is(last, stream.ErrUnavailable) || !strings.Contains(last.Error(), "position") {
			t.Errorf("%s: it ends with %v", what, last)
		}
	}
}

// What others write after the end of the log is looked through once.
func TestHeadBehindWhatOthersWrite(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{})
	conn := c.ConnectionString()
	o := eventstoredb.Options{Namespace: newLog(t, conn)}
	s := open(t, conn, o)
	var reads counter
	c.OnRead(func(r esdbserver.Reading) int {
		if r.Stream == "$all" {
			reads.add()
		}
		return -1
	})
	var last stream.Position
	ten := slices.Repeat([]esdb.EventData{{EventType: "theirs"}}, 10)
	for i, foreign := range []int{5000, 5000, 10} {
		client(t, conn, func(c *esdb.Client) {
			for range foreign / len(ten) {
				if _, err := c.AppendToStream(t.Context(), "others", esdb.AppendToStreamOptions{}, ten...); err != nil {
					t.Fatal(err)
				}
			}
		})
		for look, most := range []int{5, 1} { // 5000 events are a short page and three long ones
			before := reads.get()
			if head, err := s.Head(t.Context()); head != last || err != nil {
				t.Errorf("head %d, %v, want %d", head, err, last)
			}
			if n := reads.get() - before; n > most {
				t.Errorf("look %d behind %d events took %d reads, want %d at most", look, foreign, n, most)
			}
		}
		other := open(t, conn, o) // so that s does not know of it
		before := stream.Revision(i - 1)
		res, err := other.Append(t.Context(), "toy-1", before, storetest.Events("toy-1", before, "x", 1))
		if err != nil {
			t.Fatal(err)
		}
		last = res.Position
		if head, err := s.Head(t.Context()); head != last || err != nil {
			t.Errorf("head %d, %v, want %d", head, err, last)
		}
	}
}

// What others have written since the last event of the log is looked through by the server if
// it is much: a start in a cluster that others fill does not read it back.
func TestHeadFarBehindWhatOthersWrite(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{})
	conn := c.ConnectionString()
	o := eventstoredb.Options{Namespace: newLog(t, conn)}
	var last stream.Position
	many := slices.Repeat([]esdb.EventData{{EventType: "theirs"}}, 1000)
	fill := func() {
		client(t, conn, func(c *esdb.Client) {
			for range 40 {
				if _, err := c.AppendToStream(t.Context(), "others", esdb.AppendToStreamOptions{}, many...); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	var reads, subscriptions counter
	c.OnRead(func(r esdbserver.Reading) int {
		if r.Subscription {
			subscriptions.add()
		} else if r.Stream == "$all" {
			reads.add()
		}
		return -1
	})
	look := func(s *eventstoredb.Store, mostReads, mostSubscriptions int) {
		t.Helper()
		before, begun := reads.get(), subscriptions.get()
		if head, err := s.Head(t.Context()); head != last || err != nil {
			t.Errorf("head %d, %v, want %d", head, err, last)
		}
		if n, m := reads.get()-before, subscriptions.get()-begun; n > mostReads || m > mostSubscriptions {
			t.Errorf("it took %d reads and %d subscriptions, want %d and %d at most", n, m, mostReads, mostSubscriptions)
		}
	}
	fill()
	fresh := open(t, conn, o)
	look(fresh, 6, 1)
	look(fresh, 1, 0)
	res, err := open(t, conn, o).Append(t.Context(), "toy-1", stream.NoStream, storetest.Events("toy-1", stream.NoStream, "x", 3))
	if err != nil {
		t.Fatal(err)
	}
	last = res.Position
	fill()
	look(fresh, 6, 1)
	look(fresh, 1, 0)
	look(open(t, conn, o), 6, 1)
	c.CutReadsAfter(-1, -1, -1, -1, 0) // the subscription
	look(open(t, conn, o), 60, 1)
}

// Where the store can't be written until somebody mends it, the store says what to mend.
func TestTheBeginningIsGone(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{})
	conn := c.ConnectionString()
	o := eventstoredb.Options{Namespace: newLog(t, conn)}
	s := open(t, conn, o)
	client(t, conn, func(c *esdb.Client) {
		options := esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}}
		if _, err := c.TombstoneStream(t.Context(), o.Namespace, options); err != nil {
			t.Fatal(err)
		}
	})
	c.FailAppends(esdbserver.Lost)
	if _, err := s.Append(t.Context(), "toy-1", stream.NoStream, storetest.Events("toy-1", stream.NoStream, "x", 1)); err == nil {
		t.Error("an append went well")
	}
	until(t, "it says what to mend", func() error {
		err := s.Writable()
		if err == nil || strings.Contains(err.Error(), "restore a backup") {
			return nil
		}
		return err
	})
	if err := s.Writable(); err == nil || errors.Is(err, stream.ErrUnavailable) {
		t.Errorf("writable: %v", err)
	}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{TLS: true, Users: map[string]string{"ann": "secret"}})
	c.Grant("ann")
	conn := c.ConnectionStringAs("ann")
	namespace := newLog(t, conn)
	wrong := strings.Replace(conn, "ann:secret", "ann:sesame", 1)
	began := time.Now()
	_, err := eventstoredb.Open(t.Context(), wrong, eventstoredb.Options{Namespace: namespace})
	if err == nil || !strings.Contains(err.Error(), "password is wrong") || strings.Contains(err.Error(), "sesame") {
		t.Errorf("a wrong password: %v", err)
	}
	t.Logf("told after %s", time.Since(began).Round(time.Millisecond))
}

// An address at which nobody listens is told, with what the client says about it.
func TestNobodyIsThere(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	// A few looks, so that no client goes on looking after the test.
	o := eventstoredb.LooksTimes(eventstoredb.Impatient(eventstoredb.Options{}, 500*time.Millisecond), 2)
	_, err = eventstoredb.Open(t.Context(), "esdb://ann:secret@"+addr+"?tls=false", o)
	if !errors.Is(err, stream.ErrUnavailable) || !strings.Contains(err.Error(), "connection refused") ||
		strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := eventstoredb.Open(ctx, "esdb://"+addr+"?tls=false", o); !errors.Is(err, context.Canceled) {
		t.Errorf("given up by the caller: %v", err)
	}
}

// same reports whether two records are alike. Metadata that are none may be nil or empty.
func same(a, b stream.Record) bool {
	return a.Stream == b.Stream && a.Revision == b.Revision && a.Position == b.Position &&
		a.ID == b.ID && a.Type == b.Type && a.At == b.At && a.RecordedAt == b.RecordedAt &&
		bytes.Equal(a.Data, b.Data) && bytes.Equal(a.Meta, b.Meta)
}

// Import keeps all that records are but their positions, and can be done again.
func TestImport(t *testing.T) {
	t.Parallel()
	for _, fault := range []esdbserver.Fault{
		esdbserver.None,
		esdbserver.Lost,
		esdbserver.AnswerLost,
		esdbserver.Cut,
		esdbserver.AnswerCut,
	} {
		c := esdbserver.New(t, esdbserver.Options{})
		conn := c.ConnectionString()
		from, to := eventstoredb.Options{Namespace: newLog(t, conn)}, eventstoredb.Options{Namespace: newLog(t, conn)}
		s := open(t, conn, from)
		for i, name := range []string{"toy-1", "toy-2", "toy-1", "toy-1", "toy-3"} {
			expected := map[int]stream.Revision{2: 299, 3: 301}[i]
			if i < 2 || i == 4 {
				expected = stream.NoStream
			}
			n := 2
			if i == 0 {
				n = 256
				if _, err := s.Append(t.Context(), name, expected, storetest.Events(name, expected, "x", 44)); err != nil {
					t.Fatal(err)
				}
				expected = 43
			}
			if _, err := s.Append(t.Context(), name, expected, storetest.Events(name, expected, "x", n)); err != nil {
				t.Fatal(err)
			}
		}
		all := everything(t, conn, from)
		for i := range all { // as if another clock had recorded them
			all[i].RecordedAt -= 1000
		}
		d := open(t, conn, to)
		c.FailAppends(fault)
		for _, end := range []int{0, 1, 100, 299, 300, len(all), len(all)} { // each with all that was there before
			if err := d.Import(t.Context(), all[:end]); err != nil {
				t.Fatalf("fault %d: %v", fault, err)
			}
		}
		copied := everything(t, conn, to)
		if len(copied) != len(all) {
			t.Fatalf("%d of %d records were copied", len(copied), len(all))
		}
		for i, r := range copied {
			r.Position = all[i].Position
			if !same(r, all[i]) {
				t.Fatalf("record %d is %+v, want %+v", i, r, all[i])
			}
		}
		gap := all[len(all)-1]
		gap.Revision += 5
		if err := d.Import(t.Context(), []stream.Record{gap}); !errors.Is(err, stream.ErrWrongRevision) {
			t.Errorf("a record that does not follow: %v", err)
		}
	}
}
