package devnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// firstBlocks are mined before anything else: with fewer, regtest has not
	// activated what channels need, and 432 are enough.
	firstBlocks = 432

	btc = 100_000_000 // sat
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
	Alice, Bob *Node

	// The macaroons of a daemon on alice, as [Network.Env] gives them.
	WatchMacaroon, IssueMacaroon string

	opts     Options
	binaries Binaries
	dir      string
	data     *dataDir // nil, as the next two, if another process runs the network
	nursery  *nursery
	ports    *ports
	btcd     *btcd
	miner    *miner
	others   []*Node // started locked
	rivals   []*Rival

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
		opts.ChannelSat = 10 * btc
	}
	if opts.PushSat == 0 {
		opts.PushSat = opts.ChannelSat / 5
	}
	if opts.Binaries == (Binaries{}) {
		var err error
		if opts.Binaries, err = Build(ctx, opts.Progress); err != nil {
			return nil, err
		}
	}
	for attempt := 1; ; attempt++ {
		n, err := start(ctx, opts)
		if err == nil {
			return n, nil
		}
		if !errors.Is(err, errAddressInUse) || attempt == 3 {
			return nil, fmt.Errorf("start the devnet: %w", err)
		}
	}
}

func start(ctx context.Context, opts Options) (*Network, error) {
	data, err := newDataDir(opts.Dir)
	if err != nil {
		return nil, err
	}
	n := &Network{opts: opts, binaries: opts.Binaries, dir: data.path, data: data, nursery: newNursery(), ports: new(ports)}
	n.close = sync.OnceValue(n.end)
	if err := n.boot(ctx); err != nil {
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
		{"starting btcd", n.startChain},
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

func (n *Network) startChain(ctx context.Context) error {
	n.btcd = n.newBtcd("btcd")
	var err error
	if n.miner, err = newMiner(n.btcd); err != nil {
		return err
	}
	if err := n.startBtcd(ctx, n.btcd); err != nil {
		return err
	}
	_, err = n.btcd.generate(ctx, firstBlocks)
	return err
}

func (n *Network) startNodes(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for name, node := range map[string]**Node{"alice": &n.Alice, "bob": &n.Bob} {
		d, err := n.newNode(name, n.opts.Flags...)
		if err != nil {
			return err
		}
		if err := d.unlocksItself(); err != nil {
			return err
		}
		*node = d
		g.Go(func() error {
			if err := d.launch(ctx); err != nil {
				return err
			}
			return d.createWallet(ctx)
		})
	}
	return g.Wait()
}

// Mine adds blocks to the chain, which hold what is in the mempool, and waits
// until the nodes have seen them.
func (n *Network) Mine(ctx context.Context, blocks int) error {
	if _, err := n.btcd.generate(ctx, blocks); err != nil {
		return err
	}
	return n.waitSynced(ctx)
}

// waitSynced waits for the nodes that run and whose wallets were ever open.
func (n *Network) waitSynced(ctx context.Context) error {
	for _, d := range n.nodes() {
		if d.proc != nil && !d.Running() || d.Pubkey == "" {
			continue
		}
		if err := d.WaitSynced(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Send pays each of sats to addr from the miner's coins, in one transaction, and
// returns its id. It stands in the mempool until the next Mine.
func (n *Network) Send(ctx context.Context, addr string, sats ...int64) (txid string, err error) {
	var outputs []Output
	for _, sat := range sats {
		outputs = append(outputs, To(addr, sat))
	}
	tx, err := n.miner.send(ctx, final, outputs)
	if err != nil {
		return "", err
	}
	return tx.Txid, nil
}

func (n *Network) nodes() []*Node {
	var nodes []*Node
	for _, d := range append([]*Node{n.Alice, n.Bob}, n.others...) {
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
		if d.proc != nil {
			errs = append(errs, d.Kill())
		}
	}
	for _, r := range n.rivals {
		errs = append(errs, r.Close())
	}
	if n.btcd != nil && n.btcd.proc != nil {
		errs = append(errs, n.btcd.proc.kill())
	}
	errs = append(errs, n.closeConns())
	n.nursery.close()
	n.ports.release()
	return errors.Join(append(errs, n.data.remove())...)
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
