package payment_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/projections"
	"sandglass/testutil/storetest"
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
	hash, parent string
	height       int64
	time         instant.Time
	txs          []tx
}

// ours says whether the wallet knows of a transaction.
func (t *tx) ours() bool {
	return slices.ContainsFunc(t.pays, func(p pay) bool { return p.to != "thief" })
}

func (b *block) has(t tx) bool {
	return slices.ContainsFunc(b.txs, func(o tx) bool { return o.id == t.id })
}

// sim is a chain with its branches, and a wallet that is as wrong about it as lnd is: it
// may believe in a block that left the chain, lists an output twice then, keeps what was
// double spent, fails for a height, and tells nothing of a reorg. It keeps one block of a
// height: what another one there holds too is listed as in the lost one, and what only that
// other one holds fails the height.
type sim struct {
	mu      sync.Mutex // guards what follows
	blocks  map[string]block
	active  []string // hashes, by height
	mempool map[string]tx
	dead    map[string]tx // that the wallet lists for ever
	orphans []block       // in which the wallet still believes
	bad     map[int64]bool
	broken  map[string]bool // blocks that can't be read
	refuse  error
	lost    map[string]bool // transactions that the wallet forgot, unless a block has them
	missed  map[string]tx   // that the wallet believes to be in no block, whatever the chain says
	unsync  bool
	mute    bool   // tells no news
	onList  func() // is called when a sweep lists the mempool, if it is not nil
	lists   int    // calls of Outputs
	news    []chan payment.News
	made    int
}

func newSim() *sim {
	c := &sim{blocks: map[string]block{}, mempool: map[string]tx{}, dead: map[string]tx{}, bad: map[int64]bool{}, broken: map[string]bool{}, lost: map[string]bool{}, missed: map[string]tx{}}
	c.active = []string{""}
	for range 20 {
		c.mine()
	}
	return c
}

func (c *sim) wake(n payment.News) {
	for _, told := range c.news {
		select {
		case told <- n:
		default:
		}
	}
}

// do changes the chain, and tells of it.
func (c *sim) do(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
	if !c.mute {
		c.wake(payment.News{Block: true})
	}
}

// add puts a transaction into the mempool; those that it conflicts with leave it.
func (c *sim) add(t tx) tx {
	if t.id == "" {
		c.made++
		t.id = fmt.Sprintf("%064x", c.made)
	}
	if t.spends == nil {
		t.spends = []string{t.id + "-coin:0"}
	}
	for id, other := range c.mempool {
		if id != t.id && conflict(other, t) {
			delete(c.mempool, id)
			c.dead[id] = other
		}
	}
	c.mempool[t.id] = t
	return t
}

func conflict(a, b tx) bool {
	return slices.ContainsFunc(a.spends, func(o string) bool { return slices.Contains(b.spends, o) })
}

// mine puts the transactions, or all of the mempool if none are given, into a block.
func (c *sim) mine(txs ...tx) { c.extend(txs, len(txs) == 0) }

func (c *sim) mineEmpty() { c.extend(nil, false) }

func (c *sim) extend(txs []tx, all bool) {
	if all {
		for _, id := range slices.Sorted(maps.Keys(c.mempool)) {
			txs = append(txs, c.mempool[id])
		}
	}
	c.made++
	b := block{
		hash: fmt.Sprintf("block-%d", c.made), parent: c.active[len(c.active)-1], height: int64(len(c.active)), time: now(), txs: txs,
	}
	c.blocks[b.hash] = b
	c.active = append(c.active, b.hash)
	for _, t := range txs {
		delete(c.mempool, t.id)
		delete(c.dead, t.id)
		for id, other := range c.mempool {
			if conflict(other, t) {
				delete(c.mempool, id)
				c.dead[id] = other // the wallet goes on believing in it
			}
		}
	}
}

// cut takes blocks off the end. Their transactions go back to the mempool. The wallet may
// believe in the lowest of them still (LND.md C5).
func (c *sim) cut(n int, believes bool) {
	n = min(n, len(c.active)-15)
	for i := range n {
		b := c.blocks[c.active[len(c.active)-1]]
		c.active = c.active[:len(c.active)-1]
		for _, t := range b.txs {
			c.mempool[t.id] = t
		}
		if believes && i == n-1 {
			c.orphans = append(c.orphans, b)
		}
	}
}

func (c *sim) Check(context.Context) (payment.Identity, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return payment.Identity{Node: node, Network: "regtest", Synced: !c.unsync}, c.refuse
}

func (c *sim) News(ctx context.Context) iter.Seq2[payment.News, error] {
	return func(yield func(payment.News, error) bool) {
		told := make(chan payment.News, 10)
		c.mu.Lock()
		c.news = append(c.news, told)
		refuse := c.refuse
		c.mu.Unlock()
		if refuse != nil {
			yield(payment.News{}, refuse)
			return
		}
		for ok := yield(payment.News{Block: true}, nil); ok; {
			select {
			case n := <-told:
				ok = yield(n, nil)
			case <-ctx.Done():
				return
			}
		}
	}
}

