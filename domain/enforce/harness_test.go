package enforce_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/domain/enforce"
)

const (
	sec  = enforce.Boottime(1000)
	min1 = 60 * sec
	hour = 60 * min1
)

var errBroken = errors.New("broken")

// files is a folder in memory.
type files struct {
	mu      sync.Mutex
	wants   map[string][]byte
	foreign map[string]error  // what reading a want of that name says
	is      map[string][]byte // as it was saved
	lists   error             // what listing says
	loses   bool              // saving fails, and nothing is kept
	keeps   bool              // saving fails, and yet it is kept
	saved   int
	heard   []chan string
	deaf    bool // changes of wants are told to nobody

	deafness time.Time // when it was so last

	restarted time.Time // the keeper, last
}

func newFiles() *files {
	return &files{wants: map[string][]byte{}, foreign: map[string]error{}, is: map[string][]byte{}}
}

func (f *files) Wants() ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Keys(f.wants)), f.lists
}

func (f *files) Want(name string) (*enforce.Want, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.foreign[name]; err != nil {
		return nil, err
	}
	if b, ok := f.wants[name]; ok {
		return enforce.ParseWant(name, b)
	}
	return nil, fs.ErrNotExist
}

func (f *files) Is(id string) (*enforce.Is, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b, ok := f.is[id]; ok {
		return enforce.ParseIs(id, b)
	}
	return nil, fs.ErrNotExist
}

func (f *files) SaveIs(i *enforce.Is) error {
	b, err := i.Marshal()
	if err != nil {
		return err
	}
	return f.save(func() { f.is[i.ID] = b })
}

func (f *files) RemoveIs(id string) error { return f.save(func() { delete(f.is, id) }) }

func (f *files) save(do func()) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.saved++
	if !f.loses {
		do()
	}
	if f.loses || f.keeps {
		return errBroken
	}
	return nil
}

func (f *files) Changes(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		c := make(chan string, 20_000)
		f.mu.Lock()
		f.heard = append(f.heard, c)
		f.mu.Unlock()
		if !yield("", nil) {
			return
		}
		for {
			select {
			case <-ctx.Done():
				return
			case name := <-c:
				if !yield(name, nil) {
					return
				}
			}
		}
	}
}

// set writes a file of a want as it is, or removes it.
func (f *files) set(name string, b []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.wants[name] = b; b == nil {
		delete(f.wants, name)
	}
	for _, c := range f.heard {
		if !f.deaf {
			c <- name
		}
	}
}

func (f *files) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// thing is a resource of a host.
type thing struct {
	state      enforce.State
	invocation int
	busy       bool // an action is under way

	hangs, lies, statusHangs bool
	slow                     time.Duration
	fails, statusFails       error
	crashes                  time.Duration // that long after each start
	doing                    []did
	broken                   time.Time // when it was seen so last
}

// did is a call of Do.
type did struct {
	at   enforce.Boottime
	verb enforce.Verb
}

// host is a machine with a fake enforcer, and outlives its keepers.
type host struct {
	*files
	t      *testing.T
	booted time.Time
	slept  atomic.Int64
	boot   string

	hmu     sync.Mutex
	things  map[string]*thing
	wanted  map[string]*enforce.Want // the last that was valid
	signals chan string
	silent  bool // no signals
	notices []enforce.Notice
	last    enforce.Summary
	calls   int // of Status
	now     int // calls that are under way
	most    int
	stop    func()
}

func newHost(t *testing.T) *host {
	return &host{
		files: newFiles(), t: t, booted: time.Now(), boot: "b1", things: map[string]*thing{}, wanted: map[string]*enforce.Want{},
		signals: make(chan string, 100_000),
	}
}

// on runs a test on a host whose keeper runs.
func on(t *testing.T, f func(h *host)) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.start()
		f(h)
		h.stop()
	})
}

func (h *host) clock() enforce.Boottime {
	return enforce.Boottime(time.Since(h.booted).Milliseconds() + h.slept.Load() + 1000)
}

