package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/stream"
	"sandglass/projections"
)

func replay(ctx context.Context, b *bench) error {
	path, err := b.history(ctx)
	if err != nil {
		return err
	}
	s, err := openStore(path)
	if err != nil {
		return err
	}
	defer s.Close()
	head, err := s.Head(ctx)
	if err != nil {
		return err
	}
	var rates, cpu [3][]float64
	for r := range b.rounds {
		b.say("round %d of %d", r+1, b.rounds)
		for i, read := range []func() error{
			func() error { return scan(path, head) },
			func() error { return subscribe(ctx, s, head) },
			func() error { _, err := fold(ctx, s); return err },
		} {
			runtime.GC()
			start, busy := time.Now(), cpuTime()
			if err := read(); err != nil {
				return err
			}
			cpu[i] = append(cpu[i], float64(cpuTime()-busy)/float64(head))
			rates[i] = append(rates[i], float64(head)/time.Since(start).Seconds())
		}
	}
	bare, sub, views := rates[0], rates[1], rates[2]
	b.add("bare SQLite scan of the file", "events/s", bare)
	b.add("Subscribe, nothing done with it", "events/s", sub).ratio("slower than a bare scan", bare, sub, nil)
	b.add("replay into all projections", "events/s", views).
		target(atLeast(500_000)).
		ratio("slower than a bare scan", bare, views, atMost(3)).
		note(fmt.Sprintf("%d events about %d resources, the file in the page cache, up to CaughtUp", head, b.resources))
	b.add("bare SQLite scan, processor time", "ns/event", cpu[0])
	b.add("replay, processor time on all cores", "ns/event", cpu[2]).ratio("that of a bare scan", cpu[2], cpu[0], nil)
	return nil
}

func scan(path string, head stream.Position) error {
	n, err := bareScan(path)
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

// fold makes the views of the log as it is now.
func fold(ctx context.Context, s stream.EventStore) (*projections.Views, error) {
	v := projections.New(instant.Hour)
	return v, catchUp(ctx, s, v)
}

// catchUp runs v until it has what the log holds now.
func catchUp(ctx context.Context, s stream.EventStore, v *projections.Views) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- projections.Run(ctx, s, v) }()
	select {
	case err := <-done:
		return fmt.Errorf("folding the log ended early: %w", err)
	case <-v.CaughtUp():
		cancel()
		return <-done
	}
}
