package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"sync"
	"time"

	"sandglass/adapters/httpapi/wire"
	"sandglass/adapters/sqlite"
	"sandglass/domain/instant"
	"sandglass/domain/payment"
	"sandglass/testutil/bench/harness"
	"sandglass/testutil/fakelnd"
)

const (
	modest = 25  // settlements a second
	heavy  = 100 // the same, under load
	payers = 64  // who are ready to pay at one time
	price  = 3_600_000
)

func settle(ctx context.Context, b *harness.Bench) error {
	wallet, err := newWallet(b, "settle-lnd")
	if err != nil {
		return err
	}
	defer wallet.Kill()
	d, err := freshDaemon(ctx, b, "settle", wallet)
	if err != nil {
		return err
	}
	defer d.kill()
	var calm, loaded []*visible
	for r := range min(b.Rounds, 3) {
		b.Say("round %d: %d settlements, %d a second", r+1, b.Settlements, modest)
		v, err := round(ctx, b, d, wallet, modest)
		if err != nil {
			return err
		}
		calm = append(calm, v)
		b.Say("round %d: %d settlements, %d a second", r+1, b.Settlements, heavy)
		if v, err = round(ctx, b, d, wallet, heavy); err != nil {
			return err
		}
		loaded = append(loaded, v)
	}
	addVisible(b, modest, calm)
	addVisible(b, heavy, loaded)
	return nil
}

// newWallet starts a node, whose files are in a folder of this run.
func newWallet(b *harness.Bench, name string) (*fakelnd.Lnd, error) {
	if err := os.Mkdir(b.Path(name), 0o700); err != nil {
		return nil, err
	}
	return fakelnd.New(b.Path(name))
}

// freshDaemon starts a daemon with an empty log, in a folder of this run, and a plan.
func freshDaemon(ctx context.Context, b *harness.Bench, name string, wallet *fakelnd.Lnd) (*daemon, error) {
	if err := os.Mkdir(b.Path(name), 0o700); err != nil {
		return nil, err
	}
	log := b.Path(name + "/log")
	if err := sqlite.Create(log); err != nil {
		return nil, err
	}
	d, err := startDaemon(b, log, wallet)
	if err != nil {
		return nil, err
	}
	if err = d.until(ctx, "all"); err == nil {
		_, err = d.Publish(ctx, wire.PublishRequest{
			Name: "small", Price: wire.Price{Msat: price, Per: instant.Hour}, Min: 1, Max: instant.Year, Grace: instant.Day,
		})
	}
	if err != nil {
		d.kill()
		return nil, err
	}
	return d, nil
}

// visible is when credits could be seen, after lnd was about to tell of the settlement,
// and how disturbed the machine was meanwhile.
type visible struct {
	mu              sync.Mutex
	sse, http, late harness.Tally
	disk            harness.Tally
	rate            float64 // settlements a second that it came to
}

// addVisible reports the rounds at one rate.
func addVisible(b *harness.Bench, rate int, rounds []*visible) {
	name := fmt.Sprintf("%d/s, ", rate)
	ms := func(of func(*visible) *harness.Tally, p int) []float64 {
		return harness.Each(rounds, func(v *visible) float64 { return of(v).Percentile(p) / 1000 })
	}
	sse := func(v *visible) *harness.Tally { return &v.sse }
	get := func(v *visible) *harness.Tally { return &v.http }
	disk := ms(func(v *visible) *harness.Tally { return &v.disk }, 99)
	b.Add(name+"settlements a second that it came to", "/s", harness.Each(rounds, func(v *visible) float64 { return v.rate }))
	b.Add(name+"meanwhile: a timer is late, p99", "ms", ms(func(v *visible) *harness.Tally { return &v.late }, 99)).
		Noting("what the rest of the machine does to a process that only waits; the figures below hold this much of it")
	b.Add(name+"meanwhile: a bare write and fsync, p99", "ms", disk)
	b.Add(name+"SETTLED to SSE, p50", "ms", ms(sse, 50))
	b.Add(name+"SETTLED to SSE, p99", "ms", ms(sse, 99)).
		Within(harness.AtMost(20)).
		Against("a bare write and fsync", ms(sse, 99), disk, nil).
		Noting(fmt.Sprintf("the real daemon, and lnd as a fake over gRPC and TLS; "+
			"from before the fake settles the invoice, its own share included, to the event with the credit; "+
			"%d settlements a round", b.Settlements))
	b.Add(name+"SETTLED to GET answered, p50", "ms", ms(get, 50))
	b.Add(name+"SETTLED to GET answered, p99", "ms", ms(get, 99)).Within(harness.AtMost(20)).
		Noting("a GET of the resource, begun when the event came: the credit was there to see by then at the latest")
}

