package resource_test

import (
	"fmt"
	"slices"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/domain/resource/uptime"

	"pgregory.net/rapid"
)

// slots is time cut into slots of one length, and what became of each. It is told what the
// resource is told, and counts slot by slot, with no spans and no closed forms.
type slots struct {
	unit     instant.Millis
	truth    []bool       // what it was in each slot: up
	billed   map[int]bool // the slots that are paid for: as up, which can be given back, or not
	status   resource.Status
	halted   bool // it was paused when its time ended
	last     int  // the slot up to which it is decided
	left     int
	everUp   bool
	outages  map[int]int // by period: slots that were free
	pauses   map[int]int
	maxOut   int // 0 is no bound
	maxPause int
}

func (m *slots) period(slot int) int { return slot / int(uptime.Period/m.unit) }

// pass lets slots pass as they do in the present status, up to one.
func (m *slots) pass(to int) {
	for ; m.last < to; m.last++ {
		free, most := m.outages, m.maxOut
		switch {
		case m.status == resource.StatusRunning:
			m.bill(true)
			continue
		case m.status == resource.StatusPaused:
			free, most = m.pauses, m.maxPause
		case m.status != resource.StatusStarting || !m.everUp:
			continue
		}
		if k := m.period(m.last); most == 0 || free[k] < most {
			free[k]++
		} else {
			m.bill(false)
		}
	}
}

// bill takes the present slot of what is left. With the last one it is over.
func (m *slots) bill(up bool) {
	if m.left > 0 {
		m.billed[m.last] = up
		m.left--
	}
	m.endAtNothing()
}

// endAtNothing suspends what has no slot left.
func (m *slots) endAtNothing() {
	if m.left == 0 && m.status != resource.StatusSuspended {
		m.halted = m.status == resource.StatusPaused
		m.status = resource.StatusSuspended
	}
}

// goOn is what new slots bring.
func (m *slots) goOn() {
	switch {
	case m.status != resource.StatusAwaiting && m.status != resource.StatusSuspended:
	case m.halted:
		m.halted, m.status = false, resource.StatusPaused
	default:
		m.status = resource.StatusStarting
	}
}

// settle passes as far as something is billed.
func (m *slots) settle(to int) {
	dry := *m
	dry.billed, dry.outages, dry.pauses = clone(m.billed), clone(m.outages), clone(m.pauses)
	end := m.last
	for dry.last < to {
		left, status := dry.left, dry.status
		if dry.pass(dry.last + 1); dry.left < left || dry.status != status {
			end = dry.last
		}
	}
	m.pass(end)
}

func clone[K comparable, V any](m map[K]V) map[K]V {
	c := map[K]V{}
	for k, v := range m {
		c[k] = v
	}
	return c
}

// add gives so many slots at one.
func (m *slots) add(at, n int) {
	m.settle(at)
	m.pass(at)
	m.left += n
	m.goOn()
}

// report takes in what was so up to a slot and at its begin. Before from nothing is known.
func (m *slots) report(from, at int) {
	was, now := m.left, max(at, m.last)
	for i := range at {
		up, given := m.billed[i]
		if given && up && i >= from && m.outage(i, at) && m.period(i) >= m.period(now)-1 &&
			(m.maxOut == 0 || m.outages[m.period(i)] < m.maxOut) {
			delete(m.billed, i)
			m.outages[m.period(i)]++
			m.left++
		}
	}
	if m.left > was && m.status == resource.StatusSuspended {
		m.pass(now)
		m.goOn()
	}
	for i := max(from, m.last); i <= at; i++ {
		next := m.status
		if m.status == resource.StatusStarting && m.truth[i] {
			next = resource.StatusRunning
		} else if m.status == resource.StatusRunning && m.outage(i, at) {
			next = resource.StatusStarting
		}
		if next == m.status {
			continue
		}
		if m.settle(i); m.status == resource.StatusSuspended {
			return
		}
		m.pass(i)
		m.status = next
		m.everUp = m.everUp || next == resource.StatusRunning
	}
}

// outage reports whether a slot lies in an outage that is long enough, as is known at one.
func (m *slots) outage(slot, at int) bool {
	if m.truth[slot] {
		return false
	}
	from, to := slot, slot
	for from > 0 && !m.truth[from-1] {
		from--
	}
	for to < at && !m.truth[to] {
		to++
	}
	return instant.Millis(to-from)*m.unit >= uptime.MinOutage
}

// told returns the report of what was so up to a slot, with up to so many outages, and from when
// on it knows.
func (m *slots) told(at, outages int) (c resource.Report, from int) {
	since := at
	for since > 0 && m.truth[since-1] == m.truth[at] {
		since--
	}
	c = resource.Report{When: m.when(at), Up: m.truth[at], Since: m.at(since)}
	from = since
	for end := since; end > 0 && len(c.Outages) < outages; {
		for m.truth[end-1] {
			if end--; end == 0 {
				return c, from
			}
		}
		begin := end
		for begin > 0 && !m.truth[begin-1] {
			begin--
		}
		c.Outages = slices.Insert(c.Outages, 0, uptime.Span{From: m.at(begin), To: m.at(end)})
		from, end = begin, begin
	}
	return c, from
}

func (m *slots) at(slot int) instant.Time    { return zero.Add(instant.Millis(slot) * m.unit) }
func (m *slots) when(slot int) resource.When { return resource.When{At: m.at(slot)} }

