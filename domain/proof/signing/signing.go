// Package signing has the log's checkpoints signed, and none that does not go on from the last.
//
// A [Signer] looks whenever the log has grown. What was signed before stands in the store and, as a copy,
// in the state folder of each daemon; the log has to have all of that, with the same root. If it does, and
// this host has the key, the next checkpoint is signed, kept in the store, and only then shown. If it does
// not, nothing is signed any more: that is an [Alarm], which ends when the operator has the log forked
// ([Signer.Fork]), or when what was lost is put back. Nothing else of the daemon waits for it.
//
// It follows from what is there each time anew: nothing of an alarm is kept. A crash between any two
// writes leaves a checkpoint that was kept and not shown, or one whose copy is older, and both are made
// good by the next look.
package signing

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/proof"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/follow"
	"sandglass/domain/proof/fork"
	"sandglass/domain/stream"
	"sandglass/domain/watch"
)

// Every is how far apart checkpoints are at least.
const Every = 10 * time.Second

// looks are how often a look is begun where each time the store has other events than it had.
const looks = 3

// Errors of [Signer.Fork].
var (
	ErrNoKey   = errors.New("signing: this host does not have the key of the log: fork it at the host that has")
	ErrNoAlarm = errors.New("signing: the log is what was signed, as far as is known: there is nothing to leave behind")
)

// Tree is the log's tree, as package follow keeps it.
type Tree interface {
	Tree() proof.Tree
	Root(ctx context.Context, size int64) (proof.Hash, error)
	Grown() <-chan struct{}
	Caught(ctx context.Context) error
	Again() bool
	Changed() (c follow.Change, ok bool)
	Describe(ctx context.Context, c follow.Change) string
}

// Copy keeps the latest checkpoint once more, in another place than the store: a store that is an older one
// has lost its own.
type Copy interface {
	Load() ([]byte, error) // none is no error
	Save(note []byte) error
}

// Config is what a signer is made of.
type Config struct {
	Tree  Tree
	Store checkpoint.Store
	Copy  Copy
	Forks *fork.Handler
	Key   *checkpoint.Key // nil: this host does not sign
	// Unread says that there is a key, and that it can't be read, or is none.
	Unread bool
	// Origin is the name under which a log is opened, or forked from now on: empty is the one that it
	// has, or that of the key.
	Origin string
	// Shared says that another host may have the key.
	Shared bool
	// Begun is closed once something can be appended to the log.
	Begun <-chan struct{}
	Now   func() instant.Time
	// Seen returns what witnesses say of the log; nil if nobody is asked.
	Seen func() []Seen
	// Told hears of each look that ends otherwise than the one before: an alarm, its end, an error.
	Told func(Status)
}

// Seen is what a witness says that it cosigned last.
type Seen struct {
	Name   string
	Origin string
	Size   int64
	Other  bool // it is of another history than the log that it was shown
}

// Status is what the last look saw.
type Status struct {
	Forks  []fork.One // under which names the log was signed, oldest first
	Size   int64      // events in the log
	Latest checkpoint.Checkpoint
	Note   []byte       // of which that is; nil if there is none under the present name
	Signed instant.Time // when this daemon signed that; 0 if another did, or it was before
	Key    bool         // this host has a key, be it the right one
	Alarm  Alarm        // None if the log is what was signed
	Detail string       // of the alarm, for everybody
	Where  string       // which events it is of, by their streams, if that is known: not for everybody
	Err    error        // why the look came to no end
}

// Brief returns the newest checkpoint in short, to be shown to payers. ok is false where there is none, or the log no
// longer is what was signed.
func (s *Status) Brief() (b checkpoint.Brief, ok bool) {
	return s.Latest.Brief(), s.Note != nil && s.Alarm == None
}

// Signer signs. It is made by [New].
type Signer struct {
	Config
	looking sync.Mutex // one look or fork at a time

	mu     sync.Mutex // guards what follows
	status Status
	looked chan struct{} // closed at the next look's end
}

// New returns a signer, which looks once [Signer.Run] runs.
func New(c Config) *Signer {
	return &Signer{Config: c, status: Status{Key: c.Key != nil}, looked: make(chan struct{})}
}

