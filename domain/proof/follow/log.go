// Package follow keeps the tree of a log that grows, and answers for it: its root at any size, its
// tiles, the proofs that follow from them, and where in it an event stands.
//
// What it keeps on disk are [Blocks]: the root of each [proof.Width] events, and where they begin in
// the store. All else follows: what is above them is in memory, and what is below is read from the
// store when it is asked for, and held against its root. So a restart reads at most two blocks of
// events, and a file that was lost, or that is of another log, is made again from the first event.
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
	// ErrChanged says that the store does not have the events any more that the tree was made of.
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
	// Len returns how many there are.
	Len() int64
	// Read reads so many from the n'th on, all of which must be there.
	Read(n int64, into []Block) error
	// Append adds blocks, all or none. What is lost of them with the machine is made again.
	Append(blocks []Block) error
	// Renew begins anew with none. What was there is put aside, in the place of what was there before.
	Renew() error
	// Before returns the root of the n'th block of what Renew put aside.
	Before(n int64) (root proof.Hash, ok bool)
}

// Log follows a log. It is made by [New], and its [Log.Run] has to run; the other methods may be
// called at any time, by many.
type Log struct {
	// Told hears why blocks could not be kept: it goes on, and keeps them later. It may be nil.
	Told func(error)

	store stream.EventStore

	mu      sync.Mutex // guards what follows
	blocks  Blocks
	unkept  []Block // that could not be appended to blocks yet
	tree    proof.Tree
	hasher  proof.Hasher
	at      stream.Position // of the last event
	begin   Block           // of the tail: where it begins
	tail    []proof.Hash    // entries after the last block, fewer than a block
	upper   [][]proof.Hash  // roots of whole tiles: of level 1, of level 2, and so on
	last    [][]proof.Hash  // of each of these levels, what is in no whole tile
	changed int64           // first block that is another than before, or -1
	grown   chan struct{}   // closed when there is more
	ended   error           // why it is followed no more
}

// retry is the pause before a store that did not answer is asked again.
const retry = time.Second

// New returns a log that is not followed yet.
func New(store stream.EventStore, blocks Blocks) *Log {
	return &Log{store: store, blocks: blocks, changed: -1, grown: make(chan struct{})}
}

