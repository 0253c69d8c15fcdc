package payment

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/resource"
)

const takes = 8 // resources whose payments are compared at once

// chainSweep is one comparison of the wallet and the chain with the log.
type chainSweep struct {
	*ChainWatcher
	began time.Time
	begun instant.Time // the same, by the clock of the log
	why   cause
	id    Identity
	tip   Tip

	mined   map[string]Output // by key: outputs of ours in blocks of the active chain
	mempool map[string]Output // by key: outputs of ours that are in none, says the wallet
	waiting map[string]State  // by key: payments of the log that are not at their end
	read    int               // outputs of ours
	unread  error             // why there are heights of which nothing is known

	mu      sync.Mutex       // guards what follows
	hashes  map[int64]string // of the active chain, as of this sweep
	pending map[string]string
	found   int // payments that were credited
}

// sweep compares, and repairs what can be repaired. A sweep that returns nil has seen
// all that there is to be seen, if the wallet has.
func (w *ChainWatcher) sweep(ctx context.Context, why cause) error {
	s := &chainSweep{
		ChainWatcher: w, began: time.Now(), begun: w.Now(), why: why,
		hashes: map[int64]string{}, mined: map[string]Output{}, mempool: map[string]Output{},
		waiting: map[string]State{}, pending: map[string]string{},
	}
	var err error
	if s.id, err = w.Chain.Check(ctx); err != nil {
		return err
	}
	if s.tip, err = w.Chain.Tip(ctx); err != nil {
		return err
	}
	for _, p := range w.Waiting() {
		if s.waiting[p.Key] = p; p.coming() {
			w.held[p.Resource] = p.Key
		}
	}
	if err := s.collect(ctx); err != nil {
		return err
	}
	if err := s.bury(ctx); err != nil {
		return err
	}
	if err := each(ctx, takes, s.lanes(), s.takeAll); err != nil {
		return err
	}
	if err := s.letGo(ctx); err != nil {
		return err
	}
	if s.unread != nil {
		return s.unread
	}
	s.through()
	return nil
}

// through says that the sweep is over.
func (s *chainSweep) through() {
	s.Observer.Swept(time.Since(s.began), s.read, s.found)
	s.seen = s.tip
	s.tell(func(h *Health) {
		h.Node, h.Network, h.Height, h.LastSweep = s.id.Node, s.id.Network, s.tip.Height, s.Now()
		h.Condition, h.Advice = ready(s.id.Synced)
	})
	if !s.id.Synced {
		return // what the wallet has not seen yet may come
	}
	if s.full() {
		s.fullAt = time.Now().Add(s.FullEvery)
	}
	s.ChainWatcher.tip = s.tip
	s.once.Do(func() { close(s.swept) })
}

// full says whether all heights are due.
func (s *chainSweep) full() bool { return s.began.After(s.fullAt) }

// collect reads what the wallet lists, and sorts it by the chain.
func (s *chainSweep) collect(ctx context.Context) error {
	lowest, ok := s.Lowest()
	if !ok {
		return nil // none of its outputs is ours
	}
	outputs, err := s.Chain.Mempool(ctx) // first, so that what is mined meanwhile is in one of them
	if err != nil {
		return err
	}
	for _, o := range outputs {
		s.float(o)
	}
	from := FirstHeight(lowest)
	if !s.full() {
		from = max(from, min(s.tip.Height, s.ChainWatcher.tip.Height)-int64(s.FinalDepth)-margin)
	}
	l := Lister{Chain: s.Chain, Keep: s.place, Read: s.instead, Unread: s.blindTo}
	return l.List(ctx, from, s.tip.Height)
}

// instead reads the block of a height that the wallet can't list.
func (s *chainSweep) instead(ctx context.Context, height int64, why error) error {
	s.tellBlind(height, "the wallet can't list it: its block is read", why)
	_, err := s.block(ctx, height)
	return err
}

// blindTo keeps why nothing is known of a height. The others go on.
func (s *chainSweep) blindTo(height int64, err error) {
	s.unread = fmt.Errorf("height %d: %w", height, err)
}

// tellBlind tells, once, what of a height can't be had.
func (s *chainSweep) tellBlind(height int64, what string, err error) {
	if !s.ChainWatcher.blind[height] {
		s.ChainWatcher.blind[height] = true
		s.Observer.Notice(Notice{Sign: SignHeight, Text: fmt.Sprintf("height %d: %s", height, what), Err: err})
	}
}

// place keeps the outputs of ours, in the block in which the active chain has them.
func (s *chainSweep) place(ctx context.Context, outputs []Output) error {
	for _, o := range outputs {
		if _, _, ours := s.Issued(o.Address); !ours {
			continue
		}
		hash, err := s.hash(ctx, o.Height)
		if err != nil {
			return err
		}
		if hash == o.Block && hash != "" {
			s.read++
			s.mined[o.Key()] = o
			continue
		}
		s.float(o) // a block that left the chain, which the wallet did not notice
		// lnd keeps one block of a height: what the active chain's block there holds too,
		// it lists in the lost one alone, for good. So that block itself is read.
		_, err = s.block(ctx, o.Height)
		switch {
		case err == nil:
		case General(ctx, err):
			return err
		default:
			s.tellBlind(o.Height, "the wallet lists a lost block, and the active one can't be read", err)
			s.blindTo(o.Height, err)
		}
	}
	return nil
}

