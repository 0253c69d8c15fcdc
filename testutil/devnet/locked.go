package devnet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lightningnetwork/lnd/lnrpc"
)

// walletPassword is the password of all wallets.
const walletPassword = "sandglass"

// unlocksItself gives the node its password in a file. --noseedbackup would too, but
// a wallet that it opens can't be reset.
func (d *Node) unlocksItself() error {
	file := filepath.Join(d.Dir, "password")
	d.flags = append(d.flags, "--wallet-unlock-password-file="+file, "--wallet-unlock-allow-create")
	return os.WriteFile(file, []byte(walletPassword), 0o600)
}

// StartLocked starts another lnd with a wallet of its own, which waits for its
// password: its State is LOCKED until [Node.Unlock]. It has no channel, and locks
// itself again at each restart.
func (n *Network) StartLocked(ctx context.Context) (*Node, error) {
	d, err := n.newNode(fmt.Sprintf("carol-%d", len(n.others)+1))
	if err != nil {
		return nil, err
	}
	n.others = append(n.others, d)
	if err := d.launch(ctx); err != nil {
		return nil, err
	}
	if err := d.createWallet(ctx); err != nil {
		return nil, err
	}
	if err := d.Relaunch(ctx); err != nil {
		return nil, err
	}
	return d, d.WaitState(ctx, lnrpc.WalletState_LOCKED)
}

func (d *Node) createWallet(ctx context.Context) error {
	// The unlocker is there a moment before it serves.
	var seed *lnrpc.GenSeedResponse
	err := d.proc.until(ctx, d.Name+" makes a seed", func(ctx context.Context) (err error) {
		seed, err = d.Unlocker.GenSeed(ctx, &lnrpc.GenSeedRequest{})
		return err
	})
	if err != nil {
		return err
	}
	_, err = d.Unlocker.InitWallet(ctx, &lnrpc.InitWalletRequest{
		WalletPassword:     []byte(walletPassword),
		CipherSeedMnemonic: seed.CipherSeedMnemonic,
	})
	if err != nil {
		return err
	}
	return d.WaitReady(ctx)
}

// Unlock opens the wallet of a locked node and waits until it serves every call.
func (d *Node) Unlock(ctx context.Context) error {
	_, err := d.Unlocker.UnlockWallet(ctx, &lnrpc.UnlockWalletRequest{WalletPassword: []byte(walletPassword)})
	if err != nil {
		return err
	}
	return d.WaitReady(ctx)
}
