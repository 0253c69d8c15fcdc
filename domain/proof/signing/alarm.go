package signing

import (
	"context"
	"fmt"
	"slices"

	"sandglass/domain/proof"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/follow"
	"sandglass/domain/proof/fork"
)

// Alarm is why nothing is signed any more: the log, its key or what was signed is not what it was.
type Alarm string

// The alarms, the gravest last: of several that is told.
const (
	None      Alarm = ""
	NoKey     Alarm = "no_key"    // the log is signed, and the key is not here, nor can it be elsewhere
	OtherKey  Alarm = "other_key" // the key is not the one that the log names
	Restored  Alarm = "restored"  // the store was put back, and it is not known what was signed since
	Foreign   Alarm = "foreign"   // what should be a checkpoint of the log is none, or the log's key did not sign it
	Gone      Alarm = "gone"      // a checkpoint is of a name that the log does not have: it is an older one
	Witnessed Alarm = "witnessed" // a witness has cosigned more of it, or another history
	Short     Alarm = "short"     // the log has fewer events than were signed
	Rewritten Alarm = "rewritten" // it has others
)

// Alarms are all of them.
var Alarms = []Alarm{NoKey, OtherKey, Restored, Foreign, Gone, Witnessed, Short, Rewritten}

// raise has an alarm told, with what it is about, unless there is a graver one.
func (l *look) raise(a Alarm, format string, args ...any) {
	if slices.Index(Alarms, l.status.Alarm) > slices.Index(Alarms, a) {
		return
	}
	l.status.Alarm, l.status.Detail = a, fmt.Sprintf(format, args...)
}

// compare holds the log against all that was signed of it, and says which is the latest.
func (s *Signer) compare(ctx context.Context, l *look, forks *fork.State) error {
	l.highest = l.now.Number
	s.checkKey(l)
	if l.foreign != nil {
		l.raise(Foreign, "%v", l.foreign)
	}
	own := s.checkMark(l)
	for _, of := range []struct {
		where string
		note  []byte
	}{{"the store", own}, {"the copy in the state folder", l.copied}} {
		if of.note == nil {
			continue
		}
		if err := s.compareOne(ctx, l, forks, of.where, of.note); err != nil {
			return err
		}
	}
	for _, w := range l.seen {
		switch {
		case w.Origin != l.now.Origin:
		case w.Other:
			l.raise(Witnessed, "the witness %s has cosigned another history of %s", w.Name, w.Origin)
		case w.Size > l.status.Latest.Size:
			l.raise(Witnessed, "the witness %s says that it cosigned %s of %s, and no more than %d were signed here: "+
				"it is an older one, as after a backup was restored, or its key signs another",
				w.Name, proof.Events(w.Size), w.Origin, l.status.Latest.Size)
		}
	}
	return nil
}

// checkMark looks whether the store was put back, and not forked since, and returns the checkpoint that it has.
func (s *Signer) checkMark(l *look) (own []byte) {
	own, mark, marked := checkpoint.Marked(l.stored)
	forked := l.now.Number > 0 && l.now.Size >= mark.Events // since
	mine := l.opened || own != nil || s.Key != nil          // else nobody here has signed it, nor will
	if marked && !forked && mine {
		l.raise(Restored, "the log was put back at %s, with %s: it is not known which checkpoints were signed of it since",
			mark.At, proof.Events(mark.Events))
	}
	return own
}

// checkKey holds the key that is here against the one that the log names.
func (s *Signer) checkKey(l *look) {
	switch {
	case !l.opened:
	case s.Key == nil && s.Unread && !s.Shared:
		l.raise(NoKey, "log.key, by which %s is signed, can not be read: /readyz says why", l.now.Origin)
	case s.Key == nil && !s.Shared:
		l.raise(NoKey, "log.key, by which %s is signed, is missing", l.now.Origin)
	case s.Key != nil:
		if vkey, err := s.Key.VKey(l.now.Origin); err != nil || vkey != l.now.VKey {
			l.raise(OtherKey, "log.key is another than the one by which %s is signed, %s", l.now.Origin, l.now.VKey)
		}
	}
}

// compareOne holds the log against one checkpoint.
func (s *Signer) compareOne(ctx context.Context, l *look, forks *fork.State, where string, note []byte) error {
	c, err := checkpoint.Read(note)
	if err != nil {
		l.raise(Foreign, "what %s has is no checkpoint: %v", where, err)
		return nil
	}
	base, number := fork.Base(c.Origin)
	switch left, known := forks.Left(c.Origin); {
	case left:
		l.highest = max(l.highest, number)
		return nil
	case !known:
		if number >= l.highest {
			l.highest, l.gone = number, note
		}
		if !l.opened {
			l.now.Origin = base // goes on in a fork
		}
		l.raise(Gone, "%s has a checkpoint of %s with %s, and the log does not say that it was ever signed under that name: "+
			"it is an older one, as after a backup was restored", where, c.Origin, proof.Events(c.Size))
		return nil
	}
	if _, err := checkpoint.Open(note, l.now.VKey); err != nil {
		l.raise(Foreign, "the checkpoint that %s has was not signed by the key of the log: %v", where, err)
		return nil
	}
	if l.status.Note == nil || c.Size > l.status.Latest.Size {
		l.status.Latest, l.status.Note = c, note
	}
	return s.holds(ctx, l, where, c)
}

// left returns what is left behind if the log is forked now.
func (l *look) left() string {
	if l.gone != nil {
		return string(l.gone)
	}
	return string(l.status.Note)
}

// holds holds the log against a checkpoint of its present name.
func (s *Signer) holds(ctx context.Context, l *look, where string, c checkpoint.Checkpoint) error {
	changed := ""
	first, differs := s.Tree.Changed()
	if differs = differs && first.From < c.Size; differs {
		changed = fmt.Sprintf("; the first that differs is %s", first)
	}
	alarm := func(a Alarm, format string, args ...any) {
		l.raise(a, format, args...)
		if differs {
			l.status.Where = s.Tree.Describe(ctx, first)
		}
	}
	if l.tree.Size() < c.Size {
		alarm(Short, "%s has a checkpoint of %s, and the log has %d: those from index %d on are gone%s",
			where, proof.Events(c.Size), l.tree.Size(), l.tree.Size(), changed)
		return nil
	}
	root, err := s.Tree.Root(ctx, c.Size)
	switch {
	case err != nil:
		return err
	case root == proof.Hash(c.Root):
	case s.Tree.Again(): // what is kept of it may be damaged, and the log be what was signed
		return fmt.Errorf("the root of %s is not the one that was signed: %w", proof.Events(c.Size), follow.ErrChanged)
	default:
		alarm(Rewritten, "%s has a checkpoint of %s with the root %s, and the log's root is %s there: it has other events%s",
			where, proof.Events(c.Size), c.Root, root, changed)
	}
	return nil
}
