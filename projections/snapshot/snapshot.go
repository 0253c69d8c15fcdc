// Package snapshot keeps the file from which a daemon starts sooner than from its whole log.
//
// A file is a magic, frames of a length and a body, and the SHA-256 of all that. Whatever
// is in the frames names its fields once, in a func that serves both directions:
//
//	func (p *planRow) fields(f *snapshot.Fields) {
//		snapshot.String(f, &p.state.Name)
//		snapshot.Int(f, &p.revision)
//	}
//
// A file is written as a whole or not at all, and one that is torn, damaged, of another log
// or by another build is refused. What is in it is left to the caller, and so is whether the
// log still has the past that the file tells of.
package snapshot

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
)

const magic = "sandglass views\n"

// frameSize is about how long a frame gets.
const frameSize = 256 << 10

// Format is the version of the file's form, of what is in it, and of what the fold makes
// of events: whoever changes one of them counts it up. Besides, a file is read by no other
// build than the one that wrote it, as far as the Go tool stamps builds with their commit.
const Format = 15

// ErrUnusable says that a file is no snapshot that can be used here: the log is folded
// from its start instead, which costs time and changes nothing.
var ErrUnusable = errors.New("snapshot: not usable")

// build names the build, "(devel)" where it was made without its history.
func build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return info.GoVersion + " " + info.Main.Version
}

// header is what a file has to be of.
type header struct {
	format     int64
	build, log string
}

func (h *header) fields(f *Fields) {
	Int(f, &h.format)
	String(f, &h.build)
	String(f, &h.log)
}

// check returns an error unless this build can use the file for a log.
func (h *header) check(log string) error {
	switch {
	case h.format != Format || h.build != build():
		return fmt.Errorf("it has format %d of build %q, this is format %d of build %q", h.format, h.build, Format, build())
	case h.log != log:
		return fmt.Errorf("it is of the log %q, not of %q", h.log, log)
	}
	return nil
}

// Save writes a snapshot of a log to path, durably and all or nothing. body passes what is
// in it.
func Save(path, log string, body func(*Fields)) error {
	// The name is always the same, so that what crashes leave behind is overwritten.
	file, err := os.OpenFile(path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	err = errors.Join(write(file, log, body), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("snapshot: writing %s: %w", path, err), os.Remove(file.Name()))
	}
	return nil
}

// Remove removes a snapshot durably. It may be gone already.
func Remove(path string) error {
	err := os.Remove(path)
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("snapshot: removing %s, which is not of this log's past: %w", path, err)
	}
	return nil
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func write(to io.Writer, log string, body func(*Fields)) error {
	w := writer{to: bufio.NewWriterSize(to, frameSize), sum: sha256.New()}
	w.fields.frame = func() error { w.end(frameSize); return nil } // an error stays until the flush
	w.put([]byte(magic))
	h := header{Format, build(), log}
	h.fields(&w.fields)
	body(&w.fields)
	w.end(0)
	_, _ = w.to.Write(w.sum.Sum(nil))
	return w.to.Flush()
}

// writer writes frames and sums up what it wrote.
type writer struct {
	to     *bufio.Writer
	sum    hash.Hash
	fields Fields
}

// end writes the frame if it is longer than limit.
func (w *writer) end(limit int) {
	if len(w.fields.buf) <= limit {
		return
	}
	w.put(binary.AppendUvarint(nil, uint64(len(w.fields.buf))))
	w.put(w.fields.buf)
	w.fields.buf = w.fields.buf[:0]
}

func (w *writer) put(b []byte) {
	w.sum.Write(b)
	_, _ = w.to.Write(b)
}

// Load reads a snapshot of a log from path: body passes what is in it. A file that is not
// whole, or of another log or build, is [ErrUnusable]. After any error the caller throws
// away what body made.
func Load(path, log string, body func(*Fields)) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	defer file.Close()
	if err := read(file, log, body); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrUnusable, path, err)
	}
	return nil
}

func read(file *os.File, log string, body func(*Fields)) error {
	size, err := verify(file)
	if err != nil {
		return err
	}
	r := reader{
		from:   bufio.NewReaderSize(io.NewSectionReader(file, int64(len(magic)), size), frameSize),
		fields: Fields{reading: true, left: size},
	}
	f := &r.fields
	f.frame = r.more
	var h header
	f.Each(1, func(int) { h.fields(f) })
	if f.err == nil {
		f.err = h.check(log)
	}
	if f.err == nil {
		body(f)
	}
	return f.err
}

// verify checks the sum of a file and returns how long its frames are.
func verify(file *os.File) (int64, error) {
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	size := info.Size() - sha256.Size
	if size < int64(len(magic)) {
		return 0, io.ErrUnexpectedEOF
	}
	sum, begin, want := sha256.New(), make([]byte, len(magic)), make([]byte, sha256.Size)
	all := struct{ io.Reader }{io.NewSectionReader(file, 0, size)} // whose own WriteTo has a smaller buffer
	if _, err := io.CopyBuffer(sum, all, make([]byte, frameSize)); err != nil {
		return 0, err
	}
	_, err = file.ReadAt(begin, 0)
	if _, err2 := file.ReadAt(want, size); err != nil || err2 != nil {
		return 0, errors.Join(err, err2)
	}
	if string(begin) != magic || !bytes.Equal(sum.Sum(nil), want) {
		return 0, errors.New("its checksum is wrong: it is torn or damaged")
	}
	return size - int64(len(magic)), nil
}

// reader reads frames.
type reader struct {
	from   *bufio.Reader
	body   []byte // used again for each frame
	fields Fields
}

// more makes sure that the fields have something to read.
func (r *reader) more() error {
	if len(r.fields.buf) > 0 {
		return nil
	}
	n, err := binary.ReadUvarint(r.from)
	if err != nil || n == 0 || n > uint64(r.fields.left) {
		return errors.Join(errFrame, err)
	}
	if uint64(cap(r.body)) < n {
		r.body = make([]byte, n)
	}
	r.fields.buf = r.body[:n]
	_, err = io.ReadFull(r.from, r.fields.buf)
	return err
}