// Run follows the log until ctx ends, and then returns nil, or until the store can't be read. Then
// [Log.Caught] says why, too.
func (l *Log) Run(ctx context.Context) error {
	err := l.run(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = err
	l.grow()
	return err
}

func (l *Log) run(ctx context.Context) error {
	err := l.begins(ctx)
	for errors.Is(err, stream.ErrUnavailable) && watch.Pause(ctx, retry) { // nothing was begun
		err = l.begins(ctx)
	}
	if err != nil {
		return quiet(ctx, err)
	}
	l.mu.Lock()
	at := l.at
	l.mu.Unlock()
	for run, err := range l.store.Subscribe(ctx, at) {
		if err != nil {
			return quiet(ctx, fmt.Errorf("the tree of the log: %w", err))
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

// begins takes the blocks that are kept if they are those of the store, and begins anew if not.
func (l *Log) begins(ctx context.Context) error {
	tail, fits, err := l.fits(ctx)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !fits {
		if err := l.blocks.Renew(); err != nil {
			return fmt.Errorf("beginning the tree of the log anew: %w", err)
		}
	}
	var some [proof.Width]Block
	for n := int64(0); n < l.blocks.Len(); {
		run := some[:min(proof.Width, l.blocks.Len()-n)]
		if err := l.blocks.Read(n, run); err != nil {
			return err
		}
		for i := range run {
			l.fold(n+int64(i), run[i].Root)
		}
		n += int64(len(run))
	}
	if fits { // with what is folded, so that nobody takes a tree for whole that is not
		l.begin, l.at, l.hasher.Recorded = tail, tail.After, tail.Recorded
	}
	if l.tree.Size() > 0 {
		l.grow()
	}
	return nil
}

// fits reports whether the last block that is kept is what the store has there, and if so
// where the tail begins.
func (l *Log) fits(ctx context.Context) (tail Block, fits bool, err error) {
	l.mu.Lock()
	n := l.blocks.Len()
	var last [1]Block
	if n > 0 {
		err = l.blocks.Read(n-1, last[:])
	}
	l.mu.Unlock()
	if err != nil || n == 0 {
		return tail, true, err
	}
	head, err := l.store.Head(ctx)
	if err != nil {
		return tail, false, fmt.Errorf("the tree of the log: %w", err)
	}
	entries, end, err := l.read(ctx, last[0], head)
	switch {
	case ctx.Err() != nil:
		return tail, false, ctx.Err()
	case errors.Is(err, stream.ErrUnavailable):
		return tail, false, err
	case err != nil: // the store has no event there; if it is broken, so is reading it from its begin
		return tail, false, nil
	case len(entries) < proof.Width || proof.BlockRoot((*[proof.Width]proof.Hash)(entries)) != last[0].Root:
		return tail, false, nil
	}
	return end, true, nil
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
	for i := range run {
		entry := l.hasher.Add(&run[i])
		l.tree.Append(entry)
		l.tail = append(l.tail, entry)
		l.at = run[i].Position
		if len(l.tail) == proof.Width {
			l.close()
		}
	}
	l.grow()
}

// grow tells that there is more. The caller holds the mutex.
func (l *Log) grow() {
	close(l.grown)
	l.grown = make(chan struct{})
}

// close makes a block of the tail.
func (l *Log) close() {
	b := l.begin
	b.Root = proof.BlockRoot((*[proof.Width]proof.Hash)(l.tail))
	n := l.tree.Size()/proof.Width - 1
	l.raise(n, b.Root)
	l.begin = Block{After: l.at, Recorded: l.hasher.Recorded}
	l.tail = l.tail[:0]
	l.unkept = append(l.unkept, b)
	if err := l.blocks.Append(l.unkept); err != nil {
		if l.Told != nil {
			l.Told(err)
		}
		return
	}
	l.unkept = nil
}

// fold adds the n'th block to the tree.
func (l *Log) fold(n int64, root proof.Hash) {
	l.tree.AppendBlock(root)
	l.raise(n, root)
}

// raise adds the root of the n'th block to the levels above, and holds it against what was
// there before.
func (l *Log) raise(n int64, root proof.Hash) {
	if before, ok := l.blocks.Before(n); ok && before != root && l.changed < 0 {
		l.changed = n
	}
	for level := 0; ; level++ {
		if level == len(l.last) {
			l.last, l.upper = append(l.last, nil), append(l.upper, nil)
		}
		l.last[level] = append(l.last[level], root)
		if len(l.last[level]) < proof.Width {
			return
		}
		root = proof.NodeOver((*[proof.Width]proof.Hash)(l.last[level]))
		l.last[level] = l.last[level][:0]
		l.upper[level] = append(l.upper[level], root)
	}
}

// Tree returns the tree as far as the log was followed.
func (l *Log) Tree() proof.Tree {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tree
}

// Grown returns a channel that is closed once the tree is larger than at the call.
func (l *Log) Grown() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.grown
}

// Caught returns nil once the tree holds all that the log had at the call: what is shorter then
// is short. A node of a cluster that lags is waited for. It fails once the log is followed no more.
func (l *Log) Caught(ctx context.Context) error {
	head, err := l.store.Head(ctx)
	if err != nil {
		return err
	}
	for {
		l.mu.Lock()
		at, grown, ended := l.at, l.grown, l.ended
		l.mu.Unlock()
		if ended != nil || at >= head {
			return ended
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Changed returns the first events, by their indexes, that are others than those that the tree was
// made of before: one at least of from up to, but not with, until is. It is known once the log was
// followed so far, and for as long as what the tree was before is kept.
func (l *Log) Changed() (from, until int64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed * proof.Width, (l.changed + 1) * proof.Width, l.changed >= 0
}
