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
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
)

var seeds = flag.Int("days", 4, "simulations of days")

// Days in which lnd, the clocks, the daemons and the machines come and go at random: one machine,
// or two on one log, whose clocks are a minute apart. A machine sleeps for minutes to hours, and
// a clock is wrong for less than an hour at a time. Who paid in time is never released, who did
// not is in the end, but not before the grace that a gap gives again; no event bears a time that
// no honest clock showed, nothing is forgiven but gaps, and a doubt of a clock that is right ends.
func TestDays(t *testing.T) {
	forgiven := instant.Millis(0)
	for seed := range *seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDays(t, uint64(seed), 1+seed%2)
				for day := d.time().Add(12 * instant.Day); d.time() < day && !t.Failed(); {
					d.step()
				}
				d.end()
				for _, sum := range d.forgiven {
					forgiven += sum
				}
				if t.Failed() {
					t.Log(d.did)
				}
			})
		})
	}
	if forgiven == 0 {
		t.Error("nothing was ever forgiven: there were no gaps")
	}
}

// billed is what is billed of a gap.
const billed = 61 * instant.Minute

// grace is what every customer has.
const grace = instant.Hour

var rules = clock.Rules{MaxStep: 2 * instant.Minute, MaxGap: 3 * instant.Hour}

// days are machines with one log and one wallet. What is true is the time of the bubble, and
// what all machines slept through.
type days struct {
	t        *testing.T
	r        *rand.Rand
	log      stream.EventStore
	machines []*machine
	did      []string
	paid     map[resource.ID]instant.Time // until when a customer has paid, if nobody lost a moment
	late     map[resource.ID]instant.Time // when one pays who lets it run out

	mu       sync.Mutex     // guards what follows, and what machines say that it does
	slept    instant.Millis // by all machines, while no timer went on
	recorded instant.Time   // when the last event was
	invoices []paid         // what the wallet has
	forgiven map[resource.ID]instant.Millis
	hosts    map[resource.ID]map[*machine]bool // whose a resource ever was
}

type paid struct {
	id     resource.ID
	key    string
	amount money.Msat
	at     instant.Time
}

func newDays(t *testing.T, seed uint64, machines int) *days {
	store, _ := storetest.SQLite(t)
	d := &days{
		t: t, r: rand.New(rand.NewPCG(seed, 3)), log: store,
		paid: map[resource.ID]instant.Time{}, late: map[resource.ID]instant.Time{},
		forgiven: map[resource.ID]instant.Millis{}, hosts: map[resource.ID]map[*machine]bool{},
	}
	for i := range machines {
		now := d.time()
		m := &machine{days: d, name: fmt.Sprint("host-", i), boot: "0", booted: now.Add(-instant.Minute), dead: now, died: now}
		m.lnd = true
		d.machines = append(d.machines, m)
		m.start()
	}
	for i := range 4 {
		for _, kind := range []string{"pays", "idle", "late"} {
			d.customer(resource.ID(fmt.Sprint(kind, "-", i)), d.machines[i%machines])
		}
	}
	return d
}

// time returns what time it is, in truth.
func (d *days) time() instant.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.timeLocked()
}

func (d *days) timeLocked() instant.Time { return instant.Of(time.Now()).Add(d.slept) }

// one returns one of the machines.
func (d *days) one() *machine { return d.machines[d.r.IntN(len(d.machines))] }

// upTo returns a time of less than most.
func (d *days) upTo(most instant.Millis) instant.Millis {
	return instant.Millis(d.r.Int64N(int64(most)))
}

func (d *days) customer(id resource.ID, m *machine) {
	h := &resource.Handler{Aggregate: resource.Aggregate(), Store: d.log}
	terms := resource.Terms{Price: money.Price{Msat: 1, Per: 1}, Grace: grace}
	c := resource.Open{When: resource.When{At: m.now()}, Order: resource.Order{Plan: "p", Terms: terms, Host: m.name}}
	if _, err := h.Execute(d.t.Context(), id, stream.Meta{}, c); err != nil {
		d.t.Fatal(err)
	}
	d.hosts[id] = map[*machine]bool{m: true}
	d.pay(id)
}

// pay pays for some hours, which the wallet takes even while no daemon can see it.
func (d *days) pay(id resource.ID) {
	now := d.time()
	d.mu.Lock()
	defer d.mu.Unlock()
	amount := money.Msat(1+d.r.IntN(30)) * money.Msat(instant.Hour)
	d.invoices = append(d.invoices, paid{id, fmt.Sprint("p", len(d.invoices)), amount, now})
	d.paid[id] = max(d.paid[id], now).Add(instant.Millis(amount))
	d.late[id] = d.paid[id].Add(grace/3 + d.upTo(grace/3))
}

// customers pay: some while they have time, some in the grace after it.
func (d *days) customers() {
	for i := range 4 {
		if id := resource.ID(fmt.Sprint("pays-", i)); d.paid[id].Sub(d.time()) < 90*instant.Minute {
			d.pay(id)
		}
		if id := resource.ID(fmt.Sprint("late-", i)); d.time() >= d.late[id] {
			d.pay(id)
		}
	}
}

// pass lets less than most go by.
func (d *days) pass(most instant.Millis) { d.passAll(d.upTo(most)) }

func (d *days) passAll(length instant.Millis) {
	for length > 0 {
		some := min(length, 10*instant.Minute)
		d.customers()
		time.Sleep(some.Std())
		synctest.Wait()
		length -= some
	}
	for _, m := range d.machines {
		m.doubtsEnd()
	}
}

