package lnd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/lightningnetwork/lnd/lnrpc"
	"github.com/lightningnetwork/lnd/lnrpc/chainrpc"
	"google.golang.org/grpc"

	"sandglass/testutil/devnet/btc"
	"sandglass/testutil/devnet/process"
)

// An Info says where an lnd is and what opens it; all but the names are paths and
// host:port.
type Info struct {
	Name   string `json:"name"`
	Pubkey string `json:"pubkey"` // identity, in hex; "" while the wallet was never open
	GRPC   string `json:"grpc"`
	P2P    string `json:"p2p"`
	Dir    string `json:"dir"` // its --lnddir

	TLSCert          string `json:"tls_cert"`
	AdminMacaroon    string `json:"admin_macaroon"`
	ReadonlyMacaroon string `json:"readonly_macaroon"`
	InvoiceMacaroon  string `json:"invoice_macaroon"`
}

// A Node is an lnd. Its clients stay usable over restarts, and carry the admin
// macaroon; every call is there for what the methods don't say.
type Node struct {
	Info

	Conn          *grpc.ClientConn
	Lightning     lnrpc.LightningClient
	ChainNotifier chainrpc.ChainNotifierClient
	ChainKit      chainrpc.ChainKitClient
	State         lnrpc.StateClient
	Unlocker      lnrpc.WalletUnlockerClient

	host  Host
	proc  *process.Process
	flags []string
}

// A Host is where nodes run, and the chain that they follow.
type Host struct {
	Binary  string // lnd's
	Dir     string // which holds a folder for each node
	Nursery *process.Nursery
	Ports   *process.Ports
	Chain   *btc.Chain
}

// New prepares a node without starting it.
func (h Host) New(name string, flags ...string) (*Node, error) {
	dir := filepath.Join(h.Dir, name)
	chain := h.Chain.Btcd()
	macaroons := filepath.Join(dir, "data", "chain", "bitcoin", "regtest")
	d := &Node{
		host: h,
		Info: Info{
			Name: name, Dir: dir,
			TLSCert:          filepath.Join(dir, "tls.cert"),
			AdminMacaroon:    filepath.Join(macaroons, "admin.macaroon"),
			ReadonlyMacaroon: filepath.Join(macaroons, "readonly.macaroon"),
			InvoiceMacaroon:  filepath.Join(macaroons, "invoice.macaroon"),
		},
	}
	if err := h.Ports.Take(&d.GRPC, &d.P2P); err != nil {
		return nil, err
	}
	d.flags = append([]string{
		"--lnddir=" + dir, "--alias=" + name,
		"--bitcoin.regtest", "--bitcoin.node=btcd", "--bitcoin.defaultchanconfs=1", "--bitcoin.minhtlc=1",
		"--btcd.rpchost=" + chain.RPC, "--btcd.rpcuser=" + chain.User, "--btcd.rpcpass=" + chain.Pass,
		"--btcd.rpccert=" + chain.Cert,
		"--listen=" + d.P2P, "--rpclisten=" + d.GRPC, "--norest", "--tlsdisableautofill", "--nobootstrap",
		"--trickledelay=50", "--gossip.sub-batch-delay=5ms", "--db.batch-commit-interval=10ms",
		"--accept-keysend", "--accept-amp", "--protocol.wumbo-channels", "--maxpendingchannels=10",
		"--healthcheck.chainbackend.attempts=0", "--healthcheck.diskspace.attempts=0",
		"--healthcheck.tls.attempts=0", "--logging.file.disable", "--debuglevel=info",
	}, flags...)
	return d, os.MkdirAll(dir, 0o700)
}

// Attach makes the clients of a node that another process runs.
func Attach(info Info, chain *btc.Chain) (*Node, error) {
	d := &Node{Info: info, host: Host{Chain: chain}}
	return d, d.dial()
}

// Launch starts the process and waits until the State service answers.
func (d *Node) Launch(ctx context.Context) error {
	proc, err := d.host.Nursery.Run(d.Name, filepath.Join(d.Dir, "lnd.log"), d.host.Binary, d.flags...)
	if err != nil {
		return err
	}
	d.proc = proc
	if d.Conn == nil {
		err = d.proc.Until(ctx, d.Name+" has written its certificate", func(context.Context) error { return d.dial() })
		if err != nil {
			return err
		}
	}
	return d.proc.Until(ctx, d.Name+" answers", func(ctx context.Context) error {
		_, err := d.State.GetState(ctx, &lnrpc.GetStateRequest{})
		return err
	})
}

