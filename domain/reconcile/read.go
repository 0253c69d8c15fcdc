package reconcile

import (
	"context"
	"errors"
	"fmt"

	"sandglass/domain/chain"
	"sandglass/domain/lightning"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/watch"
)

const (
	page     = 500 // invoices that are asked for at once
	maxReads = 5   // of a chain that moves meanwhile
)

// ErrHeight says that the chain is not that high.
var ErrHeight = errors.New("reconcile: above the end of the chain")

// errMoved says that blocks left the chain while it was read.
var errMoved = errors.New("reconcile: the chain moved while it was read, again and again: try again later")

// Invoices is what is asked of the wallet about Lightning: see [lightning.Wallet].
type Invoices interface {
	Connect(ctx context.Context) (watch.Identity, error)
	List(ctx context.Context, from int64, limit int, backward bool) ([]lightning.Entry, error)
}

// Wallet is what the wallet says.
type Wallet struct {
	watch.Identity
	Arrivals []lightning.Arrival              // of all invoices
	Unpaid   map[string]lightning.EntryStatus // invoices that brought nothing, by payment_hash
	Faults   []Fault

	// What follows is empty where no address was issued and no height was asked for.
	Tip     chain.Tip // as of which the chain was read
	Past    bool      // it is not the chain's end, but a height that was asked for
	Outputs []chain.Output
	Unknown []chain.Output   // deposits to addresses of the wallet that the log does not know
	Blocks  map[int64]string // hashes of the active chain's blocks, at the heights that matter
	Blind   map[int64]error  // heights that could not be read
}

// Fault is an invoice that settled and can't be understood.
type Fault struct {
	Hash     string // payment_hash, or empty
	AddIndex int64
	Text     string
}

// Reader reads a wallet. It asks nothing of the chain while no address was issued, unless
// it is to.
type Reader struct {
	Invoices Invoices
	Chain    chain.Wallet
	AskChain bool                              // also where the log knows of no address: it may have been restored from a backup
	Progress func(what string, done, of int64) // may be nil; of is 0 where it is not known
}

// reading is one reading.
type reading struct {
	*Reader
	log    *Log
	wallet *Wallet
}

// Read reads all that the wallet has to do with the log. A height other than 0 takes the
// chain as it was when it ended there.
func (r *Reader) Read(ctx context.Context, l *Log, height int64) (*Wallet, error) {
	id, err := r.Invoices.Connect(ctx)
	if err != nil {
		return nil, err
	}
	w := &Wallet{Identity: id, Unpaid: map[string]lightning.EntryStatus{}}
	do := reading{Reader: r, log: l, wallet: w}
	if err := do.invoices(ctx); err != nil {
		return nil, fmt.Errorf("reading the wallet's invoices: %w", err)
	}
	lowest, issued := l.lowest()
	if !issued && height == 0 && !r.AskChain {
		return w, nil
	}
	for range maxReads {
		whole, err := do.chain(ctx, lowest, height)
		if err != nil {
			return nil, fmt.Errorf("reading the chain: %w", err)
		}
		if whole {
			return w, nil
		}
	}
	return nil, errMoved
}

func (r *reading) tell(what string, done, of int64) {
	if r.Progress != nil {
		r.Progress(what, done, of)
	}
}

func (r *reading) invoices(ctx context.Context) error {
	read := int64(0)
	for after := int64(0); ; {
		entries, err := r.Invoices.List(ctx, after, page, false)
		if err != nil || len(entries) == 0 {
			return err
		}
		for i := range entries {
			r.wallet.take(&entries[i])
		}
		last := entries[len(entries)-1].AddIndex
		if last <= after {
			return fmt.Errorf("the wallet lists add_index %d after %d", last, after)
		}
		after = last
		read += int64(len(entries))
		r.tell("invoices", read, 0)
	}
}

func (w *Wallet) take(e *lightning.Entry) {
	switch {
	case e.Fault != "":
		w.Faults = append(w.Faults, Fault{e.Hash, e.AddIndex, e.Fault})
	case len(e.Arrivals) > 0:
		for _, a := range e.Arrivals {
			if a.Settle.Via == payment.ViaBOLT11 {
				a.Settle.Meant, _ = new(request.Signer).Read(e.Description)
			}
			w.Arrivals = append(w.Arrivals, a)
		}
	case e.Status == lightning.EntrySettled:
		w.Faults = append(w.Faults, Fault{e.Hash, e.AddIndex, "it is settled, but tells of no money"})
	case e.Hash != "":
		w.Unpaid[e.Hash] = e.Status
	}
}

