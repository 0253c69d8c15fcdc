package requests_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sandglass/adapters/eventstoredb"
	"sandglass/adapters/eventstoredb/requests"
	"sandglass/domain/instant"
	"sandglass/domain/request"
	"sandglass/domain/stream"
	"sandglass/testutil/esdbserver"
	"sandglass/testutil/storetest"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// patience bounds each step of a test that would else hang, far above what it takes.
const patience = 2 * time.Minute

func TestContract(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]esdbserver.Options{
		"one node":                        {},
		"three nodes, with TLS and users": {Nodes: 3, TLS: true, Users: map[string]string{"ann": "open, sesame"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := esdbserver.New(t, options)
			c.Grant("ann") // no more than she needs
			contract(t, c.ConnectionString(), func(_ *testing.T, f storetest.Fault) {
				if f == storetest.Lost {
					c.LoseRequests(1)
				} else {
					c.LoseAnswers(1)
				}
			})
		})
	}
}

// TestContractOnARealServer is TestContract on the server that the environment names, as that
// of the log is.
func TestContractOnARealServer(t *testing.T) {
	const real = "SANDGLASS_TEST_ESDB"
	conn := os.Getenv(real)
	if conn == "" {
		t.Skipf("there is no real server here: %s can hold the connection string of one", real)
	}
	contract(t, conn, nil)
}

func contract(t *testing.T, conn string, fail func(*testing.T, storetest.Fault)) {
	storetest.Requests(t, storetest.RequestsHarness{Shared: true, Fail: fail, New: func(t *testing.T) func() storetest.RequestStore {
		namespace := newNamespace()
		return func() storetest.RequestStore { return open(t, conn, namespace, requests.Options{}) }
	}})
}

func newNamespace() string {
	var id [8]byte
	rand.Read(id[:]) // never fails
	return "test_" + hex.EncodeToString(id[:])
}

func open(t testing.TB, conn, namespace string, o requests.Options) *requests.Store {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := requests.Open(ctx, conn, namespace, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// names returns those of the records that are kept.
func names(t *testing.T, s *requests.Store) map[string]bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	there := map[string]bool{}
	for run, err := range s.Follow(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if len(run) == 0 {
			return there
		}
		for _, r := range run {
			there[r.Name()] = true
		}
	}
	t.Fatal("following has ended")
	return nil
}

func keep(t *testing.T, s *requests.Store, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := s.Keep(t.Context(), storetest.Request(i)); err != nil {
			t.Fatal(err)
		}
	}
}

// A follower misses nothing while connections break, the leader moves and nodes go, and
// whatever becomes of appends and reads.
func TestAFollowerOutlivesAllTrouble(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{Nodes: 3})
	namespace := newNamespace()
	a := open(t, c.ConnectionString(), namespace, requests.Impatient(requests.Options{}, 3*time.Second))
	b := open(t, c.ConnectionString(), namespace, requests.Impatient(requests.Options{}, 3*time.Second))
	const all = 120
	followed := make(chan map[string]bool, 1)
	go func() {
		there := map[string]bool{}
		defer func() { followed <- there }()
		for run, err := range b.Follow(t.Context()) {
			if err != nil {
				t.Error(err)
				return
			}
			for _, r := range run {
				there[r.Name()] = true
			}
			if len(there) == all {
				return
			}
		}
	}()
	for i := range all {
		switch i % 12 {
		case 1:
			c.CutReads()
		case 3:
			c.CutConnections()
		case 5:
			c.MoveLeader()
		case 7:
			c.LoseAnswers(1)
			c.CutReadsAfter(0, 1)
		case 9:
			c.CallConsumersSlow()
		case 11:
			c.FailAppends(esdbserver.Cut, esdbserver.AnswerCut)
		}
		for { // a retry is the same event
			err := a.Keep(t.Context(), storetest.Request(i))
			if err == nil {
				break
			}
			if !errors.Is(err, stream.ErrUnavailable) {
				t.Fatal(err)
			}
		}
	}
	select {
	case there := <-followed:
		if len(there) != all {
			t.Errorf("%d of %d came", len(there), all)
		}
	case <-time.After(patience):
		t.Error("not all came")
	}
}

// A subscription to a node that lags behind is silent while others keep: it goes on at another.
func TestASubscriptionFallsSilent(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{Nodes: 3})
	namespace, o := newNamespace(), requests.Impatient(requests.Options{}, 900*time.Millisecond)
	s := open(t, c.ConnectionString(), namespace, o)
	keep(t, s, 0, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for run, err := range s.Follow(ctx) {
		switch {
		case err != nil:
			t.Fatal(err)
		case len(run) == 0:
			c.Freeze(c.Leader()) // the node that s is connected to
			c.MoveLeader()
			keep(t, open(t, c.ConnectionString(), namespace, o), 1, 2)
		case run[0].Name() == storetest.Request(1).Name():
			return
		}
	}
	t.Error("it is silent still")
}

