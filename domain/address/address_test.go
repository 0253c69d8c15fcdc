package address_test

import (
	"errors"
	"testing"

	"sandglass/domain/address"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/testutil/golden"
)

func TestAnAddressServesOneResource(t *testing.T) {
	issue := func(id resource.ID) address.Issue {
		return address.Issue{At: 5, Resource: id, Node: "02aa", Height: 700}
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

func TestGoldenFile(t *testing.T) {
	c := golden.Codec[address.Event]{Decode: address.Decode}
	c.Check(t, &address.Issued{At: stream.At{At: 5}, Resource: "vm-1", Node: "02aa", Height: 840_000})
	c.Refuses(t, "address.issued.v2", "{}")
}
