package chain_test

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"testing"
	"time"

	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/domain/watch"
)

// broken is a store in which one stream can't be read, until it is mended.
type broken struct {
	stream.EventStore
	name   string
	mended atomic.Bool
}

func (b *broken) Read(ctx context.Context, name string, from stream.Revision) iter.Seq2[stream.Record, error] {
	if name != b.name || b.mended.Load() {
		return b.EventStore.Read(ctx, name, from)
	}
	return func(yield func(stream.Record, error) bool) {
		yield(stream.Record{}, errors.New("an event of a newer build"))
	}
}

// What lasts of one resource, or of a payment to it, is no one else's: the others are credited
// and may be released, and it is not. Once it is mended all that came meanwhile is found.
func TestAnErrorOfOneResourceStopsNoOther(t *testing.T) {
	for _, what := range []string{"its resource", "its payment"} {
		t.Run(what, func(t *testing.T) {
			onChain(t, func(t *testing.T, h *harness) {
				a, b := h.pays("addr-1", 500), h.pays("addr-2", 600)
				name := resource.Prefix + "vm-1"
				if what == "its payment" {
					name = payment.Prefix + string(payment.ChainKey(a.id, 0))
				}
				store := &broken{EventStore: h.store.EventStore, name: name}
				h.store.EventStore = store
				h.start()
				h.change(func() { h.wallet.mine() })
				h.blocks(30) // far more than are looked back
				h.want(b, payment.StatusCredited)
				h.credited("vm-2", 600)
				key, held := h.Pending("vm-1")
				if key != payment.ChainKey(a.id, 0) || !held || !h.isSwept() || h.Health().Condition != watch.Ready {
					t.Errorf("held: %t; swept: %t, health %+v", held, h.isSwept(), h.Health())
				}
				if h.signs(watch.SignRetry) == 0 {
					t.Error("nobody was told")
				}
				store.mended.Store(true)
				h.pass(3 * time.Minute)
				h.want(a, payment.StatusCredited)
				h.credited("vm-1", 500)
			})
		})
	}
}
