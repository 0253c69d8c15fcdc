package chain_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

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

func (h *harness) dies(after int64, fault storetest.Fault, two bool) {
	var left atomic.Int64 // writes before the death; nothing is written after it
	left.Store(1 << 40)
	write := func() storetest.Fault {
		switch n := left.Add(-1); {
		case n > 0:
			return storetest.None
		case n == 0:
			return fault
		}
		return storetest.Lost
	}
	kept := new(storetest.Memory)
	h.read(kept, write)
	h.store.OnAppend, h.twoWatchers = write, two
	h.start()
	h.order("order-9", "vm-9", 1)
	before := len(wholelog.Types(h.t, h.store))
	left.Store(after + 1)
	a := h.pays("order-9", 500)
	if n := len(wholelog.Types(h.t, h.store)); n != before {
		h.t.Errorf("%d events before a block holds it", n-before)
	}
	h.change(func() { h.wallet.mine() })
	restart := func() {
		h.stop()
		left.Store(1 << 40)
		h.read(kept, write)
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
	credits := 0
	for _, line := range wholelog.Types(h.t, h.store) {
		if strings.HasPrefix(line, "resource-vm-9 resource.credited") {
			credits++
		}
	}
	if credits != 1 {
		h.t.Errorf("%d credits", credits)
	}
}
