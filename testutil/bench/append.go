package main

import (
	"context"
	"fmt"

	"sandglass/domain/stream"
	"sandglass/testutil/bench/harness"
)

func appends(ctx context.Context, b *harness.Bench) error {
	var file, bare, one, few, many []*harness.Tally
	for r := range b.Rounds {
		b.Say("round %d of %d", r+1, b.Rounds)
		alone, err := singleClients(ctx, b, r)
		if err != nil {
			return err
		}
		file, bare, one = append(file, alone[0]), append(bare, alone[1]), append(one, alone[2])
		for _, clients := range []int{16, 256} {
			t, err := manyClients(ctx, b, r, clients)
			if err != nil {
				return err
			}
			if clients == 16 {
				few = append(few, t)
			} else {
				many = append(many, t)
			}
		}
	}
	rates := func(t []*harness.Tally) []float64 { return harness.Each(t, (*harness.Tally).Rate) }
	b.Add("bare file: write and fsync, one at a time", "events/s", rates(file))
	b.Add("bare SQLite commit, one at a time", "events/s", rates(bare)).
		Against("slower than a bare file", rates(file), rates(bare), nil)
	b.Add("1 client", "events/s", rates(one)).
		Against("slower than a bare commit", rates(bare), rates(one), harness.AtMost(1.5))
	b.Add("16 clients", "events/s", rates(few)).
		Against("the rate of 1 client", rates(few), rates(one), nil)
	b.Add("256 clients", "events/s", rates(many)).
		Within(harness.AtLeast(30_000)).
		Against("the rate of 1 client", rates(many), rates(one), harness.AtLeast(20)).
		Noting("fsync mode: journal_mode=WAL, synchronous=FULL; each append is answered after the fsync of its group")
	latencies(b, "1 client", one)
	latencies(b, "16 clients", few)
	latencies(b, "256 clients", many)
	perEvent := harness.Each(many, func(t *harness.Tally) float64 { return float64(t.Bytes) / float64(t.Events) })
	b.Add("on disk, of an event of "+fmt.Sprint(payloadBytes())+" bytes of data and metadata", "bytes", perEvent)
	return nil
}

func payloadBytes() int {
	e := harness.Debit(harness.StreamName(0), 0)
	return len(e.Data) + len(e.Meta)
}

func latencies(b *harness.Bench, name string, t []*harness.Tally) {
	b.Add(name+", p50", "µs", harness.Each(t, func(t *harness.Tally) float64 { return t.Percentile(50) }))
	b.Add(name+", p99", "µs", harness.Each(t, func(t *harness.Tally) float64 { return t.Percentile(99) }))
}

// turns is how often the single clients of a round take turns.
const turns = 20

// singleClients commits events one at a time to a bare file, to a bare table and through the
// store, a few at each in turn, so that a slow moment of the disk slows all three.
func singleClients(ctx context.Context, b *harness.Bench, round int) (t [3]*harness.Tally, err error) {
	f, err := harness.NewBareFile(b.Path(fmt.Sprintf("bare-file-%d", round)))
	if err != nil {
		return t, err
	}
	defer f.Close()
	table, err := harness.NewBareTable(b.Path(fmt.Sprintf("bare-table-%d", round)))
	if err != nil {
		return t, err
	}
	defer table.Close()
	s, _, err := b.NewStore(fmt.Sprintf("append-1-%d", round))
	if err != nil {
		return t, err
	}
	defer s.Close()
	t = [3]*harness.Tally{{}, {}, {}}
	name, rev := harness.StreamName(0), stream.Revision(0)
	for range turns {
		at, n := rev, b.Commits/turns
		writers := []func(e stream.Event) error{
			f.Write,
			func(e stream.Event) error { return table.Insert(name, at, e) },
			func(e stream.Event) error {
				_, err := s.Append(ctx, name, at-1, []stream.Event{e})
				return err
			},
		}
		for i, write := range writers {
			at = rev
			err := t[i].Commit(n, func() error {
				defer func() { at++ }()
				return write(harness.Debit(name, at))
			})
			if err != nil {
				return t, err
			}
		}
		rev = at
	}
	return t, nil
}

// manyClients appends from many clients, with a stream each, for one slice of time.
func manyClients(ctx context.Context, b *harness.Bench, round, clients int) (*harness.Tally, error) {
	s, _, err := b.NewStore(fmt.Sprintf("append-%d-%d", clients, round))
	if err != nil {
		return nil, err
	}
	defer s.Close()
	all, err := harness.WriteFor(clients, b.Slice, func(name string, rev stream.Revision, e stream.Event) error {
		_, err := s.Append(ctx, name, rev-1, []stream.Event{e})
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil { // which moves the WAL into the file
		return nil, err
	}
	all.Bytes, err = s.Size()
	return all, err
}
