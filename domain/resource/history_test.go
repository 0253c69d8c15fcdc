package resource_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/domain/resource/uptime"
	"sandglass/domain/stream"

	"pgregory.net/rapid"
)

// size draws from 0 to most, each order of magnitude alike.
func size[T ~int64](t *rapid.T, name string, most T) T {
	limit := T(1) << rapid.IntRange(0, 62).Draw(t, name+" bits")
	return T(rapid.Int64Range(0, int64(min(limit, most))).Draw(t, name))
}

// drawPrice is 1 msat a century to 1 BTC a second, and beyond.
func drawPrice(t *rapid.T) money.Price {
	return money.Price{Msat: max(1, size(t, "price_msat", money.MaxMsat)), Per: max(1, size(t, "per_ms", instant.Century))}
}

func drawTerms(t *rapid.T) resource.Terms {
	x := resource.Terms{Price: drawPrice(t), Grace: size(t, "grace_ms", instant.Century)}
	switch rapid.IntRange(0, 3).Draw(t, "threshold") {
	case 1:
		x.Warn.Time = size(t, "warn_ms", money.MaxTime)
	case 2:
		x.Warn.Amount = size(t, "warn_msat", money.MaxMsat)
	case 3:
		x.Warn.Share = size[int64](t, "warn_ppm", 1_000_000)
	}
	if x.Uptime = rapid.Bool().Draw(t, "by_uptime"); x.Uptime {
		x.StartWithin, x.MaxOutage = size(t, "start_within_ms", uptime.Period), size(t, "max_outage_ms", uptime.Period)
	}
	if rapid.Bool().Draw(t, "bounded") {
		x.MaxPause = size(t, "max_pause_ms", uptime.Period)
	}
	return x
}

// history is a resource under random commands: live, replayed from what was written,
// and summed up by hand.
type history struct {
	live, replayed             resource.State
	credits, debits, reversals money.Msat
	bought, used, taken        instant.Millis
	last                       instant.Time // of the events
	now                        instant.Time // of the clock, which jumps
}

func TestHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := history{live: resource.New("vm-1"), replayed: resource.New("vm-1"), now: zero}
		h.do(t, resource.Open{When: at(0), Order: resource.Order{Plan: "small", Terms: drawTerms(t), Request: [16]byte{1}}})
		for range rapid.IntRange(5, 40).Draw(t, "commands") {
			h.tick(t)
			h.do(t, h.command(t))
			h.checkSums(t)
			h.checkClock(t)
			h.checkCuts(t)
			h.checkDeadline(t)
		}
	})
}

// tick moves the clock: mostly on, by far or to just when something is due, and at
// times back.
func (h *history) tick(t *rapid.T) {
	switch due, ok := h.live.Deadline(instant.Century); rapid.IntRange(0, 5).Draw(t, "tick") {
	case 0:
		h.now = max(instant.Min, h.now.Add(-size(t, "back_ms", instant.Year)))
	case 1, 2:
		if ok {
			h.now = max(instant.Min, due+instant.Time(rapid.Int64Range(-1, 1).Draw(t, "beside")))
		}
	default:
		h.now = h.now.Add(size(t, "on_ms", 20*instant.Year))
	}
}

func (h *history) command(t *rapid.T) resource.Command {
	when := resource.When{At: min(h.now, instant.Max), Forgive: rapid.Bool().Draw(t, "forgive")}
	if rapid.Bool().Draw(t, "bounded") {
		when.MaxGap = size(t, "gap_ms", instant.Century)
	}
	key := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(t, "key")
	if h.live.Terms.Uptime && rapid.IntRange(0, 2).Draw(t, "told") > 0 {
		return h.report(t, when)
	}
	switch rapid.IntRange(0, 14).Draw(t, "command") {
	case 0, 1, 2, 3, 4:
		c := resource.Credit{When: when, Payment: key, Amount: h.amount(t, key), Paid: when.At}
		if rapid.Bool().Draw(t, "late") {
			c.Paid = max(0, c.Paid.Add(-size(t, "late_ms", instant.Year)))
		}
		if rapid.Bool().Draw(t, "quoted") {
			c.Price = drawPrice(t)
			c.Quoted = rapid.SampledFrom([]money.Msat{0, 1, c.Amount / 2, c.Amount, 2 * c.Amount}).Draw(t, "asked")
		}
		return c
	case 5:
		return resource.Grant{When: when, Key: key, Time: 1 + size(t, "grant_ms", 100*instant.Year), Reason: "outage"}
	case 6:
		return resource.Pause{When: when}
	case 7:
		return resource.Resume{When: when}
	case 8, 9:
		return resource.Reverse{When: when, Payment: key, Reason: "reorg"}
	case 10:
		return resource.Reprice{When: when, Price: drawPrice(t)}
	case 11:
		if rapid.IntRange(0, 9).Draw(t, "end") == 0 {
			return resource.Release{When: when, Reason: "operator"}
		}
	case 12:
		return resource.Place{When: when, Host: key}
	}
	return resource.Settle{When: when, Swept: when.At}
}

