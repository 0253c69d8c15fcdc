package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"sandglass/adapters/journal"
	"sandglass/domain/pieces"
	"sandglass/domain/stream"
	"sandglass/testutil/bench/harness"
)

// exported are what is written of a log.
var exported = []journal.Options{
	{Format: journal.NDJSON},
	{Format: journal.CSV, By: journal.ByEvent},
	{Format: journal.HLedger, By: journal.ByEvent},
	{Format: journal.HLedger, By: journal.ByDay},
}

func exports(ctx context.Context, b *harness.Bench) error {
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
	var bare, read pace
	all := make([]pace, len(exported))
	for r := range b.Rounds {
		b.Say("round %d of %d", r+1, b.Rounds)
		if err := bare.time(head, func() error { return scan(path, head) }); err != nil {
			return err
		}
		if err := read.time(head, func() error { return subscribe(ctx, s, head) }); err != nil {
			return err
		}
		for i, o := range exported {
			if err := all[i].time(head, func() error { return export(ctx, s, head, b.Path("export"), o) }); err != nil {
				return err
			}
		}
	}
	b.Add("bare SQLite scan of the file", "events/s", bare.rates)
	b.Add("Subscribe, nothing done with it", "events/s", read.rates).Against("slower than a bare scan", bare.rates, read.rates, nil)
	b.Add("the same, processor time", "ns/event", read.cpu)
	for i, o := range exported {
		b.Add(fmt.Sprintf("audit export, %s %s", o.Format, o.By), "events/s", all[i].rates).
			Against("slower than Subscribe", read.rates, all[i].rates, harness.AtMost(2))
		b.Add("the same, processor time on all cores", "ns/event", all[i].cpu).Against("that of Subscribe", all[i].cpu, read.cpu, nil)
	}
	return nil
}

// pace is how fast something was, by round.
type pace struct{ rates, cpu []float64 }

// time does it once, with so many events.
func (p *pace) time(n stream.Position, do func() error) error {
	runtime.GC()
	start, busy := time.Now(), harness.CPUTime()
	err := do()
	p.cpu = append(p.cpu, float64(harness.CPUTime()-busy)/float64(n))
	p.rates = append(p.rates, float64(n)/time.Since(start).Seconds())
	return err
}

// export writes the log to a file.
func export(ctx context.Context, s stream.EventStore, head stream.Position, path string, o journal.Options) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return journal.Write(ctx, f, pieces.Of(ctx, s, head), o)
}
