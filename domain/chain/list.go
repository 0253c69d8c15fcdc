package chain

import (
	"context"
	"errors"
	"fmt"

	"sandglass/domain/watch"
)

const (
	window        = 2016 // heights that are asked for at once
	maxUnlistable = 100  // heights of a listing that are read from their blocks
)

// Lister reads what a wallet lists in the blocks of a chain. Where the wallet fails, it is
// asked for less, and at last the block itself is read: one bad height must not hide the
// others, nor what it holds.
type Lister struct {
	Wallet Wallet
	Keep   func(ctx context.Context, outputs []Output) error
	Read   func(ctx context.Context, height int64, why error) error // reads a block instead of the wallet's list
	Unread func(height int64, err error)                            // is told of one that can't be read either
	Done   func(height int64)                                       // is told up to where all is listed; may be nil

	unlistable int
}

// FirstHeight returns the height from which on an address can have been paid that was
// issued at one: a reorg may have taken the block of that time.
func FirstHeight(issued int64) int64 { return max(1, issued-margin) }

// List reads the blocks of these heights, both inclusive.
func (l *Lister) List(ctx context.Context, from, to int64) error {
	for ; from <= to; from += window {
		last := min(from+window-1, to)
		if err := l.listHeights(ctx, from, last); err != nil {
			return err
		}
		if l.Done != nil {
			l.Done(last)
		}
	}
	return nil
}

func (l *Lister) listHeights(ctx context.Context, from, to int64) error {
	outputs, err := l.Wallet.Outputs(ctx, from, to)
	switch {
	case err == nil:
		return l.Keep(ctx, outputs)
	case from < to:
		if watch.ConditionOf(err) == watch.Denied || l.isSilent(ctx) {
			return err // it is not this window
		}
		middle := from + (to-from)/2
		if err := l.listHeights(ctx, from, middle); err != nil {
			return err
		}
		return l.listHeights(ctx, middle+1, to)
	case watch.WalletAway(ctx, err):
		return err
	}
	if l.unlistable++; l.unlistable > maxUnlistable {
		return fmt.Errorf("more than %d heights can't be listed, the last one because of: %w", maxUnlistable, err)
	}
	e := l.Read(ctx, from, err)
	if e != nil && !watch.WalletAway(ctx, e) {
		l.Unread(from, errors.Join(err, e))
		return nil
	}
	return e
}

// isSilent reports whether the wallet answers nothing at all.
func (l *Lister) isSilent(ctx context.Context) bool {
	_, err := l.Wallet.Tip(ctx)
	return err != nil
}