// The log's own readers don't see the requests.
func TestTheLogDoesNotSeeThem(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{})
	namespace := newNamespace()
	if err := eventstoredb.Create(t.Context(), c.ConnectionString(), eventstoredb.Options{Namespace: namespace}); err != nil {
		t.Fatal(err)
	}
	log, err := eventstoredb.Open(t.Context(), c.ConnectionString(), eventstoredb.Options{Namespace: namespace})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s := open(t, c.ConnectionString(), namespace, requests.Options{})
	keep(t, s, 0, 8)
	if head, err := log.Head(t.Context()); head != 0 || err != nil {
		t.Errorf("the head of the log is %d, %v", head, err)
	}
	res, err := log.Append(t.Context(), "toy-1", stream.NoStream, storetest.Events("toy-1", stream.NoStream, "x", 1))
	if err != nil {
		t.Fatal(err)
	}
	keep(t, s, 8, 16)
	if head, err := log.Head(t.Context()); head != res.Position || err != nil {
		t.Errorf("the head of the log is %d, %v, want %d", head, err, res.Position)
	}
	last := storetest.Events("toy-1", 0, "y", 1)
	if res, err = log.Append(t.Context(), "toy-1", 0, last); err != nil {
		t.Fatal(err)
	}
	n := 0
	for recs, err := range log.Subscribe(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range recs {
			if n++; r.Stream != "toy-1" {
				t.Errorf("the log shows %s", r.Stream)
			}
		}
		if recs[len(recs)-1].Position == res.Position {
			break
		}
	}
	if n != 2 {
		t.Errorf("the log shows %d events, want 2", n)
	}
}

// What is older than the $maxAge that an administrator set is gone from the invoices, and from
// nowhere else; without it, or with one that is wrong, the store says what is to be done.
func TestTheServerForgets(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	now.Store(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Unix())
	c := esdbserver.New(t, esdbserver.Options{Now: func() time.Time { return time.Unix(now.Load(), 0) }})
	namespace := newNamespace()
	s := open(t, c.ConnectionString(), namespace, requests.Options{})
	advice := func(want string) {
		t.Helper()
		got, err := s.Advice(t.Context())
		if err != nil || want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("advice %q, %v, want %q", got, err, want)
		}
	}
	advice("no $maxAge")
	c.Write("$$"+namespace+"-requests.invoices", "$metadata", `{"$maxAge":3600}`)
	advice("$maxAge of 1h0m0s")
	c.Write("$$"+namespace+"-requests.invoices", "$metadata", `{"$maxAge":691200}`)
	advice("")
	keep(t, s, 0, 8)
	now.Add(691200 + 1)
	keep(t, s, 8, 12)
	there := names(t, s)
	for i := range 12 {
		r := storetest.Request(i)
		if want := i >= 8 || r.Key == ""; there[r.Name()] != want {
			t.Errorf("%s is there: %t, want %t", r.Name(), there[r.Name()], want)
		}
	}
	now.Add(691200 + 1) // all invoices are hidden, and what comes is followed
	if there := names(t, s); len(there) != 3 {
		t.Errorf("%d are there, want the 3 addresses", len(there))
	}
	keep(t, s, 12, 13)
	if there := names(t, s); !there[storetest.Request(12).Name()] {
		t.Error("what came after all was forgotten is not there")
	}
	c.Write("$$"+namespace+"-requests.addresses", "$metadata", `{"$maxAge":691200}`)
	advice("take it away")
}

// What an append comes to is open while the cluster is away, and it goes on by itself.
func TestTheClusterIsAway(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{})
	s := open(t, c.ConnectionString(), newNamespace(), requests.Impatient(requests.Options{}, time.Second))
	keep(t, s, 0, 1)
	c.GoAway()
	if err := s.Keep(t.Context(), storetest.Request(1)); !errors.Is(err, stream.ErrUnavailable) {
		t.Errorf("away: %v, want %v", err, stream.ErrUnavailable)
	}
	if err := c.ComeBack(); err != nil {
		t.Fatal(err)
	}
	end := time.Now().Add(patience)
	for s.Keep(t.Context(), storetest.Request(1)) != nil && time.Now().Before(end) {
	}
	if there := names(t, s); len(there) != 2 {
		t.Errorf("%d records are there, want 2", len(there))
	}
}

// A user who may not write is told so when the store is opened.
func TestWhoMayNotWriteIsTold(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{TLS: true, Users: map[string]string{"ann": "a", "eve": "e"}})
	c.Grant("ann")
	namespace := newNamespace()
	if _, err := requests.Open(t.Context(), c.ConnectionStringAs("eve"), namespace, requests.Options{}); err == nil ||
		!strings.Contains(err.Error(), "may not") {
		t.Errorf("eve opens it: %v", err)
	}
	s := open(t, c.ConnectionStringAs("ann"), namespace, requests.Options{})
	if _, err := s.Advice(t.Context()); err != nil {
		t.Errorf("the metadata that she may read: %v", err)
	}
}

