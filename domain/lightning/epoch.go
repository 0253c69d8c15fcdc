package lightning

import (
	"context"
	"fmt"

	"sandglass/domain/instant"
	"sandglass/domain/wallet"
	"sandglass/domain/watch"
)

const (
	pageSize = 500
	// lookBack is how many pages are read in search of the cursor.
	lookBack = 20
)

// adopt returns what is known of the wallet, and begins an epoch where none is, or
// where the wallet's indices are behind our cursor.
func (w *Watcher) adopt(ctx context.Context, id watch.Identity) (wallet.State, error) {
	known, err := w.Wallets.Load(ctx, id.Node)
	if err != nil {
		return wallet.State{}, err
	}
	s := known.State
	switch {
	case s.Epoch == 0:
		return w.adoptNew(ctx, id)
	case s.Network != id.Network:
		return s, &hopeless{fmt.Errorf(
			"lightning: node %s was on %s when it was adopted, and is now on %s: this log belongs to the other",
			id.Node, s.Network, id.Network)}
	}
	w.noticeOther(id)
	if s.Retired != 0 {
		if err := w.comeBack(ctx, id, s.Retired); err != nil {
			return s, err
		}
	}
	behind, err := w.isBehind(ctx, s.Settle)
	if err != nil || !behind {
		return s, err
	}
	if err := w.beginEpoch(ctx, id, s.Epoch+1); err != nil {
		return s, err
	}
	known, err = w.Wallets.Load(ctx, id.Node)
	return known.State, err
}

// comeBack says that a wallet that was retired is watched again, before anybody is given an
// invoice of it.
func (w *Watcher) comeBack(ctx context.Context, id watch.Identity, retired instant.Time) error {
	w.Observer.Notice(watch.Notice{Sign: watch.SignReturned, Text: fmt.Sprintf(
		"node %s was retired at %s, and is watched again: what came meanwhile is booked, and may be late", id.Node, retired)})
	_, err := w.Wallets.Execute(ctx, id.Node, watch.Meta, wallet.Return{At: w.Now()})
	return err
}

// noticeOther raises an alarm where the wallet is not the one from before.
func (w *Watcher) noticeOther(id watch.Identity) {
	if w.node != "" && w.node != id.Node {
		w.Observer.Notice(watch.Notice{Sign: watch.SignWallet, Text: fmt.Sprintf("the wallet is %s, and was %s", id.Node, w.node)})
	}
	w.node = id.Node
}

// adoptNew adopts a wallet that the log has not seen. What it holds is history.
func (w *Watcher) adoptNew(ctx context.Context, id watch.Identity) (wallet.State, error) {
	waiting, err := w.Waiting(ctx)
	if err != nil {
		return wallet.State{}, err
	}
	if len(waiting) > 0 && w.node == "" {
		w.node = "another: payments wait that this one was never asked for"
	}
	w.noticeOther(id)
	c := wallet.Adopt{At: w.Now(), Epoch: 1, Network: id.Network, Reason: wallet.FirstStart}
	var f floor
	err = w.listPages(ctx, 0, func(page []Entry) error {
		for i := range page {
			f.add(&page[i], true)
			for _, arrival := range page[i].Arrivals {
				c.Settle = max(c.Settle, arrival.Settle.Index)
			}
		}
		return nil
	})
	if err != nil {
		return wallet.State{}, err
	}
	c.Add = f.index()
	out, err := w.Wallets.Execute(ctx, id.Node, watch.Meta, c)
	if err == nil {
		w.Observer.Notice(watch.Notice{Sign: watch.SignAdopted, Text: fmt.Sprintf(
			"adopted node %s on %s from settle_index %d: what it received before is not ours", id.Node, id.Network, c.Settle)})
	}
	return out.State, err
}

// listPages calls read for the wallet's invoices after an add_index, page by page.
func (w *Watcher) listPages(ctx context.Context, after int64, read func([]Entry) error) error {
	for {
		page, err := w.Wallet.List(ctx, after, pageSize, false)
		if err != nil || len(page) == 0 {
			return err
		}
		if err := read(page); err != nil {
			return err
		}
		last := page[len(page)-1].AddIndex
		if last <= after {
			return fmt.Errorf("lightning: the wallet lists add_index %d after %d", last, after)
		}
		after = last
	}
}

// isBehind reports whether the wallet has no settle_index as high as our cursor. It reads
// backwards, and gives up where that takes too long: a sweep sees the rest.
func (w *Watcher) isBehind(ctx context.Context, cursor int64) (bool, error) {
	from := int64(0)
	for range lookBack {
		if cursor == 0 {
			return false, nil
		}
		page, err := w.Wallet.List(ctx, from, pageSize, true)
		if err != nil {
			return false, err
		}
		for _, e := range page {
			for _, a := range e.Arrivals {
				if a.Settle.Index >= cursor {
					return false, nil
				}
			}
		}
		if len(page) == 0 || page[len(page)-1].AddIndex <= 1 {
			return true, nil
		}
		from = page[len(page)-1].AddIndex
	}
	return false, nil
}

// beginEpoch begins an epoch of a wallet whose indices began again.
func (w *Watcher) beginEpoch(ctx context.Context, id watch.Identity, epoch int64) error {
	_, err := w.Wallets.Execute(ctx, id.Node, watch.Meta, wallet.Adopt{
		At: w.Now(), Epoch: epoch, Network: id.Network, Reason: wallet.Rebuilt,
	})
	if err == nil {
		w.Observer.Notice(watch.Notice{Sign: watch.SignEpoch, Text: fmt.Sprintf(
			"the indices of node %s began again: its database was rebuilt; every invoice is read anew", id.Node)})
	}
	return err
}

// floor finds the add_index up to which every invoice is at an end.
type floor struct {
	last int64 // the highest add_index
	open int64 // the lowest one that is not at an end, 0 if there is none
}

func (f *floor) add(e *Entry, handled bool) {
	f.last = max(f.last, e.AddIndex)
	atEnd := handled && (e.Status == EntrySettled || e.Status == EntryCanceled)
	if !atEnd && (f.open == 0 || e.AddIndex < f.open) {
		f.open = e.AddIndex
	}
}

func (f *floor) index() int64 {
	if f.open > 0 {
		return f.open - 1
	}
	return f.last
}
