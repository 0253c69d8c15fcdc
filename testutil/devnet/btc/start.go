package btc

import (
	"context"
	"errors"

	"sandglass/testutil/devnet/process"
)

// firstBlocks are mined before anything else: with fewer, regtest has not activated what
// channels need, and 432 are enough.
const firstBlocks = 432

// Options say where a chain runs, and who follows it.
type Options struct {
	Binary  string // btcd's
	Dir     string // which holds a folder for each node
	Nursery *process.Nursery
	Ports   *process.Ports

	// Synced waits until all who follow the chain have seen its last block.
	Synced func(context.Context) error
}

// A Chain is a btcd and its miner. Its methods may be called from many goroutines, but for
// those that start or end something.
type Chain struct {
	opts   Options // without a nursery, if another process runs the chain
	btcd   *btcd
	miner  *miner
	rivals []*Rival
}

// New prepares a chain without starting it.
func New(opts Options) (*Chain, error) {
	c := &Chain{opts: opts}
	c.btcd = c.newBtcd("btcd")
	var err error
	c.miner, err = newMiner(c.btcd)
	return c, err
}

// Attach connects to a chain that another process runs. It can do all but start a rival.
func Attach(info Info, synced func(context.Context) error) (*Chain, error) {
	c := &Chain{opts: Options{Synced: synced}, btcd: &btcd{Info: info}}
	var err error
	if c.miner, err = newMiner(c.btcd); err != nil {
		return nil, err
	}
	return c, c.btcd.connect()
}

// Launch starts btcd and mines the first blocks. Nobody follows the chain yet.
func (c *Chain) Launch(ctx context.Context) error {
	if err := c.startBtcd(ctx, c.btcd); err != nil {
		return err
	}
	_, err := c.btcd.generate(ctx, firstBlocks)
	return err
}

// Btcd says where btcd is.
func (c *Chain) Btcd() Info { return c.btcd.Info }

// Alive reports whether the process of btcd has not ended.
func (c *Chain) Alive() bool { return c.btcd.proc.Running() }

// CloseRivals ends all rivals.
func (c *Chain) CloseRivals() error {
	var errs []error
	for _, r := range c.rivals {
		errs = append(errs, r.Close())
	}
	return errors.Join(errs...)
}

// End ends btcd and all rivals. The chain is gone with them.
func (c *Chain) End() error {
	err := c.CloseRivals()
	if c.btcd.proc != nil {
		err = errors.Join(err, c.btcd.proc.Kill())
	}
	return err
}