// What another program wrote, before a follower came or since, is passed over, and told in few
// lines.
func TestWhatIsForeignIsPassedOver(t *testing.T) {
	t.Parallel()
	c, namespace := esdbserver.New(t, esdbserver.Options{}), newNamespace()
	var told atomic.Int64
	s := open(t, c.ConnectionString(), namespace, requests.Options{Log: func(text string) {
		if told.Add(1); !strings.Contains(text, `"hello"`) || !strings.Contains(text, namespace+"-requests.") {
			t.Errorf("told: %s", text)
		}
	}})
	write := func(n int) {
		for range n {
			c.Write(namespace+"-requests.invoices", "hello", `{}`)
			c.Write(namespace+"-requests.addresses", "hello", `no JSON`)
		}
	}
	write(600) // more than a page
	keep(t, s, 0, 4)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	there, caughtUp := map[string]bool{}, false
	for run, err := range s.Follow(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range run {
			there[r.Name()] = true
		}
		if len(run) == 0 {
			if len(there) != 4 || caughtUp {
				t.Errorf("%d records are there, want 4; said before: %t", len(there), caughtUp)
			}
			caughtUp = true
			write(1)
			keep(t, s, 4, 8)
		}
		if len(there) == 8 {
			break
		}
	}
	if n := told.Load(); len(there) != 8 || n < 2 || n > 2*10 {
		t.Errorf("%d records came, want 8; %d lines tell of what is foreign", len(there), n)
	}
}

// A record that is not as it was written is nobody's, and stops nobody: no daemon may delete it.
// One of before has no checksum.
func TestWhatIsDamagedIsPassedOver(t *testing.T) {
	t.Parallel()
	c, namespace := esdbserver.New(t, esdbserver.Options{}), newNamespace()
	told := make(chan string, 9)
	s := open(t, c.ConnectionString(), namespace, requests.Options{Log: func(text string) { told <- text }})
	keep(t, s, 0, 1)
	good := string(request.Encode(storetest.Request(1)))
	sum := request.Checksum([]byte(good))
	for _, data := range []string{strings.Replace(good, "vm-", "wm-", 1), "no JSON", good} {
		c.WriteWith(namespace+"-requests.invoices", "request.kept.v1", data, fmt.Sprintf(`{"build":"x","sum":"%x"}`, sum))
	}
	c.WriteWith(namespace+"-requests.invoices", "request.kept.v1", string(request.Encode(storetest.Request(2))), `{"build":"x"}`)
	there := map[string]bool{}
	for run, err := range s.Follow(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if len(run) == 0 {
			break
		}
		for _, r := range run {
			there[r.Name()] = true
		}
	}
	if len(there) != 3 || !there[storetest.Request(1).Name()] || !there[storetest.Request(2).Name()] {
		t.Errorf("these are there: %v", there)
	}
	first, second := <-told, <-told
	if len(told) > 0 || !strings.Contains(first, "invoices 1, a") || !strings.Contains(second, "invoices 2, a") ||
		!strings.Contains(first, "is damaged") {
		t.Errorf("told %q, %q, and %d more", first, second, len(told))
	}
}

// What a newer build kept ends the daemons that can't read it, who say which build is needed.
func TestWhatANewerBuildKeptNamesIt(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{})
	for kind, data := range map[string]string{
		"request.kept.v2": `{}`, "request.kept.v1": `{"of":"tomorrow"}`, "request.let.v1": `{}`,
	} {
		namespace := newNamespace()
		s := open(t, c.ConnectionString(), namespace, requests.Options{})
		keep(t, s, 0, 1)
		c.WriteWith(namespace+"-requests.invoices", kind, data, `{"build":"sandglass v9.9.9"}`)
		set := request.New(request.Options{
			Store: s, Now: func() instant.Time { return 0 }, Most: 10,
			Failed: func(err error) { t.Errorf("%s: it goes on after %v", kind, err) },
		})
		err := set.Run(t.Context())
		unknown, ok := errors.AsType[*stream.UnknownError](err)
		if !ok || unknown.Build != "sandglass v9.9.9" || !strings.Contains(err.Error(), "-requests.invoices 1") {
			t.Errorf("%s: %v", kind, err)
		}
		select {
		case <-set.CaughtUp():
			t.Errorf("%s: all is read, it says", kind)
		default:
		}
	}
}

// A record names the build that kept it, for those who can't read it.
func TestARecordNamesItsBuild(t *testing.T) {
	t.Parallel()
	c, namespace := esdbserver.New(t, esdbserver.Options{}), newNamespace()
	keep(t, open(t, c.ConnectionString(), namespace, requests.Options{Build: "sandglass v1.2.3"}), 0, 1)
	conf, err := esdb.ParseConnectionString(c.ConnectionString())
	if err != nil {
		t.Fatal(err)
	}
	client, err := esdb.NewClient(conf)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	rs, err := client.ReadStream(t.Context(), namespace+"-requests.invoices", esdb.ReadStreamOptions{From: esdb.Start{}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer rs.Close()
	e, err := rs.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if got := stream.Unknown(&stream.Record{Event: stream.Event{Meta: e.Event.UserMetadata}}).Build; got != "sandglass v1.2.3" {
		t.Errorf("it names %q", got)
	}
}
