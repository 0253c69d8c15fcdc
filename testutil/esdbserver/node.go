package esdbserver

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"sandglass/testutil/devnet/process"
	"sandglass/testutil/esdbserver/eventlog"
	"sandglass/testutil/esdbserver/service"
)

// node is one server of the cluster, which keeps its address when it comes back.
type node struct {
	cluster *Cluster
	index   int
	id      eventlog.ID
	host    string
	port    int
	ports   process.Ports // nobody gets its port while it is down
	frozen  atomic.Int64  // how much of the log it has, or notFrozen
	has     atomic.Uint32 // how much of the log it has shown: never less than before

	life   sync.Mutex // held while it starts or stops
	served sync.WaitGroup

	mu       sync.Mutex   // guards what follows, and is never held over a call
	server   *grpc.Server // nil while it is away
	listener *listener
}

const notFrozen = -1

func (n *node) addr() string { return net.JoinHostPort(n.host, strconv.Itoa(n.port)) }

// start lets the node answer. It does nothing if it does already.
func (n *node) start() error {
	n.life.Lock()
	defer n.life.Unlock()
	if n.alive() {
		return nil
	}
	if n.port == 0 {
		var addr string
		if err := n.ports.Take(&addr); err != nil {
			return err
		}
		at := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr))
		n.host, n.port = at.IP.String(), at.Port
	}
	tcp, err := net.Listen("tcp", n.addr())
	if err != nil {
		return err
	}
	l := &listener{Listener: tcp, conns: map[string]*conn{}}
	server := n.newServer()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.server, n.listener = server, l
	n.served.Go(func() { _ = server.Serve(l) }) // it ends with stop
	return nil
}

func (n *node) newServer() *grpc.Server {
	creds := n.cluster.tls
	if creds == nil {
		creds = insecure.NewCredentials()
	}
	server := grpc.NewServer(
		grpc.Creds(creds), grpc.MaxRecvMsgSize(17<<20), grpc.ForceServerCodecV2(service.NewCodec()),
		// The client pings every 10 s; gRPC's own policy would send it away for that.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.UnaryInterceptor(n.cluster.unary), grpc.StreamInterceptor(n.cluster.streaming),
	)
	options := service.Options{
		EarlyCheckpoints: n.cluster.options.EarlyCheckpoints,
		SlowAfter:        n.cluster.options.SlowAfter,
	}
	streams.RegisterStreamsServer(server, service.New(n.cluster.log, n, &n.cluster.faults, options))
	serverfeatures.RegisterServerFeaturesServer(server, features{})
	gossip.RegisterGossipServer(server, gossiper{cluster: n.cluster})
	return server
}

// stop closes the listener and breaks the connections.
func (n *node) stop() {
	n.life.Lock()
	defer n.life.Unlock()
	n.mu.Lock()
	server, l := n.server, n.listener
	n.server = nil
	n.mu.Unlock()
	if server == nil {
		return
	}
	l.cut("")
	server.Stop()
	n.served.Wait()
}

func (n *node) alive() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.server != nil
}

// View implements [service.Node]: the log as the node sees it now. A follower is behind, by
// what was written in the last [Options.Lag].
func (n *node) View() (eventlog.View, func()) {
	v, unlock := n.cluster.log.View()
	if frozen := n.frozen.Load(); frozen != notFrozen {
		return v.Upto(uint32(frozen)), unlock
	}
	limit := v.Limit()
	if n.index != n.cluster.Leader() {
		limit = n.cluster.lag.limit(limit)
	}
	n.gets(limit)
	return v.Upto(n.has.Load()), unlock
}

// gets notes that the node has so much of the log.
func (n *node) gets(limit uint32) {
	for had := n.has.Load(); had < limit && !n.has.CompareAndSwap(had, limit); {
		had = n.has.Load()
	}
}

// Reads implements [service.Node].
func (n *node) Reads(ctx context.Context) error {
	switch {
	case !wantsLeader(ctx):
		return nil
	case !n.cluster.quorum(), n.cluster.faults.vote.Load():
		return unavailable("Server Is Not Ready")
	case n.index != n.cluster.Leader():
		return n.notLeader(ctx)
	}
	return nil
}

// Commit implements [service.Node]: it writes on the leader, whichever node this one is,
// unless a fault keeps it from that.
func (n *node) Commit(ctx context.Context, stream string, write func() eventlog.Written) (eventlog.Written, error) {
	fault := n.cluster.faults.nextWrite(stream)
	if n.cluster.faults.vote.Load() {
		fault = Hangs
	}
	if fault == NotLeader || n.refuses(ctx) {
		return eventlog.Written{}, n.notLeader(ctx)
	}
	if !fault.writes() {
		return eventlog.Written{}, n.failAs(ctx, fault)
	}
	if !n.cluster.quorum() {
		return eventlog.Written{}, unavailable("Server Is Not Ready")
	}
	res := n.cluster.write(write)
	return res, n.failAs(ctx, fault)
}

// refuses reports whether the node leaves a write to the leader.
func (n *node) refuses(ctx context.Context) bool {
	if n.index == n.cluster.Leader() {
		return false
	}
	return n.cluster.faults.refuse.Load() || wantsLeader(ctx)
}

// wantsLeader reports whether a call asks for the leader.
func wantsLeader(ctx context.Context) bool {
	in, _ := metadata.FromIncomingContext(ctx)
	header := in.Get("requires-leader")
	return len(header) > 0 && header[0] == "true"
}

func (n *node) notLeader(ctx context.Context) error {
	leader := n.cluster.nodes[n.cluster.Leader()]
	return service.Fail(ctx, codes.NotFound, "Leader info available.", "exception", "not-leader",
		"leader-endpoint-host", leader.host, "leader-endpoint-port", strconv.Itoa(leader.port))
}

func unavailable(text string) error { return status.Error(codes.Unavailable, text) }

// failAs ends a call as its fault says.
func (n *node) failAs(ctx context.Context, f Fault) error {
	switch f {
	case Lost, AnswerLost:
		return unavailable("esdbserver: a fault that the test made")
	case Cut, AnswerCut:
		if p, ok := peer.FromContext(ctx); ok {
			n.cut(p.Addr.String())
		}
		return unavailable("esdbserver: the test cuts the connection")
	case Hangs, AnswerHangs:
		<-ctx.Done()
		return status.FromContextError(ctx.Err()).Err()
	}
	return nil
}

// cut breaks the connection of a client, or for "" those of all.
func (n *node) cut(addr string) {
	n.mu.Lock()
	l := n.listener
	n.mu.Unlock()
	l.cut(addr)
}

// listener knows its connections by the addresses of the clients, so as to break them.
type listener struct {
	net.Listener
	mu    sync.Mutex
	conns map[string]*conn
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	tcp, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: tcp, listener: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[tcp.RemoteAddr().String()] = c
	return c, nil
}

func (l *listener) cut(addr string) {
	l.mu.Lock()
	var cut []*conn
	for at, c := range l.conns {
		if addr == "" || at == addr {
			cut = append(cut, c)
		}
	}
	l.mu.Unlock()
	for _, c := range cut {
		_ = c.Close() // it is broken on purpose
	}
}

type conn struct {
	net.Conn
	listener *listener
}

// Close implements [net.Conn].
func (c *conn) Close() error {
	c.listener.mu.Lock()
	delete(c.listener.conns, c.RemoteAddr().String())
	c.listener.mu.Unlock()
	return c.Conn.Close()
}