// WaitState waits for the node to be in state, or beyond it.
func (d *Node) WaitState(ctx context.Context, state lnrpc.WalletState) error {
	return d.proc.Until(ctx, d.Name+" is "+state.String(), func(ctx context.Context) error {
		got, err := d.State.GetState(ctx, &lnrpc.GetStateRequest{})
		if err != nil {
			return err
		}
		if got.State < state || got.State == lnrpc.WalletState_WAITING_TO_START {
			return fmt.Errorf("%s is %s", d.Name, got.State)
		}
		return nil
	})
}

// WaitReady waits until the node serves every call and has seen the whole chain.
func (d *Node) WaitReady(ctx context.Context) error {
	if err := d.WaitState(ctx, lnrpc.WalletState_SERVER_ACTIVE); err != nil {
		return err
	}
	return d.WaitSynced(ctx)
}

// WaitSynced waits until the node has seen the active chain's last block: its
// wallet, its channels, and its chain notifier, which alone tells a block from
// another at its height. While the chain is shorter than it was, which only
// [btc.Chain.Invalidate] makes it, lnd doesn't say, and nothing is waited for.
func (d *Node) WaitSynced(ctx context.Context) error {
	return d.proc.Until(ctx, d.Name+" has seen the last block", func(ctx context.Context) error {
		info, err := d.Lightning.GetInfo(ctx, &lnrpc.GetInfoRequest{}) // whose block is btcd's
		if err != nil {
			return err
		}
		if d.Pubkey == "" {
			d.Pubkey = info.IdentityPubkey
		}
		seen, err := d.lastBlockSeen(ctx)
		if err != nil || seen == info.BlockHash && info.SyncedToChain {
			return err
		}
		if shorter, err := d.host.Chain.WasLonger(ctx); err != nil || shorter {
			return err
		}
		return fmt.Errorf("%s has seen block %s, synced %t, and the last is %d, %s",
			d.Name, seen, info.SyncedToChain, info.BlockHeight, info.BlockHash)
	})
}

// lastBlockSeen returns the hash of the last block of the node's chain notifier.
func (d *Node) lastBlockSeen(ctx context.Context) (string, error) {
	ctx, cancel := context.WithCancel(ctx) // ends the stream
	defer cancel()
	epochs, err := d.ChainNotifier.RegisterBlockEpochNtfn(ctx, &chainrpc.BlockEpoch{})
	if err != nil {
		return "", err
	}
	last, err := epochs.Recv()
	if err != nil {
		return "", err
	}
	hash, err := chainhash.NewHash(last.Hash)
	if err != nil {
		return "", err
	}
	return hash.String(), nil
}

// Follows reports whether the node follows the chain: its wallet was open before, and it
// runs, or another process knows whether it does.
func (d *Node) Follows() bool { return d.Pubkey != "" && (d.proc == nil || d.Running()) }

// Running reports whether the node's process is there, frozen or not.
func (d *Node) Running() bool { return d.proc.Running() }

// Kill ends the node with SIGKILL, as a power cut would. A payment to it that is
// sent before its peer has noticed waits until the node is back.
func (d *Node) Kill() error { return d.proc.Kill() }

// Stop asks the node to end, with SIGINT, and waits until it has.
func (d *Node) Stop(ctx context.Context) error {
	ctx, cancel := process.Step(ctx)
	defer cancel()
	if err := errors.Join(d.Thaw(), d.proc.Signal(os.Interrupt)); err != nil {
		return err
	}
	select {
	case <-d.proc.Ended():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop %s: %w", d.Name, context.Cause(ctx))
	}
}

// Restart starts the node again, on its ports and data, after stopping it if it
// runs, and waits until it serves every call. A channel may need a moment more.
func (d *Node) Restart(ctx context.Context) error {
	if err := d.Relaunch(ctx); err != nil {
		return err
	}
	return d.WaitReady(ctx)
}

// Relaunch is Restart without waiting for more than the State service, so that
// what comes before ready can be seen.
func (d *Node) Relaunch(ctx context.Context) error {
	if d.Running() {
		if err := d.stopOrKill(ctx); err != nil {
			return err
		}
	}
	return d.Launch(ctx)
}

// stopOrKill gives the node a few seconds to end.
func (d *Node) stopOrKill(ctx context.Context) error {
	grace, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := d.Stop(grace); err == nil || ctx.Err() != nil {
		return err
	}
	return d.Kill()
}

// Freeze stops the node from doing anything, with SIGSTOP: its connections stay
// open and silent.
func (d *Node) Freeze() error { return d.proc.Signal(syscall.SIGSTOP) }

// Thaw lets a frozen node go on.
func (d *Node) Thaw() error { return d.proc.Signal(syscall.SIGCONT) }