// chain reads the chain up to its end or a height. It reports whether that is one picture:
// whether the last block was of the active chain all the while.
func (r *reading) chain(ctx context.Context, lowest, height int64) (whole bool, err error) {
	w := r.wallet
	w.Outputs, w.Unknown, w.Blocks, w.Blind = nil, nil, map[int64]string{}, map[int64]error{}
	if w.Tip, err = r.Chain.Tip(ctx); err != nil {
		return false, err
	}
	if w.Past = height != 0; w.Past {
		if height > w.Tip.Height {
			return false, fmt.Errorf("%w: it ends at height %d", ErrHeight, w.Tip.Height)
		}
		w.Tip.Height = height
		if w.Tip.Hash, err = r.Chain.BlockHash(ctx, height); err != nil {
			return false, err
		}
	}
	list := chain.Lister{
		Wallet: r.Chain, Read: r.instead, Done: func(height int64) { r.tell("block", height, w.Tip.Height) },
		Keep:   func(_ context.Context, outputs []chain.Output) error { r.keep(outputs); return nil },
		Unread: func(height int64, err error) { w.Blind[height] = err },
	}
	if err := list.List(ctx, chain.FirstHeight(lowest), w.Tip.Height); err != nil {
		return false, err
	}
	mempool, err := r.Chain.Mempool(ctx)
	if err != nil {
		return false, err
	}
	r.keep(mempool)
	if err := r.blocks(ctx); err != nil {
		return false, err
	}
	if err := r.doubted(ctx); err != nil {
		return false, err
	}
	still, err := r.Chain.BlockHash(ctx, w.Tip.Height)
	return still == w.Tip.Hash, err
}

// instead reads the block of a height that the wallet can't list.
func (r *reading) instead(ctx context.Context, height int64, _ error) error {
	hash, err := r.Chain.BlockHash(ctx, height)
	if err != nil {
		return err
	}
	return r.read(ctx, height, hash)
}

// read keeps the outputs of a block of the active chain.
func (r *reading) read(ctx context.Context, height int64, hash string) error {
	b, err := r.Chain.Block(ctx, hash)
	if err != nil {
		return err
	}
	for i := range b.Outputs {
		b.Outputs[i].Height, b.Outputs[i].Block = height, hash
	}
	r.keep(b.Outputs)
	return nil
}

// doubted reads the blocks of the active chain in which the log has outputs that the
// wallet lists elsewhere, or in no block, and those that stand where the wallet lists an
// output in a lost one: after a reorg it may be wrong about both for good. The chain
// decides.
func (r *reading) doubted(ctx context.Context) error {
	w := r.wallet
	listed, placed := map[payment.Key]bool{}, map[payment.Key]bool{}
	for i := range w.Outputs {
		o := &w.Outputs[i]
		listed[o.Key()] = true
		if o.Block != "" && w.Blocks[o.Height] == o.Block {
			placed[o.Key()] = true
		}
	}
	doubts := map[int64]bool{}
	for i := range w.Outputs {
		if o := &w.Outputs[i]; o.Block != "" && !placed[o.Key()] {
			doubts[o.Height] = true
		}
	}
	for key, p := range r.log.payments {
		if p.OnChain() && counts(&p.State) && listed[key] && !placed[key] && p.Block == w.Blocks[p.Height] {
			doubts[p.Height] = true
		}
	}
	for _, height := range sorted(doubts) {
		hash := w.Blocks[height]
		if hash == "" {
			continue
		}
		switch err := r.read(ctx, height, hash); {
		case err == nil:
		case watch.WalletAway(ctx, err):
			return err
		default:
			w.Blind[height] = err
		}
	}
	return nil
}

// keep keeps the outputs that pay an address of ours, and the deposits to others of the wallet.
func (r *reading) keep(outputs []chain.Output) {
	for _, o := range outputs {
		o.Spends = nil
		_, issued := r.log.addresses[o.Address]
		switch {
		case issued && o.Amount > 0:
			r.wallet.Outputs = append(r.wallet.Outputs, o)
		case !issued && o.IsDeposit():
			r.wallet.Unknown = append(r.wallet.Unknown, o)
		}
	}
}

// blocks asks for the active chain's hashes where the wallet or the log names a block.
func (r *reading) blocks(ctx context.Context) (err error) {
	heights := map[int64]bool{}
	for _, list := range [][]chain.Output{r.wallet.Outputs, r.wallet.Unknown} {
		for i := range list {
			heights[list[i].Height] = true
		}
	}
	for _, p := range r.log.payments {
		if p.OnChain() && counts(&p.State) {
			heights[p.Height] = true
		}
	}
	for _, height := range sorted(heights) {
		if height < 1 || height > r.wallet.Tip.Height {
			continue
		}
		if r.wallet.Blocks[height], err = r.Chain.BlockHash(ctx, height); err != nil {
			return err
		}
		r.tell("the hash of block", height, r.wallet.Tip.Height)
	}
	return nil
}
