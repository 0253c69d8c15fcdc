// Package witnessing has others cosign what is signed of the log: the witnesses that the operator named.
//
// Each is asked by itself, whenever there is a newer checkpoint: it is shown that this one goes on from the
// last that it cosigned, and answers with its line. It is believed only if that line verifies. A witness that
// can't be asked is asked again, ever more rarely, and holds up nothing else: what it keeps waiting is
// that auditors find fewer lines.
//
// A witness that says that it cosigned something that this log does not go on from is told loudly: either the
// log was changed, or another is signed by its key. The last checkpoint that enough witnesses cosigned is
// kept, so that receipts can be made while they are away.
package witnessing

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/proof"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/cosign"
	"sandglass/domain/proof/signing"
	"sandglass/domain/watch"

	"golang.org/x/mod/sumdb/tlog"
)

// What a [Client] returns, beside what is wrong with the connection.
var (
	// ErrForked says that the witness cosigned something that the checkpoint does not go on from.
	ErrForked = errors.New("it cosigned another history of this log than it is shown: the log was changed, " +
		"or its key signs another one")
	// ErrUnknown says that the witness does not know the log.
	ErrUnknown = errors.New("it does not know this log: have its operator add the log's origin and public key, which /log/key says")
	// ErrRefused says that the witness does not take the log's signature.
	ErrRefused = errors.New("it does not know the log's key by which this is signed: have its operator add what /log/key says")
)

// Elsewhere says that the witness cosigned the log last when that had another size than it was told.
type Elsewhere struct{ Size int64 }

// Error implements error.
func (e *Elsewhere) Error() string { return fmt.Sprintf("it cosigned %s last", proof.Events(e.Size)) }

// Request is what a witness is asked to cosign.
type Request struct {
	Old   int64          // size of what it cosigned last: 0 if nothing
	Proof tlog.TreeProof // that the log goes on from there: none from 0, and to the same size
	Note  []byte         // the checkpoint
}

// Client asks one witness.
type Client interface {
	// Add returns the lines by which it cosigns, which nobody has checked. It is [Elsewhere], [ErrForked],
	// [ErrUnknown] or [ErrRefused], or another error if it is open what the witness did.
	Add(ctx context.Context, r Request) (lines []byte, err error)
}

// Signer is what signs the log, as package signing does.
type Signer interface {
	Status() signing.Status
	Looked() <-chan struct{}
}

// Tree is the log's tree, as package follow keeps it.
type Tree interface {
	Consistency(ctx context.Context, old, size int64) (tlog.TreeProof, error)
}

// State is how it is with a witness, in a word.
type State string

// The states of a witness.
const (
	Waiting  State = "waiting"  // it was not asked yet
	Cosigned State = "cosigned" // all is well
	Failing  State = "failing"  // it can't be reached, or does not answer as it should
	Refused  State = "refused"  // it does not know the log, or its key
	Conflict State = "conflict" // it has cosigned what this log does not go on from
)

// States are all of them.
var States = []State{Waiting, Cosigned, Failing, Refused, Conflict}

// Status is how it is with one witness.
type Status struct {
	Name      string
	State     State
	Detail    string       // why it is not well
	Size      int64        // events that it cosigned last
	At        instant.Time // when that was, by its clock
	Conflicts int64        // how often it contradicted what was known, since the start
	Forgot    string       // that it lost what it had cosigned: it can't tell any more what came before
}

// Named is a witness and what asks it.
type Named struct {
	Witness *cosign.Witness
	Client  Client
}

// Config is what a collector is made of.
type Config struct {
	Signer    Signer
	Tree      Tree
	Witnesses []Named
	Quorum    int // how many of them are enough
	Copy      signing.Copy
	Now       func() instant.Time
	Retry     watch.Retry
	// Told hears when a witness is in another state, or says something else than before.
	Told func(Status)
	// Unkept hears why what is cosigned could not be kept.
	Unkept func(error)
}

// Bounds of what is waited for, and held.
const (
	patience   = time.Minute       // that a newer checkpoint is held back for, while witnesses are asked
	another    = 3 * signing.Every // after which this host knows what another has signed
	candidates = 8                 // checkpoints that too few have cosigned yet
)

// Collector asks the witnesses. It is made by [New].
type Collector struct {
	Config
	members []*member

	mu     sync.Mutex   // guards what follows, and the status of each member
	best   *cosigned    // the last that enough cosigned
	others []*cosigned  // newer ones, oldest first
	newer  instant.Time // when the first that is newer than best was shown to a witness; 0 if none was
}

// cosigned is a checkpoint with the lines of its witnesses.
type cosigned struct {
	is    checkpoint.Checkpoint
	note  []byte
	lines []cosign.Line
}

// bytes returns the note with the lines.
func (c *cosigned) bytes() []byte {
	msg := append([]byte{}, c.note...)
	for _, line := range c.lines {
		msg = append(msg, line.Text...)
	}
	return msg
}