// start starts a keeper, which h.stop kills.
func (h *host) start(options ...func(o *enforce.Options)) {
	o := enforce.Options{
		Folder: h.files, Boot: h.boot, Now: h.clock, Changers: []enforce.Changer{h},
		Enforcer: func(w *enforce.Want) (enforce.Enforcer, error) {
			if w.Enforcer == "nobody" {
				return nil, fmt.Errorf("%w: there is no nobody", enforce.ErrRefused)
			}
			return h, nil
		},
		Told: func(n enforce.Notice) {
			h.hmu.Lock()
			defer h.hmu.Unlock()
			h.notices = append(h.notices, n)
		},
		Beat: func(s enforce.Summary) {
			h.hmu.Lock()
			defer h.hmu.Unlock()
			h.last = s
		},
	}
	for _, option := range options {
		option(&o)
	}
	ctx, cancel := context.WithCancel(h.t.Context())
	done := make(chan error, 1)
	go func() { done <- enforce.NewKeeper(o).Run(ctx) }()
	h.stop = func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Error(err)
		}
	}
}

func (h *host) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// want leaves a want, made by changing the last one.
func (h *host) want(id string, change func(w *enforce.Want)) {
	h.t.Helper()
	h.hmu.Lock()
	w := &enforce.Want{ID: id, State: enforce.Down, Enforcer: "fake", Boot: h.boot, Plan: "p"}
	if old := h.wanted[id]; old != nil {
		*w = *old
	}
	w.Generation++
	w.Boot = h.boot
	change(w)
	if w.State != enforce.Up {
		w.Until = 0
	}
	b, err := w.Marshal()
	if err != nil {
		h.t.Fatal(err)
	}
	h.wanted[id] = w
	h.hmu.Unlock()
	h.set(id, b)
}

func (h *host) up(id string, lasts enforce.Boottime) {
	h.t.Helper()
	until := h.clock() + lasts
	h.want(id, func(w *enforce.Want) { w.State, w.Until, w.Lasts, w.From = enforce.Up, until, 0, 0 })
}

func (h *host) down(id string) {
	h.t.Helper()
	h.want(id, func(w *enforce.Want) { w.State = enforce.Down })
}

// thing returns a resource, and makes it if need be. The caller holds hmu.
func (h *host) thing(id string) *thing {
	if h.things[id] == nil {
		h.things[id] = &thing{state: enforce.Gone}
	}
	return h.things[id]
}

func (h *host) with(id string, f func(r *thing)) {
	h.hmu.Lock()
	defer h.hmu.Unlock()
	f(h.thing(id))
}

// set makes a resource what it is by itself, and signals it.
func (h *host) becomes(id string, s enforce.State) {
	h.with(id, func(r *thing) { r.become(s) })
	h.signal(id)
}

func (r *thing) become(s enforce.State) {
	if s == enforce.Up && r.state != enforce.Up {
		r.invocation++
	}
	r.state = s
}

// heal makes a resource well again, as it stands.
func (r *thing) heal() {
	*r = thing{state: r.state, invocation: r.invocation, busy: r.busy, broken: r.broken}
}

func (h *host) signal(id string) {
	if !h.silent {
		h.signals <- id
	}
}

func (h *host) Changes(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for {
			select {
			case <-ctx.Done():
				return
			case id := <-h.signals:
				if !yield(id, nil) {
					return
				}
			}
		}
	}
}

