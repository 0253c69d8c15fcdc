package payment

import (
	"context"
	"fmt"

	"sandglass/domain/stream"
	"sandglass/domain/wallet"
)

const (
	pageSize = 500
	// lookBack is how many pages are read in search of the cursor.
	lookBack = 20
)

var watcherMeta = stream.Meta{Actor: "watcher"}

// adopt returns what is known of the wallet, and begins an epoch where none is, or
// where the wallet's indices are behind our cursor.
func (w *Watcher) adopt(ctx context.Context, id Identity) (wallet.State, error) {
	known, err := w.Wallets.Load(ctx, id.Node)
	if err != nil {
		return wallet.State{}, err
	}
	s := known.State
	switch {
	case s.Epoch == 0:
		return w.firstStart(ctx, id)
	case s.Network != id.Network:
		return s, &fatal{fmt.Errorf("payment: node %s was on %s when it was adopted, and is now on %s: this log belongs to the other", id.Node, s.Network, id.Network)}
	}
	w.compare(id)
	behind, err := w.behind(ctx, s.Settle)
	if err != nil || !behind {
		return s, err
	}
	if err := w.rebuilt(ctx, id, s.Epoch); err != nil {
		return s, err
	}
	known, err = w.Wallets.Load(ctx, id.Node)
	return known.State, err
}

// compare raises an alarm where the wallet is not the one from before.
func (w *Watcher) compare(id Identity) {
	if w.node != "" && w.node != id.Node {
		w.Observer.Notice(Notice{Sign: SignWallet, Text: fmt.Sprintf("the wallet is %s, and was %s", id.Node, w.node)})
	}
	w.node = id.Node
}

// firstStart adopts a wallet that the log has not seen. What it holds is history.
func (w *Watcher) firstStart(ctx context.Context, id Identity) (wallet.State, error) {
	waiting, err := w.Waiting(ctx)
	if err != nil {
		return wallet.State{}, err
	}
	if len(waiting) > 0 && w.node == "" {
		w.node = "another: payments wait that this one was never asked for"
	}
	w.compare(id)
	a := wallet.Adopted{At: wallet.At{At: w.Now()}, Epoch: 1, Network: id.Network, Reason: wallet.FirstStart}
	var end floor
	err = w.pages(ctx, 0, func(page []Entry) error {
		for i := range page {
			end.see(&page[i], true)
			for _, arrival := range page[i].Arrivals {
				a.Settle = max(a.Settle, arrival.Settled.Index)
			}
		}
		return nil
	})
	if err != nil {
		return wallet.State{}, err
	}
	a.Add = end.index()
	out, err := w.Wallets.Execute(ctx, id.Node, watcherMeta, wallet.Adopt{Adopted: a})
	if err == nil {
		w.Observer.Notice(Notice{Sign: SignAdopted, Text: fmt.Sprintf("adopted node %s on %s from settle_index %d: what it received before is not ours", id.Node, id.Network, a.Settle)})
	}
	return out.State, err
}

// pages calls read for the wallet's invoices after an add_index, page by page.
func (w *Watcher) pages(ctx context.Context, after int64, read func([]Entry) error) error {
	for {
		page, err := w.Wallet.List(ctx, after, pageSize, false)
		if err != nil || len(page) == 0 {
			return err
		}
		if err := read(page); err != nil {
			return err
		}
		if last := page[len(page)-1].AddIndex; last > after {
			after = last
		} else {
			return fmt.Errorf("payment: the wallet lists add_index %d after %d", last, after)
		}
	}
}

// behind says whether the wallet has no settle_index as high as our cursor. It reads
// backwards, and gives up where that takes too long: a sweep sees the rest.
func (w *Watcher) behind(ctx context.Context, cursor int64) (bool, error) {
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
				if a.Settled.Index >= cursor {
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

// rebuilt begins a new epoch after one.
func (w *Watcher) rebuilt(ctx context.Context, id Identity, after int64) error {
	_, err := w.Wallets.Execute(ctx, id.Node, watcherMeta, wallet.Adopt{Adopted: wallet.Adopted{
		At: wallet.At{At: w.Now()}, Epoch: after + 1, Network: id.Network, Reason: wallet.Rebuilt,
	}})
	if err == nil {
		w.Observer.Notice(Notice{Sign: SignEpoch, Text: fmt.Sprintf("the indices of node %s began again: its database was rebuilt; every invoice is read anew", id.Node)})
	}
	return err
}

// counts says whether an arrival's index is one of this epoch. After a rebuild old rows
// may keep the indices that new ones get again; what came to its end before is old.
func counts(s *wallet.State, a *Settled, v verdict) bool {
	at := a.At.At
	if !v.lacks {
		at = v.handled
	}
	return a.Index > 0 && (s.Epoch == 1 || at >= s.Began || v.lacks && at == 0)
}

// floor finds the add_index up to which every invoice is at an end.
type floor struct {
	last, open int64
}

func (f *floor) see(e *Entry, handled bool) {
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
