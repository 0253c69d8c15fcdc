package follow

import (
	"sandglass/domain/proof"
	"sandglass/domain/stream"
)

// tree is a tree, and where in the store it has come to.
type tree struct {
	blocks []Block
	tree   proof.Tree
	hasher proof.Hasher
	at     stream.Position // of the last event
	begin  Block           // of the tail: where it begins
	tail   []proof.Hash    // entries after the last block, fewer than a block
	upper  [][]proof.Hash  // roots of whole tiles: of level 1, of level 2, and so on
	last   [][]proof.Hash  // of each of these levels, what is in no whole tile

	before []Block // that it had before it was made again
	change Change  // the first, or none
	whole  bool    // it was made of the store's events alone
	made   int64   // how often it was, before
}

// newTree returns a tree of no event. Its blocks are held against those that it had before.
func newTree(before []Block) *tree { return &tree{before: before, whole: true} }

// add adds the next event.
func (t *tree) add(rec *stream.Record) {
	entry := t.hasher.Add(rec)
	t.tree.Append(entry)
	t.tail = append(t.tail, entry)
	t.at = rec.Position
	if len(t.tail) < proof.Width {
		return
	}
	b := t.begin
	b.Root = proof.BlockRoot((*[proof.Width]proof.Hash)(t.tail))
	t.raise(b)
	t.begin = Block{After: t.at, Recorded: t.hasher.Recorded}
	t.tail = t.tail[:0]
}

// fold adds a block of before.
func (t *tree) fold(b Block) {
	t.tree.AppendBlock(b.Root)
	t.raise(b)
}

// raise adds a block, and the levels above.
func (t *tree) raise(b Block) {
	t.compare(int64(len(t.blocks)), b.Root)
	t.blocks = append(t.blocks, b)
	root := b.Root
	for level := 0; ; level++ {
		if level == len(t.last) {
			t.last, t.upper = append(t.last, nil), append(t.upper, nil)
		}
		t.last[level] = append(t.last[level], root)
		if len(t.last[level]) < proof.Width {
			return
		}
		root = proof.NodeOver((*[proof.Width]proof.Hash)(t.last[level]))
		t.last[level] = t.last[level][:0]
		t.upper[level] = append(t.upper[level], root)
	}
}

// compare holds the n'th block against the one that was there before.
func (t *tree) compare(n int64, root proof.Hash) {
	if n < int64(len(t.before)) && t.before[n].Root != root && t.change == (Change{}) {
		t.change = Change{n * proof.Width, (n + 1) * proof.Width}
	}
}

// against holds all blocks against those that were there before.
func (t *tree) against(before []Block) {
	t.before, t.change = before, Change{}
	for n := range t.blocks {
		t.compare(int64(n), t.blocks[n].Root)
	}
}

// block returns the n'th block, or where the tail begins, and the position of its last event.
func (t *tree) block(n int64) (b Block, until stream.Position) {
	switch have := int64(len(t.blocks)); {
	case n >= have:
		return t.begin, t.at
	case n == have-1:
		return t.blocks[n], t.begin.After
	}
	return t.blocks[n], t.blocks[n+1].After
}