// New returns a collector, which asks once [Collector.Run] runs.
func New(c Config) (*Collector, error) {
	if c.Quorum > len(c.Witnesses) || c.Quorum < min(1, len(c.Witnesses)) {
		return nil, fmt.Errorf("witnessing: a quorum of %d of %d witnesses", c.Quorum, len(c.Witnesses))
	}
	co := &Collector{Config: c}
	for _, w := range c.Witnesses {
		co.members = append(co.members, &member{Collector: co, Named: w, status: Status{Name: w.Witness.Name(), State: Waiting}})
	}
	return co, nil
}

// policy returns whom the collector itself trusts, for a log's key.
func (c *Collector) policy(vkey string) (*cosign.Policy, error) {
	witnesses := make([]*cosign.Witness, len(c.Witnesses))
	for i, w := range c.Witnesses {
		witnesses[i] = w.Witness
	}
	return cosign.NewPolicy(vkey, c.Quorum, witnesses...)
}

// Statuses returns how it is with each witness.
func (c *Collector) Statuses() []Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]Status, len(c.members))
	for i, m := range c.members {
		all[i] = m.status
	}
	return all
}

// Seen returns what the witnesses say that they cosigned, of those that the log is at odds with.
func (c *Collector) Seen() (all []signing.Seen) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.members {
		if m.seen.Origin != "" {
			all = append(all, m.seen)
		}
	}
	return all
}

// Run asks the witnesses until ctx ends.
func (c *Collector) Run(ctx context.Context) error {
	if len(c.members) == 0 {
		return nil
	}
	if err := c.load(ctx); err != nil && ctx.Err() == nil {
		c.Unkept(err)
	}
	var all sync.WaitGroup
	for _, m := range c.members {
		all.Go(func() { m.run(ctx) })
	}
	all.Wait()
	return nil
}

// load takes up what was cosigned before a restart, once it is known what the log is signed as.
func (c *Collector) load(ctx context.Context) error {
	msg, err := c.Copy.Load()
	if err != nil || msg == nil {
		return err
	}
	var s signing.Status
	for {
		looked := c.Signer.Looked()
		if s = c.Signer.Status(); len(s.Forks) > 0 && s.Note != nil {
			break
		}
		select {
		case <-looked:
		case <-ctx.Done():
			return nil
		}
	}
	p, err := c.policy(s.Forks[len(s.Forks)-1].VKey)
	if err != nil {
		return err
	}
	is, lines, err := p.Open(msg)
	if err != nil || is.Size > s.Latest.Size {
		return nil // it is of before a fork, or other witnesses are trusted now
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.best = &cosigned{is, strip(msg, lines), lines}
	for _, m := range c.members {
		for _, line := range lines {
			if line.Witness == m.Witness {
				m.origin, m.status.Size, m.status.At = is.Origin, is.Size, line.At
			}
		}
	}
	return nil
}

// Note returns the checkpoint to be shown, with the lines of witnesses: the latest that enough of them
// cosigned, or the latest at all with what lines there are if they keep that waiting for a minute. It is nil
// if nothing is signed.
func (c *Collector) Note() []byte {
	s := c.Signer.Status()
	if s.Note == nil || len(c.members) == 0 {
		return s.Note
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if best := c.best; best != nil && best.is.Origin == s.Latest.Origin {
		if best.is.Size >= s.Latest.Size || c.newer == 0 || c.Now().Sub(c.newer) < instant.OfDuration(patience) {
			return best.bytes()
		}
	}
	for _, o := range c.others {
		if o.is == s.Latest {
			return o.bytes()
		}
	}
	return s.Note
}

// Best returns the latest checkpoint that enough witnesses cosigned, with their lines. Where no witnesses
// were named, it is the latest. ok is false if there is none under the log's present name.
func (c *Collector) Best() (is checkpoint.Checkpoint, msg []byte, ok bool) {
	s := c.Signer.Status()
	if len(c.members) == 0 || s.Note == nil {
		return s.Latest, s.Note, s.Note != nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.best == nil || c.best.is.Origin != s.Latest.Origin {
		return is, nil, false
	}
	return c.best.is, c.best.bytes(), true
}

// put adds a line to a checkpoint, and keeps that if enough have cosigned it now.
func (c *Collector) put(is checkpoint.Checkpoint, note []byte, line cosign.Line) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if best := c.best; best != nil && best.is.Origin == is.Origin && best.is.Size > is.Size {
		return nil // it is too late
	}
	at := c.find(is, note)
	for i := range at.lines {
		if at.lines[i].Witness == line.Witness {
			at.lines[i] = line
			return nil
		}
	}
	at.lines = append(at.lines, line)
	if len(at.lines) < c.Quorum {
		return nil
	}
	if c.best != at {
		c.best, c.newer = at, 0
		var left []*cosigned
		for _, o := range c.others {
			if o.is.Origin == is.Origin && o.is.Size > is.Size {
				left = append(left, o)
			}
		}
		c.others = left
	}
	return c.Copy.Save(at.bytes())
}

// find returns what is held of a checkpoint.
func (c *Collector) find(is checkpoint.Checkpoint, note []byte) *cosigned {
	if c.best != nil && c.best.is == is {
		return c.best
	}
	for _, o := range c.others {
		if o.is == is {
			return o
		}
	}
	at := &cosigned{is: is, note: note}
	if c.others = append(c.others, at); len(c.others) > candidates {
		c.others = c.others[1:]
	}
	return at
}
