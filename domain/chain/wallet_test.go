package chain_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"

	"sandglass/domain/chain"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/watch"
)

// tx is a transaction of the simulated chain: what it spends, and what it pays to whom.
type tx struct {
	id     string
	spends []string
	pays   []pay
}

type pay struct {
	to  string
	sat int64
}

type block struct {
	hash   string
	height int64
	time   instant.Time
	txs    []tx
}

// ours reports whether the wallet knows of a transaction.
func (t *tx) ours() bool {
	return slices.ContainsFunc(t.pays, func(p pay) bool { return p.to != "thief" })
}

func (b *block) has(t tx) bool {
	return slices.ContainsFunc(b.txs, func(o tx) bool { return o.id == t.id })
}

// fakeWallet is a chain with its branches, and a wallet that is as wrong about it as lnd is:
// it may believe in a block that left the chain, lists an output twice then, keeps what was
// double spent, fails for a height, and tells nothing of a reorg. It keeps one block of a
// height: what another one there holds too is listed as in the lost one, and what only that
// other one holds fails the height.
type fakeWallet struct {
	mu         sync.Mutex // guards what follows
	blocks     map[string]block
	active     []string // hashes, by height
	mempool    map[string]tx
	conflicted map[string]tx   // double spent, and listed for ever
	lostBlocks []block         // in which the wallet still believes
	unlistable map[int64]bool  // heights that fail
	unreadable map[string]bool // blocks that can't be read
	refuse     error
	forgotten  map[string]bool // transactions that the wallet forgot, unless a block has them
	unnoticed  map[string]tx   // that the wallet believes to be in no block, whatever the chain says
	unsynced   bool
	mute       bool   // tells no news
	onList     func() // is called when a sweep lists the mempool, if it is not nil
	news       []chan chain.News
	made       int
}

func newFakeWallet() *fakeWallet {
	w := &fakeWallet{
		blocks: map[string]block{}, active: []string{""}, mempool: map[string]tx{}, conflicted: map[string]tx{},
		unlistable: map[int64]bool{}, unreadable: map[string]bool{}, forgotten: map[string]bool{}, unnoticed: map[string]tx{},
	}
	for range 20 {
		w.mine()
	}
	return w
}

func (w *fakeWallet) wake(n chain.News) {
	for _, told := range w.news {
		select {
		case told <- n:
		default:
		}
	}
}

// do changes the chain, and tells of it.
func (w *fakeWallet) do(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
	if !w.mute {
		w.wake(chain.News{Block: true})
	}
}

// add puts a transaction into the mempool; those that it conflicts with leave it.
func (w *fakeWallet) add(t tx) tx {
	if t.id == "" {
		w.made++
		t.id = fmt.Sprintf("%064x", w.made)
	}
	if t.spends == nil {
		t.spends = []string{t.id + "-coin:0"}
	}
	for id, other := range w.mempool {
		if id != t.id && conflict(other, t) {
			delete(w.mempool, id)
			w.conflicted[id] = other
		}
	}
	w.mempool[t.id] = t
	return t
}

func conflict(a, b tx) bool {
	return slices.ContainsFunc(a.spends, func(o string) bool { return slices.Contains(b.spends, o) })
}

// mine puts the transactions, or all of the mempool if none are given, into a block.
func (w *fakeWallet) mine(txs ...tx) { w.extend(txs, len(txs) == 0) }

func (w *fakeWallet) mineEmpty() { w.extend(nil, false) }

func (w *fakeWallet) extend(txs []tx, all bool) {
	if all {
		for _, id := range slices.Sorted(maps.Keys(w.mempool)) {
			txs = append(txs, w.mempool[id])
		}
	}
	w.made++
	b := block{
		hash: fmt.Sprintf("block-%d", w.made), height: int64(len(w.active)), time: now(), txs: txs,
	}
	w.blocks[b.hash] = b
	w.active = append(w.active, b.hash)
	for _, t := range txs {
		delete(w.mempool, t.id)
		delete(w.conflicted, t.id)
		for id, other := range w.mempool {
			if conflict(other, t) {
				delete(w.mempool, id)
				w.conflicted[id] = other // the wallet goes on believing in it
			}
		}
	}
}