// float keeps an output of ours that is in no block of the active chain.
func (s *chainSweep) float(o Output) {
	if _, _, ours := s.Issued(o.Address); ours {
		s.read++
		o.Height, o.Block = 0, ""
		s.mempool[o.Key()] = o
	}
}

// hash returns the hash of the active chain's block at a height, or "" if there is none.
func (s *chainSweep) hash(ctx context.Context, height int64) (string, error) {
	if height == s.tip.Height {
		return s.tip.Hash, nil
	}
	s.mu.Lock()
	hash, ok := s.hashes[height]
	s.mu.Unlock()
	if ok {
		return hash, nil
	}
	hash, err := s.Chain.BlockHash(ctx, height)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hashes[height] = hash
	return hash, nil
}

// block reads a block of the active chain, keeps the outputs of ours, and returns it.
func (s *chainSweep) block(ctx context.Context, height int64) (Block, error) {
	hash, err := s.hash(ctx, height)
	if err != nil || hash == "" {
		return Block{}, err
	}
	b, ok := s.dead.blocks[hash]
	if !ok {
		if b, err = s.Chain.Block(ctx, hash); err != nil {
			return Block{}, err
		}
		b.Outputs = slices.DeleteFunc(b.Outputs, func(o Output) bool {
			_, _, ours := s.Issued(o.Address)
			return !ours
		})
		s.dead.keep(hash, b)
	}
	for _, o := range b.Outputs {
		o.Height, o.Block = height, hash
		s.mined[o.Key()] = o
	}
	return b, nil
}

// keys returns the payments to be looked at, lowest block first, those in none last.
func (s *chainSweep) keys() []string {
	heights := map[string]int64{}
	const none = 1 << 62
	for key := range s.waiting {
		heights[key] = none
	}
	for key := range s.mempool {
		heights[key] = none
	}
	for key, o := range s.mined {
		if _, waits := s.waiting[key]; waits || !s.isFinal(&o) {
			heights[key] = o.Height
		}
	}
	keys := make([]string, 0, len(heights))
	for key := range heights {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(cmp.Compare(heights[a], heights[b]), cmp.Compare(a, b)) })
	return keys
}

// lanes returns the keys by resource, so that its payments are taken one after the other:
// they would only be in each other's way.
func (s *chainSweep) lanes() (lanes [][]string) {
	at := map[string]int{}
	for _, key := range s.keys() {
		id := s.resource(key)
		i, ok := at[id]
		if !ok {
			i = len(lanes)
			at[id], lanes = i, append(lanes, nil)
		}
		lanes[i] = append(lanes[i], key)
	}
	return lanes
}

// resource returns for which resource a payment is.
func (s *chainSweep) resource(key string) string {
	if p, ok := s.waiting[key]; ok {
		return p.Resource
	}
	o, ok := s.mined[key]
	if !ok {
		o = s.mempool[key]
	}
	id, _, _ := s.Issued(o.Address)
	return id
}

// isFinal says whether it is known that the log is done with an output.
func (s *chainSweep) isFinal(o *Output) bool {
	_, ok := s.final.get(o.Key(), o.Amount)
	return ok
}

// letGo tells the meter which payments are on their way, and ends the holds of those that
// will not come. Where it fails, the next sweep does.
func (s *chainSweep) letGo(ctx context.Context) error {
	s.ChainWatcher.mu.Lock()
	s.ChainWatcher.pending = s.pending
	s.ChainWatcher.mu.Unlock()
	maps.Copy(s.held, s.pending)
	for id, key := range s.held {
		if _, still := s.pending[id]; still {
			continue
		}
		if err := s.endHold(ctx, id, key); err != nil {
			return err
		}
		delete(s.held, id)
	}
	return nil
}

func (s *chainSweep) endHold(ctx context.Context, id, key string) error {
	out, err := s.Booker.Resources.Load(ctx, id)
	when := s.Booker.Gap
	when.At = s.Now()
	if err != nil || out.State.HeldUntil() <= when.At {
		return err
	}
	_, err = s.Booker.Resources.Execute(ctx, id, watcherMeta, resource.Hold{When: when, Payment: key, Until: when.At})
	return err
}

// expects says that a payment is on its way to a resource.
func (s *chainSweep) expects(p *State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending[p.Resource] = p.Key
}

// depth returns how many confirmations a block of the active chain gives.
func (s *chainSweep) depth(height int64) int { return int(max(0, s.tip.Height-height+1)) }