// Status returns what the last look saw. Its bytes and forks are not to be changed.
func (s *Signer) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// Looked returns a channel that is closed once a look has ended after the call, or a checkpoint was signed.
func (s *Signer) Looked() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.looked
}

// Run looks whenever the log has grown, at most once in [Every], until ctx ends.
func (s *Signer) Run(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-s.Begun:
	}
	for ctx.Err() == nil {
		grown := s.Tree.Grown()
		s.Look(ctx)
		if watch.Pause(ctx, Every) {
			s.wait(ctx, grown)
		}
	}
	return nil
}

// wait waits until the log has grown, or for another look anyway: others sign, too, and what failed may
// go well.
func (s *Signer) wait(ctx context.Context, grown <-chan struct{}) {
	idle := time.NewTimer(2 * Every)
	defer idle.Stop()
	select {
	case <-ctx.Done():
	case <-grown:
	case <-idle.C:
	}
}

// Look looks once, and signs what is to be signed.
func (s *Signer) Look(ctx context.Context) {
	s.looking.Lock()
	defer s.looking.Unlock()
	l, err := s.look(ctx)
	if err == nil && l.status.Alarm == None {
		err = s.sign(ctx, &l)
	}
	if ctx.Err() != nil {
		return
	}
	l.status.Err = err
	s.put(l.status)
}

// put has a look's end shown.
func (s *Signer) put(now Status) {
	s.mu.Lock()
	before := s.status
	if err := now.Err; err != nil { // what was known is still the last that is known
		now = before
		now.Err = err
	}
	if now.Signed == 0 && string(now.Note) == string(before.Note) {
		now.Signed = before.Signed
	}
	s.status = now
	close(s.looked)
	s.looked = make(chan struct{})
	s.mu.Unlock()
	text := func(err error) string {
		if err == nil {
			return ""
		}
		return err.Error()
	}
	if s.Told != nil && (now.Alarm != before.Alarm || now.Detail != before.Detail || text(now.Err) != text(before.Err)) {
		s.Told(now)
	}
}

// look is one look at the log and what was signed of it.
type look struct {
	status  Status
	now     fork.One // the present name
	opened  bool
	tree    proof.Tree
	version int64  // of what the store has
	stored  []byte // that
	seen    []Seen // by witnesses
	foreign error  // what the store has instead
	copied  []byte // what the copy is
	gone    []byte // one of a name that the log does not have
	highest int64  // number of a fork that was signed, though the log may not know it
}

// look reads all, and says whether it fits: once more where the tree is made again meanwhile, since it was not that
// of the log's events.
func (s *Signer) look(ctx context.Context) (l look, err error) {
	for range looks {
		if l, err = s.once(ctx); !errors.Is(err, follow.ErrChanged) {
			break
		}
	}
	return l, err
}

func (s *Signer) once(ctx context.Context) (l look, err error) {
	l.status.Key = s.Key != nil
	if s.Config.Seen != nil { // before: the store has whatever a witness was shown
		l.seen = s.Config.Seen()
	}
	l.stored, l.version, err = s.Store.Checkpoint(ctx)
	if errors.Is(err, checkpoint.ErrForeign) {
		l.foreign = err
	} else if err != nil {
		return l, err
	}
	if l.copied, err = s.Copy.Load(); err != nil {
		return l, err
	}
	if err := s.Tree.Caught(ctx); err != nil { // after that: the log has what was signed, or is short of it
		return l, err
	}
	l.tree = s.Tree.Tree()
	out, err := s.Forks.Load(ctx, fork.ID)
	if err != nil {
		return l, err
	}
	l.status.Forks, l.status.Size = out.State.Forks, l.tree.Size()
	l.now, l.opened = out.State.Now()
	err = s.compare(ctx, &l, &out.State)
	return l, err
}

// sign signs the log as it is, if it has grown, and if it is for this host to do.
func (s *Signer) sign(ctx context.Context, l *look) error {
	if err := s.save(l); err != nil {
		return err
	}
	if s.Key == nil || l.tree.Size() == 0 {
		return nil
	}
	if !l.opened {
		if err := s.open(ctx, l); err != nil {
			return err
		}
	}
	if l.status.Note != nil && l.status.Latest.Size >= l.tree.Size() {
		return nil
	}
	return s.next(ctx, l)
}

