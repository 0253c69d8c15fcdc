// Package clock reads the clocks of this machine, and keeps in a file where they stood. What is
// believed of them is decided by package clock of the domain.
//
// The time since boot is CLOCK_BOOTTIME, which nobody sets and which counts while the machine
// sleeps. Whether the system takes its time to be synchronised is asked of systemd-timedated
// over D-Bus. An operator's word comes by a second file beside the first ([Accept]), so that it
// can be given before the daemon starts.
package clock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"sandglass/domain/clock"
	"sandglass/domain/instant"

	"golang.org/x/sys/unix"
)

const (
	saveEvery = 10 * time.Second // which is what a killed daemon forgets of its clock at most
	lookEvery = time.Second      // for an operator's word
)

// The files in the state folder.
const (
	markFile = "clock.json"
	wordFile = "clock-accepted.json"
)

// Options say what a clock is made of.
type Options struct {
	Dir   string // the state folder
	Boot  string // id of this boot; empty asks the kernel
	Rules clock.Rules
	// Header returns the time of the header of the last block that the wallet has, or an error
	// if that can't be had now. It may be nil.
	Header func(context.Context) (instant.Time, error)
	// Seen returns the time since boot at which others saw a former boot run last, 0 if nobody did. It
	// may be nil.
	Seen func(boot string) instant.Millis
	// Told is told of each doubt that begins or ends, and of errors of the files.
	Told func(Change)

	read   func() (clock.Reading, error)
	synced func(context.Context) clock.Verdict
}

// Change is what became of a clock.
type Change struct {
	Doubt clock.Doubt  // that began; no Reason: one ended
	Was   clock.Doubt  // that ended
	Own   instant.Time // our own time after it
	Err   error        // of a file, or nil
}

// Clock is a daemon's own time. Its methods may be called from anywhere at any time.
type Clock struct {
	Options
	marked bool
	begun  chan struct{}

	mu    sync.Mutex // guards what follows
	state clock.Clock
	last  clock.Doubt // as it was last told
}

// Open returns the clock of a daemon that starts. Of a mark that can't be read it says so to
// Told, and goes on without one.
func Open(o Options) (*Clock, error) {
	if o.read == nil {
		o.read = read
	}
	if o.synced == nil {
		o.synced = synced
	}
	if o.Boot == "" {
		o.Boot = BootID()
	}
	now, err := o.read()
	if err == nil {
		err = os.MkdirAll(o.Dir, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("clock: %w", err)
	}
	c := &Clock{Options: o, begun: make(chan struct{})}
	m, err := load(c.path(markFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		o.Told(Change{Own: now.Wall, Err: err})
	}
	c.marked = m != nil
	if m != nil && o.Seen != nil && m.Boot != o.Boot {
		m.Seen = o.Seen(m.Boot)
	}
	c.state = clock.Start(o.Rules, o.Boot, now, m)
	return c, nil
}

func (c *Clock) path(name string) string { return filepath.Join(c.Dir, name) }

// Now returns our own time.
func (c *Clock) Now() instant.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.At(c.reading())
}

// Both returns our own time, and the time since boot at that instant.
func (c *Clock) Both() (own instant.Time, up instant.Millis) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.reading()
	return c.state.At(now), now.Up
}

// reading reads the clocks, which can't fail once it did not.
func (c *Clock) reading() clock.Reading {
	now, err := c.read()
	if err != nil {
		panic(err)
	}
	return now
}

// Log tells the clock when the last event of the log was recorded, 0 if it has none. Until
// then it can be wrong where the daemon starts without a mark; see [Clock.Begun].
func (c *Clock) Log(last instant.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.Log(c.reading(), last, c.marked)
	close(c.begun)
}

// Begun is closed once [Clock.Log] was called.
func (c *Clock) Begun() <-chan struct{} { return c.begun }

// Doubt returns the doubt under way, with no Reason if there is none.
func (c *Clock) Doubt() clock.Doubt {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.At(c.reading())
	return c.state.Doubt()
}

// Gap returns the last gap.
func (c *Clock) Gap() instant.Gap {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.Gap()
}

