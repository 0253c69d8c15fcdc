package follow

import (
	"context"
	"fmt"
	"sort"

	"sandglass/domain/proof"
	"sandglass/domain/stream"

	"golang.org/x/mod/sumdb/tlog"
)

// Root returns the root of the log as it was when it had so many events.
func (l *Log) Root(ctx context.Context, size int64) (proof.Hash, error) {
	if tree := l.Tree(); tree.Size() == size {
		return tree.Root(), nil
	}
	if err := l.has(size); err != nil {
		return proof.Hash{}, err
	}
	return tlog.TreeHash(size, l.reader(ctx))
}

// Inclusion returns the proof that the event of an index is in the log of so many events.
func (l *Log) Inclusion(ctx context.Context, index, size int64) (tlog.RecordProof, error) {
	if err := l.has(size); err != nil {
		return nil, err
	}
	return tlog.ProveRecord(size, index, l.reader(ctx))
}

// Consistency returns the proof that the log of size events goes on from that of old, which are
// one at least.
func (l *Log) Consistency(ctx context.Context, old, size int64) (tlog.TreeProof, error) {
	if err := l.has(size); err != nil {
		return nil, err
	}
	return tlog.ProveTree(size, old, l.reader(ctx))
}

// has returns an error unless the log has so many events.
func (l *Log) has(size int64) error {
	if tree := l.Tree(); size < 0 || size > tree.Size() {
		return fmt.Errorf("%w: it has %d events, and was asked for %d", ErrNotYet, tree.Size(), size)
	}
	return nil
}

// Tile returns the first so many hashes of a tile by c2sp.org/tlog-tiles: at level 0 the hashes of
// leaves. Those above the lowest are read from memory, and the blocks' file.
func (l *Log) Tile(ctx context.Context, level int, n int64, width int) ([]proof.Hash, error) {
	if err := l.tile(level, n, width); err != nil {
		return nil, err
	}
	switch level {
	case 0:
		entries, err := l.Entries(ctx, n, width)
		for i := range entries {
			entries[i] = proof.Leaf(entries[i])
		}
		return entries, err
	case 1:
		return l.roots(n*proof.Width, width)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]proof.Hash(nil), l.upper[level-2][n*proof.Width:][:width]...), nil
}

// tile returns an error unless the log has so many hashes of the tile.
func (l *Log) tile(level int, n int64, width int) error {
	const most = 5 // levels of a tree that can be held
	tree := l.Tree()
	if level < 0 || level > most || n < 0 || width < 1 || width > proof.Width {
		return fmt.Errorf("%w: there is no tile %d/%d of width %d", ErrNotYet, level, n, width)
	}
	if there := tree.Size() >> (proof.Height * level); n > there/proof.Width || n*proof.Width+int64(width) > there {
		return fmt.Errorf("%w: level %d has %d hashes", ErrNotYet, level, there)
	}
	return nil
}

// Entries returns the entries of the first so many events of a tile.
func (l *Log) Entries(ctx context.Context, n int64, width int) ([]proof.Hash, error) {
	if err := l.tile(0, n, width); err != nil {
		return nil, err
	}
	l.mu.Lock()
	if n == l.tree.Size()/proof.Width {
		defer l.mu.Unlock()
		return append([]proof.Hash(nil), l.tail[:width]...), nil
	}
	until := l.at
	l.mu.Unlock()
	b, err := l.block(n)
	if err != nil {
		return nil, err
	}
	entries, _, err := l.read(ctx, b, until)
	if err != nil {
		return nil, err
	}
	if len(entries) < proof.Width || proof.BlockRoot((*[proof.Width]proof.Hash)(entries)) != b.Root {
		return nil, fmt.Errorf("%w: one of those of index %d to %d differs", ErrChanged, n*proof.Width, (n+1)*proof.Width-1)
	}
	return entries[:width], nil
}

// roots returns the roots of so many blocks from the n'th on.
func (l *Log) roots(n int64, width int) ([]proof.Hash, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	some := make([]Block, width)
	kept := max(0, min(int64(width), l.blocks.Len()-n))
	if err := l.blocks.Read(n, some[:kept]); err != nil {
		return nil, err
	}
	copy(some[kept:], l.unkept[max(0, n-l.blocks.Len()):])
	roots := make([]proof.Hash, width)
	for i := range some {
		roots[i] = some[i].Root
	}
	return roots, nil
}

// block returns the n'th block, or where the tail begins.
func (l *Log) block(n int64) (Block, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := l.blocks.Len()
	switch {
	case n == kept+int64(len(l.unkept)):
		return l.begin, nil
	case n >= kept:
		return l.unkept[n-kept], nil
	}
	var b [1]Block
	err := l.blocks.Read(n, b[:])
	return b[0], err
}

// reader returns the hashes of the tree as package tlog asks for them.
func (l *Log) reader(ctx context.Context) tlog.HashReader {
	tiles := map[tlog.Tile][]byte{}
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			t := tlog.TileForIndex(proof.Height, index)
			data, ok := tiles[t]
			if !ok {
				tile, err := l.Tile(ctx, t.L, t.N, t.W)
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
	at, blocks := l.at, l.tree.Size()/proof.Width
	l.mu.Unlock()
	if !found || rec.Position > at {
		return 0, rec, fmt.Errorf("%w: %s has no revision %d", ErrNotYet, name, rev)
	}
	n, err := l.search(blocks, rec.Position)
	if err != nil {
		return 0, rec, err
	}
	b, err := l.block(n)
	if err != nil {
		return 0, rec, err
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
	return 0, rec, fmt.Errorf("%w: %s revision %d is not at position %d", ErrChanged, name, rev, rec.Position)
}

// search returns the last of so many blocks, or the tail after them, that begins before a position.
func (l *Log) search(blocks int64, at stream.Position) (n int64, err error) {
	after := sort.Search(int(blocks), func(i int) bool {
		b, failed := l.block(int64(i) + 1)
		if failed != nil {
			err = failed
		}
		return b.After >= at
	})
	return int64(after), err
}