func (c *sim) Tip(context.Context) (payment.Tip, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return payment.Tip{Height: int64(len(c.active) - 1), Hash: c.active[len(c.active)-1]}, c.refuse
}

func (c *sim) BlockHash(_ context.Context, height int64) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if height >= int64(len(c.active)) {
		return "", c.refuse
	}
	return c.active[height], c.refuse
}

func (c *sim) Block(_ context.Context, hash string) (payment.Block, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken[hash] {
		return payment.Block{}, errBadBlock
	}
	b := c.blocks[hash]
	out := payment.Block{Time: b.time}
	for _, t := range b.txs {
		out.Outputs = append(out.Outputs, outputs(t, 0, hash)...)
		out.Spends = append(out.Spends, t.spends...)
	}
	return out, c.refuse
}

func outputs(t tx, height int64, hash string) (list []payment.Output) {
	for i, p := range t.pays {
		list = append(list, payment.Output{
			Txid: t.id, Vout: uint32(i), Address: p.to, Amount: money.Msat(p.sat) * money.Sat, Height: height, Block: hash, Spends: t.spends,
		})
	}
	return list
}

var (
	errBadHeight = errors.New("missing transaction for block")
	errBadBlock  = errors.New("the block is not whole")
)

func (c *sim) Outputs(_ context.Context, from, to int64) (list []payment.Output, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lists++
	add := func(b block) {
		if b.height < from || b.height > to {
			return
		}
		if c.bad[b.height] {
			err = errBadHeight
		}
		for _, t := range b.txs {
			if _, ok := c.missed[t.id]; !ok {
				list = append(list, outputs(t, b.height, b.hash)...)
			}
		}
	}
	for _, hash := range c.active[1:] {
		b := c.blocks[hash]
		i := slices.IndexFunc(c.orphans, func(o block) bool { return o.height == b.height })
		if i < 0 {
			add(b)
			continue
		}
		appended := func(t tx) bool { return t.ours() && !c.orphans[i].has(t) }
		if b.height >= from && b.height <= to && slices.ContainsFunc(b.txs, appended) {
			err = errBadHeight
		}
	}
	for _, b := range c.orphans {
		add(b)
	}
	return list, errors.Join(err, c.refuse)
}

func (c *sim) Mempool(context.Context) (list []payment.Output, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.onList != nil {
		c.onList()
	}
	for _, from := range []map[string]tx{c.mempool, c.dead, c.missed} {
		for _, t := range from {
			believed := slices.ContainsFunc(c.orphans, func(b block) bool { return b.has(t) })
			if !believed && !c.lost[t.id] {
				list = append(list, outputs(t, 0, "")...)
			}
		}
	}
	return list, c.refuse
}

// truth returns what the active chain says was paid to addresses that begin with addr-,
// in blocks with at least so many confirmations.
func (c *sim) truth(confirmations int) (sum money.Msat) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for height, hash := range c.active {
		for _, t := range c.blocks[hash].txs {
			for _, p := range t.pays {
				if len(p.to) > 5 && p.to[:5] == "addr-" && len(c.active)-height >= confirmations {
					sum += money.Msat(p.sat) * money.Sat
				}
			}
		}
	}
	return sum
}

// vigil is a watcher of a simulated chain, in a bubble in which all timers are the test's.
type vigil struct {
	*payment.ChainWatcher
	t      *testing.T
	chain  *sim
	store  *storetest.Faulty
	booker *payment.Booker
	views  *projections.Views
	stop   func()
	twin   bool                                  // another daemon watches for the same log
	height int64                                 // at which the addresses were issued
	late   func([]payment.State) []payment.State // what a late projection has instead; nil if it is in time

	mu      sync.Mutex // guards what follows
	notices []payment.Notice
	booked  int
	found   int
}

// onChain runs a test with a watcher on a simulated chain. Each resource vm-n has the
// address addr-n, and asks for 3 confirmations; vm-deep asks for 6.
func onChain(t *testing.T, test func(*testing.T, *vigil)) {
	synctest.Test(t, func(t *testing.T) {
		store, clock := storetest.SQLite(t)
		clock.Set(now())
		v := &vigil{t: t, chain: newSim(), store: &storetest.Faulty{EventStore: store}, views: projections.New(instant.Hour), stop: func() {}, height: 12}
		v.booker = booker(v.store)
		v.booker.Now = now
		ctx, end := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- projections.Run(ctx, store, v.views) }()
		t.Cleanup(func() {
			v.stop()
			end()
			<-done
		})
		v.open("vm-1", "vm-2", "vm-deep")
		test(t, v)
	})
}

func (v *vigil) open(ids ...string) {
	v.t.Helper()
	for _, id := range ids {
		tell(v.t, v.booker, id, resource.Open{When: resource.When{At: now()}, Plan: "small", Request: [16]byte{1}, Terms: resource.Terms{
			Price: money.Price{Msat: 1000, Per: 1000}, Grace: 4 * instant.Day}})
	}
	synctest.Wait()
}

