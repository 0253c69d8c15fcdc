package chain_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/testutil/storetest"
	"sandglass/testutil/wholelog"
)

// read gives the harness the requests that a daemon reads anew when it starts.
func (h *harness) read(kept request.Store, onForget func() storetest.Fault) {
	h.t.Helper()
	h.requests = request.New(request.Options{
		Store: &storetest.FaultyRequests{Store: kept, OnForget: onForget}, Now: now, Most: 10,
	})
	ctx, cancel := context.WithCancel(h.t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = h.requests.Run(ctx) })
	h.t.Cleanup(func() { cancel(); running.Wait() })
	<-h.requests.CaughtUp()
}

// TestDeathsFromAddressToCredit kills a daemon at each write from the address of an order to its
// credit: of its address, its output in a block, its resource, its end, and where it forgets the
// request; with the last write lost, and kept. What dies starts again, beside another or not.
func TestDeathsFromAddressToCredit(t *testing.T) {
	for after := range 8 {
		for _, fault := range []storetest.Fault{storetest.Lost, storetest.AnswerLost} {
			for _, two := range []bool{false, true} {
				t.Run(fmt.Sprint(after, fault, two), func(t *testing.T) {
					onChain(t, func(t *testing.T, h *harness) { h.dies(int64(after), fault, two) })
				})
			}
		}
	}
}

// death is a daemon's: it comes with a fault, after so many writes, and nothing is written after.
type death struct {
	after atomic.Int64 // writes that are left; below 0 it is dead
	fault storetest.Fault
}

// alive returns a death that does not come yet.
func alive(fault storetest.Fault) *death {
	d := &death{fault: fault}
	d.after.Store(1 << 40)
	return d
}

func (d *death) write() storetest.Fault {
	switch left := d.after.Add(-1); {
	case left > 0:
		return storetest.None
	case left == 0:
		return d.fault
	}
	return storetest.Lost
}

func (h *harness) dies(after int64, fault storetest.Fault, two bool) {
	fate := alive(fault)
	kept := new(storetest.Memory)
	h.read(kept, fate.write)
	h.store.OnAppend, h.twoWatchers = fate.write, two
	h.start()
	h.order("order-9", "vm-9", 1)
	before := len(wholelog.Types(h.t, h.store))
	fate.after.Store(after + 1)
	a := h.pays("order-9", 500)
	if n := len(wholelog.Types(h.t, h.store)); n != before {
		h.t.Errorf("%d events before a block holds it", n-before)
	}
	h.change(func() { h.wallet.mine() })
	restart := func() {
		h.stop()
		fate.after.Store(1 << 40)
		h.read(kept, fate.write)
		h.start()
		h.blocks(1)
	}
	if after < 3 {
		restart()
	}
	h.blocks(3)
	restart()
	h.blocks(12)
	h.want(a, payment.StatusCredited)
	if s := h.resource("vm-9"); s.Status != resource.StatusRunning || len(s.Lots) != 1 || s.Holder[0] != 1 {
		h.t.Errorf("it is %+v", s)
	}
	h.credited("vm-9", 500)
	if h.logged("order-9").Resource != "vm-9" || len(kept.Names()) != 0 {
		h.t.Errorf("its address is not in the log, or its request is kept on: %v", kept.Names())
	}
	if n := h.credits("vm-9"); n != 1 {
		h.t.Errorf("%d credits", n)
	}
}

// credits returns how many a resource has.
func (h *harness) credits(id resource.ID) (n int) {
	for _, line := range wholelog.Types(h.t, h.store) {
		if strings.HasPrefix(line, resource.Prefix+string(id)+" resource.credited") {
			n++
		}
	}
	return n
}

// TestTheAddressOfAnOrderOutlivesItsRequest kills a daemon where it logs the address of an order
// that was paid in another way, and forgets its request: what pays the address is never missed.
func TestTheAddressOfAnOrderOutlivesItsRequest(t *testing.T) {
	for after := range 4 {
		for _, fault := range []storetest.Fault{storetest.Lost, storetest.AnswerLost} {
			t.Run(fmt.Sprint(after, fault), func(t *testing.T) {
				onChain(t, func(t *testing.T, h *harness) {
					kept, fate := new(storetest.Memory), alive(fault)
					h.read(kept, fate.write)
					h.store.OnAppend = fate.write
					r := h.order("order-9", "vm-9", 1)
					h.executeOnResource("vm-9", resource.Open{When: resource.When{At: now()}, Order: *r.Order})
					fate.after.Store(int64(after) + 1)
					h.start() // a full sweep
					h.pass(time.Minute)
					h.stop()
					fate.after.Store(1 << 40)
					h.read(kept, fate.write)
					h.start()
					a := h.pays("order-9", 700)
					h.change(func() { h.wallet.mine() })
					h.blocks(2)
					h.want(a, payment.StatusCredited)
					h.credited("vm-9", 700)
					if len(kept.Names()) != 0 || h.credits("vm-9") != 1 {
						t.Errorf("kept are %v, there are %d credits", kept.Names(), h.credits("vm-9"))
					}
				})
			})
		}
	}
}
