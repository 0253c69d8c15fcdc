package projections

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

	"sandglass/domain/address"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
)

// A snapshot is a magic, frames of a length and a body, and the SHA-256 of all that. The
// first frame tells the format, the log and the figures of the whole; the next hold the
// terms, the hosts, the plans, the addresses, the payments and the resources.
const snapshotMagic = "sandglass views\n"

// Format is the version of the snapshot's form and of what the fold makes of events: who
// changes either counts it up. Beside that a snapshot is read by no other build than the
// one that wrote it, as far as the Go tool stamps builds with their commit.
const Format = 4

// build names the build, "(devel)" where it was made without its history.
func build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return info.GoVersion + " " + info.Main.Version
}

// ErrSnapshot says that a file is no snapshot that can be used here: the log is folded
// from its start instead, which costs time and changes nothing.
var ErrSnapshot = errors.New("projections: not a usable snapshot")

// frameSize is about how long a frame gets.
const frameSize = 256 << 10

// Save writes a snapshot of the present to path, durably and all or nothing. The views
// are folded on meanwhile. logID names the log; [Views.Load] asks for the same.
func (v *Views) Save(path, logID string) (err error) {
	im, release := v.image()
	defer release()
	// The name is always the same, so that what crashes leave behind is overwritten.
	f, err := os.OpenFile(path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("projections: writing a snapshot: %w", err)
	}
	err = errors.Join(im.write(f, logID), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("projections: writing a snapshot to %s: %w", path, err), os.Remove(f.Name()))
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

// framer writes frames and sums up what it wrote.
type framer struct {
	to  *bufio.Writer
	sum hash.Hash
	w   wire
}

func (im *image) write(to io.Writer, logID string) error {
	im.sort() // one state, one file
	f := framer{to: bufio.NewWriterSize(to, frameSize), sum: sha256.New()}
	f.put([]byte(snapshotMagic))
	h := im.header(logID)
	f.w.header(&h)
	f.end(0)
	for i := range im.shared.terms {
		f.w.shared(&im.shared.terms[i])
		f.end(frameSize)
	}
	f.end(0)
	for i := range im.shared.hosts {
		text(&f.w, &im.shared.hosts[i])
		f.end(frameSize)
	}
	f.end(0)
	for i := range im.plans {
		f.w.plan(&im.plans[i])
		f.end(frameSize)
	}
	f.end(0)
	for i := range im.issued {
		f.w.address(&im.issued[i])
		f.end(frameSize)
	}
	f.end(0)
	for _, p := range im.payments {
		f.w.payment(p)
		f.end(frameSize)
	}
	f.end(0)
	for i := range im.n {
		f.w.row(im.row(i))
		f.end(frameSize)
	}
	f.end(0)
	_, _ = f.to.Write(f.sum.Sum(nil)) // an error stays until the flush
	return f.to.Flush()
}

// end writes the frame if it is as long as limit.
func (f *framer) end(limit int) {
	if len(f.w.buf) <= limit {
		return
	}
	f.put(binary.AppendUvarint(nil, uint64(len(f.w.buf))))
	f.put(f.w.buf)
	f.w.buf = f.w.buf[:0]
}

func (f *framer) put(b []byte) {
	f.sum.Write(b)
	_, _ = f.to.Write(b) // an error stays until the flush
}

// header is the first frame: what the rest must add up to.
type header struct {
	format                                       int64
	build, logID                                 string
	at                                           position
	ledger                                       Ledger
	shared, hosts, plans, issued, payments, rows int64 // how many
}

func (im *image) header(logID string) header {
	return header{
		format: Format, build: build(), logID: logID, at: im.at, ledger: im.ledger,
		shared: int64(len(im.shared.terms)), hosts: int64(len(im.shared.hosts)), plans: int64(len(im.plans)), issued: int64(len(im.issued)), payments: int64(len(im.payments)), rows: int64(im.n),
	}
}

func (w *wire) header(h *header) {
	num(w, &h.format)
	text(w, &h.build)
	text(w, &h.logID)
	w.position(&h.at)
	w.ledger(&h.ledger)
	num(w, &h.shared)
	num(w, &h.hosts)
	num(w, &h.plans)
	num(w, &h.issued)
	num(w, &h.payments)
	num(w, &h.rows)
}

// Load reads a snapshot into v, before [Run] is called. If the file is missing, torn, of
// another log or of another build's format, it returns an error and v is empty: the log
// is then folded from its start. Whether the log has the snapshot's last event, Run finds.
func (v *Views) Load(path, logID string) error {
	v.reset(0)
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("projections: reading a snapshot: %w", err)
	}
	defer f.Close()
	size, err := verify(f)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrSnapshot, path, err)
	}
	r := framed{from: bufio.NewReaderSize(io.NewSectionReader(f, int64(len(snapshotMagic)), size), frameSize), left: size}
	if err := v.read(&r, logID); err != nil {
		v.reset(0)
		return fmt.Errorf("%w: %s: %w", ErrSnapshot, path, err)
	}
	return nil
}