// report has its instants about those at which something changes, and anywhere.
func (h *history) report(t *rapid.T, when resource.When) resource.Report {
	c := resource.Report{When: when, Host: h.live.Host, Up: rapid.Bool().Draw(t, "up"), Since: when.At}
	edges := []instant.Time{h.live.DebitedTo, h.live.Last, h.live.Since, when.At}
	for _, s := range h.live.Uptime.Billed {
		edges = append(edges, s.From, s.To)
	}
	var at []instant.Time
	for range rapid.IntRange(0, 9).Draw(t, "instants") {
		from := rapid.SampledFrom(edges).Draw(t, "edge")
		at = append(at, from.Add(size(t, "beside_ms", instant.Year)*rapid.SampledFrom([]instant.Millis{-1, 0, 1}).Draw(t, "sign")))
	}
	at = slices.DeleteFunc(at, func(at instant.Time) bool { return at < 0 || at > when.At })
	slices.Sort(at)
	at = slices.Compact(at)
	if len(at)%2 == 1 {
		c.Since, at = at[len(at)-1], at[:len(at)-1]
	}
	for pair := range slices.Chunk(at, 2) {
		c.Outages = append(c.Outages, uptime.Span{From: pair[0], To: pair[1]})
	}
	return c
}

// amount is sized to buy a millisecond to a century, or anything.
func (h *history) amount(t *rapid.T, key string) money.Msat {
	for _, l := range h.live.Lots {
		if l.Key == key && !l.Grant() && rapid.Bool().Draw(t, "again") {
			return l.Amount + l.DebtPaid
		}
	}
	if cost, err := h.live.Terms.Price.CostOf(size(t, "buy_ms", instant.Century)); err == nil && rapid.Bool().Draw(t, "fits") {
		return max(1, cost)
	}
	return 1 + size(t, "amount_msat", money.MaxMsat-1)
}

// do decides c, holds every event against what the package promises, and goes on.
func (h *history) do(t *rapid.T, c resource.Command) {
	before := deepCopy(h.live)
	events, err := resource.Decide(h.live, c)
	if !reflect.DeepEqual(before, h.live) {
		t.Fatalf("%T changed the state that it was given:\n%+v\n%+v", c, before, h.live)
	}
	if err != nil {
		if len(events) > 0 {
			t.Fatalf("%T: %d events with %v", c, len(events), err)
		}
		return
	}
	for _, e := range events {
		h.sum(e)
		rec := stream.Record{Event: stream.Encode(e)}
		if rec.At < h.last {
			t.Fatalf("%T: %s at %s comes after %s", c, rec.Type, rec.At, h.last)
		}
		h.last = rec.At
		back, err := resource.Decode(&rec)
		if err != nil || !reflect.DeepEqual(back, e) {
			t.Fatalf("%s %s is read as %+v, %v; was %+v", rec.Type, rec.Data, back, err, e)
		}
		h.live, h.replayed = resource.Evolve(h.live, e), resource.Evolve(h.replayed, back)
	}
	if !reflect.DeepEqual(h.live, h.replayed) {
		t.Fatalf("%T: replay differs:\nlive   %+v\nreplay %+v", c, h.live, h.replayed)
	}
	again, err := resource.Decide(h.live, c)
	_, reverses := c.(resource.Reverse)
	if len(again) > 0 || reverses != errors.Is(err, resource.ErrNoCredit) || !reverses && err != nil {
		t.Fatalf("%T again: %q, %v", c, kinds(again), err)
	}
}

func deepCopy(s resource.State) resource.State {
	s.Lots = slices.Clone(s.Lots)
	return s
}

func (h *history) sum(e resource.Event) {
	switch e := e.(type) {
	case *resource.Credited:
		h.credits, h.bought = h.credits+e.Amount, h.bought+e.Time
	case *resource.Granted:
		h.bought += e.Time
	case *resource.Debited:
		h.debits, h.used = h.debits+e.Amount, h.used+e.Time
	case *resource.Returned:
		h.debits, h.used = h.debits-e.Amount, h.used-e.Time
	case *resource.Reversed:
		h.reversals, h.taken = h.reversals+e.Amount, h.taken+e.Time
	}
}

// checkSums holds that no msat and no millisecond comes from nowhere or goes there.
func (h *history) checkSums(t *rapid.T) {
	s := &h.live
	left := s.Remaining(s.DebitedTo)
	if h.credits-h.debits-h.reversals != s.Balance()-s.Debt || s.Balance() < 0 || s.Debt < 0 {
		t.Fatalf("credits %s, debits %s, reversals %s; held %s, debt %s", h.credits, h.debits, h.reversals, s.Balance(), s.Debt)
	}
	if s.Credited != h.credits || s.Debited != h.debits || s.ReversedSum != h.reversals {
		t.Fatalf("the state sums up %s, %s and %s", s.Credited, s.Debited, s.ReversedSum)
	}
	if h.bought-h.used-h.taken != left || left < 0 || left > money.MaxTime && !s.Terms.Uptime {
		t.Fatalf("bought %d ms, used %d, taken back %d, left %d", h.bought, h.used, h.taken, left)
	}
	if s.Status == resource.StatusRunning && (left == 0 || s.DebitedTo != s.Last) {
		t.Fatalf("running with %d ms, settled %s, last event %s", left, s.DebitedTo, s.Last)
	}
	if s.Uptime != nil {
		h.checkUptime(t)
	}
	if s.Status == resource.StatusSuspended && left != 0 {
		t.Fatalf("suspended with %d ms", left)
	}
	for _, l := range s.Lots {
		if l.Used < 0 || l.Used > l.Time || l.Amount < 0 || l.DebtPaid < 0 {
			t.Fatalf("lot %+v", l)
		}
	}
}

