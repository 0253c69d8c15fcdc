package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"sandglass/domain/chain"
	"sandglass/domain/lightning"
	"sandglass/domain/payment"
	"sandglass/domain/reconcile"
	"sandglass/domain/watch"
)

// fake is a wallet and its chain. Heights that are broken can't be listed.
type fake struct {
	entries []lightning.Entry
	tip     int64
	branch  string // what tells the chain's blocks from those of before a reorg
	outputs []chain.Output
	hidden  []chain.Output // in their blocks, which the wallet does not list there
	mempool []chain.Output
	broken  map[int64]bool
	blind   map[int64]bool // blocks that can't be read
	trouble error

	calls, blocks int
	onTip         func(*fake)
}

func (f *fake) hash(h int64) string { return block(h) + f.branch }

func (f *fake) Connect(context.Context) (watch.Identity, error) {
	return watch.Identity{Node: node, Network: "regtest", Synced: true}, f.trouble
}

func (f *fake) Check(ctx context.Context) (watch.Identity, error) { return f.Connect(ctx) }

func (f *fake) List(_ context.Context, from int64, limit int, _ bool) ([]lightning.Entry, error) {
	i, _ := slices.BinarySearchFunc(f.entries, from, func(e lightning.Entry, from int64) int { return int(e.AddIndex - from - 1) })
	return f.entries[i:min(i+limit, len(f.entries))], nil
}

// stuck gives the same page, whatever is asked for.
type stuck struct{ *fake }

func (f stuck) List(context.Context, int64, int, bool) ([]lightning.Entry, error) {
	return f.entries[:2], nil
}

func (f *fake) News(context.Context) iter.Seq2[chain.News, error] { panic("nobody waits") }

func (f *fake) Tip(context.Context) (chain.Tip, error) {
	t := chain.Tip{Height: f.tip, Hash: f.hash(f.tip)}
	if f.onTip != nil {
		f.onTip(f)
	}
	return t, nil
}

func (f *fake) BlockHash(_ context.Context, h int64) (string, error) {
	if h > f.tip {
		return "", nil
	}
	return f.hash(h), nil
}

func (f *fake) Block(_ context.Context, hash string) (b chain.Block, err error) {
	f.blocks++
	for _, o := range append(slices.Clone(f.outputs), f.hidden...) {
		if o.Block == hash {
			if f.blind[o.Height] {
				return b, errors.New("pruned")
			}
			o.Height = 0
			b.Outputs = append(b.Outputs, o)
		}
	}
	return b, nil
}

func (f *fake) Outputs(_ context.Context, from, to int64) (found []chain.Output, err error) {
	if f.calls++; f.trouble != nil {
		return nil, f.trouble
	}
	for h := range f.broken {
		if from <= h && h <= to {
			return nil, fmt.Errorf("missing transaction for block %d", h)
		}
	}
	for _, o := range f.outputs {
		if from <= o.Height && o.Height <= to {
			found = append(found, o)
		}
	}
	return found, nil
}

func (f *fake) Mempool(context.Context) ([]chain.Output, error) { return f.mempool, nil }

func (f *fake) reader() *reconcile.Reader { return &reconcile.Reader{Invoices: f, Chain: f} }

// TestReadPages reads all invoices, whatever pages they come in.
func TestReadPages(t *testing.T) {
	f := &fake{}
	for i := range int64(1_203) {
		e := lightning.Entry{AddIndex: 2*i + 1, Hash: fmt.Sprint(i), Status: lightning.EntrySettled}
		switch i % 4 {
		case 0:
			e.Status = lightning.EntryCanceled
		case 1:
			e.Fault = "odd"
		case 2:
			e.Arrivals = []lightning.Arrival{arrival(payment.LightningKey(e.Hash), 1, i), arrival(payment.LightningKey(e.Hash+"-1"), 1, i)}
		}
		f.entries = append(f.entries, e)
	}
	var l events
	l.adopt(node, 0)
	r, told := f.reader(), int64(0)
	r.Progress = func(_ string, done, _ int64) { told = done }
	w, err := r.Read(t.Context(), l.log(t), 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(w.Unpaid) != 301 || len(w.Faults) != 601 || len(w.Arrivals) != 602 || told != 1_203 {
		t.Errorf("%d unpaid, %d faults, %d arrivals, %d told", len(w.Unpaid), len(w.Faults), len(w.Arrivals), told)
	}
	if f.calls != 0 || w.Tip.Height != 0 {
		t.Error("the chain is asked, and nobody was ever given an address")
	}
	r.Invoices = stuck{f}
	if _, err := r.Read(t.Context(), l.log(t), 0); err == nil || !strings.Contains(err.Error(), "add_index") {
		t.Errorf("pages that go back: %v", err)
	}
}

// onChain is a node with three deposits of ours and one of others, and the log of it.
func onChain() (*fake, events) {
	f := &fake{tip: 5_000, outputs: []chain.Output{
		output(1, addr, 1_000, 400),
		output(2, "bcrt1qother", 1_000, 2_500),
		output(3, addr, 3_000, 2_501),
		output(4, addr, 4_000, 4_999),
	}, mempool: []chain.Output{output(5, addr, 5_000, 0)}}
	var l events
	l.adopt(node, 0)
	l.issue(addr, "web", node)
	l.deposited(&f.outputs[0])
	l.deposited(&f.outputs[2])
	return f, l
}

func TestReadChain(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*fake)
		height int64
		want   string // outputs, differences
	}{
		{"all", func(*fake) {}, 0, "4 "},
		{"up to a height", func(*fake) {}, 2_501, "3 "},
		{"up to a height before", func(*fake) {}, 2_500, "2 "},
		{"heights that can't be listed", func(f *fake) { f.broken = map[int64]bool{2_501: true, 2_500: true, 777: true} }, 0, "4 "},
		{"a block that can't be read either", func(f *fake) {
			f.broken = map[int64]bool{2_501: true, 2_500: true}
			f.blind = map[int64]bool{2_501: true}
		}, 0, "3 unreadable height 2501"},
		{"a reorg while it is read", func(f *fake) {
			f.onTip = func(f *fake) {
				f.tip, f.branch, f.onTip = f.tip+1, "b", nil
				for i := range f.outputs {
					f.outputs[i].Block += "b"
				}
			}
		}, 0, "4 other_block " + outputKey(1) + " web, other_block " + outputKey(3) + " web, not_in_log " + outputKey(4) + " web"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, l := onChain()
			test.change(f)
			log := l.log(t)
			w, err := f.reader().Read(t.Context(), log, test.height)
			if err != nil {
				t.Fatal(err)
			}
			r := reconcile.Compare(log, w, reconcile.Options{Known: log.Position, Required: log.Required(depth)})
			if got := fmt.Sprintf("%d %s", len(w.Outputs), list(r)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if f.blocks != len(f.broken) || f.calls > 60 {
				t.Errorf("%d blocks were read for %d heights, with %d calls", f.blocks, len(f.broken), f.calls)
			}
		})
	}
}