// verify checks the sum of a snapshot and returns how long its frames are.
func verify(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	size := info.Size() - sha256.Size
	if size < int64(len(snapshotMagic)) {
		return 0, io.ErrUnexpectedEOF
	}
	sum, magic, want := sha256.New(), make([]byte, len(snapshotMagic)), make([]byte, sha256.Size)
	if _, err := io.CopyBuffer(sum, struct{ io.Reader }{io.NewSectionReader(f, 0, size)}, make([]byte, frameSize)); err != nil {
		return 0, err
	}
	_, err = f.ReadAt(magic, 0)
	if _, err2 := f.ReadAt(want, size); err != nil || err2 != nil {
		return 0, errors.Join(err, err2)
	}
	if string(magic) != snapshotMagic || !bytes.Equal(sum.Sum(nil), want) {
		return 0, errors.New("its checksum is wrong: it is torn or damaged")
	}
	return size - int64(len(snapshotMagic)), nil
}

// framed reads frames.
type framed struct {
	from *bufio.Reader
	left int64
	w    wire
	body []byte
}

// more makes sure that the wire has something to read.
func (r *framed) more() error {
	if r.w.reading = true; len(r.w.buf) > 0 && !r.w.bad {
		return nil
	}
	n, err := binary.ReadUvarint(r.from)
	if err != nil || r.w.bad || n == 0 || n > uint64(r.left) {
		return errors.Join(errors.New("a frame is not as it should be"), err)
	}
	if uint64(cap(r.body)) < n {
		r.body = make([]byte, n)
	}
	r.w.buf = r.body[:n]
	_, err = io.ReadFull(r.from, r.w.buf)
	return err
}

// each reads n things.
func (r *framed) each(n int64, read func(w *wire)) error {
	for range n {
		if err := r.more(); err != nil {
			return err
		}
		if read(&r.w); r.w.bad {
			return errors.New("a frame ends too soon")
		}
	}
	return nil
}

func (v *Views) read(r *framed, logID string) error {
	var h header
	if err := r.each(1, func(w *wire) { w.header(&h) }); err != nil {
		return err
	}
	switch {
	case h.format != Format || h.build != build():
		return fmt.Errorf("it has format %d of build %q, this is format %d of build %q", h.format, h.build, Format, build())
	case h.logID != logID:
		return fmt.Errorf("it is of the log %q, not of %q", h.logID, logID)
	case h.rows < 0 || h.rows > r.left:
		return fmt.Errorf("it tells of %d resources", h.rows)
	}
	v.reset(int(h.rows))
	v.mu.Lock()
	defer v.mu.Unlock()
	v.at, v.ledger = h.at, h.ledger
	for _, part := range []struct {
		n    int64
		read func(*wire)
	}{{h.shared, v.resources.readShared}, {h.hosts, v.resources.readHost}, {h.plans, v.readPlan}, {h.issued, v.addresses.read}, {h.payments, v.payments.read}, {h.rows, v.resources.read}} {
		if err := r.each(part.n, part.read); err != nil {
			return err
		}
	}
	return nil
}

func (t *table) readShared(w *wire) {
	var c terms
	w.shared(&c)
	t.byTerms[c] = int32(len(t.shared.terms))
	t.shared.terms = append(t.shared.terms, c)
}

// readHost reads a host, of which a new table has the first already.
func (t *table) readHost(w *wire) {
	var name string
	text(w, &name)
	t.host(name)
}

func (v *Views) readPlan(w *wire) {
	var p planRow
	w.plan(&p)
	v.plans[p.state.Name] = p
}

func (a *addresses) read(w *wire) {
	var s address.State
	w.address(&s)
	a.add(s)
}

func (o *openPayments) read(w *wire) {
	p := new(openPayment)
	w.payment(p)
	w.bad = w.bad || p.state.Status > payment.StatusReplaced
	o.put(nil, p)
}

// read adds a row.
func (t *table) read(w *wire) {
	if t.n%pageRows == 0 {
		t.pages = append(t.pages, new(page))
	}
	r := t.row(t.n)
	w.arena = &t.text
	w.row(r)
	if w.bad || r.status > resource.StatusReleased || int(r.terms) >= len(t.shared.terms) || r.terms < 0 || int(r.host) >= len(t.shared.hosts) || r.host < 0 || int(r.first) > len(r.lots) || r.first < 0 {
		w.bad = true
		return
	}
	t.byID[r.id] = t.n
	t.tally(r.status, r.host, 1)
	t.n++
}