// TestUptimeIsBilled lets a resource live through what happens to it and what is said of it,
// late, twice, out of order and in part, and counts by hand what has to be paid.
func TestUptimeIsBilled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &slots{
			unit:   rapid.SampledFrom([]instant.Millis{5_000, instant.Hour, 12 * instant.Hour, 5 * instant.Day}).Draw(t, "unit"),
			billed: map[int]bool{}, outages: map[int]int{}, pauses: map[int]int{}, status: resource.StatusAwaiting,
		}
		most := int(min(100, uptime.Period/m.unit))
		m.maxOut = rapid.SampledFrom([]int{0, 1, 3, 20, most}).Draw(t, "max outage") % (most + 1)
		m.maxPause = rapid.SampledFrom([]int{0, 1, 5, most}).Draw(t, "max pause") % (most + 1)
		for up := true; len(m.truth) < 400; up = !up {
			m.truth = append(m.truth, slices.Repeat([]bool{up}, rapid.IntRange(1, 30).Draw(t, "slots"))...)
		}
		live := &modelled{m: m, s: resource.New("vm-1")}
		live.do(t, resource.Open{When: at(0), Order: resource.Order{Plan: "small", Terms: resource.Terms{
			Price: money.Price{Msat: 7, Per: m.unit}, Uptime: true, Grace: instant.Century,
			MaxOutage: instant.Millis(m.maxOut) * m.unit, MaxPause: instant.Millis(m.maxPause) * m.unit,
		}}})
		for now := 0; now < 300; now += rapid.IntRange(0, 12).Draw(t, "on") {
			live.step(t, now)
		}
		if live.sum != instant.Millis(len(m.billed))*m.unit || live.money != money.Msat(7*len(m.billed)) {
			t.Fatalf("%d ms and %s in the end, want %d slots of %d ms", live.sum, live.money, len(m.billed), m.unit)
		}
	})
}

// modelled is a resource beside its model.
type modelled struct {
	m     *slots
	s     resource.State
	keys  int
	sum   instant.Millis // Σ debited − Σ returned
	money money.Msat
}

// step does one thing to both, and compares them.
func (l *modelled) step(t *rapid.T, now int) {
	m, when := l.m, l.m.when(now)
	switch what := rapid.IntRange(0, 11).Draw(t, "what"); what {
	case 0, 1:
		n := rapid.SampledFrom([]int{1, 5, 30, 200}).Draw(t, "bought")
		l.keys++
		l.do(t, resource.Credit{When: when, Payment: fmt.Sprint(l.keys), Amount: money.Msat(7 * n), Paid: when.At})
		m.add(now, n)
	case 2:
		l.pauseOrResume(t, now)
	case 3:
		l.reverse(t, now)
	case 4:
		l.do(t, resource.Settle{When: when})
		m.settle(now)
	case 5:
		l.move(t, now)
	default:
		said := now
		if what > 9 { // from before
			said = rapid.IntRange(0, now).Draw(t, "said")
		}
		c, from := m.told(said, rapid.SampledFrom([]int{0, 1, 2, uptime.MaxOutages}).Draw(t, "outages"))
		c.Host = l.s.Host
		l.do(t, c)
		m.report(from, said)
	}
	l.compare(t)
}

func (l *modelled) pauseOrResume(t *rapid.T, now int) {
	if l.s.Status == resource.StatusPaused {
		if l.do(t, resource.Resume{When: l.m.when(now)}) {
			l.m.settle(now)
			l.m.pass(now)
			l.m.status = resource.StatusStarting
		}
	} else if l.do(t, resource.Pause{When: l.m.when(now)}) {
		l.m.settle(now)
		l.m.pass(now)
		l.m.status = resource.StatusPaused
	}
}

// move gives it to another host, whose keeper knows the same.
func (l *modelled) move(t *rapid.T, now int) {
	l.keys++
	l.do(t, resource.Place{When: l.m.when(now), Host: fmt.Sprint(l.keys)})
	l.m.settle(now)
	l.m.pass(now)
	l.m.everUp = false
	for slot := range l.m.billed {
		l.m.billed[slot] = false // what it was before is settled
	}
	if l.m.status == resource.StatusRunning {
		l.m.status = resource.StatusStarting
	}
}

// reverse takes back the last credit, if nothing was drawn of it.
func (l *modelled) reverse(t *rapid.T, now int) {
	l.do(t, resource.Settle{When: l.m.when(now)})
	l.m.settle(now)
	n := len(l.s.Lots) - 1
	if n < 0 || l.s.Lots[n].Used > 0 {
		return
	}
	lot := l.s.Lots[n]
	l.do(t, resource.Reverse{When: l.m.when(now), Payment: lot.Key})
	l.m.pass(now)
	l.m.left -= int(lot.Time / l.m.unit)
	l.m.endAtNothing()
}

// do reports whether c was not refused.
func (l *modelled) do(t *rapid.T, c resource.Command) bool {
	events, err := resource.Decide(l.s, c)
	for _, e := range events {
		switch e := e.(type) {
		case *resource.Debited:
			l.sum, l.money = l.sum+e.Time, l.money+e.Amount
		case *resource.Returned:
			l.sum, l.money = l.sum-e.Time, l.money-e.Amount
		}
		l.s = resource.Evolve(l.s, e)
	}
	if again, err2 := resource.Decide(l.s, c); err == nil && len(again) > 0 {
		if _, reverses := c.(resource.Reverse); !reverses {
			t.Fatalf("%T again: %s, %v", c, kinds(again), err2)
		}
	}
	return err == nil
}

func (l *modelled) compare(t *rapid.T) {
	m, s := l.m, &l.s
	if s.Status != m.status || l.sum != instant.Millis(len(m.billed))*m.unit ||
		s.Remaining(s.DebitedTo) != instant.Millis(m.left)*m.unit {
		t.Fatalf("%s with %d of %d ms left, %d billed; want %s with %d slots of %d ms, %d billed\n%+v\n%+v",
			s.Status, s.Remaining(s.DebitedTo), s.Full, l.sum, m.status, m.left, m.unit, len(m.billed), s, s.Uptime)
	}
}
