package chain_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/lightning"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/reconcile"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/watch"
	"sandglass/testutil/storetest"
	"sandglass/testutil/wholelog"
)

// ordersTwice gives vm-9 to a stranger's order and then, once that is over, to a customer's.
func (h *harness) ordersTwice() (strangers, customers *request.Record) {
	h.t.Helper()
	strangers = h.order("order-old", "vm-9", 1)
	h.pass(time.Hour)
	return strangers, h.order("order-new", "vm-9", 2)
}

// isCustomers checks that vm-9 is of the customer, who has paid for it, and that the stranger's
// money is the operator's to give.
func (h *harness) isCustomers(strangers, customers tx, sat int64) {
	h.t.Helper()
	h.want(customers, payment.StatusCredited)
	h.isOtherOrders(strangers)
	h.credited("vm-9", sat)
	if s := h.resource("vm-9"); s.Status != resource.StatusRunning || s.Holder[0] != 2 || h.credits("vm-9") != 1 {
		h.t.Errorf("it is %s, of %d, with %d credits", s.Status, s.Holder[0], h.credits("vm-9"))
	}
}

func (h *harness) isOtherOrders(a tx) {
	h.t.Helper()
	p := h.state(a, 0)
	if p.Status != payment.StatusUnallocated || p.Reason != payment.ReasonOtherOrder || p.Resource != "vm-9" {
		h.t.Errorf("it is %s: %s for %q", p.Status, p.Reason, p.Resource)
	}
}

// noInvoices is a wallet without invoices.
type noInvoices struct{}

func (noInvoices) Connect(context.Context) (watch.Identity, error) {
	return watch.Identity{Node: node, Network: "regtest"}, nil
}
func (noInvoices) List(context.Context, int64, int, bool) ([]lightning.Entry, error) { return nil, nil }

// reconciles checks that the log and the chain agree.
func (h *harness) reconciles() {
	h.t.Helper()
	log := reconcile.NewLog()
	for r := range wholelog.Records(h.t, h.store) {
		if err := log.Add(&r); err != nil {
			h.t.Fatal(err)
		}
	}
	reader := reconcile.Reader{Invoices: noInvoices{}, Chain: h.wallet}
	w, err := reader.Read(h.t.Context(), log, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	report := reconcile.Compare(log, w, reconcile.Options{Known: log.Position, Required: log.Required(3)})
	if report.Chain.Differences > 0 || report.Chain.Wallet != report.Chain.Log {
		h.t.Errorf("the log and the chain differ: %+v\n%+v", report.Differences, report.Chain)
	}
}

// An id is its latest order's while money for that is on its way: of a plan that waits for more
// blocks, in the same block, or in none yet. What pays an earlier order opens nothing meanwhile.
func TestAnIDIsKeptForWhoOrderedItLast(t *testing.T) {
	for name, pay := range map[string]func(h *harness) (strangers, customers tx){
		"the customer's waits for more blocks": func(h *harness) (strangers, customers tx) {
			customers = h.pays("order-new", 36_000)
			h.change(func() { h.wallet.mine() })
			h.blocks(1)
			strangers = h.pays("order-old", 60)
			h.change(func() { h.wallet.mine() })
			return strangers, customers
		},
		"both in one block": func(h *harness) (strangers, customers tx) {
			strangers, customers = h.pays("order-old", 60), h.pays("order-new", 36_000)
			h.change(func() { h.wallet.mine() })
			return strangers, customers
		},
		"the customer's is in no block": func(h *harness) (strangers, customers tx) {
			customers, strangers = h.pays("order-new", 36_000), h.pays("order-old", 60)
			h.change(func() { h.wallet.mine(strangers) })
			h.blocks(4)
			h.isOtherOrders(strangers)
			h.change(func() { h.wallet.mine(customers) })
			return strangers, customers
		},
		"the customer's is in no block, and found at a start": func(h *harness) (strangers, customers tx) {
			h.stop()
			h.wallet.do(func() {
				customers = h.wallet.add(tx{pays: []pay{{"order-new", 36_000}}})
				strangers = h.wallet.add(tx{pays: []pay{{"order-old", 60}}})
				h.wallet.mine(strangers)
				h.wallet.mineEmpty()
				h.wallet.mineEmpty()
			})
			h.start()
			h.isOtherOrders(strangers)
			h.change(func() { h.wallet.mine(customers) })
			return strangers, customers
		},
		"the block of the customer's leaves the chain": func(h *harness) (strangers, customers tx) {
			customers = h.pays("order-new", 36_000)
			h.change(func() { h.wallet.mine() })
			h.change(func() { h.wallet.cut(1, false); h.wallet.mineEmpty(); h.wallet.mineEmpty() })
			h.want(customers, payment.StatusReorged)
			strangers = h.pays("order-old", 60)
			h.change(func() { h.wallet.mine(strangers) })
			h.blocks(3)
			h.isOtherOrders(strangers)
			h.change(func() { h.wallet.mine(customers) })
			return strangers, customers
		},
	} {
		for depth := range 2 {
			t.Run(fmt.Sprintf("%s, deep %d", name, depth), func(t *testing.T) {
				onChain(t, func(t *testing.T, h *harness) {
					h.deepPlan = []string{"none", "deep"}[depth]
					h.start()
					_, customers := h.ordersTwice()
					customers.Order.Plan = "deep" // nobody else has read it yet
					old, paid := pay(h)
					h.blocks(7)
					h.isCustomers(old, paid, 36_000)
					again := h.pays("order-old", 62)
					h.change(func() { h.wallet.mine() })
					h.blocks(3)
					h.isOtherOrders(again)
					h.reconciles()
				})
			})
		}
	}
}

// Once nothing can come for the latest order, money for an earlier one opens the id; what came
// before that is unallocated.
func TestAnOrderThatLapsedKeepsNoID(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.start()
		_, customers := h.ordersTwice()
		asked := *customers
		asked.Address, asked.Key, asked.Invoice, asked.Amount = "", "ln-00", "lnbc1", 500
		asked.Expiry = now().Add(instant.Hour)
		if err := h.requests.Keep(t.Context(), &asked); err != nil {
			t.Fatal(err)
		}
		early := h.pays("order-old", 60)
		h.change(func() { h.wallet.mine() })
		h.blocks(3)
		h.isOtherOrders(early) // an invoice can be paid
		h.pass(2 * time.Hour)
		h.requests.Swept(node, now())
		stolen := h.pays("order-new", 700)
		between := h.pays("order-old", 61)
		h.change(func() { h.wallet.mine(between) })
		h.blocks(3)
		h.isOtherOrders(between)
		h.change(func() { h.wallet.mine(tx{id: "thief", spends: stolen.spends}) })
		h.blocks(7)
		late := h.pays("order-old", 62)
		h.change(func() { h.wallet.mine() })
		h.blocks(3)
		h.want(late, payment.StatusCredited)
		h.isOtherOrders(early)
		h.credited("vm-9", 62)
		if s := h.resource("vm-9"); s.Holder[0] != 1 {
			t.Errorf("it is of %d", s.Holder[0])
		}
	})
}

