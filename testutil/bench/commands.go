package main

import (
	"context"
	"errors"
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
		var rates [kinds][]float64
		for r := range b.Rounds {
			b.Say("%d at once: round %d of %d", clients, r+1, b.Rounds)
			tallies, err := commandRound(ctx, b, server.ConnectionString(), r, clients)
			if err != nil {
				return err
			}
			for i := range tallies {
				rates[i] = append(rates[i], tallies[i].Rate())
			}
		}
		at := fmt.Sprintf(", %d at once", clients)
		bare := rates[bareAppends]
		b.Add("in a cluster, bare client's appends"+at, "events/s", bare)
		b.Add("in a cluster, the store's appends"+at, "events/s", rates[ourAppends]).
			Against("slower than the bare client's appends", bare, rates[ourAppends], nil)
		b.Add("in a cluster, commands through the handler"+at, "commands/s", rates[known]).
			Against("slower than the bare client's appends", bare, rates[known], harness.AtMost(1.2)).
			Noting(fmt.Sprintf("each call to the cluster takes %s longer than its work", callTakes))
		b.Add("in a cluster, commands that read first"+at, "commands/s", rates[readFirst]).
			Against("slower than the bare client's appends", bare, rates[readFirst], nil)
		b.Add("in a file, commands through the handler"+at, "commands/s", rates[inFile]).
			Against("the rate of commands that read first", rates[inFile], rates[inFileReadFirst], harness.AtLeast(1))
	}
	return nil
}

// What takes turns in a round.
const (
	bareAppends = iota
	ourAppends
	known
	readFirst
	inFile
	inFileReadFirst
	kinds
)

// doing is what a client does with its stream.
type doing = func(name string, rev stream.Revision) error

// encoding writes what a command would: an event that is made each time.
func encoding(write harness.Write) doing {
	return func(name string, rev stream.Revision) error { return write(name, rev, harness.Debit(name, rev)) }
}

// commandTurns is how often what is measured takes turns in a round.
const commandTurns = 5

// commandRound does each in turn, so that a slow moment of the machine slows all.
func commandRound(ctx context.Context, b *harness.Bench, conn string, round, clients int) (t [kinds]harness.Tally, err error) {
	name := fmt.Sprintf("commands_%d_%d", clients, round)
	s, err := reach(ctx, conn, name)
	if err != nil {
		return t, err
	}
	local, _, err := b.NewStore(name)
	if err != nil {
		return t, errors.Join(err, s.close())
	}
	for turn := range commandTurns {
		a, z := fmt.Sprintf("a%d", turn), fmt.Sprintf("z%d", turn)
		for i, begin := range [kinds]func() (doing, error){
			func() (doing, error) { return encoding(s.prefixed(turn, s.appendBare(ctx))), nil },
			func() (doing, error) { return encoding(s.prefixed(turn, s.append(ctx))), nil },
			func() (doing, error) { return debiting(ctx, s.store, a, clients, true) },
			func() (doing, error) { return debiting(ctx, s.store, z, clients, false) },
			func() (doing, error) { return debiting(ctx, local, a, clients, true) },
			func() (doing, error) { return debiting(ctx, local, z, clients, false) },
		} {
			do, err := begin()
			if err != nil {
				return t, err
			}
			part, err := harness.DoFor(clients, b.Slice/4/commandTurns, do)
			if err != nil {
				return t, err
			}
			t[i].Events, t[i].Took = t[i].Events+part.Events, t[i].Took+part.Took
		}
	}
	return t, errors.Join(s.close(), local.Close())
}

// debiting opens resources that have time for good, one for each client, and returns what debits an
// hour of a client's: through a handler that knows what it wrote, or one that reads each time.
func debiting(ctx context.Context, store stream.EventStore, prefix string, clients int, knows bool) (doing, error) {
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
	return func(name string, rev stream.Revision) error {
		out, err := h.Execute(ctx, id(name), stream.Meta{Actor: "meter"}, resource.Settle{When: at(rev + 1)})
		if err == nil && out.Events != 1 {
			err = fmt.Errorf("%d events at %s", out.Events, id(name))
		}
		return err
	}, err
}