func (d *days) step() {
	m := d.one()
	kind := d.r.IntN(11)
	d.did = append(d.did, fmt.Sprintf("%s %s:%d", d.time(), m.name, kind))
	switch kind {
	case 0, 1:
		d.mu.Lock()
		m.lnd = !m.lnd
		d.mu.Unlock()
	case 2: // the wall clock leaps, and is mended within the hour
		m.leap(d.upTo(80*instant.Day) - 40*instant.Day)
	case 3: // and a little, which is followed
		d.mu.Lock()
		m.skew = d.upTo(100*instant.Second) - 50*instant.Second
		d.mu.Unlock()
	case 4, 5:
		m.dies()
	case 6, 7:
		m.sleeps()
	case 8: // all sleep, and no timer goes on
		length := d.upTo([]instant.Millis{10 * instant.Minute, 5 * instant.Hour}[d.r.IntN(2)])
		from := d.time()
		for some := instant.Millis(0); some < length; some += 10 * instant.Minute {
			d.mu.Lock()
			d.slept += min(10*instant.Minute, length-some)
			d.mu.Unlock()
			d.customers()
		}
		for _, m := range d.machines {
			m.slept(from)
		}
	case 9: // a resource is moved
		d.move(resource.ID(fmt.Sprint([]string{"pays", "idle", "late"}[d.r.IntN(3)], "-", d.r.IntN(4))), d.one(), m)
	}
	d.pass(instant.Hour)
}

func (d *days) move(id resource.ID, to, by *machine) {
	d.mu.Lock()
	d.hosts[id][to] = true
	d.mu.Unlock()
	h := &resource.Handler{Aggregate: resource.Aggregate(), Store: d.log}
	c := resource.Place{When: resource.When{At: by.now(), MaxGap: billed, Forgive: true}, Host: to.name}
	if _, err := h.Execute(d.t.Context(), id, stream.Meta{}, c); err != nil && id[:4] != "idle" {
		d.t.Errorf("%s is moved: %v", id, err)
	}
}

// end lets all be well for some days, and compares.
func (d *days) end() {
	d.mu.Lock()
	for _, m := range d.machines {
		m.lnd = true
	}
	d.mu.Unlock()
	d.passAll(3 * instant.Day)
	for i := range 4 {
		for _, kind := range []string{"pays", "late"} {
			if s := d.state(resource.ID(fmt.Sprint(kind, "-", i))); s.Status == resource.StatusReleased {
				d.t.Errorf("%s, who always paid in time, is released", s.ID)
			}
		}
		if s := d.state(resource.ID(fmt.Sprint("idle-", i))); s.Status != resource.StatusReleased {
			d.t.Errorf("%s, who paid nothing more, is %s", s.ID, s.Status)
		}
	}
	for id := range d.paid {
		isWhole(d.t, d.log, id)
	}
	for _, m := range d.machines {
		m.stop()
	}
}

func (d *days) state(id resource.ID) resource.State {
	h := &resource.Handler{Aggregate: resource.Aggregate(), Store: d.log}
	out, err := h.Load(d.t.Context(), id)
	if err != nil {
		d.t.Fatal(err)
	}
	return out.State
}

// honest is the log as a machine writes to it: no event enters it that bears a time which has
// not come. A machine that is about to fall asleep does so at a write.
type honest struct {
	stream.EventStore
	*machine
	drowsy atomic.Int32 // falls asleep before the next write (1), after it (2)
}

func (h *honest) Append(ctx context.Context, name string, at stream.Revision, events []stream.Event) (stream.Appended, error) {
	h.fallAsleep(1)
	h.awake()
	for _, e := range events {
		if ahead := e.At.Sub(h.time()); ahead > rules.MaxStep {
			h.t.Errorf("%s: %s of %s is %s ahead of the time", h.name, e.Type, name, ahead.Std())
		}
	}
	out, err := h.EventStore.Append(ctx, name, at, events)
	if err == nil {
		h.check(resource.ID(name[len(resource.Prefix):]), events)
	}
	h.fallAsleep(2)
	h.awake()
	return out, err
}

func (h *honest) fallAsleep(when int32) {
	if h.drowsy.CompareAndSwap(when, 0) {
		h.mu.Lock()
		h.sleepLocked()
		h.mu.Unlock()
	}
}

// check holds that no more is forgiven than the time in which nobody was metered (the daemon
// was dead or slept, or had not read the wallet yet), and that nothing is released soon after it.
func (h *honest) check(id resource.ID, events []stream.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.recorded = max(h.recorded, h.clock.At(h.reading()))
	now := h.timeLocked()
	for _, e := range events {
		fact, err := resource.Decode(&stream.Record{Event: e})
		if err != nil {
			h.t.Fatalf("%s: %v", e.Data, err)
		}
		switch fact := fact.(type) {
		case *resource.Debited:
			h.forgiven[id] += max(0, fact.Forgiven-rules.MaxStep) // by which clocks may differ
			if blind := h.unmetered(id, now); h.forgiven[id] > blind+2*rules.MaxStep {
				h.t.Errorf("%s: %s of %s is forgiven, in all %s were not metered", h.name, h.forgiven[id].Std(), id, blind.Std())
			}
		case *resource.Released:
			if now.Add(2*rules.MaxStep) < h.decided {
				h.t.Errorf("%s: %s is released at %s, a gap keeps it until %s", h.name, id, now, h.decided)
			}
		}
	}
}

// unmetered returns how long nobody can have metered a resource until now. Where there are two
// hosts, a clock that stood is behind by as much until that is known: what its daemon starts is
// started too early, on whichever host, and what the other one debited is not due to it before.
func (d *days) unmetered(id resource.ID, now instant.Time) (sum instant.Millis) {
	for _, m := range d.machines {
		if sum += m.blindUntil(now); len(d.machines) > 1 && d.hosts[id][m] {
			sum += m.blindUntil(now)
		}
	}
	return sum
}
