package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"sandglass/adapters/sqlite"
	"sandglass/domain/address"
	"sandglass/domain/chain"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/opening"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/domain/watch"
	"sandglass/projections"
	"sandglass/testutil/bench/harness"
	"sandglass/testutil/storetest"
)

// parallel is how many resources the watcher takes at once, and so how many clients the
// appends beside it have.
const parallel = 8

// idle is how many sweeps are measured that find nothing new.
const idle = 21

func deposits(ctx context.Context, b *harness.Bench) error {
	var rates, bare, quiet []float64
	for r := range b.Rounds {
		b.Say("round %d of %d", r+1, b.Rounds)
		d, err := newFunding(ctx, b, fmt.Sprintf("deposits-%d", r))
		if err != nil {
			return err
		}
		took, events, err := d.credits(ctx)
		err = errors.Join(err, d.store.Close())
		if err != nil {
			return err
		}
		beside, err := same(ctx, b, fmt.Sprintf("deposits-bare-%d", r), events)
		if err != nil {
			return err
		}
		b.Say("%d deposits became %d events in %.2f s, as many bare appends took %.2f s",
			b.Deposits, events, took.Seconds(), beside.Seconds())
		each := float64(b.Deposits)
		rates, bare = append(rates, each/took.Seconds()), append(bare, each/beside.Seconds())
		quiet = append(quiet, d.swept.Percentile(50)/1000)
	}
	b.Add("bare appends, as many deposits' worth of events", "/s", bare)
	b.Add("deposits from their block to durable credits", "/s", rates).
		Against("slower than bare appends", bare, rates, nil).
		Noting(fmt.Sprintf("%d deposits to as many resources in one block of a simulated chain, three blocks deep at once: "+
			"seen, confirmed, settled and credited; "+
			"beside it, appends of as many events by %d clients, one at a time each", b.Deposits, parallel))
	b.Add(fmt.Sprintf("a sweep that finds nothing new, %d deposits watched, p50", b.Deposits), "ms", quiet)
	return nil
}

// funding is a log of resources, and a chain that pays each of them.
type funding struct {
	store *sqlite.Store
	chain *depositChain
	n     int

	mu    sync.Mutex    // guards what follows
	told  chan int      // how many deposits a sweep credited
	swept harness.Tally // sweeps that found nothing
}

