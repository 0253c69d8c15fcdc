package chain_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"sandglass/domain/address"
	"sandglass/domain/chain"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/watch"
)

// Where no address is given out, the wallet is asked nothing until there is one, as another
// daemon of the log may issue, or give to an order; from then on all is as ever.
func TestOnlyWhatWasIssuedIsWatched(t *testing.T) {
	t.Run("in the log", func(t *testing.T) { watchesWhatWasIssued(t, "addr-1", "vm-1") })
	t.Run("to an order", func(t *testing.T) { watchesWhatWasIssued(t, "order-1", "vm-9") })
}

func watchesWhatWasIssued(t *testing.T, addr string, id resource.ID) {
	onChain(t, func(t *testing.T, h *harness) {
		h.wallet.refuse = errors.New("lnd has no chainrpc")
		var issued atomic.Bool
		w, err := chain.New(chain.Config{
			Wallet: h.wallet, Booker: h.booker, Issued: h.issued,
			Lowest:  func() (int64, bool) { return h.height, issued.Load() },
			Waiting: h.waiting, Required: func(*payment.State, money.Msat) int { return 3 },
			Opening:  h.opening(h.booker, h.requests),
			Observer: chainObserver{h}, Now: now, OnlyIssued: true,
			Requests: h.requests, Addresses: &address.Handler{Aggregate: address.Aggregate(), Store: h.store},
		})
		if err != nil {
			t.Fatal(err)
		}
		h.Watcher = w
		done := make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { done <- w.Run(ctx) }()
		h.stop = func() { cancel(); <-done; h.stop = func() {} }
		h.pass(time.Hour)
		if n := h.signs(watch.SignReconnect); n != 0 || !h.isSwept() {
			t.Errorf("the wallet was asked %d times; swept: %t", n, h.isSwept())
		}
		h.wallet.do(func() { h.wallet.refuse = nil })
		if addr == "addr-1" {
			issued.Store(true)
		} else {
			h.order(addr, id, 1)
		}
		h.pays(addr, 500)
		h.change(func() { h.wallet.mine() })
		h.blocks(4)
		h.credited(id, 500)
		h.change(func() { h.wallet.cut(5, true) })
		h.blocks(6)
		h.credited(id, 0)
	})
}
