package unlogged_test

import (
	"slices"
	"testing"

	"sandglass/domain/chain/unlogged"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
)

func TestWhoseAreShownOtherwise(t *testing.T) {
	var p unlogged.Payments
	a, b := payment.State{Key: "a", Resource: "vm-1"}, payment.State{Key: "b", Resource: "vm-1"}
	c := payment.State{Key: "c", Resource: "vm-2"}
	for _, step := range []struct {
		list    []payment.State
		changed []resource.ID
	}{
		{nil, nil},
		{[]payment.State{a, c}, []resource.ID{"vm-1", "vm-2"}},
		{[]payment.State{a, c}, nil},
		{[]payment.State{a, b, c}, []resource.ID{"vm-1"}},
		{[]payment.State{a, b}, []resource.ID{"vm-2"}},
		{nil, []resource.ID{"vm-1"}},
	} {
		changed := p.SetUnlogged(step.list)
		if slices.Sort(changed); !slices.Equal(changed, step.changed) {
			t.Errorf("with %d the changed are %s, want %s", len(step.list), changed, step.changed)
		}
		for _, s := range []payment.State{a, b, c} {
			has := slices.ContainsFunc(step.list, func(of payment.State) bool { return of.Key == s.Key })
			if _, ok := p.UnloggedPayment(s.Key); ok != has {
				t.Errorf("%s is shown: %t", s.Key, ok)
			}
		}
		if got := len(p.Unlogged("vm-1")) + len(p.Unlogged("vm-2")); got != len(step.list) {
			t.Errorf("%d are shown by their resource, want %d", got, len(step.list))
		}
	}
}
