package proof_test

import (
	"bytes"
	"errors"
	"testing"

	"sandglass/domain/proof"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

// stored are the hashes of a log as package tlog keeps them: another way to the same root.
type stored []tlog.Hash

func (s stored) ReadHashes(indexes []int64) (hashes []tlog.Hash, _ error) {
	for _, i := range indexes {
		hashes = append(hashes, s[i])
	}
	return hashes, nil
}

func (s *stored) add(t fataler, n int64, entry proof.Hash) {
	hashes, err := tlog.StoredHashes(n, entry[:], *s)
	if err != nil {
		t.Fatal(err)
	}
	*s = append(*s, hashes...)
}

type fataler interface{ Fatal(...any) }

// entry is the entry of some n'th event.
func entry(n int64) (h proof.Hash) {
	return tlog.NodeHash(tlog.Hash{byte(n), byte(n >> 8)}, h)
}

func TestTheRootIsThatOfRFC6962(t *testing.T) {
	var tree, blocks proof.Tree
	var all stored
	var block [proof.Width]proof.Hash
	for n := int64(0); n <= 3*proof.Width+5; n++ {
		want, err := tlog.TreeHash(n, all)
		if err != nil || tree.Root() != want || tree.Size() != n {
			t.Fatalf("the root of %d is %s at size %d, want %s, %v", n, tree.Root(), tree.Size(), want, err)
		}
		if n > 0 && n%proof.Width == 0 {
			if blocks.AppendBlock(proof.BlockRoot(&block)); blocks != tree {
				t.Fatalf("%d events, block by block, make another tree", n)
			}
		}
		block[n%proof.Width] = entry(n)
		all.add(t, n, entry(n))
		tree.Append(entry(n))
	}
}

func TestATreeIsWhatItWasWrittenAs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tree, back proof.Tree
		for range rapid.IntRange(0, 40).Draw(t, "blocks") {
			tree.AppendBlock(proof.Hash(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "block")))
		}
		for n := range rapid.Int64Range(0, 300).Draw(t, "events") {
			tree.Append(entry(n))
		}
		b, err := tree.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if err := back.UnmarshalBinary(b); err != nil || back != tree || back.Root() != tree.Root() {
			t.Fatalf("a tree of %d is read as one of %d: %v", tree.Size(), back.Size(), err)
		}
		back.Append(entry(7))
		tree.Append(entry(7))
		if back.Root() != tree.Root() {
			t.Fatal("what was read goes on to another root")
		}
	})
}

func TestABlockFollowsBlocks(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a block was added after 1 event")
		}
	}()
	var tree proof.Tree
	tree.Append(entry(0))
	tree.AppendBlock(entry(1))
}

func FuzzTree(f *testing.F) {
	var tree proof.Tree
	for n := range int64(21) {
		b, err := tree.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		tree.Append(entry(n))
	}
	f.Add([]byte{0xff, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var tree proof.Tree
		if err := tree.UnmarshalBinary(b); err != nil {
			if !errors.Is(err, proof.ErrTree) {
				t.Fatal(err)
			}
			return
		}
		if again, err := tree.MarshalBinary(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x is written as %x, %v", b, again, err)
		}
		tree.Root()
	})
}
