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

// Files implements [follow.Blocks]. It is made by [Open], and is of one process alone.
type Files struct {
	dir    string
	file   *os.File
	before *os.File // nil if there is none
	n      int64
}

// Open opens the folder, which it makes if there is none, and cuts off what is damaged.
func Open(dir string) (*Files, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f := &Files{dir: dir}
	if err := f.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("the tree of the log: %w", err), f.Close())
	}
	return f, nil
}

func (f *Files) open() (err error) {
	if f.file, err = os.OpenFile(filepath.Join(f.dir, Name), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	if f.n, err = whole(f.file); err != nil {
		return err
	}
	if err := f.file.Truncate(f.n * recordSize); err != nil {
		return err
	}
	f.before, err = os.Open(filepath.Join(f.dir, Before))
	if errors.Is(err, fs.ErrNotExist) {
		f.before, err = nil, nil
	}
	return err
}

// whole returns how many blocks stand in a file before the first that is damaged.
func whole(r io.ReaderAt) (n int64, err error) {
	var some [proof.Width]follow.Block
	for {
		got, err := read(r, n, some[:])
		n += int64(got)
		if err != nil || got < len(some) {
			return n, err
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

// Len implements [follow.Blocks].
func (f *Files) Len() int64 { return f.n }

// Read implements [follow.Blocks].
func (f *Files) Read(n int64, into []follow.Block) error {
	if f.file == nil {
		return fmt.Errorf("the tree of the log: %w", fs.ErrClosed) // who still asks when the daemon ends
	}
	got, err := read(f.file, n, into)
	if err == nil && got < len(into) {
		err = errors.New("it is damaged: it is made again at the next start")
	}
	if err != nil {
		return fmt.Errorf("%s, block %d: %w", f.file.Name(), n+int64(got), err)
	}
	return nil
}

// Append implements [follow.Blocks].
func (f *Files) Append(blocks []follow.Block) error {
	b := make([]byte, 0, len(blocks)*recordSize)
	for i := range blocks {
		from := len(b)
		b = append(b, blocks[i].Root[:]...)
		b = binary.BigEndian.AppendUint64(b, uint64(blocks[i].After))
		b = binary.BigEndian.AppendUint64(b, uint64(blocks[i].Recorded))
		sum := checksum(f.n+int64(i), b[from:])
		b = append(b, sum[:]...)
	}
	if _, err := f.file.WriteAt(b, f.n*recordSize); err != nil {
		return err // what there is of it is written over next time, or cut off
	}
	f.n += int64(len(blocks))
	return nil
}

// Renew implements [follow.Blocks].
func (f *Files) Renew() error {
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(f.dir, Name), filepath.Join(f.dir, Before)); err != nil {
		return err
	}
	return f.open()
}

// Before implements [follow.Blocks].
func (f *Files) Before(n int64) (root proof.Hash, ok bool) {
	if f.before == nil {
		return root, false
	}
	var b [1]follow.Block
	got, err := read(f.before, n, b[:])
	return b[0].Root, err == nil && got == 1
}

// Close closes the files.
func (f *Files) Close() error {
	var errs []error
	for _, file := range []*os.File{f.file, f.before} {
		if file != nil {
			errs = append(errs, file.Close())
		}
	}
	f.file, f.before = nil, nil
	return errors.Join(errs...)
}

// Roots returns the roots of the blocks in a folder that a daemon may have open, as many as are
// whole.
func Roots(dir string) ([]proof.Hash, error) {
	file, err := os.Open(filepath.Join(dir, Name))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	n, err := whole(file)
	if err != nil {
		return nil, err
	}
	blocks := make([]follow.Block, n)
	got, err := read(file, 0, blocks)
	roots := make([]proof.Hash, got)
	for i := range roots {
		roots[i] = blocks[i].Root
	}
	return roots, err
}
