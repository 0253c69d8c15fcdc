package esdbserver_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"sandglass/testutil/esdbserver"
)

// model is one stream by EventStoreDB's rules, with no thought of speed.
type model struct {
	ids  []uuid.UUID
	hide int  // how many events are hidden
	soft bool // deleted, and may be written again
	meta bool // it has metadata
	hard bool
}

// outcome is what a writer learns.
type outcome struct {
	code   esdb.ErrorCode
	number uint64
}

func (m *model) append(expected int, ids []uuid.UUID) outcome {
	last := len(m.ids) - 1
	switch {
	case m.hard, expected == exists && m.soft:
		return outcome{isDeleted, 0}
	case expected == exists && last < 0 && !m.meta:
		return outcome{wrongVersion, 0}
	case expected == exists, expected == any:
		at := -1
		for i, id := range ids {
			known := m.newest(id)
			if known < 0 && i == 0 {
				return m.write(ids)
			}
			if known < 0 {
				return outcome{wrongVersion, 0}
			}
			at = known
		}
		return outcome{ok, uint64(at)}
	case expected == last:
		return m.write(ids)
	case expected > last:
		return outcome{wrongVersion, 0}
	}
	for i, id := range ids {
		if at := expected + 1 + i; at > last || m.ids[at] != id {
			if i == 0 && expected == none && m.soft {
				return m.write(ids)
			}
			return outcome{wrongVersion, 0}
		}
	}
	return outcome{ok, uint64(expected + len(ids))}
}

// newest returns the number of the last event with an id, -1 if there is none.
func (m *model) newest(id uuid.UUID) int {
	for i := len(m.ids) - 1; i >= 0; i-- {
		if m.ids[i] == id {
			return i
		}
	}
	return -1
}

func (m *model) write(ids []uuid.UUID) outcome {
	if m.soft {
		m.soft, m.hide = false, len(m.ids)
	}
	m.ids = append(m.ids, ids...)
	return outcome{ok, uint64(len(m.ids) - 1)}
}

// What the model's writer may expect beside a number.
const (
	none   = -1
	any    = -2
	exists = -4
)

func expectedOf(n int) esdb.ExpectedRevision {
	switch n {
	case none:
		return esdb.NoStream{}
	case any:
		return esdb.Any{}
	case exists:
		return esdb.StreamExists{}
	}
	return esdb.Revision(uint64(n))
}

func TestAStreamIsAsTheModelSays(t *testing.T) {
	server := esdbserver.New(t, esdbserver.Options{SystemEvery: 3})
	client := connect(t, server.ConnectionString())
	streams := 0
	rapid.Check(t, func(r *rapid.T) {
		streams++
		name, m := fmt.Sprint("s-", streams), model{}
		r.Repeat(map[string]func(*rapid.T){
			"append": func(r *rapid.T) {
				revisions := []int{none, any, exists, 0, 1, 2, 3, len(m.ids) - 1, len(m.ids) - 2}
				expected := rapid.SampledFrom(revisions).Draw(r, "expected")
				if expected < -2 && expected != exists {
					r.Skip("no revision")
				}
				n := rapid.IntRange(1, 3).Draw(r, "events")
				first := rapid.IntRange(0, 8).Draw(r, "first")
				list := events(n)
				var ids []uuid.UUID
				for i := range list {
					list[i].EventID = uuid.NewSHA1(uuid.Nil, fmt.Append(nil, name, first+i))
					ids = append(ids, list[i].EventID)
				}
				want := m.append(expected, ids)
				options := esdb.AppendToStreamOptions{ExpectedRevision: expectedOf(expected)}
				res, err := client.AppendToStream(t.Context(), name, options, list...)
				got := outcome{code: code(err)}
				if err == nil {
					got.number = res.NextExpectedVersion
				}
				if got != want {
					r.Fatalf("appending %d events at %d: %v, %v; the model has %v", n, expected, got, err, want)
				}
			},
			"delete": func(r *rapid.T) {
				_, err := client.DeleteStream(t.Context(), name, esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}})
				want := ok
				switch {
				case m.hard:
					want = isDeleted
				case len(m.ids) == 0 && !m.meta:
					want = esdb.ErrorCodeUnknown
				default:
					m.soft, m.meta = true, true
				}
				if code(err) != want {
					r.Fatalf("deleting: %v; the model has the code %d", err, want)
				}
			},
			"tombstone": func(r *rapid.T) {
				if rapid.IntRange(0, 9).Draw(r, "rarely") > 0 {
					r.Skip("not now")
				}
				_, err := client.TombstoneStream(t.Context(), name, esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}})
				if (err != nil) != m.hard {
					r.Fatalf("burying: %v", err)
				}
				m.hard = true
			},
			"": func(r *rapid.T) {
				list, err := drain(client.ReadStream(t.Context(), name, esdb.ReadStreamOptions{}, 1000))
				var got []uuid.UUID
				for _, e := range list {
					got = append(got, e.Event.EventID)
				}
				want, wantCode := m.ids[m.hide:], ok
				switch {
				case m.hard:
					want, wantCode = nil, isDeleted
				case len(m.ids) == 0 || m.soft:
					want, wantCode = nil, esdb.ErrorCodeResourceNotFound
				}
				if code(err) != wantCode || !slices.Equal(got, want) {
					r.Fatalf("it reads %v, %v; the model has %v", got, err, want)
				}
			},
		})
	})
}