// TestReadDoubts reads the block in which the log has an output that the wallet lists
// elsewhere, as lnd may do for good after a reorg that moved it.
func TestReadDoubts(t *testing.T) {
	for name, change := range map[string]func(*fake, chain.Output){
		"in no block": func(f *fake, o chain.Output) {
			o.Height, o.Block = 0, ""
			f.mempool = append(f.mempool, o)
		},
		"in a block that is gone": func(f *fake, o chain.Output) {
			o.Height, o.Block = 4_001, "gone"
			f.outputs = append(f.outputs, o)
		},
		"nowhere": func(*fake, chain.Output) {},
	} {
		f, l := onChain()
		moved := output(9, addr, 9_000, 4_000)
		f.hidden = []chain.Output{moved}
		l.deposited(&moved)
		l.deposited(&f.outputs[3])
		change(f, moved)
		log := l.log(t)
		w, err := f.reader().Read(t.Context(), log, 0)
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		if name == "nowhere" {
			want = "not_in_wallet " + string(moved.Key()) + " web"
		}
		r := reconcile.Compare(log, w, reconcile.Options{Known: log.Position, Required: log.Required(depth)})
		if got := list(r); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// TestReadLostBlock reads the block that stands where the wallet lists an output in a lost
// one, and in no other, though the log has it in none: it is money that is not credited.
func TestReadLostBlock(t *testing.T) { readLost(t, false, "not_credited "+outputKey(9)+" web") }

// Where that block can't be read, the height is told, and the rest is compared.
func TestReadLostBlockBesideABlindOne(t *testing.T) { readLost(t, true, "unreadable height 4000") }

func readLost(t *testing.T, blind bool, want string) {
	t.Helper()
	f, l := onChain()
	l.deposited(&f.outputs[3])
	mined := output(9, addr, 9_000, 4_000)
	l.pay(mined.Key(), seen(addr, 9_000))
	f.hidden, f.blind = []chain.Output{mined}, map[int64]bool{4_000: blind}
	mined.Block = "gone"
	f.outputs = append(f.outputs, mined, mined)
	log := l.log(t)
	w, err := f.reader().Read(t.Context(), log, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := reconcile.Compare(log, w, reconcile.Options{Known: log.Position, Required: log.Required(depth)})
	if got := list(r); got != want || f.blocks != 1 {
		t.Errorf("got %q of %d blocks, want %q", got, f.blocks, want)
	}
}

func outputKey(n byte) string {
	o := output(n, "", 0, 0)
	return string(o.Key())
}

// TestReadGivesUp returns the error of a wallet that does not answer, without asking it
// for each height.
func TestReadGivesUp(t *testing.T) {
	f, l := onChain()
	log := l.log(t)
	_, err := f.reader().Read(t.Context(), log, 5_001)
	if !errors.Is(err, reconcile.ErrHeight) || !strings.Contains(err.Error(), "5000") {
		t.Errorf("above the end: %v", err)
	}
	r := f.reader()
	r.Invoices = &fake{}
	f.trouble = &watch.Trouble{Condition: watch.Denied, Advice: "bake"}
	if _, err := r.Read(t.Context(), log, 0); !errors.Is(err, f.trouble) || f.calls != 1 {
		t.Errorf("%d calls, and %v", f.calls, err)
	}
	if _, err := f.reader().Read(t.Context(), log, 0); !errors.Is(err, f.trouble) {
		t.Errorf("no identity: %v", err)
	}
	f, _ = onChain()
	f.broken = map[int64]bool{}
	for h := range int64(2_000) {
		f.broken[h+1_000] = true
	}
	if _, err := f.reader().Read(t.Context(), log, 0); err == nil || !strings.Contains(err.Error(), "more than 100 heights") {
		t.Errorf("a wallet that lists nothing: %v", err)
	}
	f, _ = onChain()
	f.onTip = func(f *fake) { f.branch += "x" }
	if _, err := f.reader().Read(t.Context(), log, 0); err == nil || !strings.Contains(err.Error(), "moved") {
		t.Errorf("a chain that never rests: %v", err)
	}
}
