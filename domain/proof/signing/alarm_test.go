package signing_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/domain/proof"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/follow"
	"sandglass/domain/proof/fork"
	"sandglass/domain/proof/signing"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"

	db "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

func TestARestoredBackupIsToldUntilItIsForked(t *testing.T) {
	h := newHost(t)
	h.grow("toy", 600)
	h.signed()
	backup := h.keep()
	h.grow("lost", 300)
	lost := h.signed()
	if b, ok := lost.Brief(); !ok || b != lost.Latest.Brief() || b.Size != lost.Size {
		t.Errorf("payers are told %v, %t", b, ok)
	}
	if _, err := h.Fork(t.Context(), stream.Meta{}, "x", false); !errors.Is(err, signing.ErrNoAlarm) {
		t.Errorf("a fork of what is as it should be: %v", err)
	}
	h.restore(backup, ours())
	h.alarmed(signing.Short, "the log has 601: those from index 601 on are gone")
	if s := h.Status(); hasBrief(&s) {
		t.Error("payers are told of a log that is gone")
	}
	h.grow("new", 290)
	h.restart(ours())
	h.alarmed(signing.Short, "the log has 891")
	h.grow("newer", 100)
	h.alarmed(signing.Rewritten, "the first that differs is one of index 512 to 767")
	if _, err := h.Fork(t.Context(), stream.Meta{}, " ", false); !errors.Is(err, fork.ErrInvalid) {
		t.Errorf("a fork without a reason: %v", err)
	}
	one := h.fork("the backup of Monday was restored")
	if one.Number != 1 || one.Gone != lost.Latest.Origin || one.Left != string(lost.Note) || one.Size != 991 {
		t.Errorf("%+v", one)
	}
	if base, _ := fork.Base(one.Origin); base != lost.Latest.Origin {
		t.Errorf("its name is %s", one.Origin)
	}
	if s := h.Status(); s.Alarm != signing.None || s.Latest.Origin != one.Origin || s.Latest.Size != 992 {
		t.Errorf("after the fork: %+v", s)
	}
	h.grow("on", 5)
	h.restart(ours())
	h.signed()
	h.restore(backup, ours()) // which does not know of the fork
	h.alarmed(signing.Gone, "does not say that it was ever signed under that name")
	if again := h.fork("once more"); again.Number != 2 || again.Origin == one.Origin {
		t.Errorf("%+v", again)
	}
	h.grow("on", 5)
	h.signed()
}

// A backup of before the log was ever signed, as after an upgrade.
func hasBrief(s *signing.Status) bool {
	_, ok := s.Brief()
	return ok
}

func TestABackupOfAnOlderBuildIsRestored(t *testing.T) {
	h := newHost(t)
	h.grow("toy", 5)
	backup := h.keep()
	h.signed()
	h.restore(backup, ours())
	h.alarmed(signing.Gone, "shop.example.org/log with 6 events")
	if one := h.fork("restored"); one.Number != 1 || !strings.HasPrefix(one.Origin, "shop.example.org/log/fork/1/") {
		t.Errorf("%+v", one)
	}
	h.signed()
}

