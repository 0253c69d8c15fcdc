package follow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sandglass/domain/proof"
	"sandglass/domain/stream"
	"sandglass/domain/watch"
)

// How fast the log is read again. A first pass is as fast as share lets it be, so that what was changed while
// nobody looked is found soon; later ones take a day, or as long as share has them take. A short log is
// read again more often.
const (
	settle   = 10 * time.Second // after the start, which has enough to do
	pass     = 24 * time.Hour
	seldom   = time.Minute      // the longest pause between two blocks
	share    = 20               // one part of so many is the time that goes into reading
	patience = time.Minute      // for one block: a node of a cluster may lag
	unread   = 10 * time.Minute // the longest pause after a failure
)

// pace returns the pause after a block that took so long, in a log of so many.
func pace(took time.Duration, first bool, blocks int) time.Duration {
	least := max((share-1)*took, time.Millisecond)
	if first {
		return least
	}
	return max(least, min(seldom, pass/time.Duration(max(blocks, 1))))
}

// reread reads one block after the other again until ctx ends, and makes the tree again where that is to be.
// The first pass begins where the clock says, so that the log is read as a whole too where none comes to its end.
func (l *Log) reread(ctx context.Context) {
	l.rest(ctx, settle)
	next, left := -1, 1
	for failures := 0; ctx.Err() == nil; {
		began := time.Now()
		l.mu.Lock()
		suspect, blocks := l.suspect, len(l.tree.blocks)
		l.mu.Unlock()
		if next < 0 {
			next, left = int(began.UnixMilli()%int64(blocks+1)), blocks+1
		}
		var err error
		if suspect {
			err = l.remake(ctx)
		} else {
			err = l.step(ctx, int64(next))
		}
		l.failed(ctx, suspect, err)
		switch {
		case err != nil:
			l.rest(ctx, watch.Backoff(failures, retry, unread))
			failures++
			continue
		case !suspect:
			next, left = (next+1)%(blocks+1), max(left-1, 0)
		}
		failures = 0
		l.rest(ctx, pace(time.Since(began), left > 0, blocks))
	}
}

// rest waits, or until the tree is to be made again.
func (l *Log) rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.doubt:
	case <-ctx.Done():
	}
}

// failed notes how it went, and has the first failure told.
func (l *Log) failed(ctx context.Context, remaking bool, err error) {
	if ctx.Err() != nil || errors.Is(err, ErrChanged) {
		return // who found that has told
	}
	l.mu.Lock()
	before := l.health.Unread
	l.health.Unread = err
	if remaking {
		l.unmade = err
		l.grow()
	}
	l.mu.Unlock()
	if err != nil && before == nil {
		l.tell(err)
	}
}

// step reads the n'th block again, or what is after the last.
func (l *Log) step(ctx context.Context, n int64) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	l.mu.Lock()
	t := l.tree
	n = min(n, int64(len(t.blocks)))
	b, until := t.block(n)
	whole, tail := n < int64(len(t.blocks)), append([]proof.Hash(nil), t.tail...)
	l.mu.Unlock()
	entries, _, err := l.read(ctx, b, until)
	if err != nil {
		return fmt.Errorf("the events from index %d on can't be read again: %w", n*proof.Width, err)
	}
	l.mu.Lock()
	l.health.Reread++
	l.mu.Unlock()
	c := Change{n * proof.Width, (n + 1) * proof.Width}
	same := whole && b.is(entries)
	if !whole {
		c, same = differs(n, tail, entries)
	}
	if same {
		return nil
	}
	return l.changed(ctx, t, c)
}

// differs returns where what was read after the last whole block is another than it was.
func differs(n int64, tail, entries []proof.Hash) (c Change, same bool) {
	for i := range tail {
		if i == len(entries) || entries[i] != tail[i] {
			return Change{n*proof.Width + int64(i), n*proof.Width + int64(i) + 1}, false
		}
	}
	return c, true
}

// changed has the tree made again, of which the store has other events, and returns ErrChanged with what differs. Where
// that is by stream is told, if the store has anything there. t is the tree of which that was found.
func (l *Log) changed(ctx context.Context, t *tree, c Change) error {
	err := fmt.Errorf("%w: %s", ErrChanged, c)
	where := l.Describe(ctx, c)
	l.mu.Lock()
	first := t == l.tree && !l.suspect
	if first {
		l.suspect, l.found = true, c
		l.health.Changed++
		watch.Signal(l.doubt)
	}
	l.mu.Unlock()
	if where != "" {
		where = ", " + where
	}
	if first {
		l.tell(fmt.Errorf("%w%s", err, where))
	}
	return err
}

// Again has the tree made again, unless it was made of the store's events alone already, and reports whether it
// is: [Log.Caught] waits for it. It is for who finds that the tree is another than it has to be.
func (l *Log) Again() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.suspect && l.tree.whole {
		return false
	}
	l.suspect = true
	watch.Signal(l.doubt)
	return true
}

// remake makes the tree again of what the store has, beside the one that is there, and puts it in its place.
func (l *Log) remake(ctx context.Context) error {
	l.mu.Lock()
	old, found := l.tree, l.found
	next := newTree(old.blocks)
	next.made = old.made + 1
	l.mu.Unlock()
	for {
		l.mu.Lock()
		until := old.at
		if next.at == until {
			l.replace(next, found)
			l.mu.Unlock()
			return nil
		}
		l.mu.Unlock()
		head, err := l.store.Head(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("making the tree of the log again: %w", err)
		case head < until:
			return fmt.Errorf("making the tree of the log again: it ends at position %d, and had events up to %d", head, until)
		}
		for rec, err := range stream.Between(ctx, l.store, next.at, until) {
			if err != nil {
				return fmt.Errorf("making the tree of the log again: %w", err)
			}
			next.add(&rec)
		}
		next.at = until // whatever is gone before
	}
}

// replace puts a tree in the place of the one that is there. The caller holds the mutex.
func (l *Log) replace(next *tree, found Change) {
	same := next.tree == l.tree.tree
	switch {
	case same:
		next.before, next.change = l.tree.before, l.tree.change
	case next.change == Change{}:
		next.change = found
	}
	l.tree, l.suspect, l.unmade, l.found = next, false, nil, Change{}
	if !same {
		l.file = file{opened: l.file.opened, renew: true}
	}
	watch.Signal(l.closed)
	l.grow()
}
