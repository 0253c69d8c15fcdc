package lightning_test

import (
	"testing"

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
