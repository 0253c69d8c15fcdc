package chain_test

import (
	"testing"
	"time"

	"sandglass/domain/address"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
)

// order gives out an address for an order, of a holder.
func (h *harness) order(addr string, id resource.ID, holder byte) *request.Record {
	h.t.Helper()
	price := money.Price{Msat: 1000, Per: 1000}
	r := &request.Record{
		Address: addr, Height: h.height, Node: node,
		Request: payment.Request{At: now(), Resource: id, Price: price, Order: &resource.Order{
			Plan: "small", Holder: [16]byte{holder}, Terms: resource.Terms{Price: price, Grace: 4 * instant.Day},
		}},
	}
	if err := h.requests.Keep(h.t.Context(), r); err != nil {
		h.t.Fatal(err)
	}
	return r
}

func (h *harness) logged(addr string) address.State {
	h.t.Helper()
	handler := address.Handler{Aggregate: address.Aggregate(), Store: h.store}
	out, err := handler.Load(h.t.Context(), addr)
	if err != nil {
		h.t.Fatal(err)
	}
	return out.State
}

// TestWhatPaysAnOrderIsLoggedWithItsBlock pays an order on the chain. Nothing of it is in the
// log before a block holds it.
func TestWhatPaysAnOrderIsLoggedWithItsBlock(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.order("order-9", "vm-9", 1)
		changed := make(chan struct{}, 1)
		h.requests.Watch("vm-9", changed)
		h.start()
		before, _ := h.store.Head(t.Context())
		a := h.pays("order-9", 500)
		if head, _ := h.store.Head(t.Context()); head != before {
			t.Errorf("the log went from %d to %d by what no block holds", before, head)
		}
		shown := h.Unlogged("vm-9")
		if len(shown) != 1 || shown[0].Status != payment.StatusSeen || shown[0].Amount != 500*money.Sat || len(changed) != 1 {
			t.Errorf("it is shown as %+v", shown)
		}
		if p, ok := h.UnloggedPayment(payment.ChainKey(a.id, 0)); !ok || p.Resource != "vm-9" {
			t.Errorf("by its key it is %+v", p)
		}
		h.change(func() { h.wallet.mine() })
		h.want(a, payment.StatusConfirmed)
		if len(h.Unlogged("vm-9")) != 0 || h.logged("order-9").Resource != "vm-9" {
			t.Error("it is in a block, and not known by the log")
		}
		if s := h.resource("vm-9"); s.Status != resource.StatusNone {
			t.Errorf("it is %s before it is paid", s.Status)
		}
		h.blocks(2)
		h.credited("vm-9", 500)
		if s := h.resource("vm-9"); s.Status != resource.StatusRunning || s.Holder != [16]byte{1} {
			t.Errorf("it is %+v", s)
		}
		b := h.pays("order-9", 700) // from now on it is any other address of a resource
		h.want(b, payment.StatusSeen)
		if _, ok := h.requests.FindAddress("order-9"); ok {
			t.Error("the request is kept on")
		}
	})
}

// TestWhatIsNeverMinedLeavesNothing double-spends what pays an order.
func TestWhatIsNeverMinedLeavesNothing(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.order("order-9", "vm-9", 1)
		h.start()
		before, _ := h.store.Head(t.Context())
		a := h.pays("order-9", 500)
		h.change(func() { h.wallet.forgotten[a.id] = true; delete(h.wallet.mempool, a.id) })
		h.blocks(3)
		if head, _ := h.store.Head(t.Context()); head != before || len(h.Unlogged("vm-9")) != 0 {
			t.Errorf("the log went from %d to %d, shown is %+v", before, head, h.Unlogged("vm-9"))
		}
		if _, ok := h.requests.FindAddress("order-9"); !ok {
			t.Error("its address is watched no more")
		}
	})
}

// TestWhatIsOutbidIsNotShown spends twice what pays an order, while the wallet goes on listing
// it: what is spent elsewhere is shown no more, and is in no log when the order is opened.
func TestWhatIsOutbidIsNotShown(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.order("order-9", "vm-9", 1)
		h.start()
		a := h.pays("order-9", 500)
		b := tx{spends: a.spends, pays: []pay{{"order-9", 900}}}
		h.change(func() { b = h.wallet.add(b) })
		stolen := h.pays("order-9", 300)
		h.change(func() { h.wallet.mine(tx{id: "thief", spends: stolen.spends}) })
		for range 3 {
			h.pass(10 * time.Minute)
			if shown := h.Unlogged("vm-9"); len(shown) != 1 || shown[0].Key != payment.ChainKey(b.id, 0) {
				t.Errorf("shown are %+v", shown)
			}
		}
		h.change(func() { h.wallet.mine(b) })
		h.blocks(3)
		h.credited("vm-9", 900)
		h.want(b, payment.StatusCredited)
		h.want(a, payment.StatusNone)
		h.want(stolen, payment.StatusNone)
		if len(h.Unlogged("vm-9")) != 0 {
			t.Error("something is shown")
		}
	})
}

// TestAReorgBeforeAnOrderIsOpened takes the first payment of an order out of the chain: the
// second has all that opens it.
func TestAReorgBeforeAnOrderIsOpened(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.order("order-9", "vm-9", 1)
		h.start()
		a := h.pays("order-9", 500)
		h.change(func() { h.wallet.mine() })
		h.change(func() {
			h.wallet.cut(1, false)
			h.wallet.forgotten[a.id] = true
			delete(h.wallet.mempool, a.id)
			h.wallet.mineEmpty()
			h.wallet.mineEmpty()
		})
		b := h.pays("order-9", 700)
		h.change(func() { h.wallet.mine() })
		h.blocks(2)
		h.want(b, payment.StatusCredited)
		h.credited("vm-9", 700)
	})
}

// TestMoneyOnTheChainNamesAnOrder pays, late, the address of an order whose id was ordered anew,
// and that of one which was paid over Lightning.
func TestMoneyOnTheChainNamesAnOrder(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.order("order-9", "vm-9", 1)
		other := h.order("order-8", "vm-9", 2)
		h.executeOnResource("vm-9", resource.Open{When: resource.When{At: now()}, Order: *other.Order})
		h.start() // a full sweep
		if h.logged("order-8").Resource != "vm-9" || h.logged("order-9").Resource != "" {
			t.Error("the log is to know the address of the order that opened it, and no other")
		}
		a, b := h.pays("order-9", 500), h.pays("order-8", 700)
		h.want(a, payment.StatusNone)
		h.want(b, payment.StatusSeen)
		h.change(func() { h.wallet.mine() })
		h.blocks(2)
		h.want(a, payment.StatusUnallocated)
		h.want(b, payment.StatusCredited)
		h.credited("vm-9", 700)
		if p := h.state(a, 0); p.Reason != payment.ReasonOtherOrder || p.Resource != "vm-9" {
			t.Errorf("it is unallocated as %q for %q", p.Reason, p.Resource)
		}
		h.reconciles()
	})
}
