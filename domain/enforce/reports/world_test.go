package reports_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/domain/clock"
	"sandglass/domain/enforce"
	"sandglass/domain/enforce/lasting"
	"sandglass/domain/enforce/reports"
	"sandglass/domain/enforce/wants"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// stretch is a time over which a thing was up. To is 0 as long as it is.
type stretch struct{ from, to instant.Time }

// thing is what runs, or not, and when it did.
type thing struct {
	up       bool
	since    enforce.Boottime // it is so
	runs     []stretch
	seen     bool // it was asked for while it is down
	seenUp   bool // it was asked for in the present run
	wanted   bool // it was told to be up last
	fails    error
	cantTell bool
}

// host is a machine with a keeper and a daemon, of which each can be dead, and a wallet that can be
// away, so that a daemon which starts meanwhile does not read it.
type host struct {
	*testing.T
	*files
	*log
	boots  int
	booted time.Time
	began  instant.Time // this boot, by our own time, but for leaps since
	marked clock.Mark   // when the daemon's clock was kept last
	off    instant.Time // as of the boot before
	signs  lasting.Signs
	down   map[resource.ID][]instant.Time // as of the boot before
	leap   atomic.Int64                   // of the clock, in ms, in this boot

	container bool // its clock since boot is that of its host, which goes on

	tmu    sync.Mutex
	things map[string]*thing
	told   chan string

	stopKeeper, stopDaemon func() // nil: it is dead
	reader                 *reports.Reader
	away                   bool // the wallet
	blind                  wants.Blind
	read                   chan struct{} // closed once the daemon has read it; nil while that is dead
	isRead                 bool          // it is closed
}

func on(t *testing.T, f func(h *host)) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{T: t, files: newFiles(), log: newLog(), things: map[string]*thing{}, told: make(chan string, 100_000)}
		h.booted = time.Now().Add(-time.Hour)
		h.began = instant.Of(h.booted)
		h.boots++
		h.keeper(true)
		h.daemon(true)
		h.pass(0)
		f(h)
		h.keeper(false)
		h.daemon(false)
	})
}

func (h *host) boot() string            { return fmt.Sprint("b", h.boots) }
func (h *host) since() enforce.Boottime { return enforce.Boottime(time.Since(h.booted).Milliseconds()) }
func (h *host) own() instant.Time {
	return h.began.Add(instant.Millis(h.since()) + instant.Millis(h.leap.Load()))
}
func (h *host) when() resource.When { return resource.When{At: h.own()} }

func (h *host) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// keeper starts a keeper, or kills it.
func (h *host) keeper(alive bool) {
	if alive == (h.stopKeeper != nil) {
		return
	}
	if !alive {
		h.stopKeeper()
		h.stopKeeper = nil
		return
	}
	var beaten time.Time
	var looked atomic.Bool
	outages := lasting.NewOutages(h.boot())
	h.stopKeeper = h.run(enforce.NewKeeper(enforce.Options{
		Folder: lasting.Folder{Folder: h.files, Outages: outages}, Boot: h.boot(), Now: h.since,
		Changers: []enforce.Changer{signals{h}},
		Enforcer: func(*enforce.Want) (enforce.Enforcer, error) { return h, nil },
		Told:     func(enforce.Notice) {},
		Beat: func(s enforce.Summary) {
			if time.Since(beaten) >= 5*time.Second {
				beaten = time.Now()
				_ = h.SaveBeat(&enforce.Beat{Boot: h.boot(), At: h.since(), Looked: s.Looked, Wants: s.Wants})
			}
			looked.Store(s.Looked)
		},
	}).Run, func(ctx context.Context) error {
		return each(ctx, 10*time.Second, func() {
			if looked.Load() {
				h.sign(&h.signs, outages, h.boot(), h.since())
			}
		})
	})
}

// daemon starts what of a daemon has to do with it, or kills it.
func (h *host) daemon(alive bool) {
	if alive == (h.stopDaemon != nil) {
		return
	}
	if !alive {
		h.stopDaemon()
		h.stopDaemon = nil
		return
	}
	h.read, h.isRead = make(chan struct{}), false
	h.wallet(!h.away)
	here, now := h.newReader()
	writer := wants.New(wants.Config{
		Views: both{h.log, h.reader}, Folder: h.files, Host: here, Now: now, Blind: func() wants.Blind { return h.blind },
		Failed: func(resource.ID, error) {}, Passed: func(map[enforce.State]int) {},
	})
	h.stopDaemon = h.run(h.reader.Run, writer.Run, h.clock, h.meter)
}

