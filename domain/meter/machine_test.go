package meter_test

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"sandglass/domain/clock"
	"sandglass/domain/instant"
	"sandglass/domain/meter"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections"
)

// machine is one of the days, with a daemon. Its clocks, and what they are true by, are guarded
// by the lock of the days.
type machine struct {
	*days
	name   string
	boot   string
	booted instant.Time
	skew   instant.Millis // of an honest wall clock
	off    instant.Millis // of the wall clock from an honest one
	clock  clock.Clock
	mark   *clock.Mark // as it was last kept
	lnd    bool
	next   int // invoice that was not swept yet
	swept  instant.Time

	asleep   chan struct{} // closed when it wakes; nil: it is awake
	since    instant.Time  // when it fell asleep
	blind    instant.Millis
	dead     instant.Time // since when nobody is metered, 0 if somebody is
	died     instant.Time // when the daemon did last
	kept     instant.Time // until when nothing is released, after a time in which nobody could be credited
	decided  instant.Time // the same, as it was when a release was decided on
	steadily instant.Time // since when the daemon runs, awake and with an honest clock

	log  *honest
	stop func() // nil: the daemon is dead
}

func (m *machine) reading() clock.Reading {
	now := m.timeLocked()
	return clock.Reading{Up: now.Sub(m.booted), Wall: now.Add(m.skew + m.off)}
}

// now returns the daemon's own time, once the machine is awake.
func (m *machine) now() instant.Time {
	m.awake()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.clock.At(m.reading())
}

func (m *machine) known(now instant.Time) (instant.Time, instant.Gap) {
	m.awake()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.decided = m.kept
	if m.clock.Doubt().Reason != "" {
		return 0, m.clock.Gap()
	}
	return min(m.swept, now), m.clock.Gap()
}

// awake returns once the machine does not sleep.
func (m *machine) awake() {
	m.mu.Lock()
	asleep := m.asleep
	m.mu.Unlock()
	if asleep != nil {
		<-asleep
	}
}

// start starts the daemon.
func (m *machine) start() {
	marked := m.mark != nil
	m.mu.Lock()
	m.clock = clock.Start(rules, m.boot, m.reading(), m.mark)
	m.keep(m.died, m.timeLocked())
	m.swept = 0
	m.mu.Unlock()
	m.log = &honest{EventStore: m.days.log, machine: m}
	views := projections.NewFor(m.name, instant.Hour)
	resources := &resource.Handler{Aggregate: resource.Aggregate(), Store: m.log, Warm: views.Resource}
	ready := make(chan struct{})
	meter := &meter.Meter{
		Resources: resources, Deadlines: views, Now: m.now, Known: m.known, Ready: []<-chan struct{}{ready},
		Gap:     resource.When{MaxGap: billed, Forgive: true},
		Failed:  func(id resource.ID, err error) { m.t.Errorf("%s: %v", id, err) },
		Settled: func(int, instant.Millis) {},
	}
	ctx, stop := context.WithCancel(m.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = projections.Run(ctx, m.log, views) })
	<-views.CaughtUp()
	m.mu.Lock()
	m.clock.Log(m.reading(), m.recorded, marked)
	m.mu.Unlock()
	wg.Go(func() { _ = meter.Run(ctx) })
	wg.Go(func() { m.watch(ctx, resources, ready) })
	m.stop = func() {
		stop()
		wg.Wait()
		m.mu.Lock()
		defer m.mu.Unlock()
		m.stop, m.died = nil, m.timeLocked()
		if m.dead == 0 {
			m.dead = m.died
		}
	}
}

// watch sweeps the wallet while that answers, and keeps the clock.
func (m *machine) watch(ctx context.Context, resources *resource.Handler, ready chan struct{}) {
	for n := 0; ctx.Err() == nil; n++ {
		m.awake()
		m.mu.Lock()
		mark := m.clock.Mark(m.reading())
		m.mark = &mark
		open, next, list, began := m.lnd, m.next, m.invoices[m.next:], mark.Own
		m.mu.Unlock()
		if open && n%12 == 0 && m.sweep(ctx, resources, list) {
			m.mu.Lock()
			if m.swept, m.next = began, next+len(list); ready != nil {
				m.blind += m.timeLocked().Sub(m.dead)
				m.dead = 0
				close(ready)
				ready = nil
			}
			m.mu.Unlock()
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Second):
		}
	}
}

