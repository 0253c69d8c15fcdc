package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"sandglass/domain/codec"
	"sandglass/domain/instant"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// debit is an event as the meter writes them.
func debit(name string, rev stream.Revision) stream.Event {
	from := instant.Time(1_767_225_600_000 + instant.Millis(rev)*instant.Hour)
	e := stream.Encode(&resource.Debited{
		At: resource.At{At: from.Add(instant.Hour)}, From: from, Time: instant.Hour, Amount: 3_600_000,
	})
	e.ID = stream.NewID(name, rev, e)
	e.Meta = codec.Encode(&stream.Meta{Actor: "meter", Correlation: "0123456789abcdef"})
	return e
}

func streamName(client int) string { return fmt.Sprintf("%svm-%012d", resource.Prefix, client) }

// tally is what some clients did.
type tally struct {
	events int
	took   time.Duration
	each   []time.Duration
	bytes  int64 // on disk, once it is known
}

func (t *tally) rate() float64 { return float64(t.events) / t.took.Seconds() }

// percentile returns the latency in microseconds that so many of 100 stay below.
func (t *tally) percentile(p int) float64 {
	if len(t.each) == 0 {
		return 0
	}
	slices.Sort(t.each)
	return float64(t.each[len(t.each)*p/100].Nanoseconds()) / 1000
}

// commit calls f n times and notes how long each took.
func (t *tally) commit(n int, f func() error) error {
	for range n {
		start := time.Now()
		if err := f(); err != nil {
			return err
		}
		d := time.Since(start)
		t.took, t.each = t.took+d, append(t.each, d)
		t.events++
	}
	return nil
}

func appends(ctx context.Context, b *bench) error {
	var file, bare, one, few, many []*tally
	for r := range b.rounds {
		b.say("round %d of %d", r+1, b.rounds)
		alone, err := b.singles(ctx, r)
		if err != nil {
			return err
		}
		file, bare, one = append(file, alone[0]), append(bare, alone[1]), append(one, alone[2])
		for _, clients := range []int{16, 256} {
			t, err := b.crowd(ctx, r, clients)
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
	rates := func(t []*tally) []float64 { return each(t, (*tally).rate) }
	b.add("bare file: write and fsync, one at a time", "events/s", rates(file))
	b.add("bare SQLite commit, one at a time", "events/s", rates(bare)).
		ratio("slower than a bare file", rates(file), rates(bare), nil)
	b.add("1 client", "events/s", rates(one)).
		ratio("slower than a bare commit", rates(bare), rates(one), atMost(1.5))
	b.add("16 clients", "events/s", rates(few)).
		ratio("the rate of 1 client", rates(few), rates(one), nil)
	b.add("256 clients", "events/s", rates(many)).
		target(atLeast(30_000)).
		ratio("the rate of 1 client", rates(many), rates(one), atLeast(20)).
		note("fsync mode: journal_mode=WAL, synchronous=FULL; each append is answered after the fsync of its group")
	b.latencies("1 client", one)
	b.latencies("16 clients", few)
	b.latencies("256 clients", many)
	perEvent := each(many, func(t *tally) float64 { return float64(t.bytes) / float64(t.events) })
	b.add("on disk, of an event of "+fmt.Sprint(payloadBytes())+" bytes of data and metadata", "bytes", perEvent)
	return nil
}

func payloadBytes() int {
	e := debit(streamName(0), 0)
	return len(e.Data) + len(e.Meta)
}

func each[T any](items []T, f func(T) float64) []float64 {
	v := make([]float64, len(items))
	for i, item := range items {
		v[i] = f(item)
	}
	return v
}

func (b *bench) latencies(name string, t []*tally) {
	b.add(name+", p50", "µs", each(t, func(t *tally) float64 { return t.percentile(50) }))
	b.add(name+", p99", "µs", each(t, func(t *tally) float64 { return t.percentile(99) }))
}

// turns is how often the single clients of a round take turns.
const turns = 20

// singles commits events one at a time to a bare file, to a bare table and through the
// store, a few at each in turn, so that a slow moment of the disk slows all three.
func (b *bench) singles(ctx context.Context, round int) (t [3]*tally, err error) {
	f, err := newBareFile(b.path(fmt.Sprintf("bare-file-%d", round)))
	if err != nil {
		return t, err
	}
	defer f.close()
	table, err := newBareTable(b.path(fmt.Sprintf("bare-table-%d", round)))
	if err != nil {
		return t, err
	}
	defer table.close()
	s, _, err := b.newStore(fmt.Sprintf("append-1-%d", round))
	if err != nil {
		return t, err
	}
	defer s.Close()
	t = [3]*tally{{}, {}, {}}
	name, rev := streamName(0), stream.Revision(0)
	for range turns {
		at, n := rev, b.commits/turns
		writers := []func(e stream.Event) error{
			f.write,
			func(e stream.Event) error { return table.insert(name, at, e) },
			func(e stream.Event) error {
				_, err := s.Append(ctx, name, at-1, []stream.Event{e})
				return err
			},
		}
		for i, write := range writers {
			at = rev
			if err := t[i].commit(n, func() error { defer func() { at++ }(); return write(debit(name, at)) }); err != nil {
				return t, err
			}
		}
		rev = at
	}
	return t, nil
}

// crowd appends from many clients, with a stream each, for one slice of time.
func (b *bench) crowd(ctx context.Context, round, clients int) (*tally, error) {
	s, _, err := b.newStore(fmt.Sprintf("append-%d-%d", clients, round))
	if err != nil {
		return nil, err
	}
	defer s.Close()
	all, err := slice(clients, b.slice, func(name string, rev stream.Revision, e stream.Event) error {
		_, err := s.Append(ctx, name, rev-1, []stream.Event{e})
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil { // which moves the WAL into the file
		return nil, err
	}
	all.bytes, err = s.Size()
	return all, err
}

// write puts an event at a revision of a stream.
type write func(name string, rev stream.Revision, e stream.Event) error

// slice has many clients write, each to a stream of its own, for a time.
func slice(clients int, long time.Duration, do write) (*tally, error) {
	parts := make([]tally, clients)
	start := time.Now()
	err := together(clients, func(c int) error { return parts[c].client(c, start.Add(long), do) })
	all := &tally{took: time.Since(start)}
	for _, part := range parts {
		all.events += part.events
		all.each = append(all.each, part.each...)
	}
	return all, err
}

// together calls do for each of some clients at once.
func together(clients int, do func(client int) error) error {
	failed := make([]error, clients)
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() { failed[c] = do(c) })
	}
	wg.Wait()
	return errors.Join(failed...)
}

// client writes one event after the other until the end.
func (t *tally) client(client int, end time.Time, do write) error {
	name := streamName(client)
	for rev := stream.Revision(0); time.Now().Before(end); rev++ {
		e := debit(name, rev)
		if err := t.commit(1, func() error { return do(name, rev, e) }); err != nil {
			return err
		}
	}
	return nil
}