// cut takes blocks off the end. Their transactions go back to the mempool. The wallet may
// believe in the lowest of them still (LND.md C5).
func (w *fakeWallet) cut(n int, believes bool) {
	n = min(n, len(w.active)-15)
	for i := range n {
		b := w.blocks[w.active[len(w.active)-1]]
		w.active = w.active[:len(w.active)-1]
		for _, t := range b.txs {
			w.mempool[t.id] = t
		}
		if believes && i == n-1 {
			w.lostBlocks = append(w.lostBlocks, b)
		}
	}
}

func (w *fakeWallet) Check(context.Context) (watch.Identity, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return watch.Identity{Node: node, Network: "regtest", Synced: !w.unsynced}, w.refuse
}

func (w *fakeWallet) News(ctx context.Context) iter.Seq2[chain.News, error] {
	return func(yield func(chain.News, error) bool) {
		told := make(chan chain.News, 10)
		w.mu.Lock()
		w.news = append(w.news, told)
		refuse := w.refuse
		w.mu.Unlock()
		if refuse != nil {
			yield(chain.News{}, refuse)
			return
		}
		for ok := yield(chain.News{Block: true}, nil); ok; {
			select {
			case n := <-told:
				ok = yield(n, nil)
			case <-ctx.Done():
				return
			}
		}
	}
}

func (w *fakeWallet) Tip(context.Context) (chain.Tip, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return chain.Tip{Height: int64(len(w.active) - 1), Hash: w.active[len(w.active)-1]}, w.refuse
}

func (w *fakeWallet) BlockHash(_ context.Context, height int64) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if height >= int64(len(w.active)) {
		return "", w.refuse
	}
	return w.active[height], w.refuse
}

func (w *fakeWallet) Block(_ context.Context, hash string) (chain.Block, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.unreadable[hash] {
		return chain.Block{}, errBadBlock
	}
	b := w.blocks[hash]
	out := chain.Block{Time: b.time}
	for _, t := range b.txs {
		out.Outputs = append(out.Outputs, outputs(t, 0, hash)...)
		out.Spends = append(out.Spends, t.spends...)
	}
	return out, w.refuse
}

func outputs(t tx, height int64, hash string) (list []chain.Output) {
	for i, p := range t.pays {
		list = append(list, chain.Output{
			Txid: t.id, Vout: uint32(i), Address: p.to, Amount: money.Msat(p.sat) * money.Sat,
			Height: height, Block: hash, Spends: t.spends, Ours: p.to != "thief",
		})
	}
	return list
}

var (
	errBadHeight = errors.New("missing transaction for block")
	errBadBlock  = errors.New("the block is not whole")
)

func (w *fakeWallet) Outputs(_ context.Context, from, to int64) (list []chain.Output, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	add := func(b block) {
		if b.height < from || b.height > to {
			return
		}
		if w.unlistable[b.height] {
			err = errBadHeight
		}
		for _, t := range b.txs {
			if _, ok := w.unnoticed[t.id]; !ok {
				list = append(list, outputs(t, b.height, b.hash)...)
			}
		}
	}
	for _, hash := range w.active[1:] {
		b := w.blocks[hash]
		i := slices.IndexFunc(w.lostBlocks, func(o block) bool { return o.height == b.height })
		if i < 0 {
			add(b)
			continue
		}
		appended := func(t tx) bool { return t.ours() && !w.lostBlocks[i].has(t) }
		if b.height >= from && b.height <= to && slices.ContainsFunc(b.txs, appended) {
			err = errBadHeight
		}
	}
	for _, b := range w.lostBlocks {
		add(b)
	}
	return list, errors.Join(err, w.refuse)
}

func (w *fakeWallet) Mempool(context.Context) (list []chain.Output, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.onList != nil {
		w.onList()
	}
	for _, from := range []map[string]tx{w.mempool, w.conflicted, w.unnoticed} {
		for _, t := range from {
			believed := slices.ContainsFunc(w.lostBlocks, func(b block) bool { return b.has(t) })
			if !believed && !w.forgotten[t.id] {
				list = append(list, outputs(t, 0, "")...)
			}
		}
	}
	return list, w.refuse
}

// truth returns what the active chain says was paid to addresses that begin with addr-,
// in blocks with at least so many confirmations.
func (w *fakeWallet) truth(confirmations int) (sum money.Msat) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for height, hash := range w.active {
		for _, t := range w.blocks[hash].txs {
			for _, p := range t.pays {
				if len(p.to) > 5 && p.to[:5] == "addr-" && len(w.active)-height >= confirmations {
					sum += money.Msat(p.sat) * money.Sat
				}
			}
		}
	}
	return sum
}
