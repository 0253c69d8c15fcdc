package proof_test

import (
	"bytes"
	"errors"
	"testing"

	"sandglass/domain/proof"
	"sandglass/domain/stream"
)

func formOf() (stream.Record, []byte) {
	r := stream.Record{
		Event: stream.Event{
			ID: stream.EventID{1, 2, 3}, Type: "toy.played.v1", At: -5, Data: []byte(`{"a":1}`), Meta: []byte{},
		},
		Stream: "toy-1", Revision: 7, RecordedAt: 1_795_000_000_000,
	}
	return r, proof.AppendForm(nil, &r, r.RecordedAt)
}

func TestAFormIsOfOneRecord(t *testing.T) {
	want, form := formOf()
	got, err := proof.ParseForm(form)
	if err != nil || got.ID != want.ID || got.Stream != want.Stream || got.Revision != want.Revision || got.Type != want.Type ||
		got.At != want.At || got.RecordedAt != want.RecordedAt || !bytes.Equal(got.Data, want.Data) || len(got.Meta) != 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	for n := range form {
		if r, err := proof.ParseForm(form[:n]); !errors.Is(err, proof.ErrForm) {
			t.Fatalf("its first %d bytes are %+v, %v", n, r, err)
		}
	}
	for what, b := range map[string][]byte{
		"one more byte": append(bytes.Clone(form), 0),
		"nothing":       nil,
		"too long":      append(bytes.Clone(form), make([]byte, proof.MaxForm)...),
	} {
		if r, err := proof.ParseForm(b); !errors.Is(err, proof.ErrForm) {
			t.Errorf("%s is %+v, %v", what, r, err)
		}
	}
}

func FuzzParseForm(f *testing.F) {
	_, form := formOf()
	f.Add(form)
	f.Add(form[:40])
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := proof.ParseForm(b)
		if err != nil {
			return
		}
		if again := proof.AppendForm(nil, &r, r.RecordedAt); !bytes.Equal(again, b) {
			t.Errorf("%x is written as %x", b, again)
		}
	})
}
