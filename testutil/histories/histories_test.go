package histories_test

import (
	"fmt"
	"slices"
	"testing"

	"sandglass/domain/stream"
	"sandglass/testutil/histories"
	"sandglass/testutil/storetest"
)

// kinds are all events that a history of some length must have in it.
var kinds = []string{
	"payment.allocated.v1", "payment.credited.v1", "payment.expired.v1", "payment.requested.v2",
	"payment.accepted.v1", "payment.canceled.v1",
	"payment.settled.v2", "payment.unallocated.v1", "payment.seen.v2", "payment.confirmed.v1", "payment.reorged.v1",
	"payment.replaced.v1", "payment.finalized.v1", "resource.held.v1", "plan.published.v1", "plan.withdrawn.v1",
	"resource.credited.v2", "resource.debited.v1", "resource.exhausted.v1", "resource.granted.v1",
	"resource.opened.v1", "resource.paused.v1", "resource.recovered.v1", "resource.released.v1",
	"resource.repriced.v1", "resource.reversed.v1", "resource.started.v1", "resource.warned.v1", "wallet.swept.v2",
	"wallet.adopted.v1", "wallet.retired.v1", "wallet.returned.v1",
}

func TestEverythingHappens(t *testing.T) {
	for seed := range uint64(5) {
		w := histories.New(seed, 30)
		count := map[string]int{}
		for range 5000 {
			for _, a := range w.Step() {
				if err := stream.Check(a.Stream, a.Expected, a.Events); err != nil {
					t.Fatal(err)
				}
				for _, e := range a.Events {
					count[e.Type]++
				}
			}
		}
		for _, kind := range kinds {
			if count[kind] == 0 {
				t.Errorf("seed %d: no %s", seed, kind)
			}
		}
	}
}

func TestOneSeedOneHistory(t *testing.T) {
	a, b := histories.New(1, 10), histories.New(1, 10)
	for range 500 {
		if x, y := fmt.Sprint(a.Step()), fmt.Sprint(b.Step()); x != y {
			t.Fatalf("%s\nand\n%s", x, y)
		}
	}
}

// TestFill writes the streams that Dull tells of, whatever their order.
func TestFill(t *testing.T) {
	store, _ := storetest.SQLite(t)
	if err := histories.Fill(t.Context(), store, 50, 3000, 1); err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{}
	n := 0
	for apps := range histories.Dull(50, 3000, 1) {
		for _, a := range apps {
			for _, e := range a.Events {
				want[a.Stream] = append(want[a.Stream], e.ID.String())
				n++
			}
		}
	}
	if n < 3000 || n > 3010 {
		t.Errorf("%d events, want about 3000", n)
	}
	for name, ids := range want {
		var got []string
		for rec, err := range store.Read(t.Context(), name, 0) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, rec.ID.String())
		}
		if !slices.Equal(got, ids) {
			t.Errorf("%s: %d events, want %d", name, len(got), len(ids))
		}
	}
	if err := histories.Fill(t.Context(), store, 50, 3000, 2); err != nil {
		t.Error(err)
	}
}
