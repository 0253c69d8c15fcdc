// Package receipt is what a payer keeps: the one event that says what became of a payment, and the proof
// that it is in the log.
//
// A [Receipt] is a file by c2sp.org/tlog-proof: the event whole, in the canonical form of which its entry in
// the log is the hash; where it stands; the hashes that lead from there to the root of a checkpoint; and that
// checkpoint, with the lines of those who signed it. Whoever has it and a [cosign.Policy] needs nobody else
// to know what was paid, what it bought, and when; only that the log has said nothing else since it can't
// tell. Of money that bought nothing it has a second event, which says how much came. An [Issuer] makes them.
package receipt

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"sandglass/domain/proof"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/cosign"
	"sandglass/domain/stream"

	"golang.org/x/mod/sumdb/tlog"
)

// Bounds of a file.
const (
	maxHashes = 63 // of a log of as many events as there are numbers for
	lineSize  = 45 // bytes of the line of a hash
	maxNumber = 19 // digits
	// Max is how many bytes a file has at most.
	Max = int64(len(header)+len("extra \nindex \n\n")+(maxExtra+2)/3*4) + maxNumber + maxHashes*lineSize + checkpoint.MaxNote

	maxExtra = 2*proof.MaxForm + 2*8 + maxHashes*tlog.HashSize
)

// header begins each file.
const header = "c2sp.org/tlog-proof@v1\n"

// Errors that callers branch on.
var (
	// ErrMalformed says that a text is no receipt.
	ErrMalformed = errors.New("receipt: malformed")
	// ErrUnproven says that a receipt does not prove that its event is in the log of its checkpoint.
	ErrUnproven = errors.New("receipt: its event is not in the log that was signed")
)

// Receipt is an event of a log, and its proof.
type Receipt struct {
	Record stream.Record // with the recorded time of its entry, and no position
	Index  int64         // of the event in the log, from 0
	Proof  tlog.RecordProof
	Paid   *Paid  // how much came, where the event does not say that; nil where it does, and in receipts of before
	Note   []byte // the signed checkpoint
}

// String returns the file.
func (r *Receipt) String() string {
	var b strings.Builder
	b.WriteString(header + "extra ")
	b.WriteString(base64.StdEncoding.EncodeToString(r.Paid.append(proof.AppendForm(nil, &r.Record, r.Record.RecordedAt))))
	b.WriteString("\nindex " + strconv.FormatInt(r.Index, 10) + "\n")
	for _, h := range r.Proof {
		b.WriteString(h.String() + "\n")
	}
	b.WriteString("\n")
	b.Write(r.Note)
	return b.String()
}

// Parse reads a file, which is exactly what [Receipt.String] writes: there is one text of each receipt.
// It verifies nothing.
func Parse(text string) (*Receipt, error) {
	if int64(len(text)) > Max {
		return nil, fmt.Errorf("%w: it has more than %d bytes", ErrMalformed, Max)
	}
	rest, ok := strings.CutPrefix(text, header)
	if !ok {
		return nil, fmt.Errorf("%w: it does not begin with the line %s", ErrMalformed, strings.TrimSpace(header))
	}
	head, msg, ok := strings.Cut(rest, "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || len(lines) < 2 || len(lines) > 2+maxHashes {
		return nil, fmt.Errorf("%w: want a line extra, a line index, at most %d hashes, an empty line, and a signed checkpoint",
			ErrMalformed, maxHashes)
	}
	r := &Receipt{Note: []byte(msg)}
	err := r.event(lines[0])
	if err == nil {
		err = r.path(lines[1], lines[2:])
	}
	if err == nil {
		err = checkpoint.CheckNote(r.Note)
	}
	if err == nil {
		err = r.signatures()
	}
	if err == nil && r.String() != text {
		err = errors.New("it is written in another way than it should")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return r, nil
}

// event reads the line with the event, and the one that says how much came.
func (r *Receipt) event(line string) error {
	encoded, ok := strings.CutPrefix(line, "extra ")
	form, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if !ok || err != nil {
		return errors.New("want a line extra, with the event in base64")
	}
	record, rest, err := proof.CutForm(form)
	if err == nil && len(rest) > 0 {
		r.Paid, err = parsePaid(rest)
	}
	r.Record = record
	return err
}

// path reads the lines that lead to the root.
func (r *Receipt) path(index string, hashes []string) (err error) {
	n, ok := strings.CutPrefix(index, "index ")
	if r.Index, err = strconv.ParseInt(n, 10, 64); !ok || err != nil || r.Index < 0 {
		return fmt.Errorf("the line %.40q: want index, and a number from 0", index)
	}
	for _, line := range hashes {
		h, err := tlog.ParseHash(line)
		if err != nil {
			return fmt.Errorf("the line %.60q: want a hash of 32 bytes in base64", line)
		}
		r.Proof = append(r.Proof, h)
	}
	return nil
}

// signatures returns an error unless those of the checkpoint are each written in the one way that there is: who
// opens the note is less strict.
func (r *Receipt) signatures() error {
	_, all, _ := strings.Cut(string(r.Note), "\n\n")
	for line := range strings.Lines(all) {
		encoded := strings.TrimSuffix(line[strings.LastIndex(line, " ")+1:], "\n")
		if _, err := base64.StdEncoding.Strict().DecodeString(encoded); err != nil {
			return fmt.Errorf("the line %.60q of the checkpoint: want a signature in base64", line)
		}
	}
	return nil
}

// Verify returns the checkpoint, and the lines of the witnesses who cosigned it, if these are enough for the
// policy, and the event is in the log of which it is. Else it is [checkpoint.ErrUnsigned], [cosign.ErrQuorum],
// [ErrUnproven], or an error of a note that is none.
func (r *Receipt) Verify(policy *cosign.Policy) (checkpoint.Checkpoint, []cosign.Line, error) {
	c, lines, err := policy.Open(r.Note)
	if err == nil {
		err = r.in(&c)
	}
	return c, lines, err
}

// in returns an error unless the event is in the log of a checkpoint.
func (r *Receipt) in(c *checkpoint.Checkpoint) error {
	if err := member(c, &r.Record, r.Index, r.Proof); err != nil || r.Paid == nil {
		return err
	}
	if _, err := r.Paid.of(r); err != nil {
		return fmt.Errorf("%w: %w", ErrUnproven, err)
	}
	return member(c, &r.Paid.Record, r.Paid.Index, r.Paid.Proof)
}

// member returns an error unless an event is in the log of a checkpoint.
func member(c *checkpoint.Checkpoint, rec *stream.Record, index int64, path tlog.RecordProof) error {
	if index >= c.Size {
		return fmt.Errorf("%w: it has index %d, of %d events", ErrUnproven, index, c.Size)
	}
	if err := tlog.CheckRecord(path, c.Size, c.Root, index, proof.Leaf(proof.Entry(rec, rec.RecordedAt))); err != nil {
		return fmt.Errorf("%w: %w", ErrUnproven, err)
	}
	return nil
}
