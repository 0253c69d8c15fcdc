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

	"sandglass/adapters/sqlite/requests"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/testutil/bench/harness"
	"sandglass/testutil/histories"
)

// asking is a set of requests on a file of SQLite, by a clock that the measure sets.
type asking struct {
	*harness.Bench
	store *requests.Store
	set   *request.Set
	clock atomic.Int64
}

const (
	askers   = 256          // clients at once
	askedFor = instant.Hour // over which what is asked for expires
	stays    = 10           // one in so many of all stays: it is not of this hour
	node     = "02" + "abcdef0123456789abcdef0123456789abcdef0123456789abcdef01234567"
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
	for before := int64(-1); err == nil && f.disk != before && ctx.Err() == nil; { // until no more space is given back
		before = f.disk
		time.Sleep(time.Second / 2)
		f.disk, err = a.store.Size()
	}
	f.memory = harness.Heap()
	return f, err
}

func (a *asking) measure(ctx context.Context) error {
	all, few := a.Many, a.Many/stays
	later := a.now().Add(10_000 * instant.Day)
	if _, err := a.ask(ctx, 0, few, func(int) instant.Time { return later }); err != nil {
		return err
	}
	var rate, disk, memory, left, leftMemory, quiet, busy []float64
	for r := range min(a.Rounds, 2) {
		before, err := a.footprint(ctx)
		if err != nil {
			return err
		}
		a.Say("round %d: %d orders by %d clients", r+1, all, askers)
		begin, from := a.now(), few+r*all
		took, err := a.ask(ctx, from, all, func(i int) instant.Time {
			return begin.Add(1 + askedFor*instant.Millis(i-from)/instant.Millis(all))
		})
		if err != nil {
			return err
		}
		full, err := a.footprint(ctx)
		if err != nil {
			return err
		}
		alone, beside, err := a.lapse(ctx, r)
		if err != nil {
			return err
		}
		after, err := a.footprint(ctx)
		if err != nil {
			return err
		}
		rate = append(rate, float64(all)/took.Seconds())
		disk = append(disk, float64(full.disk-before.disk)/float64(all))
		memory = append(memory, float64(full.memory-before.memory)/float64(all))
		left = append(left, float64(after.disk)/float64(before.disk))
		leftMemory = append(leftMemory, float64(after.memory)/float64(before.memory))
		quiet, busy = append(quiet, alone), append(busy, beside)
		a.Say("disk %d, %d, %d MB, memory %d, %d, %d MB before, with them and after", before.disk>>20, full.disk>>20, after.disk>>20,
			before.memory>>20, full.memory>>20, after.memory>>20)
	}
	runtime.KeepAlive(a.set)
	a.Add(fmt.Sprintf("unpaid orders kept by %d clients", askers), "orders/s", rate)
	a.Add("an unpaid order on disk", "bytes", disk)
	a.Add("an unpaid order in memory", "bytes", memory)
	a.Add("file after all lapsed, of before", "×", left).Within(harness.AtMost(1.1))
	a.Add("memory after all lapsed, of before", "×", leftMemory).Within(harness.AtMost(1.1))
	a.Add("an order while others lapse, p99", "ms", busy).
		Against("slower than alone", busy, quiet, harness.AtMost(3)).
		Noting("kept durably by one client; an hour of orders lapses as fast as it can")
	return nil
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

// lapse lets the time pass, minute by minute, until all have lapsed. It returns how long one
// client waits for an order before and meanwhile, in ms, of a hundred the longest but one.
func (a *asking) lapse(ctx context.Context, round int) (alone, beside float64, err error) {
	var extra []string // that are not of those that lapse
	one := func(i int) (float64, error) {
		r := a.record(i, a.now().Add(instant.Day))
		r.Key = payment.LightningKey(fmt.Sprintf("ff%030x%032x", round, i))
		extra = append(extra, r.Name())
		start := time.Now()
		err := a.set.Keep(ctx, r)
		return float64(time.Since(start).Microseconds()) / 1000, err
	}
	var before, during []float64
	for i := range a.Commits {
		ms, err := one(i)
		if err != nil {
			return 0, 0, err
		}
		before = append(before, ms)
	}
	start, done := time.Now(), make(chan struct{})
	go func() {
		defer close(done)
		for end := a.now().Add(askedFor + request.Settling + 2*instant.Minute); a.now() < end && ctx.Err() == nil; {
			a.clock.Add(int64(instant.Minute))
			a.set.Swept(node, a.now())
			a.set.Lapse(ctx)
		}
	}()
	for lapsing := true; lapsing; {
		ms, err := one(len(before) + len(during))
		if err != nil {
			return 0, 0, err
		}
		during = append(during, ms)
		select {
		case <-done:
			lapsing = false
		default:
		}
	}
	a.Say("they lapsed in %.1f s", time.Since(start).Seconds())
	for _, name := range extra {
		a.set.Done(ctx, name)
	}
	a.clock.Add(int64(2 * instant.Day)) // what is done is not remembered any more
	a.set.Lapse(ctx)
	return p99(before), p99(during), nil
}

func p99(ms []float64) float64 {
	slices.Sort(ms)
	return ms[len(ms)*99/100]
}
