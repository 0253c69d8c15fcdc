// Package wholelog reads a log to its end, for tests of what was written to it, and holds
// what must be so of all of its payments. It asks the store alone, and folds anew: no
// projection, and none of what wrote the log, is believed.
package wholelog

import (
	"iter"
	"strings"
	"testing"

	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// Records yields all that the log holds now.
func Records(t *testing.T, store stream.EventStore) iter.Seq[stream.Record] {
	return func(yield func(stream.Record) bool) {
		t.Helper()
		head, err := store.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for r, err := range stream.Between(t.Context(), store, 0, head) {
			if err != nil {
				t.Fatal(err)
			}
			if !yield(r) {
				return
			}
		}
	}
}

// Types returns the stream and the type of every event, with a space between.
func Types(t *testing.T, store stream.EventStore) (lines []string) {
	t.Helper()
	for r := range Records(t, store) {
		lines = append(lines, r.Stream+" "+r.Type)
	}
	return lines
}

// CheckCredits holds that every payment that settled did so once, and has one credit and its
// end; that each lot of a resource is of the amount each; and that all credits come to want.
func CheckCredits(t *testing.T, store stream.EventStore, each, want money.Msat) {
	t.Helper()
	settled, credited := map[string]int{}, map[string]int{}
	resources := map[resource.ID]resource.State{}
	for r := range Records(t, store) {
		switch r.Type {
		case (*payment.Settled)(nil).Type():
			settled[r.Stream]++
		case (*payment.Credited)(nil).Type():
			credited[r.Stream]++
		}
		if id, ok := strings.CutPrefix(r.Stream, resource.Prefix); ok {
			resources[resource.ID(id)] = evolve(t, resources, resource.ID(id), &r)
		}
	}
	for name, n := range settled {
		if n != 1 || credited[name] != 1 {
			t.Errorf("%s: settled %d times, credited %d times", name, n, credited[name])
		}
	}
	var sum money.Msat
	for id, s := range resources {
		sum += s.Credited
		if money.Msat(len(s.Lots))*each != s.Credited {
			t.Errorf("%s has %d lots of %s", id, len(s.Lots), s.Credited)
		}
	}
	if sum != want {
		t.Errorf("%s credited in all, want %s", sum, want)
	}
}

// evolve returns a resource after the event of a record.
func evolve(t *testing.T, all map[resource.ID]resource.State, id resource.ID, r *stream.Record) resource.State {
	t.Helper()
	e, err := resource.Decode(r)
	if err != nil {
		t.Fatal(err)
	}
	s, ok := all[id]
	if !ok {
		s = resource.New(id)
	}
	return resource.Evolve(s, e)
}
