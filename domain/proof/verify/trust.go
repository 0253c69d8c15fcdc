package verify

import (
	"errors"
	"fmt"

	"sandglass/domain/instant"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/cosign"
)

// Trust is whose word of a log counts. The zero Trust takes a checkpoint from anybody: it is then as good as the
// place where it was kept.
type Trust struct {
	Keys   []string       // a checkpoint has to be signed by one of them, if there are any
	Policy *cosign.Policy // and by this log's key or one of these, and cosigned by enough of these witnesses; nil asks for none
}

// Vouched is who vouches for a checkpoint, as far as that was looked at.
type Vouched struct {
	Key       string    `json:"key,omitempty"`       // by which it is signed; empty if no key was given
	Quorum    Quorum    `json:"quorum,omitempty"`    // empty if no policy was given
	Witnesses []Witness `json:"witnesses,omitempty"` // of the policy, that cosigned it
}

// Quorum says whether enough witnesses cosigned a checkpoint.
type Quorum string

// What it can be.
const (
	Reached Quorum = "reached"
	Missed  Quorum = "missed"
)

// Witness is who cosigned, and when by its own clock.
type Witness struct {
	Name string       `json:"name"`
	At   instant.Time `json:"at"`
}

// Expect returns what a log is to be held against, by a note that was found somewhere. It is an error if none of the
// keys has signed it. That too few witnesses cosigned it is none: [Log.Run] finds that.
func (t *Trust) Expect(from string, note []byte) (Expected, error) {
	e, err := t.signed(from, note)
	if err != nil || t.Policy == nil {
		return e, err
	}
	lines, err := cosign.Lines(note, t.Policy.Witnesses)
	if err != nil {
		return e, fmt.Errorf("%s: %w", from, err)
	}
	if e.Quorum = Missed; t.Policy.Enough(lines) {
		e.Quorum = Reached
	}
	for _, line := range lines {
		e.Witnesses = append(e.Witnesses, Witness{line.Witness.Name(), line.At})
	}
	return e, nil
}

// Own returns the same by the checkpoint that stands beside the log in its store. That is kept before any witness
// is asked, so that it has no cosignatures to look at.
func (t *Trust) Own(note []byte) (Expected, error) {
	return t.signed("the store's own checkpoint", note)
}

// signed looks at the log's signature alone.
func (t *Trust) signed(from string, note []byte) (Expected, error) {
	e := Expected{From: from}
	keys := t.Keys
	if t.Policy != nil {
		keys = append([]string{t.Policy.Log}, keys...)
	}
	var err error
	if e.Checkpoint, err = checkpoint.Read(note); err != nil {
		return e, fmt.Errorf("%s: %w", from, err)
	}
	var errs []error
	for _, vkey := range keys {
		if _, err := checkpoint.Open(note, vkey); err != nil {
			errs = append(errs, err)
			continue
		}
		e.Key = vkey
		return e, nil
	}
	if len(keys) > 0 {
		return e, fmt.Errorf("%s, of %s: none of the keys that were given signed it; "+
			"/log/ has the key of each name that the log had: %w", from, e.Origin, errors.Join(errs...))
	}
	return e, nil
}

// tooFew finds the checkpoints that too few witnesses cosigned.
func (l *Log) tooFew() {
	for _, c := range l.next {
		if c.Quorum == Missed {
			l.found(Finding{Kind: Witnesses, Index: c.Size - 1, Text: fmt.Sprintf(
				"%s, at size %d, is cosigned by %d of the witnesses of the policy: these are too few for it",
				c.From, c.Size, len(c.Witnesses))})
		}
	}
}