// checkUptime holds that what can be given back was drawn, that it is bounded, and that no bound
// is used beyond itself.
func (h *history) checkUptime(t *rapid.T) {
	u, drawn, billed, end := h.live.Uptime, instant.Millis(0), instant.Millis(0), instant.Time(0)
	for _, l := range h.live.Lots {
		drawn += l.Used
	}
	for _, s := range u.Billed {
		if s.From < end || s.To <= s.From {
			t.Fatalf("billed %v", u.Billed)
		}
		billed, end = billed+s.Length(), s.To
	}
	if billed > drawn || len(u.Billed) > uptime.MaxBilled || end > h.live.Last || u.Returned < 0 {
		t.Fatalf("billed %d ms in %d spans up to %s, drawn %d", billed, len(u.Billed), end, drawn)
	}
	for bound, b := range map[instant.Millis]uptime.Budget{h.live.Terms.MaxOutage: u.Outage, h.live.Terms.MaxPause: u.Pause} {
		if bound == 0 {
			bound = uptime.Period
		}
		if b.Used < 0 || b.Before < 0 || b.Used > bound || b.Before > bound {
			t.Fatalf("of a bound of %d ms is used: %+v", bound, b)
		}
	}
	if s := &h.live; (s.Status == resource.StatusStarting || s.Status == resource.StatusPaused) && s.DebitedTo != s.Last {
		t.Fatalf("%s: its time has passed up to %s, last event %s", s.Status, s.DebitedTo, s.Last)
	}
}

// checkClock holds that what remains never grows while time alone passes, and that
// looking, which settles, changes nothing of it.
func (h *history) checkClock(t *rapid.T) {
	a := h.now.Add(size(t, "a_ms", 300*instant.Year))
	b := a.Add(size(t, "b_ms", 300*instant.Year))
	ra, rb := h.live.Remaining(a), h.live.Remaining(b)
	if ra < rb || rb < 0 {
		t.Fatalf("%d ms remain at %s, %d at %s", ra, a, rb, b)
	}
	if settled := h.settled(t, a); settled.Remaining(b) != rb {
		t.Fatalf("%d ms remain at %s, but %d when settled at %s", rb, b, settled.Remaining(b), a)
	}
}

// settled returns the state after a settle at each of the times in turn.
func (h *history) settled(t *rapid.T, times ...instant.Time) resource.State {
	s := h.live.Clone()
	for _, at := range times {
		events, err := resource.Decide(s, resource.Settle{When: resource.When{At: at}, Swept: at})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			s = resource.Evolve(s, e)
		}
	}
	return s
}

// checkCuts holds that it makes no difference how often a stretch of time is settled.
func (h *history) checkCuts(t *rapid.T) {
	end := h.now.Add(size(t, "stretch_ms", 300*instant.Year))
	var cuts []instant.Time
	for range rapid.IntRange(1, 6).Draw(t, "cuts") {
		cuts = append(cuts, h.now.Add(instant.Millis(rapid.Int64Range(0, int64(end-h.now)).Draw(t, "cut_ms"))))
	}
	slices.Sort(cuts)
	whole, cut := h.settled(t, end), h.settled(t, append(cuts, end)...)
	if !reflect.DeepEqual(whole, cut) {
		t.Fatalf("settled at %v and %s:\nonce %+v\ncut  %+v", cuts, end, whole, cut)
	}
}

// checkDeadline holds that nothing but a debit comes before the deadline, and that
// there the resource moves on.
func (h *history) checkDeadline(t *rapid.T) {
	every := 1 + size(t, "every_ms", instant.Century)
	due, ok := h.live.Deadline(every)
	if !ok {
		if s := h.settled(t, instant.Max); !reflect.DeepEqual(s, h.live) {
			t.Fatalf("no deadline, and yet %+v becomes %+v", h.live, s)
		}
		return
	}
	early, then := h.settled(t, due-1), h.settled(t, due)
	if due > h.live.Last && (early.Status != h.live.Status || early.Warned != h.live.Warned) {
		t.Fatalf("before its deadline %s, %+v becomes %+v", due, h.live, early)
	}
	if next, ok := then.Deadline(every); ok && next <= due && due < instant.Max && then.Status == h.live.Status {
		t.Fatalf("settled at its deadline %s, the next is %s: %+v", due, next, then)
	}
}
