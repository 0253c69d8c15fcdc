// Package follow keeps the tree of a log that grows, and answers for it: its root at any size, its
// tiles, the proofs that follow from them, and where in it an event stands.
//
// What it holds, in memory and by [Blocks] on disk, is the root of each [proof.Width] events, and where
// they begin in the store. All else follows: what is above them is in memory, and what is below is read
// from the store when it is asked for, and held against its root. So a restart reads at most two blocks
// of events, and a file that was lost, or that is of another log, is made again from the first event.
//
// No old event has to be asked for to be read: each block is read again now and then. Where the store has
// other events than the tree was made of, the tree is made again of what it has. Whether that is what was
// signed is for others to say: a tree whose file was wrong is right then, and one whose log was changed is
// the proof of it.
package follow

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/proof"
	"sandglass/domain/stream"
	"sandglass/domain/watch"
)

// Errors that callers branch on.
var (
	// ErrNotYet says that the tree has no such leaf, or none yet.
	ErrNotYet = errors.New("follow: the log is not that long")
	// ErrChanged says that the store does not have the events any more that the tree was made of. The tree is
	// made again.
	ErrChanged = errors.New("follow: the store has other events than it had")
)

// Block is [proof.Width] events of a log: the n'th begins with the event of index n times that.
type Block struct {
	Root     proof.Hash
	After    stream.Position // of the event before the first: 0 if there is none
	Recorded instant.Time    // the latest recorded time before the first
}

// Blocks keeps the blocks of a log. It is used by one caller at a time.
type Blocks interface {
	// Open returns those that are kept, and those that the last Renew put aside, if there are any. It may be
	// called again, and then begins anew with what is there.
	Open() (kept, before []Block, err error)
	// Write writes the n'th block and those that follow, of which those before are kept, and returns how many of
	// them are: where it fails some may be, and they may be though it does not say so. What is lost with the
	// machine is made again.
	Write(n int, blocks []Block) (int, error)
	// Renew begins anew with none. What was there, if there was a block, is put aside, in the place of what was
	// there before.
	Renew() error
}

// Log follows a log. It is made by [New], and its [Log.Run] has to run; the other methods may be
// called at any time, by many.
type Log struct {
	// Told hears why blocks can't be kept, or old events not be read again: it goes on, and tries later. And it
	// hears of [ErrChanged], with what differs. It may be nil.
	Told func(error)

	store  stream.EventStore
	disk   Blocks        // of begins, and then of keep
	closed chan struct{} // a block was
	doubt  chan struct{} // the tree is to be made again

	mu      sync.Mutex // guards what follows
	tree    *tree
	begun   bool
	suspect bool          // the tree may not be that of the store's events: it is made again
	found   Change        // why, if it is known
	unmade  error         // why it could not be made
	grown   chan struct{} // closed when there is more
	ended   error         // why it is followed no more
	file    file
	health  Health
}

// Health is how it is with a tree.
type Health struct {
	Unkept  error // why blocks are not kept on disk, if so: then a restart reads the log from their end on
	Unread  error // why events could not be read again, if so
	Reread  int64 // blocks that were, since the start
	Changed int64 // times that the store had others than the tree was made of
}

// retry is the pause before a store that did not answer is asked again, or a disk that kept nothing: at first,
// and at most.
const retry, retryMost = time.Second, time.Minute

// New returns a log that is not followed yet.
func New(store stream.EventStore, blocks Blocks) *Log {
	return &Log{
		store: store, disk: blocks, closed: make(chan struct{}, 1), doubt: make(chan struct{}, 1),
		tree: newTree(nil), grown: make(chan struct{}),
	}
}

// Run follows the log until ctx ends, and then returns nil, or until the store can't be read. Then
// [Log.Caught] says why, too, and Run may be called again, which goes on from there.
func (l *Log) Run(ctx context.Context) error {
	l.mu.Lock()
	l.ended = nil
	l.mu.Unlock()
	err := quiet(ctx, l.run(ctx))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = err
	l.grow()
	return err
}

