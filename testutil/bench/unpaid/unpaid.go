// Package unpaid measures orders that nobody pays: what they cost while they are there, and
// whether anything of them is left when they have lapsed.
package unpaid

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sandglass/adapters/httpapi/admission"
	"sandglass/adapters/sqlite/requests"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/watch"
	"sandglass/testutil/bench/harness"
	"sandglass/testutil/histories"
)

// asking is a set of requests on a file of SQLite, by a clock that the measure sets.
type asking struct {
	*harness.Bench
	store *requests.Store
	set   *request.Set
	clock atomic.Int64
	came  int // customers so far
}

const (
	askers = 256 // clients at once
	stays  = 10  // one in so many of all stays: it is not of this hour
	node   = "02" + "abcdef0123456789abcdef0123456789abcdef0123456789abcdef01234567"

	// The clock goes faster than the machine's, so that those who were to lapse in an hour do in
	// eight minutes. All that a daemon does in an hour is done in that time: a sweep of the wallet
	// each two minutes, after which those lapse that it has seen to their end, each minute.
	anHour = 1_000_000 // orders that lapse in one
	faster = 8
	sweeps = 2 * instant.Minute

	// Between two sweeps the clock stands for a while, so that what a customer waits for then is
	// measured beside. They come evenly, whether those before were served or not.
	apart   = 10 * time.Millisecond
	stands  = 4 * time.Second
	settles = 2 * time.Second // in which space is given back
)

// Measure keeps requests by many clients at once, and lets them lapse.
func Measure(ctx context.Context, b *harness.Bench) error {
	path := b.Path("requests.db")
	if err := requests.Create(path); err != nil {
		return err
	}
	store, err := requests.Open(path, requests.Options{})
	if err != nil {
		return err
	}
	a := &asking{Bench: b, store: store}
	a.clock.Store(int64(histories.Start))
	a.set = request.New(request.Options{Store: store, Now: a.now})
	running, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { _ = a.set.Run(running) })
	err = a.measure(ctx)
	stop()
	wg.Wait()
	return errors.Join(err, store.Close())
}

func (a *asking) now() instant.Time { return instant.Time(a.clock.Load()) }

// record is the i-th order, whose invoice expires then.
func (a *asking) record(i int, expiry instant.Time) *request.Record {
	price := money.Price{Msat: 1000, Per: 1000}
	return &request.Record{
		Key: payment.LightningKey(fmt.Sprintf("%064x", i)), Node: node,
		Request: payment.Request{
			At: a.now(), Resource: resource.ID(fmt.Sprintf("r-%020x", i)), Amount: 3_600_000, Price: price, Expiry: expiry,
			Invoice: "lnbc36u1" + strings.Repeat("q", 300),
			Order: &resource.Order{
				Plan: "small", Terms: resource.Terms{Price: price, Warn: resource.Warn{Share: 100_000}, Grace: instant.Day},
				Enforcer: "systemd", Host: "rack-1", Holder: [16]byte{1, byte(i)}, Request: [16]byte{2, byte(i)},
			},
		},
	}
}

// footprint is what requests take.
type footprint struct{ memory, disk int64 }

func (a *asking) footprint(ctx context.Context) (f footprint, err error) {
	for same := 0; err == nil && same < 6 && watch.Pause(ctx, time.Second/2); same++ { // until no more space is given back
		before := f.disk
		if f.disk, err = a.store.Size(); f.disk != before {
			same = 0
		}
	}
	f.memory = harness.Heap()
	return f, errors.Join(err, ctx.Err())
}

func (a *asking) measure(ctx context.Context) error {
	few, later := a.Many/stays, a.now().Add(10_000*instant.Day)
	if _, err := a.ask(ctx, 0, few, func(int) instant.Time { return later }); err != nil {
		return err
	}
	var f figures
	for i, how := range []struct {
		name   string
		faster instant.Millis
		p99    *ratio
	}{{"at their pace", faster, &f.pace}, {"at once", 0, &f.once}} {
		a.Say("%d orders by %d clients, to lapse %s", a.Many, askers, how.name)
		if err := a.round(ctx, few+i*a.Many, how.faster, &f, how.p99); err != nil {
			return err
		}
	}
	runtime.KeepAlive(a.set)
	a.report(&f)
	return nil
}

// figures are those of the rounds.
type figures struct {
	rate, disk, memory, left, leftMemory []float64
	pace, once                           ratio
}

// ratio is what a customer waits, of a hundred the longest but one, in ms.
type ratio struct{ quiet, busy []float64 }

// round has orders kept and lets them lapse.
func (a *asking) round(ctx context.Context, from int, faster instant.Millis, f *figures, p *ratio) error {
	before, err := a.footprint(ctx)
	if err != nil {
		return err
	}
	begin, span := a.now(), instant.Hour*instant.Millis(a.Many)/anHour
	took, err := a.ask(ctx, from, a.Many, func(i int) instant.Time {
		return begin.Add(1 + span*instant.Millis(i-from)/instant.Millis(a.Many))
	})
	if err != nil {
		return err
	}
	full, err := a.footprint(ctx)
	if err != nil {
		return err
	}
	if err := a.lapse(ctx, span, faster, p); err != nil {
		return err
	}
	after, err := a.footprint(ctx)
	if err != nil {
		return err
	}
	many := float64(a.Many)
	f.rate = append(f.rate, many/took.Seconds())
	f.disk = append(f.disk, float64(full.disk-before.disk)/many)
	f.memory = append(f.memory, float64(full.memory-before.memory)/many)
	f.left = append(f.left, float64(after.disk)/float64(before.disk))
	f.leftMemory = append(f.leftMemory, float64(after.memory)/float64(before.memory))
	a.Say("disk %d, %d, %d MB, memory %d, %d, %d MB before, with them and after", before.disk>>20, full.disk>>20, after.disk>>20,
		before.memory>>20, full.memory>>20, after.memory>>20)
	return nil
}

