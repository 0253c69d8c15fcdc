package esdbserver_test

import (
	"fmt"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"sandglass/testutil/esdbserver"
)

// numbers returns those of events.
func numbers(list []*esdb.ResolvedEvent) []uint64 {
	ns := []uint64{}
	for _, e := range list {
		ns = append(ns, e.Event.EventNumber)
	}
	return ns
}

// bounded sets the metadata of "s".
func bounded(maxCount, truncateBefore uint64) given {
	return func(t *testing.T, client *esdb.Client) {
		var m esdb.StreamMetadata
		if maxCount > 0 {
			m.SetMaxCount(maxCount)
		}
		if truncateBefore > 0 {
			m.SetTruncateBefore(truncateBefore)
		}
		opts := esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}
		if _, err := client.SetStreamMetadata(ctx(t), "s", opts, m); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReadStream(t *testing.T) {
	five := holding("a b c d e")
	for _, c := range []struct {
		name      string
		given     []given
		direction esdb.Direction
		from      esdb.StreamPosition
		count     uint64
		code      esdb.ErrorCode
		want      string
	}{
		{"all", []given{five}, esdb.Forwards, esdb.Start{}, math.MaxUint64, ok, "[0 1 2 3 4]"},
		{"some", []given{five}, esdb.Forwards, esdb.Start{}, 2, ok, "[0 1]"},
		{"from a revision", []given{five}, esdb.Forwards, esdb.Revision(3), 10, ok, "[3 4]"},
		{"from beyond", []given{five}, esdb.Forwards, esdb.Revision(5), 10, ok, "[]"},
		{"from far beyond", []given{five}, esdb.Forwards, esdb.Revision(math.MaxUint64), 10, ok, "[]"},
		{"from the end", []given{five}, esdb.Forwards, esdb.End{}, 10, ok, "[]"},
		{"back from the end", []given{five}, esdb.Backwards, esdb.End{}, 2, ok, "[4 3]"},
		{"back from a revision", []given{five}, esdb.Backwards, esdb.Revision(2), 10, ok, "[2 1 0]"},
		{"back from beyond", []given{five}, esdb.Backwards, esdb.Revision(9), 1, ok, "[4]"},
		{"back from the start", []given{five}, esdb.Backwards, esdb.Start{}, 10, ok, "[0]"},
		{"unknown", nil, esdb.Forwards, esdb.Start{}, 1, esdb.ErrorCodeResourceNotFound, "[]"},
		{"metadata alone", []given{described}, esdb.Forwards, esdb.Start{}, 1, esdb.ErrorCodeResourceNotFound, "[]"},
		{"deleted", []given{five, deleted}, esdb.Backwards, esdb.End{}, 1, esdb.ErrorCodeResourceNotFound, "[]"},
		{"tombstoned", []given{five, tombstoned}, esdb.Forwards, esdb.Start{}, 1, isDeleted, "[]"},
		{"revived", []given{five, deleted, holding("f g")}, esdb.Forwards, esdb.Start{}, 9, ok, "[5 6]"},
		{"revived, back", []given{five, deleted, holding("f g")}, esdb.Backwards, esdb.End{}, 9, ok, "[6 5]"},
		{"bounded in number", []given{five, bounded(2, 0)}, esdb.Forwards, esdb.Start{}, 9, ok, "[3 4]"},
		{"truncated", []given{five, bounded(0, 2)}, esdb.Forwards, esdb.Start{}, 2, ok, "[2 3]"},
		{"truncated, back", []given{five, bounded(0, 2)}, esdb.Backwards, esdb.End{}, 9, ok, "[4 3 2]"},
		{"truncated and bounded", []given{five, bounded(4, 2)}, esdb.Forwards, esdb.Revision(1), 9, ok, "[2 3 4]"},
		{"truncated wholly", []given{five, bounded(0, 9)}, esdb.Forwards, esdb.Start{}, 9, ok, "[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, client := single(t)
			for _, g := range c.given {
				g(t, client)
			}
			options := esdb.ReadStreamOptions{Direction: c.direction, From: c.from}
			list, err := drain(client.ReadStream(ctx(t), "s", options, c.count))
			if got := fmt.Sprint(numbers(list)); code(err) != c.code || got != c.want {
				t.Errorf("it reads %s, %v; want %s and the code %d", got, err, c.want, c.code)
			}
		})
	}
}

func TestReadOfNothingIsRefused(t *testing.T) {
	_, client := single(t)
	if _, err := drain(client.ReadStream(ctx(t), "s", esdb.ReadStreamOptions{}, 0)); err == nil {
		t.Error("a count of 0 is accepted")
	}
}