// Do does what a verb says, as well as the resource lets it, and looks after the rule that nobody
// with time is cut off.
func (h *host) Do(ctx context.Context, v enforce.Verb, w *enforce.Want) error {
	h.hmu.Lock()
	r := h.thing(w.ID)
	now := h.clock()
	if r.busy {
		h.t.Errorf("%s: two actions at once", w.ID)
	}
	x := h.wanted[w.ID]
	if v != enforce.Start && x != nil && x.Boot == h.boot && x.State == enforce.Up && x.Lasts == 0 && now < x.Until {
		h.t.Errorf("%s is told %s at %d and has time until %d", w.ID, v, now, x.Until)
	}
	if now >= w.Until && v == enforce.Start {
		h.t.Errorf("%s is started at %d and had time until %d", w.ID, now, w.Until)
	}
	r.doing = append(r.doing, did{now, v})
	r.busy = true
	h.now++
	h.most = max(h.most, h.now)
	hangs, slow := r.hangs, r.slow
	h.hmu.Unlock()
	if hangs {
		<-ctx.Done()
	} else if slow > 0 {
		select {
		case <-ctx.Done():
		case <-time.After(slow):
		}
	}
	h.hmu.Lock()
	defer h.hmu.Unlock()
	h.now--
	r.busy = false
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case r.fails != nil:
		return r.fails
	case r.lies:
		return nil
	}
	r.become(enforce.State(v))
	if v == enforce.Start && r.crashes > 0 {
		run := r.invocation
		time.AfterFunc(r.crashes, func() {
			h.with(w.ID, func(r *thing) {
				if r.state == enforce.Up && r.invocation == run {
					r.become(enforce.Down)
				}
			})
			h.signal(w.ID)
		})
	}
	h.signal(w.ID)
	return nil
}

// asked returns how often it was asked for a status.
func (h *host) asked() int {
	h.hmu.Lock()
	defer h.hmu.Unlock()
	return h.calls
}

func (h *host) Status(ctx context.Context, w *enforce.Want) (enforce.Status, error) {
	h.hmu.Lock()
	r := h.thing(w.ID)
	h.calls++
	h.now++
	h.most = max(h.most, h.now)
	s := enforce.Status{State: r.state}
	if r.state == enforce.Up {
		s.Invocation = fmt.Sprint("run ", r.invocation)
	}
	err, hangs := r.statusFails, r.statusHangs
	h.hmu.Unlock()
	if hangs {
		<-ctx.Done()
		err = ctx.Err()
	}
	h.hmu.Lock()
	h.now--
	h.hmu.Unlock()
	return s, err
}

func (h *host) runs(id string) (up bool) {
	h.with(id, func(r *thing) { up = r.state == enforce.Up })
	return up
}

// did returns what was done to a resource since this was last asked.
func (h *host) did(id string) (list []did) {
	h.with(id, func(r *thing) { list, r.doing = r.doing, nil })
	return list
}

func (h *host) verbs(id string) (list []enforce.Verb) {
	for _, d := range h.did(id) {
		list = append(list, d.verb)
	}
	return list
}

// wants fails unless what is written of a resource has a state, and returns it.
func (h *host) isNow(id string, s enforce.State) enforce.Is {
	h.t.Helper()
	is, err := h.Is(id)
	if err != nil {
		h.t.Fatalf("%s at %d: %v", id, h.clock(), err)
	}
	if is.State != s {
		h.t.Errorf("%s is %+v at %d, want %s", id, is, h.clock(), s)
	}
	return *is
}

// told returns the notices since this was last asked.
func (h *host) told() (list []enforce.Notice) {
	h.hmu.Lock()
	defer h.hmu.Unlock()
	list, h.notices = h.notices, nil
	return list
}

func (h *host) summary() enforce.Summary {
	h.hmu.Lock()
	defer h.hmu.Unlock()
	return h.last
}

func between(r *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(r.Int64N(int64(to-from)))
}

// spoil makes a want one that is not to be followed, or none.
func (h *host) spoil(id string, b []byte) {
	h.hmu.Lock()
	h.wanted[id] = &enforce.Want{ID: id, State: enforce.Unknown, Enforcer: "fake", Generation: h.generation(id), Plan: "p"}
	h.hmu.Unlock()
	h.set(id, b)
}

func (h *host) generation(id string) int64 {
	if w := h.wanted[id]; w != nil {
		return w.Generation
	}
	return 0
}