// What opened an id before it was ordered anew has it, through reorgs too.
func TestWhatWasOpenedStays(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.start()
		h.order("order-old", "vm-9", 2)
		a := h.pays("order-old", 500)
		h.change(func() { h.wallet.mine() })
		h.blocks(2)
		h.want(a, payment.StatusCredited)
		h.pass(time.Hour)
		h.order("order-new", "vm-9", 3) // as another daemon may, that has not heard of it
		b := h.pays("order-new", 60)
		h.change(func() {
			h.wallet.cut(3, false)
			for range 4 {
				h.wallet.mineEmpty()
			}
		})
		h.want(a, payment.StatusReorged)
		h.change(func() { h.wallet.mine() })
		h.blocks(3)
		h.want(a, payment.StatusCredited)
		h.isOtherOrders(b)
		h.credited("vm-9", 500)
	})
}

// A daemon that has not heard of the latest order opens the id by an earlier one, and dies before it
// says so, while another one refuses the same money: what the resource has is credited.
func TestRefusedAndCreditedIsCredited(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.start()
		strangers, _ := h.ordersTwice()
		h.pays("order-new", 36_000)
		a := h.pays("order-old", 60)
		h.change(func() { h.wallet.mine(a) })
		h.blocks(3)
		h.isOtherOrders(a)
		h.executeOnResource("vm-9", resource.Credit{
			When: resource.When{At: now()}, Payment: string(payment.ChainKey(a.id, 0)), Amount: 60 * money.Sat, Paid: now(),
			Order: strangers.Order,
		})
		h.stop()
		h.start()
		h.want(a, payment.StatusCredited)
		h.credited("vm-9", 60)
	})
}

// A daemon dies at each write of both payments, with the write lost, and kept; it starts again,
// beside another or not, and each payment has one end: the customer's opens the id.
func TestDeathsWhileAnIDIsKept(t *testing.T) {
	for after := range 14 {
		for _, fault := range []storetest.Fault{storetest.Lost, storetest.AnswerLost} {
			for _, two := range []bool{false, true} {
				t.Run(fmt.Sprint(after, fault, two), func(t *testing.T) {
					onChain(t, func(t *testing.T, h *harness) { h.diesBetweenTwo(int64(after), fault, two) })
				})
			}
		}
	}
}

