package esdbserver_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

func TestDelete(t *testing.T) {
	five := holding("a b c d e")
	for _, c := range []struct {
		name      string
		given     []given
		expected  esdb.ExpectedRevision
		delete    esdb.ErrorCode
		tombstone esdb.ErrorCode
	}{
		{"any", []given{five}, esdb.Any{}, ok, ok},
		{"exists", []given{five}, esdb.StreamExists{}, ok, ok},
		{"its number", []given{five}, esdb.Revision(4), ok, ok},
		{"an earlier number", []given{five}, esdb.Revision(3), esdb.ErrorCodeUnknown, esdb.ErrorCodeUnknown},
		{"no stream", []given{five}, esdb.NoStream{}, esdb.ErrorCodeUnknown, esdb.ErrorCodeUnknown},
		{"unknown, any", nil, esdb.Any{}, esdb.ErrorCodeUnknown, ok},
		{"unknown, no stream", nil, esdb.NoStream{}, esdb.ErrorCodeUnknown, ok},
		{"unknown, exists", nil, esdb.StreamExists{}, esdb.ErrorCodeUnknown, esdb.ErrorCodeUnknown},
		{"metadata alone", []given{described}, esdb.Any{}, ok, ok},
		{"deleted", []given{five, deleted}, esdb.Any{}, ok, ok},
		{"tombstoned", []given{five, tombstoned}, esdb.Any{}, isDeleted, isDeleted},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, way := range []struct {
				name string
				want esdb.ErrorCode
				do   func(context.Context, *esdb.Client) (*esdb.DeleteResult, error)
			}{
				{"deleted", c.delete, func(ctx context.Context, client *esdb.Client) (*esdb.DeleteResult, error) {
					return client.DeleteStream(ctx, "s", esdb.DeleteStreamOptions{ExpectedRevision: c.expected})
				}},
				{"tombstoned", c.tombstone, func(ctx context.Context, client *esdb.Client) (*esdb.DeleteResult, error) {
					return client.TombstoneStream(ctx, "s", esdb.TombstoneStreamOptions{ExpectedRevision: c.expected})
				}},
			} {
				_, client := single(t)
				for _, g := range c.given {
					g(t, client)
				}
				res, err := way.do(ctx(t), client)
				if code(err) != way.want {
					t.Fatalf("%s: the code is %d, %v; want %d", way.name, code(err), err, way.want)
				}
				log := logOf(t, client)
				if last := log[len(log)-1]; err == nil && last.Position != res.Position {
					t.Errorf("%s: it is said to be at %v, not at %v", way.name, res.Position, last.Position)
				}
			}
		})
	}
}

func TestATombstoneIsInTheLog(t *testing.T) {
	_, client := single(t)
	tombstoned(t, client)
	log := logOf(t, client)
	last := log[len(log)-1]
	if last.StreamID != "s" || last.EventType != "$streamDeleted" || last.EventNumber != math.MaxInt64 {
		t.Errorf("the last event is %+v", last)
	}
	for _, stream := range []string{"s", "$$s"} {
		_, err := client.AppendToStream(ctx(t), stream, esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, events(1)...)
		if code(err) != isDeleted {
			t.Errorf("appending to %s: %v", stream, err)
		}
		if _, err := drain(client.ReadStream(ctx(t), stream, esdb.ReadStreamOptions{}, 1)); code(err) != isDeleted {
			t.Errorf("reading %s: %v", stream, err)
		}
	}
}

func TestMetadata(t *testing.T) {
	_, client := single(t)
	if _, err := client.GetStreamMetadata(ctx(t), "s", esdb.ReadStreamOptions{}); code(err) != esdb.ErrorCodeResourceNotFound {
		t.Errorf("metadata that were never set: %v", err)
	}
	holding("a b")(t, client)
	bounded(7, 0)(t, client)
	bounded(9, 1)(t, client)
	m, err := client.GetStreamMetadata(ctx(t), "s", esdb.ReadStreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if m.MaxCount() == nil || *m.MaxCount() != 9 {
		t.Errorf("the newest metadata are %+v", m)
	}
	deleted(t, client)
	bounded(5, 0)(t, client) // it revives the stream, and keeps what was set
	m, err = client.GetStreamMetadata(ctx(t), "s", esdb.ReadStreamOptions{})
	if err != nil || m.MaxCount() == nil || *m.MaxCount() != 5 || m.TruncateBefore() == nil || *m.TruncateBefore() != 2 {
		t.Errorf("the metadata after that are %+v, %v", m, err)
	}
	appendTo(t, client, "s", esdb.Revision(1), events(1)...)
	list, err := drain(client.ReadStream(ctx(t), "s", esdb.ReadStreamOptions{}, 9))
	if got := fmt.Sprint(numbers(list)); err != nil || got != "[2]" {
		t.Errorf("it reads %s, %v", got, err)
	}
	_, err = client.DeleteStream(ctx(t), "$$s", esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}})
	if e := (*esdb.Error)(nil); !errors.As(err, &e) {
		t.Errorf("deleting a metastream: %v", err)
	}
}