// Off returns when the boot before this one was last seen to run.
func (c *Clock) Off() clock.Off {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.Off()
}

// Run keeps the mark, weighs evidence and takes an operator's word, from [Clock.Begun] until
// ctx ends, and then returns nil.
func (c *Clock) Run(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-c.begun:
	}
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for n := 0; ; n++ {
		c.tell(c.takeWord())
		if n%int(saveEvery/lookEvery) == 0 {
			c.weigh(ctx)
			c.tell(c.save())
		}
		select {
		case <-ctx.Done():
			c.tell(c.save())
			return nil
		case <-t.C:
		}
	}
}

// weigh asks for evidence, while there is a doubt.
func (c *Clock) weigh(ctx context.Context) {
	if c.Doubt().Reason == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, saveEvery/2)
	defer cancel()
	e := clock.Evidence{Synced: c.synced(ctx)}
	if c.Header != nil {
		if at, err := c.Header(ctx); err == nil {
			e.Header = at
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.Weigh(c.reading(), e)
}

// takeWord takes what an operator said, and removes it.
func (c *Clock) takeWord() error {
	word, err := load(c.path(wordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if errors.Is(err, fs.ErrPermission) {
		return err // the word stays, so that nobody thinks that it was taken
	}
	if err == nil {
		c.mu.Lock()
		fits := c.state.Accept(c.reading(), *word)
		c.mu.Unlock()
		if err = c.save(); err != nil {
			return err // the word stays: what it brought would not survive a restart
		}
		if !fits {
			err = fmt.Errorf("clock: the word in %s was of a clock that did not go on like that: give it again", c.path(wordFile))
		}
	}
	return errors.Join(err, os.Remove(c.path(wordFile)))
}

func (c *Clock) save() error {
	c.mu.Lock()
	m := c.state.Mark(c.reading())
	c.mu.Unlock()
	return store(c.path(markFile), m)
}

// tell tells of what changed.
func (c *Clock) tell(err error) {
	c.mu.Lock()
	own := c.state.At(c.reading())
	now, was := c.state.Doubt(), c.last
	c.last = now
	c.mu.Unlock()
	if err != nil || now.Reason != was.Reason || now.Steady != was.Steady {
		c.Told(Change{Doubt: now, Was: was, Own: own, Err: err})
	}
}

// Accept leaves the operator's word that the wall clock is right, for the daemon of a state
// folder: one that runs takes it within seconds, another one when it starts. It returns what the
// clock shows, and [Taken] tells whether the word was taken.
func Accept(dir, boot string) (instant.Time, error) {
	if boot == "" {
		boot = BootID()
	}
	now, err := read()
	if err != nil {
		return 0, err
	}
	return now.Wall, store(filepath.Join(dir, wordFile), clock.Mark{Boot: boot, Up: now.Up, Own: now.Wall})
}

// Taken reports whether no word of [Accept] waits for the daemon.
func Taken(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, wordFile))
	return errors.Is(err, fs.ErrNotExist)
}

func read() (clock.Reading, error) {
	up, err := SinceBoot()
	return clock.Reading{Up: up, Wall: instant.Of(time.Now())}, err
}

// SinceBoot returns CLOCK_BOOTTIME.
func SinceBoot() (instant.Millis, error) {
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err != nil {
		return 0, fmt.Errorf("CLOCK_BOOTTIME: %w", err)
	}
	return instant.Millis(up.Nano() / 1e6), nil
}

// BootID returns the kernel's id of this boot, or nothing where it is hidden, as in a unit with
// ProcSubset=pid: the clock then takes each start for one after a boot.
func BootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.ReplaceAll(strings.TrimSpace(string(b)), "-", "") // as systemd writes it
}

func load(path string) (*clock.Mark, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m := new(clock.Mark)
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("clock: %s: %w", path, err)
	}
	return m, nil
}

// store writes a mark durably, all or nothing.
func store(path string, m clock.Mark) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	// One process writes a file, and nothing of it is secret: an operator's word is read by the
	// daemon's user.
	temp := path + ".new"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Chmod(0o644)); err != nil { // whatever the umask
		return errors.Join(err, f.Close())
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(temp, path)
}
