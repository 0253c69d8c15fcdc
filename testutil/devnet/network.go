package devnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/lightningnetwork/lnd/lnrpc"
	"golang.org/x/sync/errgroup"

	"sandglass/testutil/devnet/btc"
	"sandglass/testutil/devnet/build"
	"sandglass/testutil/devnet/lnd"
	"sandglass/testutil/devnet/process"
)

// Options say how a network is made. The zero value is the usual one.
type Options struct {
	Binaries   Binaries  // the nodes; the zero value means those of [Build]
	Progress   io.Writer // for what Build and Start do; nil means silence
	Dir        string    // the folder for the data folder; "" means memory if there is room
	ChannelSat int64     // the capacity of the channel from bob to alice; 0 means 10 BTC
	PushSat    int64     // what of it is alice's at first; 0 means 2 BTC
	Flags      []string  // more flags for each lnd
}

// A Network is what runs. Its methods may be called from many goroutines, but
// for those that start, stop or restart nodes.
type Network struct {
	*btc.Chain // whose blocks the nodes follow

	Alice, Bob *lnd.Node

	// The macaroons of a daemon on alice, as [Network.Env] gives them.
	WatchMacaroon, IssueMacaroon string

	opts    Options
	dir     string
	data    *process.Dir // nil, as the next two, if another process runs the network
	nursery *process.Nursery
	ports   *process.Ports
	others  []*lnd.Node // started locked

	close func() error // once
}

// Start builds the nodes if need be, starts them and opens the channel; it takes
// some 4 to 10 seconds once they are built. ctx is for that time only: the network
// runs until Close, or until this process ends, however it ends.
func Start(ctx context.Context, opts Options) (*Network, error) {
	if opts.Progress == nil {
		opts.Progress = io.Discard
	}
	if opts.ChannelSat == 0 {
		opts.ChannelSat = 10 * coin
	}
	if opts.PushSat == 0 {
		opts.PushSat = opts.ChannelSat / 5
	}
	if opts.Binaries == (Binaries{}) {
		var err error
		if opts.Binaries, err = build.Nodes(ctx, opts.Progress); err != nil {
			return nil, err
		}
	}
	for attempt := 1; ; attempt++ {
		n, err := start(ctx, opts)
		if err == nil {
			return n, nil
		}
		if !errors.Is(err, process.ErrAddressInUse) || attempt == 3 {
			return nil, fmt.Errorf("start the devnet: %w", err)
		}
	}
}

func start(ctx context.Context, opts Options) (*Network, error) {
	data, err := process.NewDir(opts.Dir)
	if err != nil {
		return nil, err
	}
	n := &Network{opts: opts, dir: data.Path, data: data, nursery: process.NewNursery(), ports: new(process.Ports)}
	n.close = sync.OnceValue(n.end)
	n.Chain, err = btc.New(btc.Options{
		Binary: opts.Binaries.Btcd, Dir: n.dir, Nursery: n.nursery, Ports: n.ports, Synced: n.waitSynced,
	})
	if err == nil {
		err = n.boot(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

func (n *Network) boot(ctx context.Context) error {
	begin := time.Now()
	steps := []struct {
		name string
		do   func(context.Context) error
	}{
		{"starting btcd", n.Launch},
		{"starting alice and bob", n.startNodes},
		{"funding bob", n.fundBob},
		{"opening the channel", n.openChannel},
		{"baking macaroons", n.bakeDaemonMacaroons},
	}
	for _, step := range steps {
		fmt.Fprintf(n.opts.Progress, "devnet: %4.1f s  %s\n", time.Since(begin).Seconds(), step.name)
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	fmt.Fprintf(n.opts.Progress, "devnet: %4.1f s  ready\n", time.Since(begin).Seconds())
	return nil
}

func (n *Network) startNodes(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for name, node := range map[string]**lnd.Node{"alice": &n.Alice, "bob": &n.Bob} {
		d, err := n.host().New(name, n.opts.Flags...)
		if err != nil {
			return err
		}
		if err := d.UnlocksItself(); err != nil {
			return err
		}
		*node = d
		g.Go(func() error {
			if err := d.Launch(ctx); err != nil {
				return err
			}
			return d.CreateWallet(ctx)
		})
	}
	return g.Wait()
}

// host is where a node runs.
func (n *Network) host() lnd.Host {
	return lnd.Host{Binary: n.opts.Binaries.Lnd, Dir: n.dir, Nursery: n.nursery, Ports: n.ports, Chain: n.Chain}
}

// StartLocked starts another lnd, with more flags, and a wallet of its own, which waits for its
// password: its State is LOCKED until [lnd.Node.Unlock]. It has no channel, and locks
// itself again at each restart.
func (n *Network) StartLocked(ctx context.Context, flags ...string) (*lnd.Node, error) {
	d, err := n.host().New(fmt.Sprintf("carol-%d", len(n.others)+1), flags...)
	if err != nil {
		return nil, err
	}
	n.others = append(n.others, d)
	if err := d.Launch(ctx); err != nil {
		return nil, err
	}
	if err := d.CreateWallet(ctx); err != nil {
		return nil, err
	}
	if err := d.Relaunch(ctx); err != nil {
		return nil, err
	}
	return d, d.WaitState(ctx, lnrpc.WalletState_LOCKED)
}

// waitSynced waits for the nodes that run and whose wallets were ever open.
func (n *Network) waitSynced(ctx context.Context) error {
	for _, d := range n.nodes() {
		if !d.Follows() {
			continue
		}
		if err := d.WaitSynced(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (n *Network) nodes() []*lnd.Node {
	var nodes []*lnd.Node
	for _, d := range append([]*lnd.Node{n.Alice, n.Bob}, n.others...) {
		if d != nil {
			nodes = append(nodes, d)
		}
	}
	return nodes
}

// Dir is the folder that holds all the network's data.
func (n *Network) Dir() string { return n.dir }

// Close kills the nodes and removes their data. Another call changes nothing.
func (n *Network) Close() error { return n.close() }

func (n *Network) end() error {
	var errs []error
	for _, d := range n.nodes() {
		if d.Running() {
			errs = append(errs, d.Kill())
		}
	}
	if n.Chain != nil {
		errs = append(errs, n.Chain.End())
	}
	errs = append(errs, n.closeConns())
	n.nursery.Close()
	n.ports.Release()
	return errors.Join(append(errs, n.data.Remove())...)
}

func (n *Network) closeConns() error {
	var errs []error
	for _, d := range n.nodes() {
		if d.Conn != nil {
			errs = append(errs, d.Conn.Close())
		}
	}
	return errors.Join(errs...)
}
