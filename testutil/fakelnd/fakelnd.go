// Package fakelnd is an lnd of the tests: a real gRPC server behind TLS and macaroons,
// which answers as lnd v0.21 was seen to, and misbehaves when it is told to.
//
// An [Lnd] outlives its server: after Kill or Stop, Start brings it back at its address
// with its invoices. Money comes when a test says so, with Pay, Keysend and their like, or
// with Send over a chain of its own, which Mine and Reorg move on.
package fakelnd

import (
	"crypto/tls"
	"encoding/hex"
	"errors"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/lightningnetwork/lnd/lnrpc"
	"github.com/lightningnetwork/lnd/lnrpc/chainrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"sandglass/testutil/devnet/process"
	"sandglass/testutil/fakelnd/invoices"
	"sandglass/testutil/fakelnd/queue"
	"sandglass/testutil/fakelnd/selfsigned"
	"sandglass/testutil/fakelnd/stall"
)

// Lnd is a node. Its paths stay the same over restarts.
type Lnd struct {
	Addr          string // host:port
	TLSCert       string // path, as the next three
	WatchMacaroon string
	IssueMacaroon string
	AdminMacaroon string

	dir  string
	keys *rootKeys

	mu        sync.Mutex // guards what follows
	network   string
	state     lnrpc.WalletState
	unsynced  bool
	db        db
	key       *btcec.PrivateKey
	clients   map[*client]bool
	followers map[*queue.Queue[*lnrpc.Invoice]]string // of one invoice each, by its payment_hash
	wallet    *wallet
	txs       queue.Subscribers[*lnrpc.Transaction]
	epochs    queue.Subscribers[*chainrpc.BlockEpoch]
	ending    chan struct{} // closed when the streams end
	faults    faults
	server    *grpc.Server
	listener  *stall.Listener
	served    sync.WaitGroup
	ports     process.Ports // nobody gets its port while it is down
}

// New makes a node whose files are in dir, and starts it.
func New(dir string) (*Lnd, error) {
	l := &Lnd{
		dir: dir, keys: newRootKeys(), network: "regtest", state: lnrpc.WalletState_SERVER_ACTIVE,
		db: newDB(), clients: map[*client]bool{}, followers: map[*queue.Queue[*lnrpc.Invoice]]string{},
		ending: make(chan struct{}), TLSCert: filepath.Join(dir, "tls.cert"),
		wallet: newWallet(), txs: queue.Subscribers[*lnrpc.Transaction]{}, epochs: queue.Subscribers[*chainrpc.BlockEpoch]{},
	}
	l.SetIdentity(1)
	var err error
	for _, m := range []struct {
		path *string
		name string
		id   string
		ops  []Permission
	}{
		{&l.WatchMacaroon, "watch.macaroon", "101", Watching},
		{&l.IssueMacaroon, "issue.macaroon", "102", Issuing},
		{&l.AdminMacaroon, "admin.macaroon", "0", Everything},
	} {
		*m.path = filepath.Join(dir, m.name)
		err = errors.Join(err, l.Bake(*m.path, m.id, m.ops...))
	}
	if err := errors.Join(err, l.RenewCert(), l.ports.Take(&l.Addr)); err != nil {
		return nil, err
	}
	return l, l.Start()
}

// Start lets the node answer, at the address that it had.
func (l *Lnd) Start() error {
	cert, err := tls.LoadX509KeyPair(l.TLSCert, filepath.Join(l.dir, "tls.key"))
	if err != nil {
		return err
	}
	tcp, err := net.Listen("tcp", l.Addr)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listener = stall.New(tcp)
	server := grpc.NewServer(
		grpc.Creds(credentials.NewServerTLSFromCert(&cert)),
		grpc.UnaryInterceptor(l.unary), grpc.StreamInterceptor(l.streaming),
		// As lnd: a client that pings more often is sent away.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: l.faults.pingEvery(), PermitWithoutStream: true}),
	)
	lnrpc.RegisterLightningServer(server, &lightning{Lnd: l})
	lnrpc.RegisterStateServer(server, &stateService{Lnd: l})
	chainrpc.RegisterChainKitServer(server, &kit{Lnd: l})
	chainrpc.RegisterChainNotifierServer(server, &notifier{Lnd: l})
	invoices.Register(server, holding{l})
	l.server = server
	listener := l.listener
	l.served.Go(func() { _ = server.Serve(listener) }) // it ends with Kill or Stop
	return nil
}

// Kill ends the node as a power cut would: connections break, invoices stay.
func (l *Lnd) Kill() {
	l.mu.Lock()
	server, listener := l.server, l.listener
	l.server = nil
	l.leave()
	l.mu.Unlock()
	if server == nil {
		return
	}
	listener.Stall(false)
	server.Stop()
	l.served.Wait()
}

// Stop ends the streams cleanly, without an error, and then the node.
func (l *Lnd) Stop() {
	l.EndStreams()
	l.Kill()
}

// EndStreams ends the subscriptions that are there with a clean io.EOF.
func (l *Lnd) EndStreams() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leave()
	close(l.ending)
	l.ending = make(chan struct{})
}

// leave has all subscribers gone, so that [Lnd.Listening] counts those who came since. The caller holds the mutex.
func (l *Lnd) leave() {
	clear(l.clients)
	clear(l.txs)
	clear(l.epochs)
}

// Stall leaves the connections open, and lets nothing through them, as a network does
// that forgot them; new ones are accepted and hang. Stall(false) lets everything on.
func (l *Lnd) Stall(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listener.Stall(on)
}

// SetIdentity makes it another node: one for each n but 0.
func (l *Lnd) SetIdentity(n byte) {
	key, _ := btcec.PrivKeyFromBytes([]byte{n})
	l.change(func() { l.key = key })
}

// Identity returns its identity_pubkey.
func (l *Lnd) Identity() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.identity()
}

func (l *Lnd) identity() string { return hex.EncodeToString(l.key.PubKey().SerializeCompressed()) }

// SetState sets what the State service tells. All else is refused unless it is
// SERVER_ACTIVE, with the texts that lnd has for it.
func (l *Lnd) SetState(s lnrpc.WalletState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state = s
}

// SetSynced says whether it has seen the whole chain.
func (l *Lnd) SetSynced(synced bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unsynced = !synced
}

// RenewCert makes a new certificate, which the next Start serves.
func (l *Lnd) RenewCert() error {
	return l.MakeCert("lnd autogenerated cert", time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour))
}

// MakeCert is RenewCert for a certificate of somebody, and of some time.
func (l *Lnd) MakeCert(organization string, begin, end time.Time) error {
	return selfsigned.Write(l.TLSCert, filepath.Join(l.dir, "tls.key"), organization, begin, end)
}
