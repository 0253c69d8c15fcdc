// Package meter makes time pass: it settles each resource when its next deadline is
// due, be that a debit, a warning, an exhaustion or a release.
//
// There is one timer for all resources, set to the earliest deadline. What a deadline
// brings is decided by the package resource, at computed instants, so that a meter that
// is late, or was dead for a week, charges nothing more and nothing less.
package meter

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

const (
	batch    = 1024             // resources settled before the deadlines are asked again
	parallel = 128              // appends under way at once, which the store commits in groups
	look     = 30 * time.Second // the longest sleep: the wall clock may jump under a timer
	hold     = instant.Day      // that a deposit on its way keeps a resource at a time
	retry    = time.Second      // the pause after an error, such as a full disk
)

// Deadlines is the read model that the meter follows.
type Deadlines interface {
	NextDeadline(now instant.Time) (at instant.Time, ok bool)
	// Due returns up to limit resources that are due by now, and the first instant. Those to be
	// released are among them if they were due by swept, and neither the gap nor held keeps
	// them; held may be nil.
	Due(now, swept instant.Time, gap instant.Gap, held func(resource.ID) bool, limit int) (ids []resource.ID, first instant.Time)
	DeadlineMoved() <-chan struct{}
	WaitFor(context.Context, stream.Position) error
}

// Meter settles what is due.
type Meter struct {
	Resources *resource.Handler
	Deadlines Deadlines
	Now       func() instant.Time
	Gap       resource.When // the policy for gaps; its At is not used
	// Ready is closed when the log is folded and the first sweep of the wallet is done:
	// until then nothing is exhausted, suspended or released.
	Ready []<-chan struct{}
	// Known returns up to when all that was paid is known, and the last gap. What has no time is
	// released only if its grace ended before; 0 releases nothing.
	Known func(now instant.Time) (swept instant.Time, gap instant.Gap)
	// Woken yields when Known may have gone on, or there is less to wait for. It may be nil.
	Woken <-chan struct{}
	// Pending returns a deposit that was seen on the chain and is on its way to a resource:
	// for a bounded time it holds off the release. It may be nil.
	Pending func(id resource.ID) (key payment.Key, ok bool)
	// Payable reports whether an invoice of a resource was given out that can still be paid: it
	// is not released until then. It may be nil.
	Payable func(id resource.ID) bool
	// Failed is told of each error; the meter then tries again.
	Failed func(id resource.ID, err error)
	// Settled is told after each round how many resources were settled, and how late the
	// most urgent of them was.
	Settled func(n int, late instant.Millis)
}

// Run settles until ctx ends, and then returns nil.
func (m *Meter) Run(ctx context.Context) error {
	for _, ready := range m.Ready {
		select {
		case <-ctx.Done():
			return nil
		case <-ready:
		}
	}
	for ctx.Err() == nil {
		now := m.Now()
		wait := m.untilNext(now)
		by := resource.Settle{When: m.Gap}
		by.At = now
		by.Swept, by.Gap = m.Known(now)
		if due, first := m.Deadlines.Due(now, by.Swept, by.Gap, m.Payable, batch); len(due) > 0 {
			switch wrote, ok := m.settle(ctx, by, due); {
			case !ok:
				m.pause(ctx)
				continue
			case wrote:
				wait = 0
				m.Settled(len(due), now.Sub(first))
			default:
				wait = retry // another daemon was faster: its events are on their way here
			}
		}
		m.sleep(ctx, wait)
	}
	return nil
}

func (m *Meter) untilNext(now instant.Time) time.Duration {
	at, ok := m.Deadlines.NextDeadline(now)
	if !ok {
		return look
	}
	return min(look, max(0, at.Sub(now)).Std())
}

func (m *Meter) sleep(ctx context.Context, d time.Duration) {
	if d == 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-m.Deadlines.DeadlineMoved():
	case <-m.Woken:
	}
}

// pause waits an error out.
func (m *Meter) pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(retry):
	}
}

// errSkipped is of a resource that was left alone since the store is away.
var errSkipped = errors.New("meter: the store is away")

// settle settles the resources, earliest deadline first, and waits until the deadlines
// know of it. It reports whether anything was written, and whether all went well. A store
// that is away ends the round: each try would wait for it in vain.
func (m *Meter) settle(ctx context.Context, by resource.Settle, ids []resource.ID) (wrote, ok bool) {
	type result struct {
		id  resource.ID
		pos stream.Position
		err error
	}
	work, results := make(chan resource.ID), make(chan result, len(ids))
	workers := min(parallel, len(ids))
	var away atomic.Bool
	for range workers {
		go func() {
			for id := range work {
				if away.Load() {
					results <- result{id: id, err: errSkipped}
					continue
				}
				pos, err := m.one(ctx, by, id)
				if errors.Is(err, stream.ErrUnavailable) {
					away.Store(true)
				}
				results <- result{id, pos, err}
			}
		}()
	}
	for _, id := range ids {
		work <- id
	}
	close(work)
	ok = true
	last := stream.Position(0)
	for range ids {
		r := <-results
		last = max(last, r.pos)
		if r.err != nil && ctx.Err() == nil {
			ok = false
			if r.err != errSkipped {
				m.Failed(r.id, r.err)
			}
		}
	}
	return last > 0, m.Deadlines.WaitFor(ctx, last) == nil && ok
}

func (m *Meter) one(ctx context.Context, by resource.Settle, id resource.ID) (stream.Position, error) {
	now := by.At
	var held stream.Position
	if m.Pending != nil {
		if key, ok := m.Pending(id); ok {
			out, err := m.Resources.Execute(ctx, id, meta, resource.Hold{When: by.When, Payment: string(key), Until: now.Add(hold)})
			if err != nil || out.State.HeldUntil() > now {
				return out.Position, err
			}
			held = out.Position // it has time, or was held for long enough
		}
	}
	if m.Payable != nil && m.Payable(id) {
		by.Swept = 0 // by which nothing is released
	}
	out, err := m.Resources.Execute(ctx, id, meta, by)
	return max(held, out.Position), err
}

var meta = stream.Meta{Actor: "meter"}
