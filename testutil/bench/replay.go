package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"sandglass/domain/stream"
	"sandglass/testutil/bench/harness"
)

func replay(ctx context.Context, b *harness.Bench) error {
	path, err := b.History(ctx)
	if err != nil {
		return err
	}
	s, err := harness.OpenStore(path)
	if err != nil {
		return err
	}
	defer s.Close()
	head, err := s.Head(ctx)
	if err != nil {
		return err
	}
	var rates, cpu [3][]float64
	for r := range b.Rounds {
		b.Say("round %d of %d", r+1, b.Rounds)
		for i, read := range []func() error{
			func() error { return scan(path, head) },
			func() error { return subscribe(ctx, s, head) },
			func() error { _, err := harness.Fold(ctx, s); return err },
		} {
			runtime.GC()
			start, busy := time.Now(), harness.CPUTime()
			if err := read(); err != nil {
				return err
			}
			cpu[i] = append(cpu[i], float64(harness.CPUTime()-busy)/float64(head))
			rates[i] = append(rates[i], float64(head)/time.Since(start).Seconds())
		}
	}
	bare, sub, views := rates[0], rates[1], rates[2]
	b.Add("bare SQLite scan of the file", "events/s", bare)
	b.Add("Subscribe, nothing done with it", "events/s", sub).Against("slower than a bare scan", bare, sub, nil)
	b.Add("replay into all projections", "events/s", views).
		Within(harness.AtLeast(500_000)).
		Against("slower than a bare scan", bare, views, harness.AtMost(3)).
		Noting(fmt.Sprintf("%d events about %d resources, the file in the page cache, up to CaughtUp", head, b.Resources))
	b.Add("bare SQLite scan, processor time", "ns/event", cpu[0])
	b.Add("replay, processor time on all cores", "ns/event", cpu[2]).Against("that of a bare scan", cpu[2], cpu[0], nil)
	return nil
}

func scan(path string, head stream.Position) error {
	n, err := harness.BareScan(path)
	if err == nil && n != int(head) {
		err = fmt.Errorf("a bare scan found %d events, want %d", n, head)
	}
	return err
}

func subscribe(ctx context.Context, s stream.EventStore, head stream.Position) error {
	for recs, err := range s.Subscribe(ctx, 0) {
		if err != nil {
			return err
		}
		if recs[len(recs)-1].Position == head {
			return nil
		}
	}
	return ctx.Err()
}
