package meter_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/domain/clock"
	"sandglass/domain/instant"
	"sandglass/domain/meter"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections"
	"sandglass/testutil/storetest"
)

var seeds = flag.Int("days", 6, "simulations of days")

// Days in which lnd, the clock, the daemon and the machine come and go at random. A clock is
// wrong for less than an hour at a time. Who paid in time is never released, who did not is in
// the end, no event bears a time that no honest clock showed, and nothing is forgiven but gaps.
func TestDays(t *testing.T) {
	forgiven := instant.Millis(0)
	for seed := range *seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, _ := storetest.SQLite(t)
				d := &days{
					t: t, r: rand.New(rand.NewPCG(uint64(seed), 3)),
					booted: time.Now().Add(-time.Minute), boot: "0", lnd: true, paid: map[resource.ID]instant.Time{},
					forgiven: map[string]instant.Millis{}, dead: instant.Of(time.Now()),
				}
				d.store = &honest{EventStore: store, days: d}
				d.start()
				for i := range 4 {
					d.customer(resource.ID(fmt.Sprint("pays-", i)))
					d.customer(resource.ID(fmt.Sprint("idle-", i)))
				}
				for day := instant.Of(time.Now()).Add(20 * instant.Day); instant.Of(time.Now()) < day; {
					d.step()
				}
				d.end()
				for _, sum := range d.forgiven {
					forgiven += sum
				}
			})
		})
	}
	if forgiven == 0 {
		t.Error("nothing was ever forgiven: there were no gaps")
	}
}

// honest is a log that no event enters that bears a time which has not come.
type honest struct {
	stream.EventStore
	*days
	last atomic.Int64 // when the last event was recorded
}

func (h *honest) Append(ctx context.Context, name string, at stream.Revision, events []stream.Event) (stream.Appended, error) {
	for _, e := range events {
		if ahead := e.At.Sub(instant.Of(time.Now())); ahead > rules.MaxStep {
			h.t.Errorf("%s of %s is %s ahead of the time", e.Type, name, ahead.Std())
		}
	}
	out, err := h.EventStore.Append(ctx, name, at, events)
	if err == nil {
		h.check(name, events)
		h.last.Store(max(h.last.Load(), int64(h.now())))
	}
	return out, err
}

// check holds that no more is forgiven than the time in which nobody was metered: the daemon
// was dead, or had not read the wallet yet.
func (h *honest) check(name string, events []stream.Event) {
	for _, e := range events {
		if e.Type != "resource.debited.v1" {
			continue
		}
		fact, err := resource.Decode(&stream.Record{Event: e})
		d, ok := fact.(*resource.Debited)
		if err != nil || !ok {
			h.t.Fatalf("%s: %v", e.Data, err)
		}
		h.mu.Lock()
		h.forgiven[name] += d.Forgiven
		blind := h.blind
		if h.dead != 0 {
			blind += instant.Of(time.Now()).Sub(h.dead)
		}
		if sum := h.forgiven[name]; sum > blind+2*rules.MaxStep {
			h.t.Errorf("%s of %s is forgiven, in all %s were not metered", sum.Std(), name, blind.Std())
		}
		h.mu.Unlock()
	}
}

// billed is what is billed of a gap.
const billed = 61 * instant.Minute

var rules = clock.Rules{MaxStep: 2 * instant.Minute, MaxGap: 3 * instant.Hour}

// days is a machine with a daemon and a wallet. What is true is the time of the bubble.
type days struct {
	t     *testing.T
	r     *rand.Rand
	store *honest
	did   []string

	mu       sync.Mutex
	booted   time.Time
	boot     string
	off      instant.Millis // of the wall clock
	clock    clock.Clock
	mark     *clock.Mark // as it was last kept
	lnd      bool
	invoices []paid // what the wallet has
	swept    instant.Time
	forgiven map[string]instant.Millis // by stream
	blind    instant.Millis            // how long nobody was metered, in all
	dead     instant.Time              // since when nobody is

	stop  func() // nil: the daemon is dead
	views *projections.Views
	paid  map[resource.ID]instant.Time // until when a customer has paid, if nobody lost a moment
	n     int
}

type paid struct {
	id     resource.ID
	key    string
	amount money.Msat
	at     instant.Time
}

func (d *days) reading() clock.Reading {
	return clock.Reading{Up: instant.OfDuration(time.Since(d.booted)), Wall: instant.Of(time.Now()).Add(d.off)}
}

func (d *days) now() instant.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.clock.At(d.reading())
}

func (d *days) known(now instant.Time) (instant.Time, instant.Gap) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.clock.Doubt().Reason != "" {
		return 0, d.clock.Gap()
	}
	return min(d.swept, now), d.clock.Gap()
}

// start starts the daemon.
func (d *days) start() {
	marked := d.mark != nil
	d.clock = clock.Start(rules, d.boot, d.reading(), d.mark)
	d.views, d.swept = projections.New(instant.Hour), 0
	resources := &resource.Handler{Aggregate: resource.Aggregate(), Store: d.store, Warm: d.views.Resource}
	ready := make(chan struct{})
	m := &meter.Meter{
		Resources: resources, Deadlines: d.views, Now: d.now, Known: d.known, Ready: []<-chan struct{}{ready},
		Gap:     resource.When{MaxGap: billed, Forgive: true},
		Failed:  func(id resource.ID, err error) { d.t.Errorf("%s: %v", id, err) },
		Settled: func(int, instant.Millis) {},
	}
	ctx, stop := context.WithCancel(d.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = projections.Run(ctx, d.store, d.views) })
	<-d.views.CaughtUp()
	d.mu.Lock()
	d.clock.Log(d.reading(), instant.Time(d.store.last.Load()), marked)
	d.mu.Unlock()
	wg.Go(func() { _ = m.Run(ctx) })
	wg.Go(func() { d.watch(ctx, resources, ready) })
	d.stop = func() {
		stop()
		wg.Wait()
		if d.stop = nil; d.dead == 0 {
			d.dead = instant.Of(time.Now())
		}
	}
}

