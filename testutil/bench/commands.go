package main

import (
	"context"
	"fmt"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/testutil/bench/harness"
	"sandglass/testutil/esdbserver"
)

// callTakes is what a call to the cluster takes beside the work: about what it does on three
// nodes that are no further than a room.
const callTakes = 2 * time.Millisecond

// commands measures commands through the handler, on streams that it wrote last, beside appends
// by the bare client, and beside a handler that knows nothing and reads each time.
func commands(ctx context.Context, b *harness.Bench) error {
	server, err := esdbserver.Start(esdbserver.Options{})
	if err != nil {
		return err
	}
	defer server.Close()
	server.OnAppend(func(string) esdbserver.Fault { time.Sleep(callTakes); return esdbserver.None })
	server.OnRead(func(esdbserver.Reading) int { time.Sleep(callTakes); return -1 })
	for _, clients := range []int{1, 64} {
		var known, reading, bare, file, fileReading []float64
		for r := range b.Rounds {
			b.Say("%d clients: round %d of %d", clients, r+1, b.Rounds)
			s, err := reach(ctx, server.ConnectionString(), fmt.Sprintf("commands_%d_%d", clients, r))
			if err != nil {
				return err
			}
			local, _, err := b.NewStore(fmt.Sprintf("commands-%d-%d", clients, r))
			if err != nil {
				return err
			}
			for _, m := range []struct {
				rates *[]float64
				do    func() (harness.Write, error)
			}{
				{&bare, func() (harness.Write, error) { return s.prefixed(r, s.appendBare(ctx)), nil }},
				{&known, func() (harness.Write, error) { return debiting(ctx, s.store, "a", clients, true) }},
				{&reading, func() (harness.Write, error) { return debiting(ctx, s.store, "b", clients, false) }},
				{&file, func() (harness.Write, error) { return debiting(ctx, local, "a", clients, true) }},
				{&fileReading, func() (harness.Write, error) { return debiting(ctx, local, "b", clients, false) }},
			} {
				do, err := m.do()
				if err != nil {
					return err
				}
				t, err := harness.WriteFor(clients, b.Slice/4, do)
				if err != nil {
					return err
				}
				*m.rates = append(*m.rates, t.Rate())
			}
			if err := s.close(); err != nil {
				return err
			}
			if err := local.Close(); err != nil {
				return err
			}
		}
		name := fmt.Sprintf("%d at once", clients)
		b.Add("in a cluster, bare client's appends, "+name, "events/s", bare)
		b.Add("in a cluster, commands through the handler, "+name, "commands/s", known).
			Against("slower than the bare client's appends", bare, known, harness.AtMost(1.2)).
			Noting(fmt.Sprintf("each call to the cluster takes %s longer than its work", callTakes))
		b.Add("in a cluster, commands that read first, "+name, "commands/s", reading).
			Against("slower than the bare client's appends", bare, reading, nil)
		b.Add("in a file, commands through the handler, "+name, "commands/s", file).
			Against("the rate of commands that read first", file, fileReading, harness.AtLeast(0.95))
	}
	return nil
}

// debiting opens resources that have time for good, one for each client, and returns what debits an
// hour of a client's: through a handler that knows what it wrote, or one that reads each time.
func debiting(ctx context.Context, store stream.EventStore, prefix string, clients int, knows bool) (harness.Write, error) {
	h := &resource.Handler{Aggregate: resource.Aggregate(), Store: store}
	if !knows {
		h.Copy = func(s resource.State) (resource.State, int) { return s.Clone(), 1 << 30 }
	}
	const begin = instant.Time(1_767_225_600_000)
	terms := resource.Terms{Price: money.Price{Msat: 3_600_000, Per: instant.Hour}, Grace: instant.Day}
	at := func(rev stream.Revision) resource.When {
		return resource.When{At: begin.Add(instant.Millis(rev) * instant.Hour), MaxGap: instant.Day}
	}
	id := func(name string) resource.ID { return resource.ID(prefix + name[len(resource.Prefix):]) }
	err := harness.Together(clients, func(c int) error {
		for _, command := range []resource.Command{
			resource.Open{When: at(0), Order: resource.Order{Plan: "small", Terms: terms, Request: [16]byte{1}}},
			resource.Grant{When: at(0), Key: "for good", Time: 10 * 365 * instant.Day},
		} {
			if _, err := h.Execute(ctx, id(harness.StreamName(c)), stream.Meta{Actor: "operator"}, command); err != nil {
				return err
			}
		}
		return nil
	})
	return func(name string, rev stream.Revision, _ stream.Event) error {
		out, err := h.Execute(ctx, id(name), stream.Meta{Actor: "meter"}, resource.Settle{When: at(rev + 1)})
		if err == nil && out.Events != 1 {
			err = fmt.Errorf("%d events at %s", out.Events, id(name))
		}
		return err
	}, err
}