func (l *Log) run(ctx context.Context) error {
	if !l.begun {
		if err := l.begins(ctx); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer cancel()
	beside.Go(func() { l.keep(ctx) })
	beside.Go(func() { l.reread(ctx) })
	l.mu.Lock()
	at := l.tree.at
	l.mu.Unlock()
	for run, err := range l.store.Subscribe(ctx, at) {
		if err != nil {
			return fmt.Errorf("the tree of the log: %w", err)
		}
		l.add(run)
	}
	return nil
}

// quiet returns err, unless that is the end of ctx.
func quiet(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// tell has a failure told.
func (l *Log) tell(err error) {
	if l.Told != nil {
		l.Told(err)
	}
}

// begins takes the blocks that are kept if they are those of the store, and begins anew if not.
func (l *Log) begins(ctx context.Context) error {
	kept, before, unkept := l.disk.Open()
	if l.unkept(unkept); unkept != nil { // it goes on without, and tries again
		kept, before = nil, nil
	}
	tail, fits, err := l.fits(ctx, kept)
	for errors.Is(err, stream.ErrUnavailable) && watch.Pause(ctx, retry) { // nothing was begun
		tail, fits, err = l.fits(ctx, kept)
	}
	if err != nil {
		return err
	}
	t, f := newTree(before), file{opened: unkept == nil}
	if !fits {
		t, f.renew = newTree(kept), true
	} else if len(kept) > 0 {
		for _, b := range kept {
			t.fold(b)
		}
		t.begin, t.at, t.hasher.Recorded, t.whole = tail, tail.After, tail.Recorded, false
		f.kept = len(kept)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tree, l.file, l.begun = t, f, true // with all that is kept, so that nobody takes a tree for whole that is not
	if t.tree.Size() > 0 {
		l.grow()
	}
	return nil
}

// fits reports whether the last block that is kept is what the store has there, and if so
// where the tail begins.
func (l *Log) fits(ctx context.Context, kept []Block) (tail Block, fits bool, err error) {
	if len(kept) == 0 {
		return tail, true, nil
	}
	head, err := l.store.Head(ctx)
	if err != nil {
		return tail, false, fmt.Errorf("the tree of the log: %w", err)
	}
	last := kept[len(kept)-1]
	entries, end, err := l.read(ctx, last, head)
	switch {
	case ctx.Err() != nil:
		return tail, false, ctx.Err()
	case errors.Is(err, stream.ErrUnavailable):
		return tail, false, err
	case err != nil: // the store has no event there; if it is broken, so is reading it from its begin
		return tail, false, nil
	}
	return end, last.is(entries), nil
}

// is reports whether a block is of these entries.
func (b *Block) is(entries []proof.Hash) bool {
	return len(entries) == proof.Width && proof.BlockRoot((*[proof.Width]proof.Hash)(entries)) == b.Root
}

// read returns the entries of a block as the store has it, up to a position, and where the next
// one begins.
func (l *Log) read(ctx context.Context, b Block, until stream.Position) (entries []proof.Hash, next Block, err error) {
	hasher := proof.Hasher{Recorded: b.Recorded}
	next = Block{After: b.After, Recorded: b.Recorded}
	for rec, err := range stream.Between(ctx, l.store, b.After, until) {
		if err != nil {
			return nil, next, fmt.Errorf("reading the events after position %d: %w", b.After, err)
		}
		entries = append(entries, hasher.Add(&rec))
		next.After, next.Recorded = rec.Position, hasher.Recorded
		if len(entries) == proof.Width {
			break
		}
	}
	return entries, next, nil
}

// add adds what the log has more.
func (l *Log) add(run []stream.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	blocks := len(l.tree.blocks)
	for i := range run {
		l.tree.add(&run[i])
	}
	if len(l.tree.blocks) > blocks {
		watch.Signal(l.closed)
	}
	l.grow()
}

// grow tells that there is more. The caller holds the mutex.
func (l *Log) grow() {
	close(l.grown)
	l.grown = make(chan struct{})
}

// Tree returns the tree as far as the log was followed.
func (l *Log) Tree() proof.Tree {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tree.tree
}

// Made returns how often the tree was made again: what is kept of its tiles elsewhere is of another tree then.
func (l *Log) Made() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tree.made
}

// Health returns how it is with the tree.
func (l *Log) Health() Health {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.health
}

// Grown returns a channel that is closed once the tree is larger than at the call, or another.
func (l *Log) Grown() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.grown
}

// Caught returns nil once the tree holds all that the log had at the call, and is not to be made again: what
// is shorter then is short. A node of a cluster that lags is waited for. It fails once the log is followed no
// more, and while the tree can't be made again.
func (l *Log) Caught(ctx context.Context) error {
	head, err := l.store.Head(ctx)
	if err != nil {
		return err
	}
	for {
		l.mu.Lock()
		caught, grown, err := l.tree.at >= head && !l.suspect, l.grown, l.ended
		if err == nil && l.suspect {
			err = l.unmade
		}
		l.mu.Unlock()
		if err != nil || caught {
			return err
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Change is of events that are others than the tree was made of before: one at least of index From up to, but
// not with, Until.
type Change struct{ From, Until int64 }

func (c Change) String() string {
	if c.Until == c.From+1 {
		return fmt.Sprintf("the one of index %d", c.From)
	}
	return fmt.Sprintf("one of index %d to %d", c.From, c.Until-1)
}

// Changed returns the first change. It is known once the log was followed so far, and for as long as what the
// tree was before is kept.
func (l *Log) Changed() (c Change, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tree.change, l.tree.change != Change{}
}

// Describe says where a change is by what the store has there now, or nothing if that can't be read. It names streams,
// and so is not for everybody.
func (l *Log) Describe(ctx context.Context, c Change) string {
	l.mu.Lock()
	b, until := l.tree.block(c.From / proof.Width)
	l.mu.Unlock()
	var at []string
	index := c.From - c.From%proof.Width
	for rec, err := range stream.Between(ctx, l.store, b.After, until) {
		if err != nil || index >= c.Until {
			break
		}
		if index >= c.From {
			at = append(at, fmt.Sprintf("%s revision %d at position %d", rec.Stream, rec.Revision, rec.Position))
		}
		index++
	}
	switch len(at) {
	case 0:
		return ""
	case 1:
		return at[0]
	}
	return "from " + at[0] + " to " + at[len(at)-1]
}
