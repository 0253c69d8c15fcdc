package stream_test

import (
	"testing"

	"sandglass/domain/codec"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
	"sandglass/testutil/wholelog"
)

// TestEachEventHasASalt appends one event, and then many at once: each has a salt that no other has, and
// that nobody chose.
func TestEachEventHasASalt(t *testing.T) {
	store, _ := storetest.SQLite(t)
	h := handler(store)
	chosen := stream.Meta{Actor: "operator", Salt: [16]byte{1, 2, 3}}
	if _, err := h.Execute(t.Context(), "1", chosen, add{"a", 1}); err != nil {
		t.Fatal(err)
	}
	h.Decide = func(jar, command) (many []event, err error) {
		for range stream.MaxAppend {
			many = append(many, &emptied{stream.At{At: noon}})
		}
		return many, nil
	}
	if _, err := h.Execute(t.Context(), "1", chosen, nil); err != nil {
		t.Fatal(err)
	}
	seen := map[[16]byte]bool{{}: true, chosen.Salt: true}
	for r := range wholelog.Records(t, store) {
		m, err := r.Metadata()
		if err != nil || m.Actor != "operator" || !r.Salted() || seen[m.Salt] {
			t.Errorf("revision %d: %s, %v", r.Revision, r.Meta, err)
		}
		seen[m.Salt] = true
	}
	if len(seen) != 2+1+stream.MaxAppend {
		t.Errorf("%d salts", len(seen))
	}
}

// TestARetryHasAnotherSalt executes again what was kept without an answer: it is the same append, and what
// was kept stays.
func TestARetryHasAnotherSalt(t *testing.T) {
	store, _ := storetest.SQLite(t)
	told := func() *stream.Handler[string, jar, command, event] {
		h := handler(&storetest.Faulty{EventStore: store, OnAppend: storetest.Faults(storetest.AnswerLost)})
		h.Facts = true
		return h
	}
	if _, err := told().Execute(t.Context(), "1", meta, add{"a", 1}); err == nil {
		t.Fatal("no fault")
	}
	var first []stream.Record
	for r := range wholelog.Records(t, store) {
		first = append(first, r)
	}
	h := told()
	h.Store = store
	h.Warm = func(string) (jar, stream.Revision, bool) { return newJar(""), stream.NoStream, true } // it knows nothing of that
	if out, err := h.Execute(t.Context(), "1", meta, add{"a", 1}); err != nil || out.Events != 1 || out.Last != first[0].ID {
		t.Errorf("%+v, %v", out, err)
	}
	n := 0
	for r := range wholelog.Records(t, store) {
		if n++; string(r.Meta) != string(first[0].Meta) || !r.Salted() {
			t.Errorf("it is %s, and was %s", r.Meta, first[0].Meta)
		}
	}
	if n != 1 || len(first) != 1 {
		t.Errorf("%d events, and %d", len(first), n)
	}
}

// TestSalted: what has no salt is never taken for what has one, whatever else it says.
func TestSalted(t *testing.T) {
	of := func(m stream.Meta) string { return string(codec.Encode(&m)) }
	salt := [16]byte{15: 1}
	for meta, want := range map[string]bool{
		"":                            false,
		of(stream.Meta{}):             false,
		of(stream.Meta{Actor: "any"}): false,
		of(stream.Meta{Actor: `x","salt":"00112233445566778899aabbccddeeff`}):                       false,
		`{"salt":"00112233445566778899aabbccddeef"}`:                                                false,
		`{"salt":"00112233445566778899aabbccddeeff`:                                                 false,
		of(stream.Meta{Salt: salt}):                                                                 true,
		of(stream.Meta{Salt: salt, Actor: "holder", Correlation: "c-1", Build: "sandglass v1.2.3"}): true,
	} {
		if r := (stream.Record{Event: stream.Event{Meta: []byte(meta)}}); r.Salted() != want {
			t.Errorf("%s: %v", meta, !want)
		}
	}
}