func (a *asking) report(f *figures) {
	a.Add(fmt.Sprintf("unpaid orders kept by %d clients", askers), "orders/s", f.rate)
	a.Add("an unpaid order on disk", "bytes", f.disk)
	a.Add("an unpaid order in memory", "bytes", f.memory)
	a.Add("file after all lapsed, of before", "×", f.left).Within(harness.AtMost(1.1))
	a.Add("memory after all lapsed, of before", "×", f.leftMemory).Within(harness.AtMost(1.1))
	second := float64(anHour) * faster / 3600
	a.Add("an order while others lapse, p99", "ms", f.pace.busy).
		Against("slower than alone", f.pace.busy, f.pace.quiet, harness.AtMost(3)).
		Noting(fmt.Sprintf("kept durably, %d a second, beside %.0f a second that lapse: %d × the pace of %d an hour, %.0f × what "+
			"admission lets in if nothing is set", time.Second/apart, second, faster, anHour,
			second/admission.Limits{}.OrDefaults().Orders.All.PerSecond))
	a.Add("an order while all lapse at once, p99", "ms", f.once.busy).
		Against("slower than alone", f.once.busy, f.once.quiet, nil).
		Noting("as after an hour in which the wallet was away, as fast as the set lets go of them")
}

// ask has orders kept by many clients at once.
func (a *asking) ask(ctx context.Context, from, n int, expiry func(i int) instant.Time) (time.Duration, error) {
	start := time.Now()
	err := harness.Together(askers, func(c int) error {
		for i := from + c; i < from+n; i += askers {
			if err := a.set.Keep(ctx, a.record(i, expiry(i))); err != nil {
				return err
			}
		}
		return nil
	})
	return time.Since(start), err
}

// lapse lets the time pass from sweep to sweep until all have lapsed, so many times faster than
// it does, or at once.
func (a *asking) lapse(ctx context.Context, span, faster instant.Millis, p *ratio) error {
	step := sweeps
	if faster == 0 {
		step = span + sweeps
	}
	var allQuiet, allBusy []float64
	start, end := time.Now(), a.now()+instant.Time(span+request.Settling+sweeps)
	for a.clock.Add(int64(request.Settling)); a.now() < end; {
		var quiet, busy []float64
		err := a.customers(ctx, &quiet, func() { watch.Pause(ctx, stands) })
		if err == nil {
			err = a.customers(ctx, &busy, func() { a.pass(ctx, step, faster) })
		}
		if err != nil || !watch.Pause(ctx, settles) {
			return errors.Join(err, ctx.Err())
		}
		allQuiet, allBusy = append(allQuiet, quiet...), append(allBusy, busy...)
		a.Say("%.0f s, %d minutes left: p99 of an order %.1f ms alone, %.1f ms beside, of %d and %d", time.Since(start).Seconds(),
			instant.Millis(end-a.now())/instant.Minute, quantile(quiet, 990), quantile(busy, 990), len(quiet), len(busy))
	}
	a.Say("all lapsed; of 1000 orders %s alone, %s beside", quantiles(allQuiet), quantiles(allBusy))
	p.quiet, p.busy = append(p.quiet, quantile(allQuiet, 990)), append(p.busy, quantile(allBusy, 990))
	a.clock.Add(int64(request.Settling + sweeps))
	a.set.Swept(node, a.now())
	a.set.Lapse(ctx) // the customers' too, of whom none has paid
	return nil
}

// pass lets one step of time pass: a sweep begins, and what it has seen to its end lapses.
func (a *asking) pass(ctx context.Context, step, faster instant.Millis) {
	if faster == 0 {
		a.clock.Add(int64(step))
	}
	a.set.Swept(node, a.now())
	for end := a.now() + instant.Time(step); a.now() < end && ctx.Err() == nil; a.clock.Add(int64(instant.Minute)) {
		start := time.Now()
		a.set.Lapse(ctx)
		if faster == 0 {
			return
		}
		watch.Pause(ctx, (instant.Minute/faster).Std()-time.Since(start))
	}
}

// customers come while something is done, and how long each waits for an order is added to ms.
func (a *asking) customers(ctx context.Context, ms *[]float64, do func()) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	var mu sync.Mutex
	var wg sync.WaitGroup
	var failed error
	for at := time.Now(); ; at = at.Add(apart) {
		select {
		case <-done:
			wg.Wait()
			return failed
		case <-time.After(time.Until(at)):
		}
		a.came++
		r := a.record(a.came, a.now())
		r.Key = payment.LightningKey(fmt.Sprintf("ff%062x", a.came))
		wg.Go(func() {
			err := a.set.Keep(ctx, r)
			mu.Lock()
			defer mu.Unlock()
			*ms, failed = append(*ms, float64(time.Since(at).Microseconds())/1000), errors.Join(failed, err)
		})
	}
}

// quantile returns what so many of a thousand do not exceed.
func quantile(ms []float64, of int) float64 {
	slices.Sort(ms)
	return ms[min(len(ms)*of/1000, len(ms)-1)]
}

func quantiles(ms []float64) (text string) {
	for _, of := range []int{500, 900, 990, 999, 1000} {
		text += fmt.Sprintf("%d: %.2f ms, ", of, quantile(ms, of))
	}
	return text + fmt.Sprintf("of %d", len(ms))
}
