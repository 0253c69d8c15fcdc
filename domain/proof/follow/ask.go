package follow

import (
	"context"
	"fmt"
	"sort"

	"sandglass/domain/proof"
	"sandglass/domain/stream"

	"golang.org/x/mod/sumdb/tlog"
)

// now returns the present tree, which is asked under the mutex. One that it is replaced by is not mixed with it.
func (l *Log) now() *tree {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tree
}

// Root returns the root of the log as it was when it had so many events.
func (l *Log) Root(ctx context.Context, size int64) (proof.Hash, error) {
	t := l.now()
	has, err := l.has(t, size)
	if err != nil {
		return proof.Hash{}, err
	}
	if has.Size() == size {
		return has.Root(), nil
	}
	return tlog.TreeHash(size, l.reader(ctx, t))
}

// Inclusion returns the proof that the event of an index is in the log of so many events.
func (l *Log) Inclusion(ctx context.Context, index, size int64) (tlog.RecordProof, error) {
	t := l.now()
	if _, err := l.has(t, size); err != nil {
		return nil, err
	}
	return tlog.ProveRecord(size, index, l.reader(ctx, t))
}

// Consistency returns the proof that the log of size events goes on from that of old, which are
// one at least.
func (l *Log) Consistency(ctx context.Context, old, size int64) (tlog.TreeProof, error) {
	t := l.now()
	if _, err := l.has(t, size); err != nil {
		return nil, err
	}
	return tlog.ProveTree(size, old, l.reader(ctx, t))
}

// has returns an error unless the log has so many events.
func (l *Log) has(t *tree, size int64) (proof.Tree, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if size < 0 || size > t.tree.Size() {
		return t.tree, fmt.Errorf("%w: it has %d events, and was asked for %d", ErrNotYet, t.tree.Size(), size)
	}
	return t.tree, nil
}

// Tile returns the first so many hashes of a tile by c2sp.org/tlog-tiles: at level 0 the hashes of
// leaves. Those above the lowest are in memory.
func (l *Log) Tile(ctx context.Context, level int, n int64, width int) ([]proof.Hash, error) {
	return l.tile(ctx, l.now(), level, n, width)
}

func (l *Log) tile(ctx context.Context, t *tree, level int, n int64, width int) ([]proof.Hash, error) {
	if level == 0 {
		entries, err := l.entries(ctx, t, n, width)
		for i := range entries {
			entries[i] = proof.Leaf(entries[i])
		}
		return entries, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := t.has(level, n, width); err != nil {
		return nil, err
	}
	if level > 1 {
		return append([]proof.Hash(nil), t.upper[level-2][n*proof.Width:][:width]...), nil
	}
	roots := make([]proof.Hash, width)
	for i, b := range t.blocks[n*proof.Width:][:width] {
		roots[i] = b.Root
	}
	return roots, nil
}

// has returns an error unless the tree has so many hashes of the tile.
func (t *tree) has(level int, n int64, width int) error {
	const most = 5 // levels of a tree that can be held
	if level < 0 || level > most || n < 0 || width < 1 || width > proof.Width {
		return fmt.Errorf("%w: there is no tile %d/%d of width %d", ErrNotYet, level, n, width)
	}
	if there := t.tree.Size() >> (proof.Height * level); n > there/proof.Width || n*proof.Width+int64(width) > there {
		return fmt.Errorf("%w: level %d has %d hashes", ErrNotYet, level, there)
	}
	return nil
}

// Entries returns the entries of the first so many events of a tile.
func (l *Log) Entries(ctx context.Context, n int64, width int) ([]proof.Hash, error) {
	return l.entries(ctx, l.now(), n, width)
}

func (l *Log) entries(ctx context.Context, t *tree, n int64, width int) ([]proof.Hash, error) {
	l.mu.Lock()
	err := t.has(0, n, width)
	var entries []proof.Hash
	whole := n < int64(len(t.blocks))
	if err == nil && !whole {
		entries = append(entries, t.tail[:width]...)
	}
	b, until := t.block(max(n, 0))
	l.mu.Unlock()
	if err != nil || !whole {
		return entries, err
	}
	entries, _, err = l.read(ctx, b, until)
	if err != nil {
		return nil, err
	}
	if !b.is(entries) {
		return nil, l.changed(ctx, t, Change{n * proof.Width, (n + 1) * proof.Width})
	}
	return entries[:width], nil
}

// reader returns the hashes of a tree as package tlog asks for them.
func (l *Log) reader(ctx context.Context, of *tree) tlog.HashReader {
	tiles := map[tlog.Tile][]byte{}
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			t := tlog.TileForIndex(proof.Height, index)
			data, ok := tiles[t]
			if !ok {
				tile, err := l.tile(ctx, of, t.L, t.N, t.W)
				if err != nil {
					return nil, err
				}
				for _, h := range tile {
					data = append(data, h[:]...)
				}
				tiles[t] = data
			}
			h, err := tlog.HashFromTile(t, data, index)
			if err != nil {
				return nil, err
			}
			hashes[i] = h
		}
		return hashes, nil
	})
}

// IndexOf returns where in the log the event of a stream stands, and that event, its recorded time
// being the one of its entry. It is [ErrNotYet] if the stream has none of that revision, or the tree
// does not.
func (l *Log) IndexOf(ctx context.Context, name string, rev stream.Revision) (index int64, rec stream.Record, err error) {
	found := false
	for rec, err = range l.store.Read(ctx, name, rev) {
		if err != nil {
			return 0, rec, err
		}
		found = rec.Revision == rev
		break
	}
	l.mu.Lock()
	t := l.tree
	n, at := t.search(rec.Position), t.at
	b, _ := t.block(n)
	l.mu.Unlock()
	if !found || rec.Position > at {
		return 0, rec, fmt.Errorf("%w: %s has no revision %d", ErrNotYet, name, rev)
	}
	recorded := b.Recorded
	index = n * proof.Width
	for r, err := range stream.Between(ctx, l.store, b.After, rec.Position) {
		if err != nil {
			return 0, rec, err
		}
		if recorded = max(recorded, r.RecordedAt); r.Position == rec.Position {
			rec.RecordedAt = recorded
			return index, rec, nil
		}
		index++
	}
	return 0, rec, l.changed(ctx, t, Change{n * proof.Width, (n + 1) * proof.Width})
}

// search returns the last block, or the tail after them, that begins before a position.
func (t *tree) search(at stream.Position) (n int64) {
	return int64(sort.Search(len(t.blocks), func(i int) bool {
		b, _ := t.block(int64(i) + 1)
		return b.After >= at
	}))
}