func TestAnEventIsEdited(t *testing.T) {
	h := newHost(t)
	h.grow("toy", 20)
	h.signed()
	h.stop()
	conn, err := db.OpenConn(h.path(), db.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	err = sqlitex.ExecuteTransient(conn, `UPDATE events SET data = x'7b7d20' WHERE position = 7`, nil)
	if err := errors.Join(err, conn.Close()); err != nil {
		t.Fatal(err)
	}
	h.start(ours())
	h.alarmed(signing.Rewritten, "it has other events")
}

func TestTheKeyIsExchangedOrLost(t *testing.T) {
	h := newHost(t)
	h.grow("toy", 5)
	first := h.signed()
	other := ours()
	other.Key = key(2)
	h.restart(other)
	h.grow("more", 5)
	h.alarmed(signing.OtherKey, first.Forks[0].VKey)
	h.restart(signing.Config{})
	h.alarmed(signing.NoKey, "log.key, by which shop.example.org/log is signed, is missing")
	h.restart(signing.Config{Unread: true})
	h.alarmed(signing.NoKey, "can not be read: /readyz says why")
	h.restart(ours()) // it was found
	h.signed()
	h.restart(other) // it was not
	one := h.fork("the key was stolen")
	if vkey, _ := key(2).VKey(one.Origin); vkey != one.VKey {
		t.Errorf("%+v", one)
	}
	h.signed()
}

func TestWhatIsKeptIsNoCheckpointOfTheLog(t *testing.T) {
	h := newHost(t)
	h.grow("toy", 5)
	good := h.signed()
	h.copy.note = []byte("something\n")
	h.alarmed(signing.Foreign, "the copy in the state folder has is no checkpoint")
	forged, err := checkpoint.Sign(checkpoint.Checkpoint{Origin: good.Latest.Origin, Size: 2}, key(3))
	if err != nil {
		t.Fatal(err)
	}
	h.copy.note = forged
	h.alarmed(signing.Foreign, "not signed by the key of the log")
	two, err := checkpoint.Sign(checkpoint.Checkpoint{Origin: good.Latest.Origin, Size: good.Latest.Size}, key(1))
	if err != nil {
		t.Fatal(err)
	}
	h.copy.note = two
	h.alarmed(signing.Rewritten, "the copy in the state folder has a checkpoint of 6 events")
	h.copy.note = []byte("something\n")
	h.fork("somebody wrote to the state folder")
	h.signed()
}

// Somebody else writes where the store has its checkpoint: that is told each time until the log is forked, and
// then goes on.
func TestSomebodyElseWritesInTheStore(t *testing.T) {
	h := newHost(t)
	h.grow("toy", 5)
	good := h.signed()
	h.stop()
	conn, err := db.OpenConn(h.path(), db.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	err = sqlitex.ExecuteTransient(conn, `UPDATE checkpoint SET note = zeroblob(100000)`, nil)
	if err := errors.Join(err, conn.Close()); err != nil {
		t.Fatal(err)
	}
	h.start(ours())
	for range 2 {
		h.Look(t.Context())
		if s := h.Status(); s.Err != nil || s.Alarm != signing.Foreign || !strings.Contains(s.Detail, "the table checkpoint") {
			t.Fatalf("%+v", s)
		}
		h.grow("more", 2)
	}
	if one := h.fork("somebody wrote to the file"); one.Left != string(good.Note) {
		t.Errorf("left behind is %+v", one)
	}
	h.signed()
}

// Where there is another origin, it is taken with the next fork, and without an alarm.
func TestAnotherName(t *testing.T) {
	h := newHost(t)
	h.grow("toy", 5)
	h.signed()
	h.restart(signing.Config{Key: key(1), Origin: "new.example.org"})
	if one := h.fork("the shop has moved"); !strings.HasPrefix(one.Origin, "new.example.org/fork/1/") {
		t.Errorf("%+v", one)
	}
	h.signed()
	if _, err := h.Fork(t.Context(), stream.Meta{}, "x", false); !errors.Is(err, signing.ErrNoAlarm) {
		t.Errorf("a second time: %v", err)
	}
}

// A log that was signed by the name of its key, since none was set, keeps that until it is forked: then it has the one
// that is set meanwhile.
func TestANameIsSetForALogOfNone(t *testing.T) {
	h := newHost(t)
	h.restart(signing.Config{Key: key(1)})
	h.grow("toy", 5)
	first := h.signed()
	if first.Latest.Origin != key(1).Invalid() {
		t.Fatalf("it is signed as %s", first.Latest.Origin)
	}
	h.restart(ours())
	h.grow("more", 5)
	if s := h.signed(); s.Latest.Origin != key(1).Invalid() || len(s.Forks) != 1 {
		t.Errorf("a setting alone renames it: %+v", s)
	}
	last := h.Status()
	one := h.fork("it has a name now")
	if !strings.HasPrefix(one.Origin, "shop.example.org/log/fork/1/") || one.Gone != first.Latest.Origin ||
		one.Left != string(last.Note) {
		t.Errorf("%+v", one)
	}
	if vkey, _ := key(1).VKey(one.Origin); one.VKey != vkey {
		t.Errorf("its key is %s, want %s", one.VKey, vkey)
	}
	h.signed()
	if _, err := h.Fork(t.Context(), stream.Meta{}, "x", false); !errors.Is(err, signing.ErrNoAlarm) {
		t.Errorf("a second time: %v", err)
	}
	h.restart(signing.Config{Key: key(1)}) // the setting is gone again
	h.grow("on", 5)
	if s := h.signed(); s.Latest.Origin != one.Origin {
		t.Errorf("without the setting it is signed as %s", s.Latest.Origin)
	}
}

func TestForksFailBothWays(t *testing.T) {
	for _, fault := range []storetest.Fault{storetest.Lost, storetest.AnswerLost} {
		h := newHost(t)
		h.grow("toy", 5)
		backup := h.keep()
		h.signed()
		h.restore(backup, ours())
		h.events.OnAppend = storetest.Faults(fault)
		if _, err := h.Fork(t.Context(), stream.Meta{}, "restored", false); err == nil {
			t.Fatal("a fault is no error")
		}
		if fault == storetest.Lost {
			h.alarmed(signing.Gone, "")
			h.fork("restored")
		}
		h.restart(ours())
		if s := h.signed(); len(s.Forks) != 1 || s.Forks[0].Number != 1 {
			t.Errorf("%+v", s.Forks)
		}
		h.stop()
	}
	h := newHost(t)
	h.grow("toy", 5)
	backup := h.keep()
	h.signed()
	h.restore(backup, ours())
	h.faults.next = storetest.Lost // of the checkpoint that follows the fork
	h.fork("restored")
	if s := h.Status(); s.Err == nil {
		t.Errorf("%+v", s)
	}
	h.signed()
}

// quick is a tree of which the test says when it grows.
type quick struct {
	mu    sync.Mutex // guards what follows
	grown chan struct{}
	looks int
}

func (q *quick) Grown() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.grown
}

func (q *quick) Caught(context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.looks++
	return errors.New("away")
}

// grow has the tree grow, and then stand still.
func (q *quick) grow() {
	q.mu.Lock()
	defer q.mu.Unlock()
	close(q.grown)
	q.grown = make(chan struct{})
}

func (q *quick) looked() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.looks
}