// newFunding makes a log in which every resource is open.
func newFunding(ctx context.Context, b *harness.Bench, name string) (*funding, error) {
	s, _, err := b.NewStore(name)
	if err != nil {
		return nil, err
	}
	d := &funding{store: s, chain: newDepositChain(b.Deposits), n: b.Deposits, told: make(chan int, idle)}
	resources := &resource.Handler{Aggregate: resource.Aggregate(), Store: s}
	return d, harness.Together(parallel, func(client int) error {
		for i := client; i < d.n; i += parallel {
			_, err := resources.Execute(ctx, depositName(i), stream.Meta{}, resource.Open{
				When: resource.When{At: harness.Now()},
				Order: resource.Order{
					Plan:    "small",
					Request: [16]byte{1},
					Terms:   resource.Terms{Price: money.Price{Msat: price, Per: instant.Hour}, Grace: instant.Day},
				},
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func depositName(i int) resource.ID { return resource.ID(fmt.Sprintf("vm-%012d", i)) }

// credits starts a watcher, and returns how long it took until every deposit was credited,
// and with how many events. Then it has it look again a few times.
func (d *funding) credits(ctx context.Context) (took time.Duration, events int, err error) {
	views := projections.New(instant.Hour)
	resources := &resource.Handler{Aggregate: resource.Aggregate(), Store: d.store, Warm: views.Resource}
	requests := request.New(request.Options{Store: new(storetest.Memory), Now: harness.Now})
	w, err := chain.New(chain.Config{
		Wallet: d.chain, Now: harness.Now, Observer: d, Waiting: views.OpenPayments,
		Issued:   func(addr string) (resource.ID, int64, bool) { return resource.ID(addr), 1, true },
		Lowest:   func() (int64, bool) { return 1, true },
		Required: func(*payment.State, money.Msat) int { return depositDepth },
		Opening: &opening.Rule{
			Requests: requests, Resources: resources, Least: func(string, money.Price) money.Msat { return 1 },
		},
		Requests:  requests,
		Addresses: &address.Handler{Aggregate: address.Aggregate(), Store: d.store},
		Booker: &payment.Booker{
			Payments:  &payment.Handler{Aggregate: payment.Aggregate(), Store: d.store},
			Resources: resources,
			Now:       harness.Now,
		},
	})
	if err != nil {
		return 0, 0, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { _ = projections.Run(ctx, d.store, views) })
	select {
	case <-views.CaughtUp():
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
	before, err := d.store.Head(ctx)
	if err != nil {
		return 0, 0, err
	}
	start := time.Now()
	wg.Go(func() { _ = w.Run(ctx) })
	if n := <-d.told; n != d.n {
		return 0, 0, fmt.Errorf("%d of %d deposits were credited", n, d.n)
	}
	took = time.Since(start)
	after, err := d.store.Head(ctx)
	for range idle {
		w.Nudge()
		<-d.told
	}
	return took, int(after - before), err
}

// Booked implements [watch.Observer].
func (*funding) Booked(payment.Via, bool, time.Duration) {}

// Swept implements [watch.Observer].
func (d *funding) Swept(took time.Duration, _, found int) {
	d.mu.Lock()
	if found == 0 {
		d.swept.Each = append(d.swept.Each, took)
	}
	d.mu.Unlock()
	select {
	case d.told <- found:
	default: // nobody asks any more
	}
}

// Notice implements [watch.Observer].
func (*funding) Notice(watch.Notice) {}

// same returns how long it takes to append so many events to a log, by as many clients as
// the watcher is.
func same(ctx context.Context, b *harness.Bench, name string, events int) (time.Duration, error) {
	s, _, err := b.NewStore(name)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	start := time.Now()
	err = harness.Together(parallel, func(client int) error {
		name := harness.StreamName(client)
		for rev := range stream.Revision(events / parallel) {
			if _, err := s.Append(ctx, name, rev-1, []stream.Event{harness.Debit(name, rev)}); err != nil {
				return err
			}
		}
		return nil
	})
	return time.Since(start), err
}

// depositDepth is how many blocks are on the deposits when the watcher first looks.
const depositDepth = 3

// depositChain is a chain with one block of deposits, and others on it.
type depositChain struct{ outputs []chain.Output }

func newDepositChain(n int) *depositChain {
	c := &depositChain{}
	for i := range n {
		txid := fmt.Sprintf("%064x", i+1)
		c.outputs = append(c.outputs, chain.Output{
			Txid: txid, Address: string(depositName(i)), Amount: price, Height: 1, Block: blockName(1), Spends: []string{txid + ":7"},
		})
	}
	return c
}

func blockName(height int64) string { return fmt.Sprintf("%064x", height) }

// Check implements [chain.Wallet], as all that follows.
func (*depositChain) Check(context.Context) (watch.Identity, error) {
	return watch.Identity{Node: "02", Network: "regtest", Synced: true}, nil
}

func (*depositChain) News(ctx context.Context) iter.Seq2[chain.News, error] {
	return func(func(chain.News, error) bool) { <-ctx.Done() }
}

func (*depositChain) Tip(context.Context) (chain.Tip, error) {
	return chain.Tip{Height: depositDepth, Hash: blockName(depositDepth)}, nil
}

func (*depositChain) BlockHash(_ context.Context, height int64) (string, error) {
	return blockName(height), nil
}

func (*depositChain) Block(context.Context, string) (chain.Block, error) {
	return chain.Block{Time: harness.Now()}, nil
}

func (c *depositChain) Outputs(_ context.Context, from, _ int64) ([]chain.Output, error) {
	if from > 1 {
		return nil, nil
	}
	return c.outputs, nil
}

func (*depositChain) Mempool(context.Context) ([]chain.Output, error) { return nil, nil }
