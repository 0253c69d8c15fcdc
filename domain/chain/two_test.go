package chain_test

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"sandglass/domain/address"
	"sandglass/domain/chain"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/testutil/storetest"
)

// late is a store of requests whose news come once they are let through.
type late struct {
	request.Store
	through chan struct{}
}

func (l *late) Follow(ctx context.Context) iter.Seq2[[]*request.Record, error] {
	return func(yield func([]*request.Record, error) bool) {
		began := false
		for run, err := range l.Store.Follow(ctx) {
			if began && err == nil {
				select {
				case <-l.through:
				case <-ctx.Done():
				}
			}
			if began = began || len(run) == 0; !yield(run, err) {
				return
			}
		}
	}
}

// peer is one of several daemons on one log, one wallet and one store of requests.
type peer struct {
	requests *request.Set
	stop     func()
}

// join starts a daemon. One that does not watch gives out addresses only.
func (h *harness) join(kept request.Store, fate *death, watches bool) *peer {
	h.t.Helper()
	store := &storetest.Faulty{EventStore: h.store.EventStore, OnAppend: fate.write}
	p := &peer{requests: request.New(request.Options{
		Store: &storetest.FaultyRequests{Store: kept, OnForget: fate.write}, Now: now, Most: 10,
	})}
	conf := h.config()
	conf.Booker, conf.Requests = newBooker(store), p.requests
	conf.Opening = h.opening(conf.Booker, p.requests)
	conf.Addresses = &address.Handler{Aggregate: address.Aggregate(), Store: store}
	w, err := chain.New(conf)
	if err != nil {
		h.t.Fatal(err)
	}
	conf.Opening.Unlogged = w.Unlogged
	ctx, cancel := context.WithCancel(h.t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = p.requests.Run(ctx) })
	<-p.requests.CaughtUp()
	if watches {
		running.Go(func() { _ = w.Run(ctx) })
	}
	p.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	h.t.Cleanup(p.stop)
	h.pass(time.Second)
	return p
}

// TestTheAddressOfAnotherDaemon pays an address that one daemon gave out while another watches
// too, or alone, and hears of the order sooner or later: before the money, while that is in no
// block, after the first block, and when it is deep enough. One of them dies at each write. What
// pays the order opens it, and is credited once.
func TestTheAddressOfAnotherDaemon(t *testing.T) {
	for after := range 9 {
		for _, fault := range []storetest.Fault{storetest.Lost, storetest.AnswerLost} {
			for lag := range 4 {
				for _, dies := range []string{"the giver", "the other", "the other, alone"} {
					t.Run(fmt.Sprint(after, fault, " ", lag, " ", dies), func(t *testing.T) {
						onChain(t, func(t *testing.T, h *harness) { h.anothers(int64(after), fault, lag, dies) })
					})
				}
			}
		}
	}
}

func (h *harness) anothers(after int64, fault storetest.Fault, lag int, dies string) {
	kept := new(storetest.Memory)
	fates := []*death{alive(fault), alive(fault)}
	slow := &late{Store: kept, through: make(chan struct{})}
	giver := h.join(kept, fates[0], dies != "the other, alone")
	other := h.join(slow, fates[1], true)
	hears := func(at int) {
		if at == lag {
			close(slow.through)
			h.pass(time.Second)
		}
	}
	h.requests = giver.requests
	h.order("order-9", "vm-9", 1)
	dying := fates[0]
	if dies != "the giver" {
		dying = fates[1]
	}
	dying.after.Store(after + 1)
	hears(0)
	a := h.pays("order-9", 500)
	hears(1)
	h.change(func() { h.wallet.mine() })
	hears(2)
	h.blocks(3)
	hears(3)
	h.blocks(1)
	giver.stop()
	other.stop()
	giver, other = h.join(kept, alive(0), true), h.join(kept, alive(0), true)
	h.blocks(12)
	h.want(a, payment.StatusCredited)
	h.credited("vm-9", 500)
	if s := h.resource("vm-9"); s.Status != resource.StatusRunning || s.Holder[0] != 1 || h.credits("vm-9") != 1 {
		h.t.Errorf("it is %s, of %d, with %d credits", s.Status, s.Holder[0], h.credits("vm-9"))
	}
	if h.logged("order-9").Resource != "vm-9" || len(kept.Names()) != 0 {
		h.t.Errorf("its address is not in the log, or its request is kept on: %v", kept.Names())
	}
	giver.stop()
	other.stop()
}
