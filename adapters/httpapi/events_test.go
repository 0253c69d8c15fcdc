package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
)

// TestTheLogIsReadAsItIs compares each line with its record, byte by byte.
func TestTheLogIsReadAsItIs(t *testing.T) {
	s := open(t, nil)
	s.running("web-1")
	c := s.client(operatorToken)
	_, err := c.Publish(t.Context(), wire.PublishRequest{
		Name:  "odd",
		Title: "<&>\u00e9\\\"",
		Price: wire.Price{Msat: 1, Per: 1},
		Min:   1,
		Max:   2,
	})
	s.must(err)
	_, err = c.Grant(t.Context(), "web-1", wire.GrantRequest{Time: 1, Reason: "<&>\u2028\u009b", Key: "odd"})
	s.must(err)
	want := s.records(0)
	var got []wire.Event
	for e, err := range s.client(auditorToken).Events(t.Context(), 0, false) {
		s.must(err)
		got = append(got, e)
	}
	if len(got) != len(want) {
		t.Fatalf("%d lines of %d records", len(got), len(want))
	}
	for i, r := range want {
		e := got[i]
		if e.Position != uint64(r.Position) || e.Stream != r.Stream || e.Revision != int64(r.Revision) ||
			e.ID != r.ID.String() || e.Type != r.Type || e.At != r.At || e.RecordedAt != r.RecordedAt ||
			!bytes.Equal(e.Data, r.Data) || string(e.Meta) != string(r.Meta) {
			t.Errorf("%+v\nof the record %+v", e, r)
		}
	}
	rest := s.send("GET", "/v1/events?from="+strings.TrimSpace(string(mustJSON(got[2].Position))), "", bearer(auditorToken))
	if rest.header.Get("Content-Type") != "application/x-ndjson" || strings.Count(rest.body, "\n") != len(want)-3 {
		t.Errorf("after the third: %s", rest.body)
	}
	end := s.send("GET", "/v1/events?from="+string(mustJSON(got[len(got)-1].Position)), "", bearer(auditorToken))
	if end.status != 200 || end.body != "" {
		t.Errorf("after the last: %d %q", end.status, end.body)
	}
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// records returns the log after a position.
func (s *shop) records(after stream.Position) (all []stream.Record) {
	s.t.Helper()
	head, err := s.store.EventStore.Head(s.t.Context())
	s.must(err)
	for run, err := range s.store.EventStore.Subscribe(s.t.Context(), after) {
		s.must(err)
		if all = append(all, run...); run[len(run)-1].Position >= head {
			break
		}
	}
	return all
}

func TestTheLogIsFollowed(t *testing.T) {
	s := open(t, nil)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var last uint64
	n := 0
	for e, err := range s.client(auditorToken).Events(ctx, 0, true) {
		if n == 30 {
			break
		}
		s.must(err)
		if e.Position <= last {
			t.Fatalf("position %d comes after %d", e.Position, last)
		}
		if last, n = e.Position, n+1; last == uint64(s.views.Position()) {
			s.running(fmt.Sprint("web-", n))
		}
	}
}

// TestALogThatCantBeRead breaks off, and is not taken for whole.
func TestALogThatCantBeRead(t *testing.T) {
	s := open(t, nil)
	for i := range 3 {
		s.running(fmt.Sprint("web-", i))
		s.clock.Advance(1)
	}
	s.store.OnSubscribe = func() int { return 1 }
	for _, follow := range []bool{false, true} {
		var last error
		for _, err := range s.client(auditorToken).Events(t.Context(), 1, follow) {
			last = err
		}
		if follow && !errors.Is(last, io.ErrUnexpectedEOF) {
			t.Errorf("follow: %v", last)
		}
	}
	s.store.OnSubscribe = func() int { return 0 }
	var last error
	for _, err := range s.client(auditorToken).Events(t.Context(), 1, false) {
		last = err
	}
	if !errors.Is(last, io.ErrUnexpectedEOF) {
		t.Errorf("a log that breaks off ends with %v", last)
	}
	if n := strings.Count(s.log.String(), storetest.ErrFault.Error()); n == 0 {
		t.Error("the log does not say why")
	}
}

func TestTheDumpIsThatOfTheViews(t *testing.T) {
	s := open(t, nil)
	s.running("web-1")
	var want, got bytes.Buffer
	s.must(s.views.Dump(&want))
	s.must(s.client(auditorToken).Dump(t.Context(), &got))
	if got.String() != want.String() || got.Len() == 0 {
		t.Errorf("%s\nwant %s", &got, &want)
	}
	if err := s.client("").Dump(t.Context(), io.Discard); client.Code(err) != "no_token" {
		t.Errorf("without a token: %v", err)
	}
}