// next signs the log as it is.
func (s *Signer) next(ctx context.Context, l *look) error {
	next := checkpoint.Checkpoint{Origin: l.now.Origin, Size: l.tree.Size(), Root: l.tree.Root()}
	msg, err := checkpoint.Sign(next, s.Key)
	if err != nil {
		return err
	}
	if err := s.Store.SwapCheckpoint(ctx, l.version, msg); err != nil {
		return fmt.Errorf("keeping the next checkpoint, of %s: %w", proof.Events(next.Size), err)
	}
	l.status.Latest, l.status.Note, l.status.Signed = next, msg, s.Now()
	s.put(l.status) // also if its copy can't be kept
	return s.save(l)
}

// save has the copy be what is kept in the store, where that goes on from it.
func (s *Signer) save(l *look) error {
	if l.status.Note == nil || string(l.status.Note) == string(l.copied) {
		return nil
	}
	if err := s.Copy.Save(l.status.Note); err != nil {
		return fmt.Errorf("keeping a copy of the checkpoint: %w", err)
	}
	l.copied = l.status.Note
	return nil
}

// open says in the log that it is signed from now on.
func (s *Signer) open(ctx context.Context, l *look) error {
	name := s.Origin
	if name == "" {
		name = s.Key.Invalid()
	}
	out, err := s.Forks.Execute(ctx, fork.ID, stream.Meta{Actor: "signer"}, fork.Open{
		At: s.Now(), Name: name, Key: s.Key, Size: l.tree.Size(),
	})
	if err != nil {
		return err
	}
	if err := s.named(ctx, l, &out.State); err != nil {
		return err
	}
	if vkey, err := s.Key.VKey(l.now.Origin); err != nil || vkey != l.now.VKey {
		return fmt.Errorf("another host opened the log as %s: it signs", l.now.Origin)
	}
	return nil
}

// named goes on with a log that has another name than when it was looked at, and so an event more.
func (s *Signer) named(ctx context.Context, l *look, forks *fork.State) error {
	l.now, l.opened = forks.Now()
	l.status.Forks = forks.Forks
	if err := s.Tree.Caught(ctx); err != nil {
		return err
	}
	l.tree = s.Tree.Tree()
	l.status.Size = l.tree.Size()
	return nil
}

// Fork leaves behind the name under which the log was signed, for a reason that the operator gives, and
// returns the next. That is refused with [ErrNoAlarm] where the log is what was signed, unless another
// origin was set or the operator says that the store was put back by other means than [PutBack], which
// nothing here tells; and with [ErrNoKey] where the key is not here.
func (s *Signer) Fork(ctx context.Context, meta stream.Meta, reason string, putBack bool) (fork.One, error) {
	s.looking.Lock()
	defer s.looking.Unlock()
	if s.Key == nil {
		return fork.One{}, ErrNoKey
	}
	l, err := s.look(ctx)
	if err != nil {
		return fork.One{}, err
	}
	base, _ := fork.Base(l.now.Origin)
	switch {
	case s.Origin != "" && s.Origin != base && (l.opened || putBack || l.status.Alarm != None):
		base = s.Origin
	case l.status.Alarm == None && !putBack:
		return fork.One{}, ErrNoAlarm
	case base == "":
		base = s.Key.Invalid()
	}
	from := l.now.Number
	if !l.opened {
		from = fork.Unopened
	}
	out, err := s.Forks.Execute(ctx, fork.ID, meta, fork.Leave{
		At: s.Now(), From: from, Least: l.highest + 1, Base: base, Key: s.Key, Reason: reason,
		Size: l.tree.Size(), Root: l.tree.Root(), Left: l.left(),
	})
	if err != nil {
		return fork.One{}, err
	}
	l.status = Status{Key: true}
	if err = s.named(ctx, &l, &out.State); err == nil {
		err = s.next(ctx, &l)
	}
	if l.status.Err = err; err != nil { // the next look does it
		s.put(l.status)
	}
	return l.now, nil
}
