package main

import (
	"context"
	"fmt"
	"os"

	"sandglass/adapters/journal"
	"sandglass/cmd/sandglass/auditor/ndjson"
	"sandglass/domain/pieces"
	"sandglass/domain/proof/verify"
	"sandglass/domain/stream"
	"sandglass/testutil/bench/harness"
)

// verifies measures audit verify: of the file of a log, and of an export of it.
func verifies(ctx context.Context, b *harness.Bench) error {
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
	lines := b.Path("log.ndjson")
	if err := export(ctx, s, head, lines, journal.Options{Format: journal.NDJSON}); err != nil {
		return err
	}
	defer os.Remove(lines)
	var bare, store, file pace
	for r := range b.Rounds {
		b.Say("round %d of %d", r+1, b.Rounds)
		for _, part := range []struct {
			*pace
			do func() error
		}{
			{&bare, func() error { return scan(path, head) }},
			{&store, func() error { return verified(ctx, pieces.Of(ctx, s, head), head) }},
			{&file, func() error { return verifiedFile(ctx, lines, head) }},
		} {
			if err := part.time(head, part.do); err != nil {
				return err
			}
		}
	}
	b.Add("bare SQLite scan of the file", "events/s", bare.rates)
	b.Add("audit verify of the file", "events/s", store.rates).
		Against("of a bare scan", store.rates, bare.rates, harness.AtLeast(0.7))
	b.Add("the same, processor time on all cores", "ns/event", store.cpu).Against("that of a bare scan", store.cpu, bare.cpu, nil)
	b.Add("audit verify of an export", "events/s", file.rates).Within(harness.AtLeast(1_000_000))
	b.Add("the same, processor time on all cores", "ns/event", file.cpu)
	return nil
}

func verifiedFile(ctx context.Context, path string, events stream.Position) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return verified(ctx, ndjson.Log(f), events)
}

func verified(ctx context.Context, log pieces.Log, events stream.Position) error {
	r, err := (&verify.Log{}).Run(ctx, log)
	if err == nil && (r.Count > 0 || r.Events != int64(events)) {
		err = fmt.Errorf("of %d events were %d verified, with %d findings", events, r.Events, r.Count)
	}
	return err
}