func (v *vigil) issued(addr string) (string, int64, bool) {
	id, ok := "vm-"+addr[min(5, len(addr)):], len(addr) > 5 && addr[:5] == "addr-"
	return id, v.height, ok
}

// start starts a watcher, and waits until nothing moves but time.
func (v *vigil) start() {
	v.t.Helper()
	conf := payment.ChainConfig{
		Chain: v.chain, Booker: v.booker, Issued: v.issued,
		Lowest: func() (int64, bool) { return v.height, true }, Waiting: v.waiting,
		Required: func(id string, _ money.Msat) int {
			if id == "vm-deep" {
				return 6
			}
			return 3
		},
		Observer: chainObserver{v}, Now: now, FinalDepth: 10,
	}
	ctx, cancel := context.WithCancel(v.t.Context())
	var running sync.WaitGroup
	run := func() (w *payment.ChainWatcher) {
		w, err := payment.NewChainWatcher(conf)
		if err != nil {
			v.t.Fatal(err)
		}
		running.Go(func() {
			if err := w.Run(ctx); err != nil {
				v.t.Error(err)
			}
		})
		return w
	}
	if v.twin {
		run()
	}
	v.ChainWatcher = run()
	var once sync.Once
	v.stop = func() { once.Do(func() { cancel(); running.Wait() }) }
	v.pass(time.Second)
}

func (v *vigil) waiting() (list []payment.State) {
	for _, p := range v.views.OpenPayments() {
		if p.OnChain() {
			list = append(list, p)
		}
	}
	if v.late != nil {
		return v.late(list)
	}
	return list
}

func (v *vigil) pass(d time.Duration) {
	time.Sleep(d) // in a bubble nobody waits for it
	synctest.Wait()
}

// blocks mines empty blocks, one after the other.
func (v *vigil) blocks(n int) {
	for range n {
		v.chain.do(v.chain.mineEmpty)
		v.pass(time.Minute)
	}
}

// change changes the chain, and lets the watcher see it.
func (v *vigil) change(f func()) {
	v.chain.do(f)
	v.pass(time.Minute)
}

// pays sends sats to an address, and returns the transaction.
func (v *vigil) pays(to string, sats ...int64) (t tx) {
	for _, sat := range sats {
		t.pays = append(t.pays, pay{to, sat})
	}
	v.change(func() { t = v.chain.add(t) })
	return t
}

func (v *vigil) state(t tx, vout uint32) payment.State {
	v.t.Helper()
	out, err := v.booker.Payments.Load(v.t.Context(), payment.ChainKey(t.id, vout))
	if err != nil {
		v.t.Fatal(err)
	}
	return out.State
}

// want checks the status of outputs of transactions, from vout 0.
func (v *vigil) want(t tx, want ...payment.Status) {
	v.t.Helper()
	for i, w := range want {
		if s := v.state(t, uint32(i)); s.Status != w {
			v.t.Errorf("output %d is %s (%s), want %s", i, s.Status, s.Reason, w)
		}
	}
}

func (v *vigil) resource(id string) resource.State {
	v.t.Helper()
	out, err := v.booker.Resources.Load(v.t.Context(), id)
	if err != nil {
		v.t.Fatal(err)
	}
	return out.State
}

// sum returns Σ credits − Σ reversals of all resources.
func (v *vigil) sum() (sum money.Msat) {
	v.t.Helper()
	for _, id := range []string{"vm-1", "vm-2", "vm-deep"} {
		s := v.resource(id)
		sum += s.Credited - s.ReversedSum
	}
	return sum
}

func (v *vigil) credited(id string, sat int64) {
	v.t.Helper()
	s := v.resource(id)
	if got := s.Credited - s.ReversedSum; got != money.Msat(sat)*money.Sat {
		v.t.Errorf("%s has %s, want %d sat", id, got, sat)
	}
}

func (v *vigil) count(key string, kind string) (n int) {
	v.t.Helper()
	for rec, err := range v.store.Read(v.t.Context(), payment.Prefix+key, 0) {
		if err != nil {
			v.t.Fatal(err)
		}
		if rec.Type == kind {
			n++
		}
	}
	return n
}

type chainObserver struct{ *vigil }

func (o chainObserver) Booked(_ string, bySweep bool, _ time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.booked++
	if bySweep {
		o.found++
	}
}

func (chainObserver) Swept(time.Duration, int, int) {}

func (o chainObserver) Notice(n payment.Notice) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.notices = append(o.notices, n)
}

func (v *vigil) signs(s payment.Sign) (n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, notice := range v.notices {
		if notice.Sign == s {
			n++
		}
	}
	return n
}

func (v *vigil) isSwept() bool {
	select {
	case <-v.Swept():
		return true
	default:
		return false
	}
}