func (q *quick) Tree() (t proof.Tree)                           { return t }
func (q *quick) Again() bool                                    { return false }
func (q *quick) Changed() (c follow.Change, ok bool)            { return c, false }
func (q *quick) Describe(context.Context, follow.Change) string { return "" }

func (q *quick) Root(context.Context, int64) (h proof.Hash, err error) { return h, nil }

// empty is a store that has no checkpoint.
type empty struct{ checkpoint.Store }

func (empty) Checkpoint(context.Context) ([]byte, int64, error) { return nil, 0, nil }

func TestItLooksWhenItHasGrownAndNotTooOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &quick{grown: make(chan struct{})}
		begun := make(chan struct{})
		var told []string
		s := signing.New(signing.Config{Tree: q, Store: empty{}, Copy: new(copied), Begun: begun, Told: func(s signing.Status) {
			told = append(told, s.Err.Error())
		}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		at := func(d time.Duration, looks int) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if got := q.looked(); got != looks {
				t.Fatalf("%d looks, want %d", got, looks)
			}
		}
		at(time.Minute, 0)
		close(begun)
		at(0, 1)
		at(2*signing.Every, 1)
		q.grow()
		at(0, 2)
		at(signing.Every-1, 2)
		q.grow()
		at(0, 2) // not so soon
		at(1, 3)
		at(3*signing.Every-1, 3)
		at(1, 4) // anyway
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if len(told) != 1 {
			t.Errorf("the same is told again: %q", told)
		}
	})
}