// wallet has the wallet be there, or not.
func (h *host) wallet(there bool) {
	if h.away = !there; there && !h.isRead && h.read != nil {
		close(h.read)
		h.isRead = true
	}
}

// newReader makes a reader, which nobody runs yet.
func (h *host) newReader() (here wants.Host, now func() wants.Reading) {
	here = wants.Host{Name: "rack-1", Boot: h.boot()}
	now = func() wants.Reading { return wants.Reading{Own: h.own(), Up: h.since()} }
	h.reader = reports.New(reports.Config{
		Views: h.log, Folder: h.files, Host: here, Now: now, Off: h.off, Down: h.down, Read: h.read,
		Report: func(_ context.Context, id resource.ID, c resource.Report) error { return h.execute(id, c) },
		Failed: func(_ resource.ID, err error) {
			if !errors.Is(err, errBroken) && !errors.Is(err, stream.ErrUnavailable) {
				h.Error(err)
			}
		},
		Reported: func(resource.ID, []resource.Event) {}, Passed: func() {},
	})
	return here, now
}

// startReader starts a reader alone, which hears of what is touched by its own writes.
func (h *host) startReader() {
	h.newReader()
	tell := func(ctx context.Context) error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-h.Touch():
				h.reader.Touched(h.Touched()...)
			}
		}
	}
	h.stopDaemon = h.run(h.reader.Run, tell)
}

// both tells a reader what was touched, as the daemon does.
type both struct {
	*log
	r *reports.Reader
}

func (b both) Touched() []resource.ID {
	ids := b.log.Touched()
	b.r.Touched(ids...)
	return ids
}

// run runs what runs until the returned function is called.
func (h *host) run(all ...func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(h.Context())
	var wg sync.WaitGroup
	for _, f := range all {
		wg.Go(func() {
			if err := f(ctx); err != nil {
				h.Error(err)
			}
		})
	}
	return func() {
		cancel()
		wg.Wait()
	}
}

// clock keeps every 10 s which time it is.
func (h *host) clock(ctx context.Context) error {
	return each(ctx, 10*time.Second, func() {
		h.marked = clock.Mark{Boot: h.boot(), Up: instant.Millis(h.since()), Own: h.own()}
	})
}

// each does something now, and each time so much has passed, until ctx ends.
func each(ctx context.Context, every time.Duration, do func()) error {
	for t := time.NewTicker(every); ; {
		do()
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-t.C:
		}
	}
}

// meter lets time pass.
func (h *host) meter(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-h.reader.Begun():
	}
	return each(ctx, time.Second, func() {
		for _, s := range h.All("") {
			if at, ok := s.Deadline(10 * instant.Minute); ok && at <= h.own() {
				_ = h.execute(s.ID, resource.Settle{When: h.when()})
			}
		}
	})
}

// powerCut takes the machine down, and boots it after a while, with the daemon dead or alive.
func (h *host) powerCut(away time.Duration, daemon bool) {
	h.keeper(false)
	h.daemon(false)
	was, _ := h.signs.Of(h.marked.Boot)
	h.off = h.marked.Own.Add(max(0, instant.Millis(was.At)-h.marked.Up))
	h.down = map[resource.ID][]instant.Time{}
	for id, all := range was.Down {
		for _, at := range all {
			h.down[resource.ID(id)] = append(h.down[resource.ID(id)], h.marked.Own.Add(instant.Millis(at)-h.marked.Up))
		}
	}
	h.tmu.Lock()
	for id, r := range h.things {
		r.become(false, h)
		r.since, r.seen, r.wanted = 0, true, false
		off := h.off
		s, _ := h.Resource(resource.ID(id))
		for _, went := range h.down[s.ID] {
			if went > s.Since { // nobody has heard of it yet
				off = min(off, went)
			}
		}
		for n := len(r.runs) - 1; n >= 0 && r.runs[n].to > off; n-- { // it counts as down since then
			if r.runs[n].to = off; r.runs[n].from > off {
				r.runs = r.runs[:n]
			}
		}
	}
	h.tmu.Unlock()
	h.pass(away)
	h.boots++
	if !h.container {
		h.began = h.own()
		h.leap.Store(0)
		h.booted = time.Now()
	}
	h.files.mu.Lock()
	clear(h.files.want)
	clear(h.files.is)
	h.beat, h.time, h.upTo = nil, nil, nil
	h.files.mu.Unlock()
	h.pass(7 * time.Second)
	h.keeper(true)
	h.daemon(daemon)
	h.pass(0)
}