func (m *machine) sweep(ctx context.Context, resources *resource.Handler, list []paid) bool {
	for _, p := range list {
		now := m.now()
		c := resource.Credit{
			When: resource.When{At: now, MaxGap: billed, Forgive: true}, Payment: p.key, Amount: p.amount, Paid: min(p.at, now),
		}
		if _, err := resources.Execute(ctx, p.id, stream.Meta{}, c); err != nil {
			if ctx.Err() == nil {
				m.t.Errorf("%s, paid %s: %v", p.id, p.at, err)
			}
			return false
		}
	}
	return true
}

// Subscribe tells nothing to a machine that sleeps.
func (h *honest) Subscribe(ctx context.Context, after stream.Position) iter.Seq2[[]stream.Record, error] {
	return func(yield func([]stream.Record, error) bool) {
		for run, err := range h.EventStore.Subscribe(ctx, after) {
			if h.awake(); !yield(run, err) {
				return
			}
		}
	}
}

// dies kills the daemon, maybe with the machine, which may come back with a wrong clock.
func (m *machine) dies() {
	m.stop()
	m.pass([]instant.Millis{instant.Minute, 50 * instant.Minute}[m.r.IntN(2)])
	if wrong := m.r.IntN(4); wrong > 0 {
		now := m.time()
		m.booted, m.boot, m.off = now.Add(-instant.Minute), fmt.Sprint(now), 0
		switch wrong {
		case 2:
			m.off = -m.upTo(instant.Year)
		case 3:
			m.off = rules.MaxGap + instant.Hour + m.upTo(instant.Year)
		}
	}
	m.start()
	m.leap(m.off)
}

// sleeps suspends the machine, or halts it so that its time since boot stands too. In the middle
// of a write, or else. The wall clock is right when it wakes, or goes on where it stood for less
// than an hour.
func (m *machine) sleeps() {
	halted, old := m.r.IntN(2) == 0, m.r.IntN(2) == 0
	m.log.drowsy.Store(m.r.Int32N(3))
	m.pass(2 * instant.Hour)
	m.log.drowsy.Store(0)
	m.mu.Lock()
	m.sleepLocked()
	m.mu.Unlock()
	m.pass([]instant.Millis{5 * instant.Minute, 5 * instant.Hour}[m.r.IntN(2)])
	m.mu.Lock()
	length := m.timeLocked().Sub(m.since)
	if old {
		m.off = -length
	}
	if halted {
		m.booted = m.booted.Add(length)
	}
	m.mu.Unlock()
	m.slept(m.since)
	m.mu.Lock()
	if halted {
		m.kept = 0 // its own time stood, and so did the grace
	}
	close(m.asleep)
	m.asleep = nil
	m.mu.Unlock()
	m.leap(m.off)
}

func (m *machine) sleepLocked() {
	if m.asleep == nil {
		m.asleep, m.since = make(chan struct{}), m.timeLocked()
	}
}

// slept accounts for a sleep.
func (m *machine) slept(from instant.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.timeLocked()
	m.keep(from, now)
	if m.dead == 0 {
		m.blind += now.Sub(from)
	}
}

// blindUntil returns how long it metered nothing until now.
func (m *machine) blindUntil(now instant.Time) instant.Millis {
	switch {
	case m.dead != 0:
		return m.blind + now.Sub(m.dead)
	case m.asleep != nil:
		return m.blind + now.Sub(m.since)
	}
	return m.blind
}

// keep keeps what has no time for as long as a gap was, and for a grace at most.
func (m *machine) keep(from, now instant.Time) {
	m.steadily = now
	if length := now.Sub(from); length > 2*rules.MaxStep {
		m.kept = now.Add(min(grace, length+max(0, m.kept.Sub(from))))
	}
}

// leap sets the wall clock, for less than an hour.
func (m *machine) leap(off instant.Millis) {
	m.mu.Lock()
	m.off = off
	m.mu.Unlock()
	if m.pass(50 * instant.Minute); off == 0 {
		return
	}
	m.mu.Lock()
	m.off, m.steadily = 0, m.timeLocked()
	m.mu.Unlock()
}

// doubtsEnd holds that a clock which was right for long enough is trusted.
func (m *machine) doubtsEnd() {
	m.mu.Lock()
	defer m.mu.Unlock()
	steadily := m.timeLocked().Sub(m.steadily)
	if doubt := m.clock.Doubt(); m.stop != nil && m.asleep == nil && m.off == 0 && doubt.Reason != "" &&
		steadily > clock.Patience+2*instant.Minute {
		m.t.Errorf("%s is right for %s, and is still doubted: %+v", m.name, steadily.Std(), doubt)
	}
}
