package proof

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// maxLevel bounds a tree: 2^48 events are more than anybody stores.
const maxLevel = 48

// ErrTree says that bytes are those of no tree.
var ErrTree = errors.New("proof: not a tree")

// Tree is the tree over the first events of a log: the roots of its whole subtrees, from which
// follow its own root and that of every log that goes on from it. The zero Tree is that of an empty
// log. Trees are values: an assignment copies 1.5 kB, and comparing two tells whether their logs
// are the same.
type Tree struct {
	size  int64
	nodes [maxLevel]Hash // at level l that over 2^l leaves if size has that bit, else zero
}

// Size returns how many events are in the tree.
func (t *Tree) Size() int64 { return t.size }

// Append adds the entry of the next event.
func (t *Tree) Append(entry Hash) { t.add(0, Leaf(entry)) }

// AppendLeaf adds the next event by its [Leaf].
func (t *Tree) AppendLeaf(leaf Hash) { t.add(0, leaf) }

// AppendBlock adds the next [Width] events by what [BlockRoot] says of them. The size of the
// tree must be a multiple of Width.
func (t *Tree) AppendBlock(root Hash) { t.add(Height, root) }

// add adds the root of the next 2^level leaves.
func (t *Tree) add(level int, h Hash) {
	if t.size&(1<<level-1) != 0 || t.size >= 1<<maxLevel-1<<level {
		panic(fmt.Sprintf("proof: a subtree of 2^%d leaves does not follow %d", level, t.size))
	}
	for l := level; ; l++ {
		if t.size>>l&1 == 0 {
			t.nodes[l] = h
			break
		}
		h = tlog.NodeHash(t.nodes[l], h)
		t.nodes[l] = Hash{}
	}
	t.size += 1 << level
}

// Root returns the root: of an empty log the SHA-256 of nothing.
func (t *Tree) Root() Hash {
	if t.size == 0 {
		return sha256.Sum256(nil)
	}
	l := bits.TrailingZeros64(uint64(t.size))
	h := t.nodes[l]
	for l++; l < maxLevel; l++ {
		if t.size>>l&1 == 1 {
			h = tlog.NodeHash(t.nodes[l], h)
		}
	}
	return h
}

// BlockRoot returns the hash of the node above [Width] leaves, by their entries.
func BlockRoot(entries *[Width]Hash) Hash {
	var level [Width]Hash
	for i := range entries {
		level[i] = Leaf(entries[i])
	}
	return NodeOver(&level)
}

// NodeOver returns the hash of the node [Height] levels above so many nodes, as of a whole tile.
func NodeOver(level *[Width]Hash) Hash {
	row := *level
	for n := Width / 2; n > 0; n /= 2 {
		for i := range n {
			row[i] = tlog.NodeHash(row[2*i], row[2*i+1])
		}
	}
	return row[0]
}

// AppendBinary appends the tree: its size in 8 bytes, the highest first, and then the roots of its
// whole subtrees, the largest first.
func (t *Tree) AppendBinary(b []byte) ([]byte, error) {
	b = binary.BigEndian.AppendUint64(b, uint64(t.size))
	for l := maxLevel - 1; l >= 0; l-- {
		if t.size>>l&1 == 1 {
			b = append(b, t.nodes[l][:]...)
		}
	}
	return b, nil
}

// MarshalBinary returns what AppendBinary appends.
func (t *Tree) MarshalBinary() ([]byte, error) { return t.AppendBinary(nil) }

// UnmarshalBinary reads what MarshalBinary returns. It fails with [ErrTree] on any other number of
// bytes; that the hashes are those of a log it can't know.
func (t *Tree) UnmarshalBinary(b []byte) error {
	if len(b) < 8 {
		return fmt.Errorf("%w: %d bytes", ErrTree, len(b))
	}
	size := binary.BigEndian.Uint64(b)
	if size >= 1<<maxLevel || len(b) != 8+bits.OnesCount64(size)*tlog.HashSize {
		return fmt.Errorf("%w: %d bytes of a log of %d events", ErrTree, len(b), size)
	}
	*t = Tree{size: int64(size)}
	b = b[8:]
	for l := maxLevel - 1; l >= 0; l-- {
		if size>>l&1 == 1 {
			b = b[copy(t.nodes[l][:], b):]
		}
	}
	return nil
}