func TestPagesMakeNoDifference(t *testing.T) {
	_, client := single(t)
	for range 3 {
		appendTo(t, client, "s", esdb.Any{}, events(300)...)
	}
	for _, count := range []uint64{256, 257, 600, 900, math.MaxUint64} {
		for _, from := range []esdb.ReadStreamOptions{{}, {Direction: esdb.Backwards, From: esdb.End{}}} {
			list, err := drain(client.ReadStream(ctx(t), "s", from, count))
			if want := int(min(count, 900)); err != nil || len(list) != want {
				t.Errorf("of %d it reads %d, %v", want, len(list), err)
			}
			for i, e := range list {
				want := uint64(i)
				if from.Direction == esdb.Backwards {
					want = 899 - want
				}
				if e.Event.EventNumber != want {
					t.Fatalf("event %d has the number %d", i, e.Event.EventNumber)
				}
			}
		}
		all, err := drain(client.ReadAll(ctx(t), esdb.ReadAllOptions{Direction: esdb.Backwards, From: esdb.End{}}, count))
		if want := int(min(count, 901)); err != nil || len(all) != want {
			t.Errorf("of %d of all it reads %d, %v", want, len(all), err)
		}
	}
}

func TestMaxAgeHidesWhatIsOld(t *testing.T) {
	var minute atomic.Int64
	c := esdbserver.New(t, esdbserver.Options{Now: func() time.Time { return time.Unix(60*minute.Load(), 0) }})
	client := connect(t, c.ConnectionString())
	appendTo(t, client, "s", esdb.Any{}, events(2)...)
	minute.Add(1)
	appendTo(t, client, "s", esdb.Any{}, events(1)...)
	var m esdb.StreamMetadata
	m.SetMaxAge(30 * time.Second)
	if _, err := client.SetStreamMetadata(ctx(t), "s", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, m); err != nil {
		t.Fatal(err)
	}
	list, err := drain(client.ReadStream(ctx(t), "s", esdb.ReadStreamOptions{}, 10))
	if got := fmt.Sprint(numbers(list)); err != nil || got != "[2]" {
		t.Errorf("it reads %s, %v", got, err)
	}
}

func TestReadAll(t *testing.T) {
	c := esdbserver.New(t, esdbserver.Options{SystemEvery: 2})
	client := connect(t, c.ConnectionString())
	for i := range 4 {
		appendTo(t, client, fmt.Sprint("s", i), esdb.NoStream{}, events(1)...)
	}
	all, err := drain(client.ReadAll(ctx(t), esdb.ReadAllOptions{}, 100))
	if err != nil || len(all) != 7 {
		t.Fatalf("it has %d events, %v; want 7: 1 before all, and one after each 2", len(all), err)
	}
	for i, e := range all {
		p := e.Event.Position
		if p.Commit != p.Prepare || e.Commit == nil || *e.Commit != p.Commit ||
			i > 0 && p.Commit <= all[i-1].Event.Position.Commit {
			t.Errorf("event %d is at %v", i, p)
		}
	}
	middle := all[4].Event.Position
	for _, c := range []struct {
		direction esdb.Direction
		from      esdb.AllPosition
		count     uint64
		want      []*esdb.ResolvedEvent
	}{
		{esdb.Forwards, esdb.Start{}, 3, all[:3]},
		{esdb.Forwards, esdb.End{}, 3, nil},
		{esdb.Forwards, middle, 2, all[4:6]},
		{esdb.Forwards, esdb.Position{Commit: 1 << 40, Prepare: 1 << 40}, 2, nil},
		{esdb.Backwards, middle, 2, []*esdb.ResolvedEvent{all[3], all[2]}},
		{esdb.Backwards, esdb.End{}, 1, all[6:]},
		{esdb.Backwards, esdb.Start{}, 1, nil},
	} {
		got, err := drain(client.ReadAll(ctx(t), esdb.ReadAllOptions{Direction: c.direction, From: c.from}, c.count))
		if err != nil || fmt.Sprint(positions(got)) != fmt.Sprint(positions(c.want)) {
			t.Errorf("from %v, direction %d: %v, %v; want %v", c.from, c.direction, positions(got), err, positions(c.want))
		}
	}
	for name, at := range map[string]esdb.Position{
		"a commit before its prepare": {Commit: middle.Commit, Prepare: middle.Commit + 1},
		"in the midst of an event":    {Commit: middle.Commit + 1, Prepare: middle.Commit + 1},
	} {
		if _, err := drain(client.ReadAll(ctx(t), esdb.ReadAllOptions{From: at}, 1)); err == nil {
			t.Errorf("a position is accepted that is %s", name)
		}
		if _, err := client.SubscribeToAll(ctx(t), esdb.SubscribeToAllOptions{From: at}); err == nil {
			t.Errorf("a subscription is accepted that begins at %s", name)
		}
	}
}

func positions(list []*esdb.ResolvedEvent) []uint64 {
	var ps []uint64
	for _, e := range list {
		ps = append(ps, e.Event.Position.Commit)
	}
	return ps
}