func (h *harness) diesBetweenTwo(after int64, fault storetest.Fault, two bool) {
	fate, kept := alive(fault), new(storetest.Memory)
	h.read(kept, fate.write)
	h.store.OnAppend, h.twoWatchers, h.deepPlan = fate.write, two, "deep"
	h.start()
	_, r := h.ordersTwice()
	r.Order.Plan = "deep"
	fate.after.Store(after + 1)
	customers := h.pays("order-new", 36_000)
	h.change(func() { h.wallet.mine() })
	strangers := h.pays("order-old", 60)
	h.change(func() { h.wallet.mine() })
	for range 2 {
		h.blocks(3)
		h.stop()
		fate.after.Store(1 << 40)
		h.read(kept, fate.write)
		h.start()
	}
	h.blocks(12)
	h.isCustomers(strangers, customers, 36_000)
}

// Two daemons see the same money, and one hears of the customer's order late, or dies at a write:
// whoever's the id is then, each payment has one end, and one of them is the resource's.
func TestTwoDaemonsKeepAnID(t *testing.T) {
	for after := range 10 {
		for _, fault := range []storetest.Fault{storetest.Lost, storetest.AnswerLost} {
			for lag := range 3 {
				t.Run(fmt.Sprint(after, fault, " ", lag), func(t *testing.T) {
					onChain(t, func(t *testing.T, h *harness) { h.keepsBetween(int64(after), fault, lag) })
				})
			}
		}
	}
}

func (h *harness) keepsBetween(after int64, fault storetest.Fault, lag int) {
	kept, fate := new(storetest.Memory), alive(fault)
	slow := &late{Store: kept, through: make(chan struct{})}
	h.requests = request.New(request.Options{Store: kept, Now: now, Most: 10})
	h.order("order-old", "vm-9", 1)
	giver, other := h.join(kept, alive(0), true), h.join(slow, fate, true)
	h.pass(time.Hour)
	h.requests = giver.requests
	h.order("order-new", "vm-9", 2)
	fate.after.Store(after + 1)
	var paid [2]tx
	for i, addr := range []string{"order-new", "order-old"} {
		if i == lag {
			close(slow.through)
		}
		paid[i] = h.pays(addr, 500)
		h.change(func() { h.wallet.mine() })
	}
	h.blocks(3)
	if lag == 2 {
		close(slow.through)
	}
	h.blocks(1)
	giver.stop()
	other.stop()
	giver, other = h.join(kept, alive(0), true), h.join(kept, alive(0), true)
	h.blocks(12)
	giver.stop()
	other.stop()
	s, ends := h.resource("vm-9"), map[payment.Status]byte{}
	for i, a := range paid {
		p := h.state(a, 0)
		ends[p.Status] = byte(2 - i)
		if p.Status == payment.StatusUnallocated && p.Reason != payment.ReasonOtherOrder {
			h.t.Errorf("output %d is unallocated: %s", i, p.Reason)
		}
	}
	if len(ends) != 2 || ends[payment.StatusCredited] != s.Holder[0] || ends[payment.StatusUnallocated] == 0 ||
		h.credits("vm-9") != 1 || lag < 2 && s.Holder[0] != 2 {
		h.t.Errorf("the payments are %v, vm-9 is of %d, with %d credits", ends, s.Holder[0], h.credits("vm-9"))
	}
	h.credited("vm-9", 500)
}

// What an order gave out that was released opens nothing: not what is on its way by then, nor what
// comes later, whoever has the id.
func TestAReleaseEndsAnAddress(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.start()
		released := *h.order("order-old", "vm-9", 1)
		a, b := h.pays("order-old", 60), h.pays("order-old", 61)
		h.change(func() { h.wallet.mine(a) })
		released.Released = now()
		if err := h.requests.Keep(t.Context(), &released); err != nil {
			t.Fatal(err)
		}
		h.blocks(3)
		h.change(func() { h.wallet.mine(b) })
		h.order("order-new", "vm-9", 2)
		customers := h.pays("order-new", 700)
		h.change(func() { h.wallet.mine() })
		h.blocks(3)
		c := h.pays("order-old", 62)
		h.change(func() { h.wallet.mine() })
		h.blocks(3)
		h.want(customers, payment.StatusCredited)
		h.credited("vm-9", 700)
		h.reconciles()
		for i, of := range []tx{a, b, c} {
			if p := h.state(of, 0); p.Status != payment.StatusUnallocated || p.Reason != payment.ReasonReleased || p.Resource != "vm-9" {
				t.Errorf("payment %d is %s: %s for %q", i, p.Status, p.Reason, p.Resource)
			}
		}
		if r, ok := h.requests.FindAddress("order-old"); !ok || r.Released == 0 {
			t.Error("its address is not known as released any more")
		}
	})
}