func (r *thing) become(up bool, h *host) {
	if r.up == up {
		return
	}
	r.up, r.since = up, h.since()
	if n := len(r.runs); !up {
		if r.runs[n-1].to = h.own(); !r.seenUp {
			r.runs = r.runs[:n-1] // nobody could tell that it was up
			return
		}
		r.seen = false
		return
	} else if n > 0 && !r.seen {
		r.runs[n-1].to = 0 // nobody could tell that it was not up
		return
	}
	r.runs, r.seenUp = append(r.runs, stretch{from: h.own()}), false
}

func (h *host) with(id string, f func(r *thing)) {
	h.tmu.Lock()
	defer h.tmu.Unlock()
	if h.things[id] == nil {
		h.things[id] = &thing{since: h.since()}
	}
	f(h.things[id])
	h.told <- id
}

// crash takes a thing down; it can't be started before heal.
func (h *host) crash(id string) {
	h.with(id, func(r *thing) {
		r.fails = errBroken
		r.become(false, h)
	})
}

// heal lets a thing start again, which it does by itself if it should be up.
func (h *host) heal(id string) {
	h.with(id, func(r *thing) {
		if r.fails = nil; r.wanted {
			r.become(true, h)
		}
	})
}

func (h *host) Do(_ context.Context, v enforce.Verb, w *enforce.Want) (err error) {
	h.with(w.ID, func(r *thing) {
		r.wanted = v == enforce.Start
		if err = r.fails; v != enforce.Start || err == nil {
			err = nil
			r.become(v == enforce.Start, h)
		}
	})
	return err
}

func (h *host) Status(_ context.Context, w *enforce.Want) (s enforce.Status, err error) {
	h.tmu.Lock()
	defer h.tmu.Unlock()
	r := h.things[w.ID]
	if r == nil {
		return enforce.Status{State: enforce.Gone}, nil
	}
	if r.cantTell {
		return s, errBroken
	}
	r.seen, r.seenUp = r.seen || !r.up, r.seenUp || r.up
	s = enforce.Status{State: enforce.Down, Since: r.since}
	if r.up {
		s.State, s.Invocation = enforce.Up, fmt.Sprint(len(r.runs))
	}
	return s, nil
}

// signals are what the fake enforcer tells by itself.
type signals struct{ *host }

func (s signals) Changes(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for {
			select {
			case <-ctx.Done():
				return
			case id := <-s.told:
				if !yield(id, nil) {
					return
				}
			}
		}
	}
}

// open opens a resource that costs 1 msat a millisecond of its uptime, and pays for some time.
func (h *host) open(id resource.ID, paid time.Duration, terms resource.Terms) {
	h.Helper()
	terms.Price, terms.Uptime, terms.Grace = money.Price{Msat: 1, Per: 1}, true, instant.Century
	h.must(id, resource.Open{When: h.when(), Order: resource.Order{Plan: "small", Enforcer: "fake", Host: "rack-1", Terms: terms}})
	h.pay(id, "first", paid)
}

func (h *host) pay(id resource.ID, key string, paid time.Duration) {
	h.Helper()
	if err := h.credit(id, key, paid); err != nil {
		h.Fatal(err)
	}
}

func (h *host) credit(id resource.ID, key string, paid time.Duration) error {
	return h.execute(id, resource.Credit{When: h.when(), Payment: key, Amount: money.Msat(paid.Milliseconds()), Paid: h.own()})
}

func (h *host) must(id resource.ID, c resource.Command) {
	h.Helper()
	if err := h.execute(id, c); err != nil {
		h.Fatal(err)
	}
}

// billed returns what was debited of a resource and not given back, with what is under way.
func (h *host) billed(id resource.ID) (sum instant.Millis) {
	h.log.mu.Lock()
	defer h.log.mu.Unlock()
	for _, e := range h.events[id] {
		switch e := e.(type) {
		case *resource.Debited:
			sum += e.Time
		case *resource.Returned:
			sum -= e.Time
		}
	}
	s := h.states[id]
	return sum + s.Left() - s.Remaining(h.own())
}

func (h *host) status(id resource.ID, want resource.Status) {
	h.Helper()
	if s, _ := h.Resource(id); s.Status != want {
		h.Errorf("%s is %s at %s, want %s", id, s.Status, h.own(), want)
	}
}

func (h *host) isBilled(id resource.ID, want time.Duration) {
	h.Helper()
	if got := h.billed(id); got != instant.OfDuration(want) {
		h.Errorf("%s is billed %d ms, want %d", id, got, want.Milliseconds())
	}
}
