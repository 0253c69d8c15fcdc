package address_test

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"sandglass/domain/address"
	"sandglass/domain/stream"
)

func TestAnAddressServesOneResource(t *testing.T) {
	issue := func(resource string) address.Issue {
		return address.Issue{Issued: address.Issued{At: 5, Resource: resource, Node: "02aa", Height: 700}}
	}
	fresh := address.New("bcrt1qxyz")
	events, err := address.Decide(fresh, issue("vm-1"))
	if err != nil || len(events) != 1 {
		t.Fatalf("%v, %v", events, err)
	}
	s := address.Evolve(fresh, events[0])
	if again, err := address.Decide(s, issue("vm-1")); err != nil || len(again) != 0 || s.Resource != "vm-1" || !s.Known() {
		t.Errorf("again: %v, %v, %+v", again, err, s)
	}
	if _, err := address.Decide(s, issue("vm-2")); !errors.Is(err, address.ErrConflict) {
		t.Errorf("for another resource: %v", err)
	}
	if _, err := address.Decide(fresh, issue("")); !errors.Is(err, address.ErrInvalid) {
		t.Errorf("for none: %v", err)
	}
}

// The file is what was written once, and is never changed: logs hold such events.
func TestGoldenFile(t *testing.T) {
	data, err := os.ReadFile("testdata/address.issued.v1.json")
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.TrimSpace(data)
	e, err := address.Decode(&stream.Record{Event: stream.Event{Type: "address.issued.v1", At: 5, Data: data}})
	if err != nil {
		t.Fatal(err)
	}
	if want := (address.Issued{At: 5, Resource: "vm-1", Node: "02aa", Height: 840_000}); *e.(*address.Issued) != want {
		t.Errorf("got %+v", e)
	}
	if again := address.Encode(e); !bytes.Equal(again.Data, data) || again.Type != "address.issued.v1" {
		t.Errorf("it would be written as %s %s", again.Type, again.Data)
	}
	if _, err := address.Decode(&stream.Record{Event: stream.Event{Type: "address.issued.v2", Data: data}}); err == nil {
		t.Error("a version that is not known is read")
	}
}
