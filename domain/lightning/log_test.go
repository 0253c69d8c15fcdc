package lightning_test

import (
	"fmt"
	"strings"
	"testing"

	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// booker returns a booker on a store.
func booker(store stream.EventStore) *payment.Booker {
	return &payment.Booker{
		Payments:  &payment.Handler{Aggregate: payment.Aggregate(), Store: store},
		Resources: &resource.Handler{Aggregate: resource.Aggregate(), Store: store},
		Now:       now,
	}
}

func load(t *testing.T, b *payment.Booker, id resource.ID) resource.State {
	t.Helper()
	out, err := b.Resources.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return out.State
}

// wrote returns the stream and the type of every event in the log.
func wrote(t *testing.T, store stream.EventStore) (lines []string) {
	t.Helper()
	head, err := store.Head(t.Context())
	if err != nil || head == 0 {
		return nil
	}
	for recs, err := range store.Subscribe(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range recs {
			lines = append(lines, r.Stream+" "+r.Type)
			if r.Position == head {
				return lines
			}
		}
	}
	return lines
}

// audit folds the whole log: every payment that settled has one credit, and its end.
func audit(t *testing.T, store stream.EventStore, b *payment.Booker, want money.Msat) {
	t.Helper()
	count := map[string]int{}
	for _, line := range wrote(t, store) {
		count[line]++
	}
	var sum money.Msat
	ids := map[resource.ID]bool{}
	for line, n := range count {
		var name, kind string
		if _, err := fmt.Sscan(line, &name, &kind); err != nil {
			t.Fatal(err)
		}
		if kind == "payment.settled.v1" && (n != 1 || count[name+" payment.credited.v1"] != 1) {
			t.Errorf("%s: settled %d times, credited %d times", name, n, count[name+" payment.credited.v1"])
		}
		if rest, ok := strings.CutPrefix(name, resource.Prefix); ok && !ids[resource.ID(rest)] {
			id := resource.ID(rest)
			ids[id] = true
			s := load(t, b, id)
			sum += s.Credited
			if money.Msat(len(s.Lots))*500 != s.Credited {
				t.Errorf("%s has %d lots of %s", id, len(s.Lots), s.Credited)
			}
		}
	}
	if sum != want {
		t.Errorf("%s credited in all, want %s", sum, want)
	}
}
