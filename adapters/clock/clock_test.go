package clock

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/domain/clock"

	"golang.org/x/sys/unix"
	"sandglass/domain/instant"
)

// machine has a wall clock that a test sets, in a bubble whose time is that since boot.
type machine struct {
	*Clock
	t      *testing.T
	dir    string
	booted time.Time
	off    atomic.Int64 // of the wall clock, in milliseconds
	synced atomic.Int32
	told   chan Change
	stop   func()
}

// on runs a test on a machine whose state folder holds these files.
func on(t *testing.T, files map[string]string, f func(t *testing.T, m *machine)) {
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		m := &machine{t: t, dir: dir, booted: time.Now(), told: make(chan Change, 100)}
		m.start()
		f(t, m)
		m.stop()
	})
}

func (m *machine) start() {
	m.t.Helper()
	c, err := Open(Options{
		Dir: m.dir, Boot: "boot", Rules: clock.Rules{MaxStep: 2 * instant.Minute, MaxGap: 3 * instant.Hour},
		Header: func(context.Context) (instant.Time, error) { return m.read().Wall, nil },
		Told:   func(c Change) { m.told <- c },
		read:   func() (clock.Reading, error) { return m.read(), nil },
		synced: func(context.Context) clock.Verdict { return clock.Verdict(m.synced.Load()) },
	})
	if err != nil {
		m.t.Fatal(err)
	}
	m.Clock = c
	c.Log(0)
	ctx, cancel := context.WithCancel(m.t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	m.stop = func() {
		cancel()
		if err := <-done; err != nil {
			m.t.Error(err)
		}
	}
	m.pass(0)
}

func (m *machine) read() clock.Reading {
	return clock.Reading{
		Up: instant.OfDuration(time.Since(m.booted)), Wall: instant.Of(time.Now()).Add(instant.Millis(m.off.Load())),
	}
}

func (m *machine) set(off time.Duration) {
	m.off.Store(off.Milliseconds())
	m.pass(2 * time.Second)
}

func (m *machine) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (m *machine) wants(off time.Duration, why clock.Reason) {
	m.t.Helper()
	if got := m.Now().Sub(instant.Of(time.Now())).Std(); got != off {
		m.t.Errorf("our own time is off by %s, want %s", got, off)
	}
	if got := m.Doubt().Reason; got != why {
		m.t.Errorf("the doubt is %q, want %q", got, why)
	}
}

// heard returns what was told since, but once.
func (m *machine) heard() (all []Change) {
	for {
		select {
		case c := <-m.told:
			all = append(all, c)
		default:
			return all
		}
	}
}

func TestADoubtIsToldOnceAndSoIsItsEnd(t *testing.T) {
	on(t, nil, func(t *testing.T, m *machine) {
		m.set(30 * 24 * time.Hour)
		m.pass(20 * time.Minute)
		m.wants(0, clock.Stepped)
		if told := m.heard(); len(told) != 1 || told[0].Doubt.Reason != clock.Stepped || told[0].Err != nil {
			t.Errorf("told %+v", told)
		}
		m.set(0)
		m.wants(0, "")
		if told := m.heard(); len(told) != 1 || told[0].Doubt.Reason != "" || told[0].Was.Reason != clock.Stepped {
			t.Errorf("told %+v", told)
		}
	})
}

func TestEvidenceIsAsked(t *testing.T) {
	for verdict, after := range map[clock.Verdict]time.Duration{
		clock.Yes: 11 * time.Minute, clock.Unknown: time.Hour, clock.No: time.Hour,
	} {
		on(t, nil, func(t *testing.T, m *machine) {
			m.synced.Store(int32(verdict))
			m.set(24 * time.Hour)
			m.pass(after - time.Minute - 10*time.Second)
			m.wants(0, clock.Stepped)
			m.pass(time.Minute + 20*time.Second)
			m.wants(24*time.Hour, "")
		})
	}
}

// A daemon that was killed goes on where its clock stood within the last ten seconds.
func TestARestartGoesOn(t *testing.T) {
	on(t, nil, func(t *testing.T, m *machine) {
		m.pass(15 * time.Second)
		kept, err := os.ReadFile(m.path(markFile)) // what a kill would leave
		m.stop()
		if err == nil {
			err = os.WriteFile(m.path(markFile), kept, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		m.off.Store(time.Hour.Milliseconds())
		m.pass(5 * time.Hour)
		m.start()
		m.wants(0, clock.Stepped)
		if g := m.Gap(); g.Length < 5*instant.Hour || g.Length > 5*instant.Hour+10*instant.Second {
			t.Errorf("the gap is %+v", g)
		}
	})
}

func TestAWordEndsADoubtAndIsKept(t *testing.T) {
	on(t, nil, func(t *testing.T, m *machine) {
		m.set(-time.Hour)
		m.wants(0, clock.Stepped)
		now := m.read()
		word := clock.Mark{Boot: "boot", Up: now.Up, Own: now.Wall}
		if err := store(m.path(wordFile), word); err != nil {
			t.Fatal(err)
		}
		m.pass(2 * time.Second)
		m.wants(-time.Hour, "")
		if !Taken(m.dir) {
			t.Error("the word is still there")
		}
		m.stop()
		m.start()
		m.wants(-time.Hour, "")
		m.heard()
		word.Own = word.Own.Add(instant.Day) // of a clock that is not this one
		if err := store(m.path(wordFile), word); err != nil {
			t.Fatal(err)
		}
		m.pass(2 * time.Second)
		if told := m.heard(); len(told) != 1 || told[0].Err == nil || !Taken(m.dir) {
			t.Errorf("told %+v", told)
		}
	})
}

func TestAMarkThatCannotBeRead(t *testing.T) {
	on(t, map[string]string{markFile: `{"boot":`}, func(t *testing.T, m *machine) {
		var syntax *json.SyntaxError
		if told := m.heard(); len(told) != 1 || !strings.Contains(told[0].Err.Error(), markFile) || !errors.As(told[0].Err, &syntax) {
			t.Errorf("told %+v", told)
		}
		m.wants(0, "")
	})
}

func TestAStateFolderThatIsGoneIsTold(t *testing.T) {
	on(t, nil, func(t *testing.T, m *machine) {
		if err := os.RemoveAll(m.dir); err != nil {
			t.Fatal(err)
		}
		m.pass(11 * time.Second)
		if told := m.heard(); len(told) == 0 || !errors.Is(told[0].Err, os.ErrNotExist) {
			t.Errorf("told %+v", told)
		}
		m.wants(0, "")
	})
}

func TestTheClocksOfThisMachine(t *testing.T) {
	a, err := read()
	if err != nil {
		t.Fatal(err)
	}
	b, err := read()
	if err != nil || b.Up < a.Up || a.Up <= 0 || b.Wall == 0 {
		t.Errorf("%+v, then %+v, %v", a, b, err)
	}
	if id := BootID(); len(id) != 32 {
		t.Errorf("the boot is %q", id)
	}
	dir := t.TempDir()
	if !Taken(dir) {
		t.Error("there is a word")
	}
	defer unix.Umask(unix.Umask(0o077)) // of root, whose word the daemon's user reads
	at, err := Accept(dir, "")
	word, loaded := load(filepath.Join(dir, wordFile))
	if err != nil || loaded != nil || word.Own != at || word.Boot != BootID() || Taken(dir) {
		t.Errorf("%+v, %v, %v", word, err, loaded)
	}
	if info, err := os.Stat(filepath.Join(dir, wordFile)); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("the word is for %v, %v", info.Mode(), err)
	}
}

// What timedated says, or that it says nothing, is a verdict; which, depends on the machine.
func TestSyncedAnswers(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if v := synced(ctx); v != clock.Unknown && v != clock.Yes && v != clock.No {
		t.Errorf("the verdict is %d", v)
	}
}
