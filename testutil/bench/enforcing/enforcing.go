// Package enforcing measures how long it takes from an event in the log until the keeper begins to
// start what was paid.
package enforcing

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"

	"sandglass/adapters/clock"
	"sandglass/adapters/runfiles"
	"sandglass/adapters/sqlite"
	"sandglass/domain/enforce"
	"sandglass/domain/enforce/wants"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections"
	"sandglass/testutil/bench/harness"
)

const (
	boot     = "bench"
	payments = 500                  // of a round
	apart    = 2 * time.Millisecond // of two of them
	patience = 10 * time.Second
)

// Measure pays for resources, one after another, beside a bare start of a program.
func Measure(ctx context.Context, b *harness.Bench) error {
	store, _, err := b.NewStore("enforcing.db")
	if err != nil {
		return err
	}
	dir := b.Path("run")
	if err := os.Mkdir(dir, 0o750); err != nil {
		return errors.Join(err, store.Close())
	}
	folder, err := runfiles.Open(dir)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	h := &host{
		store: store, folder: folder, views: projections.New(instant.Hour),
		enforcer: starts{make(chan string, 1000), new(sync.Map)},
	}
	ctx, cancel := context.WithCancel(ctx)
	wait := h.run(ctx)
	err = h.measure(ctx, b)
	cancel()
	return errors.Join(err, wait(), store.Close())
}

// host is a daemon and a keeper in one process, whose enforcer starts nothing.
type host struct {
	store    *sqlite.Store
	folder   *runfiles.Folder
	views    *projections.Views
	enforcer starts
}

// run runs both until ctx ends, for which the returned function waits.
func (h *host) run(ctx context.Context) (wait func() error) {
	writer := wants.New(wants.Config{
		Views: views{h.views}, Folder: h.folder, Host: wants.Host{Boot: boot},
		Now:    func() wants.Reading { return wants.Reading{Own: harness.Now(), Up: sinceBoot()} },
		Blind:  func() (b wants.Blind) { return b },
		Failed: func(resource.ID, error) {}, Passed: func(map[enforce.State]int) {},
	})
	keeper := enforce.NewKeeper(enforce.Options{
		Folder: h.folder, Boot: boot, Now: sinceBoot,
		Enforcer: func(*enforce.Want) (enforce.Enforcer, error) { return h.enforcer, nil },
		Told:     func(enforce.Notice) {}, Beat: func(enforce.Summary) {},
	})
	var wg sync.WaitGroup
	errs := make([]error, 3)
	wg.Go(func() { errs[0] = projections.Run(ctx, h.store, h.views) })
	wg.Go(func() {
		select {
		case <-ctx.Done():
		case <-h.views.CaughtUp():
			errs[1] = writer.Run(ctx)
		}
	})
	wg.Go(func() { errs[2] = keeper.Run(ctx) })
	return func() error {
		wg.Wait()
		return errors.Join(errs...)
	}
}

func (h *host) measure(ctx context.Context, b *harness.Bench) error {
	var p50, p99, bare50, bare99 []float64
	for round := range b.Rounds {
		var took, bare harness.Tally
		for i := range payments {
			d, err := h.pay(ctx, resource.ID(fmt.Sprintf("r-%d-%d", round, i)))
			if err != nil {
				return err
			}
			took.Each = append(took.Each, d)
			begun := time.Now()
			if err := exec.CommandContext(ctx, "/bin/true").Run(); err != nil {
				return err
			}
			bare.Each = append(bare.Each, time.Since(begun))
			time.Sleep(apart)
		}
		p50, p99 = append(p50, took.Percentile(50)/1000), append(p99, took.Percentile(99)/1000)
		bare50, bare99 = append(bare50, bare.Percentile(50)/1000), append(bare99, bare.Percentile(99)/1000)
	}
	const name, beside = "an event in the log to the begin of the start, ", "a bare start of a program, "
	b.Add(name+"p50", "ms", p50).Against(beside+"p50", p50, bare50, nil)
	b.Add(name+"p99", "ms", p99).Against(beside+"p99", p99, bare99, nil)
	b.Add("a bare start of a program and its end, p50", "ms", bare50)
	b.Add("a bare start of a program and its end, p99", "ms", bare99)
	return nil
}

// pay opens a resource and pays for it, and returns how long after that was durable the keeper began
// to start it.
func (h *host) pay(ctx context.Context, id resource.ID) (time.Duration, error) {
	resources := &resource.Handler{Aggregate: resource.Aggregate(), Store: h.store}
	now := harness.Now()
	order := &resource.Order{
		Plan: "small", Enforcer: "bench",
		Terms: resource.Terms{Price: money.Price{Msat: 1000, Per: instant.Second}, Grace: instant.Day, Uptime: true},
	}
	_, err := resources.Execute(ctx, id, stream.Meta{Actor: "watcher"}, resource.Credit{
		When: resource.When{At: now}, Payment: "p", Amount: 3_600_000, Paid: now, Order: order,
	})
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		select {
		case got := <-h.enforcer.told:
			if got == string(id) {
				return time.Since(begun), nil
			}
		case <-limit.C:
			return 0, fmt.Errorf("%s was not started within %s", id, patience)
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

func sinceBoot() enforce.Boottime {
	up, err := clock.SinceBoot()
	if err != nil {
		panic(err)
	}
	return max(1, enforce.Boottime(up))
}

// views are the read models, as the writer of wants asks them.
type views struct{ *projections.Views }

// Resource implements [wants.Views].
func (v views) Resource(id resource.ID) (resource.State, bool) {
	s, _, ok := v.Views.Resource(id)
	return s, ok
}

// All implements [wants.Views].
func (v views) All(after resource.ID) []resource.State { return v.Resources(after, 256, nil) }

// starts is an enforcer that tells of each start, and does nothing.
type starts struct {
	told chan string
	up   *sync.Map // by id
}

// Do implements [enforce.Enforcer].
func (s starts) Do(_ context.Context, _ enforce.Verb, w *enforce.Want) error {
	s.told <- w.ID
	s.up.Store(w.ID, true)
	return nil
}

// Status implements [enforce.Enforcer].
func (s starts) Status(_ context.Context, w *enforce.Want) (enforce.Status, error) {
	if _, up := s.up.Load(w.ID); up {
		return enforce.Status{State: enforce.Up}, nil
	}
	return enforce.Status{State: enforce.Down}, nil
}
