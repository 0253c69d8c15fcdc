// Package tilefiles keeps the blocks of a log's tree in a folder: what is in no other place of the
// daemon's host, and yet can be made again from the log.
//
// The file blocks has 64 bytes for each: its root, the position after which it begins and the latest
// recorded time before it, 8 bytes each, the highest first, and the first 16 bytes of the SHA-256 of
// the block's number and of what stands before. Nothing waits for the disk: what a power cut took or
// damaged is cut off when the file is opened, with all that follows, and is made again.
package tilefiles

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"sandglass/domain/instant"
	"sandglass/domain/proof"
	"sandglass/domain/proof/follow"
	"sandglass/domain/stream"
)

// Files in the folder.
const (
	Name   = "blocks"        // of the blocks
	Before = "blocks.before" // of those that were there before Renew
)

const (
	recordSize = 64
	summed     = 48 // bytes of a record that its checksum is of
)

// Files implements [follow.Blocks]. It is made by [New], and is of one process alone.
type Files struct {
	dir  string
	file *os.File // nil if it is not open
}

// New returns the files of a folder, which is not opened yet.
func New(dir string) *Files { return &Files{dir: dir} }

// Open implements [follow.Blocks]. It makes the folder if there is none, and cuts off what is damaged.
func (f *Files) Open() (kept, before []follow.Block, err error) {
	if kept, before, err = f.open(); err != nil {
		return nil, nil, fmt.Errorf("the tree of the log: %w", errors.Join(err, f.Close()))
	}
	return kept, before, nil
}

func (f *Files) open() (kept, before []follow.Block, err error) {
	if err := errors.Join(f.Close(), os.MkdirAll(f.dir, 0o700)); err != nil {
		return nil, nil, err
	}
	if f.file, err = os.OpenFile(f.path(Name), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, nil, err
	}
	if kept, err = whole(f.file); err != nil {
		return nil, nil, err
	}
	if err := f.file.Truncate(int64(len(kept)) * recordSize); err != nil {
		return nil, nil, err
	}
	before, err = blocks(f.path(Before))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return kept, before, err
}

func (f *Files) path(name string) string { return filepath.Join(f.dir, name) }

// blocks returns those of a file, as many as are whole.
func blocks(path string) ([]follow.Block, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return whole(file)
}

// whole returns the blocks of a file before the first that is damaged.
func whole(r io.ReaderAt) (all []follow.Block, err error) {
	var some [proof.Width]follow.Block
	for {
		got, err := read(r, int64(len(all)), some[:])
		all = append(all, some[:got]...)
		if err != nil || got < len(some) {
			return all, err
		}
	}
}

// read reads blocks from the n'th on, as far as they are whole, and returns how many those are.
func read(r io.ReaderAt, n int64, into []follow.Block) (got int, err error) {
	b := make([]byte, len(into)*recordSize)
	there, err := r.ReadAt(b, n*recordSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	for got = range into {
		if (got+1)*recordSize > there {
			return got, nil
		}
		rec := b[got*recordSize:][:recordSize]
		if sum := checksum(n+int64(got), rec); string(sum[:]) != string(rec[summed:]) {
			return got, nil
		}
		into[got] = follow.Block{
			Root:     proof.Hash(rec),
			After:    stream.Position(binary.BigEndian.Uint64(rec[32:])),
			Recorded: instant.Time(binary.BigEndian.Uint64(rec[40:])),
		}
	}
	return len(into), nil
}

// checksum returns that of the n'th block.
func checksum(n int64, rec []byte) [recordSize - summed]byte {
	var b [8 + summed]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	copy(b[8:], rec[:summed])
	sum := sha256.Sum256(b[:])
	return [recordSize - summed]byte(sum[:])
}

// Write implements [follow.Blocks].
func (f *Files) Write(n int, blocks []follow.Block) (int, error) {
	if f.file == nil {
		return 0, fmt.Errorf("the tree of the log: %w", fs.ErrClosed)
	}
	b := make([]byte, 0, len(blocks)*recordSize)
	for i := range blocks {
		from := len(b)
		b = append(b, blocks[i].Root[:]...)
		b = binary.BigEndian.AppendUint64(b, uint64(blocks[i].After))
		b = binary.BigEndian.AppendUint64(b, uint64(blocks[i].Recorded))
		sum := checksum(int64(n+i), b[from:])
		b = append(b, sum[:]...)
	}
	written, err := f.file.WriteAt(b, int64(n)*recordSize)
	if err != nil { // a part of a block is written over next time, or cut off
		err = fmt.Errorf("the tree of the log: %w", err)
	}
	return written / recordSize, err
}

// Renew implements [follow.Blocks].
func (f *Files) Renew() error {
	if err := f.renew(); err != nil {
		return fmt.Errorf("the tree of the log: %w", err)
	}
	return nil
}

func (f *Files) renew() error {
	if err := f.Close(); err != nil {
		return err
	}
	kept, err := blocks(f.path(Name))
	if err == nil && len(kept) > 0 {
		err = os.Rename(f.path(Name), f.path(Before))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // that it is not there is half of it done
		return err
	}
	f.file, err = os.OpenFile(f.path(Name), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	return err
}

// Close closes the file, if it is open.
func (f *Files) Close() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}

// Roots returns the roots of the blocks in a folder that a daemon may have open, as many as are
// whole.
func Roots(dir string) ([]proof.Hash, error) {
	all, err := blocks(filepath.Join(dir, Name))
	roots := make([]proof.Hash, len(all))
	for i := range all {
		roots[i] = all[i].Root
	}
	return roots, err
}
