package lnd

import (
	"context"
	"os"
	"path/filepath"

	"github.com/lightningnetwork/lnd/lnrpc"
)

// walletPassword is the password of all wallets.
const walletPassword = "sandglass"

// UnlocksItself gives the node its password in a file. --noseedbackup would too, but
// a wallet that it opens can't be reset.
func (d *Node) UnlocksItself() error {
	file := filepath.Join(d.Dir, "password")
	d.flags = append(d.flags, "--wallet-unlock-password-file="+file, "--wallet-unlock-allow-create")
	return os.WriteFile(file, []byte(walletPassword), 0o600)
}

// CreateWallet makes the wallet of a node that was launched for the first time, and waits
// until it serves every call.
func (d *Node) CreateWallet(ctx context.Context) error {
	// The unlocker is there a moment before it serves.
	var seed *lnrpc.GenSeedResponse
	err := d.proc.Until(ctx, d.Name+" makes a seed", func(ctx context.Context) (err error) {
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
