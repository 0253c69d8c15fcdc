package chain_test

import (
	"fmt"
	"testing"

	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
)

// wantLittle checks that an output is unallocated for being too little, with what it was for.
func (h *harness) wantLittle(a tx, id resource.ID) {
	h.t.Helper()
	p := h.state(a, 0)
	if p.Status != payment.StatusUnallocated || p.Reason != payment.ReasonTooLittle || p.Resource != id {
		h.t.Errorf("it is %s: %s for %q", p.Status, p.Reason, p.Resource)
	}
}

// Less than its plan sells opens no order and is on its way to nothing. The operator may give it,
// once the order is open.
func TestAnOrderIsOpenedByWhatItsPlanSells(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.least = 60 * money.Sat
		h.order("order-9", "vm-9", 1)
		h.start()
		a := h.pays("order-9", 59)
		if shown := h.Unlogged("vm-9"); len(shown) != 1 || shown[0].Coming() || shown[0].Order == nil {
			t.Errorf("shown are %+v", shown)
		}
		h.change(func() { h.wallet.mine() })
		h.want(a, payment.StatusConfirmed)
		if _, ok := h.Pending("vm-9"); ok {
			t.Error("it is on its way to vm-9")
		}
		h.blocks(2)
		h.wantLittle(a, "vm-9")
		if s := h.resource("vm-9"); s.Status != resource.StatusNone {
			t.Errorf("vm-9 is %s", s.Status)
		}
		b := h.pays("order-9", 60)
		h.change(func() { h.wallet.mine() })
		h.blocks(2)
		h.want(b, payment.StatusCredited)
		h.credited("vm-9", 60)
		h.wantLittle(a, "vm-9")
		_, err := h.booker.Allocate(t.Context(), stream.Meta{}, payment.ChainKey(a.id, 0), "vm-9")
		h.want(a, payment.StatusCredited)
		if h.credited("vm-9", 119); err != nil {
			t.Error(err)
		}
	})
}

// A resource takes no less either, and is not held by it. What an invoice of it asks for is never
// too little, whatever the plan sells since.
func TestAResourceIsPaidByWhatItsPlanSells(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.least = 60 * money.Sat
		h.start()
		a := h.pays("addr-1", 59)
		if _, ok := h.Pending("vm-1"); ok {
			t.Error("it is on its way to vm-1")
		}
		asked := &request.Record{Key: "ln-00", Request: payment.Request{
			At: now(), Resource: "vm-2", Amount: 50 * money.Sat, Price: money.Price{Msat: 1000, Per: 1000}, Invoice: "lnbc1",
		}}
		if err := h.requests.Keep(t.Context(), asked); err != nil {
			t.Fatal(err)
		}
		b, c := h.pays("addr-2", 50), h.pays("addr-2", 49)
		h.change(func() { h.wallet.mine() })
		h.blocks(2)
		h.wantLittle(a, "vm-1")
		h.wantLittle(c, "vm-2")
		h.want(b, payment.StatusCredited)
		h.credited("vm-1", 0)
		h.credited("vm-2", 50)
	})
}

// What was too little at first stays so: through another plan, and from one block to another. What
// an operator gave away goes where he gave it, again.
func TestTooLittleOnTheChainIsDecidedOnce(t *testing.T) {
	for _, given := range []bool{false, true} {
		t.Run(fmt.Sprintf("given to a resource: %t", given), func(t *testing.T) {
			onChain(t, func(t *testing.T, h *harness) {
				h.least = 60 * money.Sat
				h.start()
				a := h.pays("addr-1", 59)
				h.change(func() { h.wallet.mine() })
				h.least = 1
				h.blocks(2)
				h.wantLittle(a, "vm-1")
				if given {
					if _, err := h.booker.Allocate(t.Context(), stream.Meta{}, payment.ChainKey(a.id, 0), "vm-2"); err != nil {
						t.Fatal(err)
					}
				}
				h.change(func() {
					h.wallet.cut(3, false)
					for range 4 {
						h.wallet.mineEmpty()
					}
				})
				h.want(a, payment.StatusReorged)
				h.change(func() { h.wallet.mine() })
				h.blocks(2)
				if given {
					h.want(a, payment.StatusCredited)
					h.credited("vm-2", 59)
				} else {
					h.wantLittle(a, "vm-1")
				}
				h.credited("vm-1", 0)
			})
		})
	}
}

// A daemon dies at each write of what is too little, with the write lost, and kept. The plan sells
// less when it starts again: what was written by then stands.
func TestDeathsOnTheWayOfTooLittle(t *testing.T) {
	for after := range 4 {
		for _, fault := range []storetest.Fault{storetest.Lost, storetest.AnswerLost} {
			t.Run(fmt.Sprint(after, fault), func(t *testing.T) {
				onChain(t, func(t *testing.T, h *harness) { h.diesOfLittle(int64(after), fault) })
			})
		}
	}
}

func (h *harness) diesOfLittle(after int64, fault storetest.Fault) {
	fate, kept := alive(fault), new(storetest.Memory)
	h.read(kept, fate.write)
	h.store.OnAppend, h.least = fate.write, 60*money.Sat
	h.start()
	h.order("order-9", "vm-9", 1)
	fate.after.Store(after + 1)
	a := h.pays("order-9", 59)
	h.change(func() { h.wallet.mine() })
	h.blocks(3)
	h.stop()
	fate.after.Store(1 << 40)
	written := h.state(a, 0).Status != payment.StatusNone
	if written {
		h.least = 1
	}
	h.read(kept, fate.write)
	h.start()
	h.blocks(12)
	h.wantLittle(a, "vm-9")
	if written != (after > 0 || fault == storetest.AnswerLost) {
		h.t.Errorf("its first event was written: %t", written)
	}
	if s := h.resource("vm-9"); s.Status != resource.StatusNone || len(kept.Names()) != 1 {
		h.t.Errorf("vm-9 is %s, kept are %v", s.Status, kept.Names())
	}
}
