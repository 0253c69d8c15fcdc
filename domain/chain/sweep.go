package chain

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/domain/watch"
)

const (
	margin   = 12 // heights by which a reorg may have moved what is looked for
	parallel = 8  // resources whose payments are compared at once
	patience = 3  // sweeps in a row that may leave out a resource before the others wait no more for it
)

// sweep is one comparison of the wallet and the chain with the log.
type sweep struct {
	w       *Watcher
	why     cause
	began   time.Time
	beganAt instant.Time // the same, by the clock of the log
	id      watch.Identity
	view    *view
	waiting map[payment.Key]payment.State // payments of the log that are not at their end
	issued  int                           // addresses that the log has

	mu       sync.Mutex // guards what follows
	coming   map[resource.ID]payment.Key
	found    int             // payments that were credited
	leftOut  error           // why a resource was left out, nil if none was
	unlogged []payment.State // outputs that pay orders, and that no block holds
}

// sweep compares, and repairs what can be repaired. A sweep that returns nil has seen
// all that there is to be seen, if the wallet has.
func (w *Watcher) sweep(ctx context.Context, why cause) error {
	s := &sweep{
		w: w, why: why, began: time.Now(), beganAt: w.Now(),
		waiting: map[payment.Key]payment.State{}, coming: map[resource.ID]payment.Key{},
	}
	var err error
	if s.id, err = w.Wallet.Check(ctx); err != nil {
		return err
	}
	tip, err := w.Wallet.Tip(ctx)
	if err != nil {
		return err
	}
	for _, p := range w.Waiting() {
		s.waiting[p.Key] = p
		if p.Coming() {
			w.held[p.Resource] = p.Key
		}
	}
	// 1. What there is on the chain.
	s.view = newView(w, tip)
	if lowest, ok := w.lowest(); ok { // else none of the wallet's outputs is ours
		if err := s.view.list(ctx, s.firstHeight(lowest)); err != nil {
			return err
		}
	}
	// 2. Whether somebody has spent twice what is in no block.
	if err := s.findConflicts(ctx); err != nil {
		return err
	}
	// 3. Each payment against that.
	if err := watch.Each(ctx, parallel, s.keysByResource(), s.compareResource); err != nil {
		return err
	}
	for _, id := range w.SetUnlogged(s.unlogged) {
		w.Requests.Touch(id)
	}
	if s.isFull() {
		if err := s.logAddresses(ctx); err != nil {
			return err
		}
	}
	// 4. Which resources a payment is on its way to.
	if err := s.updateHolds(ctx); err != nil {
		return err
	}
	if s.view.unread != nil {
		return s.view.unread
	}
	if s.leftOut == nil {
		w.leftOut = 0
	} else if w.leftOut++; w.leftOut < patience {
		return s.leftOut
	}
	s.finish()
	return nil
}

// leaveOut goes on without a resource after an error that is about it alone, and returns any
// other. A payment may be on its way to it, so that it is held.
func (s *sweep) leaveOut(ctx context.Context, key payment.Key, err error) error {
	if watch.WalletAway(ctx, err) || errors.Is(err, stream.ErrUnavailable) || errors.Is(err, stream.ErrReadOnly) {
		return err
	}
	s.w.Observer.Notice(watch.Notice{Sign: watch.SignRetry, Key: key, Text: "comparing with the chain", Err: err})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leftOut = err
	if id := s.resourceOf(key); id != "" {
		s.coming[id] = key
	}
	return nil
}

// isFull reports whether all heights are due.
func (s *sweep) isFull() bool { return s.began.After(s.w.fullAt) }

// firstHeight returns the height from which on the wallet is asked.
func (s *sweep) firstHeight(lowestIssued int64) int64 {
	first, adopted := FirstHeight(lowestIssued), s.adoptedAt()
	if s.isFull() {
		return first
	}
	return min(adopted, max(first, min(s.view.tip.Height, s.w.sweptTip.Height)-int64(s.w.FinalDepth)-margin))
}

// adoptedAt returns from which height on an address is to be looked for that is new in the
// log, and old in the wallet. Blocks that are kept may lack what pays it.
func (s *sweep) adoptedAt() int64 {
	if s.w.IssuedAfter == nil {
		return math.MaxInt64
	}
	lowest, all := s.w.IssuedAfter(s.w.issued)
	s.issued = all
	if all == s.w.issued || lowest >= s.w.sweptTip.Height {
		return math.MaxInt64
	}
	s.w.blocks = newBlockCache()
	return FirstHeight(lowest)
}

// keysByResource returns the payments to be compared, lowest block first, those in none
// last. Those of one resource stand together, and are compared one after the other: they
// would only be in each other's way.
func (s *sweep) keysByResource() (lists [][]payment.Key) {
	at := map[resource.ID]int{}
	for _, key := range s.keys() {
		id := s.resourceOf(key)
		i, ok := at[id]
		if !ok {
			i = len(lists)
			at[id], lists = i, append(lists, nil)
		}
		lists[i] = append(lists[i], key)
	}
	return lists
}

func (s *sweep) keys() []payment.Key {
	const none = 1 << 62
	heights := map[payment.Key]int64{}
	for key := range s.waiting {
		heights[key] = none
	}
	for key := range s.view.unmined {
		heights[key] = none
	}
	for key, o := range s.view.mined {
		_, waits := s.waiting[key]
		if _, final := s.w.final.Find(key, o.Amount); waits || !final {
			heights[key] = o.Height
		}
	}
	keys := make([]payment.Key, 0, len(heights))
	for key := range heights {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b payment.Key) int {
		return cmp.Or(cmp.Compare(heights[a], heights[b]), cmp.Compare(a, b))
	})
	return keys
}

// resourceOf returns for which resource a payment is.
func (s *sweep) resourceOf(key payment.Key) resource.ID {
	if p, ok := s.waiting[key]; ok {
		return p.Resource
	}
	o, _ := s.view.output(key)
	id, _, _ := s.w.resourceAt(o.Address)
	return id
}

// finish says that the sweep is over.
func (s *sweep) finish() {
	tip := s.view.tip
	s.w.Observer.Swept(time.Since(s.began), s.view.read, s.found)
	s.w.lastTip = tip
	s.w.UpdateHealth(func(h *watch.Health) {
		h.Node, h.Network, h.Height, h.LastSweep = s.id.Node, s.id.Network, tip.Height, s.w.Now()
		h.SetSwept(s.id.Synced)
	})
	if !s.id.Synced {
		return // what the wallet has not seen yet may come
	}
	if s.isFull() {
		s.w.fullAt = time.Now().Add(s.w.FullEvery)
	}
	if s.leftOut == nil { // else what may have been left out is listed again
		s.w.sweptTip, s.w.issued = tip, max(s.w.issued, s.issued)
	}
	s.w.FinishSweep(s.id.Node, watch.Began{At: s.beganAt, Process: s.began})
}