// probeEvery is how often the disk is asked how it is while settlements are measured.
const probeEvery = 100 * time.Millisecond

// round is one round of settlements, with a look at the disk meanwhile.
func round(ctx context.Context, b *harness.Bench, d *daemon, wallet *fakelnd.Lnd, rate int) (*visible, error) {
	f, err := harness.NewBareFile(b.Path("probe"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	v, done, stopped := new(visible), make(chan struct{}), make(chan error, 1)
	go func() {
		tick := time.NewTicker(probeEvery)
		defer tick.Stop()
		for {
			if err := v.disk.Commit(1, func() error { return f.Write(harness.Debit("probe", 0)) }); err != nil {
				stopped <- err
				return
			}
			select {
			case <-tick.C:
			case <-done:
				stopped <- nil
				return
			}
		}
	}()
	err = d.settlements(ctx, wallet, b.Settlements, rate, v)
	close(done)
	return v, errors.Join(err, <-stopped)
}

// settlements pays n orders, each at its time, and sees when the credits are visible.
func (d *daemon) settlements(ctx context.Context, wallet *fakelnd.Lnd, n, rate int, v *visible) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	turns := make(chan int)
	begin := time.Now().Add(time.Second)
	var wg sync.WaitGroup
	for range payers {
		wg.Go(func() {
			for i := range turns {
				at := begin.Add(time.Duration(i) * time.Second / time.Duration(rate))
				if err := d.settlement(ctx, wallet, at, v); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		turns <- i
	}
	close(turns)
	wg.Wait()
	v.rate = float64(n) / time.Since(begin).Seconds()
	return context.Cause(ctx)
}

// settlement orders a resource, follows it, and has it paid at the given time.
func (d *daemon) settlement(ctx context.Context, wallet *fakelnd.Lnd, at time.Time, v *visible) error {
	o, err := d.Order(ctx, wire.OrderRequest{Plan: "small", Time: instant.Hour}, "")
	if err != nil {
		return err
	}
	next, stop := iter.Pull2(d.Live(ctx, o.Resource.ID))
	defer stop()
	if _, err, _ := next(); err != nil {
		return err
	}
	waits := time.Until(at) > 0
	time.Sleep(time.Until(at))
	start := time.Now()
	hash, _ := payment.Key(o.Payment.Key).Hash()
	if err := wallet.Pay(hash, price); err != nil {
		return err
	}
	for r, err, ok := next(); ; r, err, ok = next() {
		if err != nil || !ok {
			return fmt.Errorf("the stream ended before the credit: %w", err)
		}
		if r.Credited == price {
			break
		}
	}
	seen := time.Since(start)
	r, err := d.Resource(ctx, o.Resource.ID)
	if err != nil || r.Credited != price {
		return fmt.Errorf("GET shows %d msat credited: %w", r.Credited, err)
	}
	got := time.Since(start)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sse.Each, v.http.Each = append(v.sse.Each, seen), append(v.http.Each, got)
	if waits {
		v.late.Each = append(v.late.Each, start.Sub(at))
	}
	return nil
}
