package esdbserver

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/credentials"

	"sandglass/testutil/esdbserver/eventlog"
	"sandglass/testutil/esdbserver/service"
)

// Options are what a cluster is made of. The zero value is one node without TLS.
type Options struct {
	Nodes       int               // 1, the default, or 3
	TLS         bool              // with a certificate authority of its own: see CAFile
	Users       map[string]string // passwords by name; others are refused. It needs TLS
	Now         func() time.Time  // when events are created; the default is time.Now
	SystemEvery int               // after so many events the server writes one of its own; 0 is never
	RememberIDs int               // of how many events it knows the ids, to tell a retry; the default is 65536
	// EarlyCheckpoints has a filtered subscription that reaches the end of the log told of a
	// checkpoint there, as KurrentDB 25.0.0 does. Its commit position is that of the event to
	// come and its prepare position is 0, so who keeps the commit position alone misses an
	// event.
	EarlyCheckpoints bool
	SlowAfter        time.Duration // how long a live subscription may take over one event; the default is 2 s
	Lag              time.Duration // after which a follower has what was written; the default is 5 ms, below 0 is none
}

// Cluster is an EventStoreDB of one node or three. Its log lives as long as it does, however
// often its nodes go and come back.
type Cluster struct {
	options Options
	dir     string // of the certificates, if there are any
	tls     credentials.TransportCredentials
	log     *eventlog.Log
	nodes   []*node
	lag     replication
	faults  faults
	calls   calls
}

// New starts a cluster that ends with the test.
func New(t testing.TB, o Options) *Cluster {
	t.Helper()
	c, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Start starts a cluster, which the caller closes.
func Start(o Options) (*Cluster, error) {
	if o.Nodes == 0 {
		o.Nodes = 1
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.RememberIDs == 0 {
		o.RememberIDs = 1 << 16
	}
	if o.SlowAfter == 0 {
		o.SlowAfter = 2 * time.Second
	}
	if o.Lag == 0 {
		o.Lag = 5 * time.Millisecond
	}
	switch {
	case o.Nodes != 1 && o.Nodes != 3:
		return nil, fmt.Errorf("esdbserver: %d nodes: it has 1 or 3", o.Nodes)
	case len(o.Users) > 0 && !o.TLS:
		return nil, errors.New("esdbserver: users need TLS: without it the client sends no password")
	}
	c := &Cluster{calls: newCalls(), options: o, log: eventlog.New(logOptions(o))}
	c.lag.after = o.Lag
	if err := c.makeTLS(); err != nil {
		return nil, err
	}
	for i := range o.Nodes {
		n := &node{cluster: c, index: i, id: eventlog.NewID()}
		n.frozen.Store(notFrozen)
		c.nodes = append(c.nodes, n)
		if err := n.start(); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

func logOptions(o Options) eventlog.Options {
	return eventlog.Options{
		Now:          o.Now,
		SystemEvery:  o.SystemEvery,
		RememberIDs:  o.RememberIDs,
		EncodeStream: service.EncodeStream,
		EncodeKind:   service.EncodeKind,
	}
}

// Close ends the cluster and waits for its calls to end.
func (c *Cluster) Close() {
	c.GoAway()
	c.calls.wait()
	if c.dir != "" {
		_ = os.RemoveAll(c.dir) // it holds nothing but certificates
	}
}

// CAFile is the path of the certificate that signs those of the nodes: what a connection
// string names as tlsCAFile.
func (c *Cluster) CAFile() string { return filepath.Join(c.dir, "ca.crt") }

// ConnectionString returns what the client needs to find the nodes. If there are users it
// is that of the first by name.
func (c *Cluster) ConnectionString() string {
	if len(c.options.Users) == 0 {
		return c.connectionString(nil)
	}
	return c.ConnectionStringAs(slices.Min(slices.Collect(maps.Keys(c.options.Users))))
}

// ConnectionStringAs returns the connection string of a user, and of nobody for "".
func (c *Cluster) ConnectionStringAs(user string) string {
	if user == "" {
		return c.connectionString(nil)
	}
	return c.connectionString(url.UserPassword(user, c.options.Users[user]))
}

func (c *Cluster) connectionString(user *url.Userinfo) string {
	query := "tls=false"
	if c.options.TLS {
		query = "tls=true&tlsCAFile=" + url.QueryEscape(c.CAFile())
	}
	hosts := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		hosts[i] = n.addr()
	}
	at := strings.Join(hosts, ",")
	if user != nil {
		at = user.String() + "@" + at
	}
	return "esdb://" + at + "?" + query
}

// Leader returns which node is the leader, from 0.
func (c *Cluster) Leader() int { return int(c.faults.leader.Load()) }

// Addrs returns the addresses of the nodes, as host:port.
func (c *Cluster) Addrs() []string {
	addrs := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		addrs[i] = n.addr()
	}
	return addrs
}

// calls counts those that go on. Nodes stop without waiting for them, since what a test
// does during one may be just that.
type calls struct {
	ended *sync.Cond
	n     int
}

func newCalls() calls { return calls{ended: sync.NewCond(new(sync.Mutex))} }

func (c *calls) begin() (end func()) {
	c.count(1)
	return func() { c.count(-1) }
}

func (c *calls) count(n int) {
	c.ended.L.Lock()
	defer c.ended.L.Unlock()
	if c.n += n; c.n == 0 {
		c.ended.Broadcast()
	}
}

func (c *calls) wait() {
	c.ended.L.Lock()
	defer c.ended.L.Unlock()
	for c.n > 0 {
		c.ended.Wait()
	}
}
