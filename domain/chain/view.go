package chain

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"sandglass/domain/instant"
	"sandglass/domain/payment"
	"sandglass/domain/watch"
)

const (
	maxBlocks = 24               // blocks that are kept from one sweep to the next
	clockSkew = 2 * instant.Hour // that the time of a block may be ahead (BIP 113)
)

// view is what there is on the chain, as one sweep sees it: the outputs of ours that the
// wallet lists, put where the active chain has them.
type view struct {
	w       *Watcher
	tip     Tip
	mined   map[payment.Key]Output // in blocks of the active chain
	unmined map[payment.Key]Output // in none, says the wallet
	read    int                    // outputs of ours
	unread  error                  // why there are heights of which nothing is known

	mu     sync.Mutex       // guards hashes
	hashes map[int64]string // of the active chain
}

func newView(w *Watcher, tip Tip) *view {
	return &view{
		w: w, tip: tip, hashes: map[int64]string{},
		mined: map[payment.Key]Output{}, unmined: map[payment.Key]Output{},
	}
}

// list reads what the wallet lists from a height on.
func (v *view) list(ctx context.Context, from int64) error {
	outputs, err := v.w.Wallet.Mempool(ctx) // first, so that what is mined meanwhile is in one of them
	if err != nil {
		return err
	}
	for _, o := range outputs {
		v.addUnmined(o)
	}
	l := Lister{Wallet: v.w.Wallet, Keep: v.addListed, Read: v.readInstead, Unread: v.setUnread}
	return l.List(ctx, from, v.tip.Height)
}

// addListed keeps the outputs of ours, in the block in which the active chain has them.
func (v *view) addListed(ctx context.Context, outputs []Output) error {
	for _, o := range outputs {
		if _, _, ours := v.w.resourceAt(o.Address); !ours {
			continue
		}
		active, err := v.hashAt(ctx, o.Height)
		if err != nil {
			return err
		}
		if o.Block == active && active != "" {
			v.read++
			v.mined[o.Key()] = o
			continue
		}
		v.addUnmined(o) // its block left the chain, which the wallet did not notice
		if err := v.readActive(ctx, o.Height); err != nil {
			return err
		}
	}
	return nil
}

// addUnmined keeps an output of ours that is in no block of the active chain.
func (v *view) addUnmined(o Output) {
	if _, _, ours := v.w.resourceAt(o.Address); ours {
		v.read++
		o.Height, o.Block = 0, ""
		v.unmined[o.Key()] = o
	}
}

// readActive reads the active chain's block at a height for which the wallet lists a lost
// one. lnd keeps one block of a height: what the active chain's block there holds too, it
// lists in the lost one alone, for good.
func (v *view) readActive(ctx context.Context, height int64) error {
	_, err := v.readBlock(ctx, height)
	if err == nil || watch.WalletAway(ctx, err) {
		return err
	}
	v.w.noticeHeight(height, "the wallet lists a lost block, and the active one can't be read", err)
	v.setUnread(height, err)
	return nil
}

// readInstead reads the block of a height that the wallet can't list.
func (v *view) readInstead(ctx context.Context, height int64, why error) error {
	v.w.noticeHeight(height, "the wallet can't list it: its block is read", why)
	_, err := v.readBlock(ctx, height)
	return err
}

// setUnread keeps why nothing is known of a height. The others go on.
func (v *view) setUnread(height int64, err error) {
	v.unread = fmt.Errorf("height %d: %w", height, err)
}

// readBlock reads the active chain's block at a height, keeps the outputs of ours, and
// returns it. It is empty where the chain is not that high.
func (v *view) readBlock(ctx context.Context, height int64) (Block, error) {
	hash, err := v.hashAt(ctx, height)
	if err != nil || hash == "" {
		return Block{}, err
	}
	b, ok := v.w.blocks.byHash[hash]
	if !ok {
		if b, err = v.w.Wallet.Block(ctx, hash); err != nil {
			return Block{}, err
		}
		b.Outputs = slices.DeleteFunc(b.Outputs, func(o Output) bool {
			_, _, ours := v.w.resourceAt(o.Address)
			return !ours
		})
		v.w.blocks.add(hash, b)
	}
	for _, o := range b.Outputs {
		o.Height, o.Block = height, hash
		v.mined[o.Key()] = o
	}
	return b, nil
}

// hashAt returns the hash of the active chain's block at a height, or "" if there is none.
// It may be called by many at once.
func (v *view) hashAt(ctx context.Context, height int64) (string, error) {
	if height == v.tip.Height {
		return v.tip.Hash, nil
	}
	v.mu.Lock()
	hash, ok := v.hashes[height]
	v.mu.Unlock()
	if ok {
		return hash, nil
	}
	hash, err := v.w.Wallet.BlockHash(ctx, height)
	if err != nil {
		return "", err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.hashes[height] = hash
	return hash, nil
}

// output returns the output that a payment is, if the wallet or a block has it.
func (v *view) output(key payment.Key) (Output, bool) {
	if o, ok := v.mined[key]; ok {
		return o, true
	}
	o, ok := v.unmined[key]
	return o, ok
}

// depth returns how many confirmations a block of the active chain gives.
func (v *view) depth(height int64) int { return int(max(0, v.tip.Height-height+1)) }

// isBefore reports whether the block at a height, which was read, is older than an instant.
// Of one that can't be read it is not known.
func (v *view) isBefore(height int64, at instant.Time) bool {
	b, ok := v.w.blocks.byHash[v.hashes[height]]
	return ok && b.Time.Add(clockSkew) < at
}

// noticeHeight tells, once, what of a height can't be had.
func (w *Watcher) noticeHeight(height int64, what string, err error) {
	if !w.unlistable[height] {
		w.unlistable[height] = true
		w.Observer.Notice(watch.Notice{Sign: watch.SignHeight, Text: fmt.Sprintf("height %d: %s", height, what), Err: err})
	}
}

// blockCache keeps the latest blocks that were read, with our outputs alone.
type blockCache struct {
	byHash map[string]Block
	order  []string // of hashes, oldest first
}

func newBlockCache() blockCache { return blockCache{byHash: map[string]Block{}} }

func (c *blockCache) add(hash string, b Block) {
	if len(c.order) >= maxBlocks {
		delete(c.byHash, c.order[0])
		c.order = c.order[1:]
	}
	c.byHash[hash] = b
	c.order = append(c.order, hash)
}