// watch sweeps the wallet while that answers, and keeps the clock.
func (d *days) watch(ctx context.Context, resources *resource.Handler, ready chan struct{}) {
	for n := 0; ctx.Err() == nil; n++ {
		d.mu.Lock()
		mark := d.clock.Mark(d.reading())
		d.mark = &mark
		open, list, began := d.lnd, d.invoices, d.clock.At(d.reading())
		d.mu.Unlock()
		if open && n%12 == 0 {
			for _, p := range list {
				now := d.now()
				c := resource.Credit{
					When: resource.When{At: now, MaxGap: billed, Forgive: true}, Payment: p.key, Amount: p.amount, Paid: min(p.at, now),
				}
				if _, err := resources.Execute(ctx, p.id, stream.Meta{}, c); err != nil && ctx.Err() == nil {
					d.t.Errorf("%s, paid %s: %v\n%v", p.id, p.at, err, d.did)
				}
			}
			d.mu.Lock()
			d.swept, d.invoices = began, d.invoices[len(list):]
			d.mu.Unlock()
			if ready != nil {
				d.mu.Lock()
				d.blind += instant.Of(time.Now()).Sub(d.dead)
				d.dead = 0
				d.mu.Unlock()
				close(ready)
				ready = nil
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Second):
		}
	}
}

func (d *days) customer(id resource.ID) {
	h := &resource.Handler{Aggregate: resource.Aggregate(), Store: d.store}
	terms := resource.Terms{Price: money.Price{Msat: 1, Per: 1}, Grace: instant.Hour}
	c := resource.Open{When: resource.When{At: d.now()}, Order: resource.Order{Plan: "p", Terms: terms}}
	if _, err := h.Execute(d.t.Context(), id, stream.Meta{}, c); err != nil {
		d.t.Fatal(err)
	}
	d.paid[id] = instant.Of(time.Now())
	d.pay(id)
}

// pay pays for some hours, which the wallet takes even while the daemon can't see it.
func (d *days) pay(id resource.ID) {
	d.n++
	amount := money.Msat(1+d.r.IntN(30)) * money.Msat(instant.Hour)
	p := paid{id, fmt.Sprint("p", d.n), amount, instant.Of(time.Now())}
	d.paid[id] = max(d.paid[id], p.at).Add(instant.Millis(p.amount))
	d.mu.Lock()
	d.invoices = append(d.invoices, p)
	d.mu.Unlock()
}

func (d *days) pass(most instant.Millis) {
	time.Sleep(time.Duration(d.r.Int64N(int64(most.Std()))))
	synctest.Wait()
}

func (d *days) step() {
	now := instant.Of(time.Now())
	for i := range 4 { // they pay while they have time
		if id := resource.ID(fmt.Sprint("pays-", i)); d.paid[id].Sub(now) < 90*instant.Minute {
			d.pay(id)
		}
	}
	kind := d.r.IntN(8)
	d.did = append(d.did, fmt.Sprintf("%s:%d", now, kind))
	switch kind {
	case 0, 1:
		d.mu.Lock()
		d.lnd = !d.lnd
		d.mu.Unlock()
	case 2: // the wall clock leaps, and is mended within the hour
		d.leap(instant.Millis(d.r.Int64N(int64(80*instant.Day))) - 40*instant.Day)
	case 3: // and a little, which is followed
		d.mu.Lock()
		d.off = instant.Millis(d.r.Int64N(int64(instant.Minute)))
		d.mu.Unlock()
	case 4, 5: // the daemon dies, maybe with the machine, which may come back with a wrong clock
		d.stop()
		d.pass([]instant.Millis{instant.Minute, 50 * instant.Minute}[d.r.IntN(2)])
		if wrong := d.r.IntN(3); wrong > 0 {
			d.booted, d.boot, d.off = time.Now().Add(-time.Minute), fmt.Sprint(d.n, now), 0
			if wrong == 2 {
				d.off = -instant.Millis(d.r.Int64N(int64(instant.Year)))
			}
		}
		d.start()
		d.leap(d.off)
	}
	d.pass(instant.Hour)
}

// leap sets the wall clock, for less than an hour.
func (d *days) leap(off instant.Millis) {
	d.mu.Lock()
	d.off = off
	d.mu.Unlock()
	d.pass(50 * instant.Minute)
	d.mu.Lock()
	d.off = 0
	d.mu.Unlock()
}

// end lets all be well for some days, and compares.
func (d *days) end() {
	d.mu.Lock()
	d.lnd = true
	d.mu.Unlock()
	for range 150 {
		d.pass(instant.Hour)
		for i := range 4 {
			if id := resource.ID(fmt.Sprint("pays-", i)); d.paid[id].Sub(instant.Of(time.Now())) < 90*instant.Minute {
				d.pay(id)
			}
		}
	}
	d.pass(10 * instant.Minute)
	for i := range 4 {
		s, _, _ := d.views.Resource(resource.ID(fmt.Sprint("pays-", i)))
		if s.Status == resource.StatusReleased {
			d.t.Errorf("who always paid in time is released: %v", d.did)
		}
		if idle, _, _ := d.views.Resource(resource.ID(fmt.Sprint("idle-", i))); idle.Status != resource.StatusReleased {
			d.t.Errorf("who paid nothing more is %s", idle.Status)
		}
	}
	d.stop()
}
