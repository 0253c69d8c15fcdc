package reconcile_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"sandglass/domain/chain"
	"sandglass/domain/instant"
	"sandglass/domain/lightning"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/reconcile"
	"sandglass/domain/resource"
)

const (
	ln   = "ln-aa"
	addr = "bcrt1qweb"
)

// TestCompare changes one thing in a log and a wallet that agree: on a credited payment
// over Lightning, and a deposit in block 490.
func TestCompare(t *testing.T) {
	deposit := output(1, addr, 5_000, 490)
	btc := deposit.Key()
	theDeposit := string(btc) + " web" // in a difference
	ours := func(l *events) {
		l.adopt(node, 5)
		l.resource("web", &resource.Opened{Plan: "small"})
		l.issue(addr, "web", node)
	}
	both := func(l *events) {
		ours(l)
		l.booked(ln, settled(1_000))
		l.deposited(&deposit)
	}
	paid := func(w *reconcile.Wallet) {
		w.Arrivals = append(w.Arrivals, arrival(ln, 1_000, 7))
		w.Outputs = append(w.Outputs, deposit)
	}
	second := output(2, addr, 1, 491)
	moved := deposit
	moved.Height, moved.Block = 491, block(491)
	type log = func(*events)
	type has = func(*reconcile.Wallet)
	arrived := func(a lightning.Arrival) has {
		return func(w *reconcile.Wallet) { w.Arrivals = []lightning.Arrival{a} }
	}
	listed := func(o chain.Output) has {
		return func(w *reconcile.Wallet) { w.Outputs = []chain.Output{o} }
	}
	for _, test := range []struct {
		name string
		log  log
		has  has
		want string // kind key resource, for each difference
	}{
		{"nothing differs", both, paid, ""},
		{"nothing is there", ours, func(*reconcile.Wallet) {}, ""},

		// The wallet has it.
		{"no trace of an invoice", func(l *events) { ours(l); l.deposited(&deposit) }, paid, "not_in_log ln-aa"},
		{"an invoice that is only requested", func(l *events) {
			ours(l)
			l.pay(ln, requested())
			l.deposited(&deposit)
		}, paid, "not_in_log ln-aa web"},
		{"an invoice that expired", func(l *events) {
			ours(l)
			l.pay(ln, requested(), &payment.Expired{Reason: "canceled"})
			l.deposited(&deposit)
		}, paid, "not_in_log ln-aa web"},
		{"no trace of an output", func(l *events) { ours(l); l.booked(ln, settled(1_000)) }, paid, "not_in_log " + theDeposit},
		{"an output that is only seen", func(l *events) {
			ours(l)
			l.booked(ln, settled(1_000))
			l.pay(btc, seen(addr, 5_000))
		}, paid, "not_credited " + theDeposit},
		{"an output that is only confirmed", func(l *events) {
			ours(l)
			l.booked(ln, settled(1_000))
			l.pay(btc, seen(addr, 5_000), confirmed(490))
		}, paid, "not_credited " + theDeposit},
		{"an output that was given up", func(l *events) {
			ours(l)
			l.booked(ln, settled(1_000))
			l.pay(btc, seen(addr, 5_000), &payment.Replaced{Reason: "vanished"})
		}, paid, "not_credited " + theDeposit},
		{"an output that was taken back", func(l *events) {
			both(l)
			l.pay(btc, &payment.Reorged{Height: 490, Block: block(490)})
			l.resource("web", &resource.Reversed{Payment: string(btc), Amount: 5_000})
		}, paid, "not_credited " + theDeposit},
		{"more arrived", both, func(w *reconcile.Wallet) { paid(w); w.Arrivals[0].Settle.Amount++ }, "amount ln-aa web"},
		{"more came on the chain", both, func(w *reconcile.Wallet) { paid(w); w.Outputs[0].Amount++ }, "amount " + theDeposit},
		{"history", ours, arrived(history(5, since)), ""},
		{"history by its time", ours, arrived(history(9, since-4_000_000)), ""},
		{"an old index with a new time is none", ours, arrived(history(5, later)), "not_in_log ln-old"},
		{"an invoice that can't be read", both, func(w *reconcile.Wallet) {
			paid(w)
			w.Faults = append(w.Faults,
				reconcile.Fault{Hash: "cc", AddIndex: 3, Text: "no index"},
				reconcile.Fault{AddIndex: 4, Text: "no hash"})
		}, "unreadable add_index 4, unreadable ln-cc"},
		{"the log knows an invoice that can't be read", both, func(w *reconcile.Wallet) {
			w.Outputs, w.Faults = []chain.Output{deposit}, []reconcile.Fault{{Hash: "aa", Text: "broken"}}
		}, "unreadable ln-aa"},
		{"no amount is told", ours, arrived(arrival(ln, 0, 7)), "unreadable ln-aa"},
		{"an invoice is listed twice", both, func(w *reconcile.Wallet) { paid(w); w.Arrivals = append(w.Arrivals, w.Arrivals...) }, ""},

		// The log has it.
		{"the wallet has lost both", both, func(*reconcile.Wallet) {}, "not_in_wallet ln-aa web, not_in_wallet " + theDeposit},
		{"the wallet calls it open", both, func(w *reconcile.Wallet) {
			w.Outputs = []chain.Output{deposit}
			w.Unpaid["aa"] = lightning.EntryOpen
		}, "not_in_wallet ln-aa web"},
		{"another node had it", func(l *events) {
			both(l)
			l.adopt(other, 0)
			s := settled(3)
			s.Node = other
			l.booked("ln-bb", s)
		}, paid, ""},
		{"two nodes claim it", func(l *events) {
			ours(l)
			s := settled(1_000)
			s.Node = other
			l.booked(ln, s)
			l.deposited(&deposit)
		}, paid, "other_node ln-aa web"},
		{"a canceled invoice that the log gave up", func(l *events) {
			both(l)
			l.pay("ln-dd", requested(), &payment.Expired{Reason: "unknown"})
		}, paid, ""},

		// Blocks.
		{"the block left the chain", both, func(w *reconcile.Wallet) { paid(w); w.Blocks[490] = "other" }, "block_left " + theDeposit},
		{"the output is in no block any more", both, func(w *reconcile.Wallet) {
			paid(w)
			w.Outputs[0].Height, w.Outputs[0].Block = 0, ""
			w.Blocks[490] = "other"
		}, "block_left " + theDeposit},
		{"the wallet's chain is too short", both, func(w *reconcile.Wallet) {
			paid(w)
			w.Outputs = nil
			w.Tip.Height = 480
			delete(w.Blocks, 490)
		}, "block_left " + theDeposit},
		{"the output is in another block", both, func(w *reconcile.Wallet) {
			paid(w)
			w.Outputs[0] = moved
		}, "other_block " + theDeposit},
		{"it is listed twice, first in a block that left", both, func(w *reconcile.Wallet) {
			paid(w)
			w.Outputs = []chain.Output{
				{Txid: deposit.Txid, Vout: deposit.Vout, Address: addr, Amount: 5_000, Height: 489, Block: "dead"},
				deposit,
				deposit,
			}
		}, ""},
		{"an output in a block that left is no money", ours, func(w *reconcile.Wallet) {
			w.Outputs = []chain.Output{deposit}
			w.Blocks[490] = "other"
		}, ""},
		{"an unconfirmed one is none", ours, listed(output(1, addr, 5_000, 0)), ""},
		{"two confirmations are too few", ours, listed(output(1, addr, 5_000, 499)), ""},
		{"three are enough", ours, listed(output(1, addr, 5_000, 498)), "not_in_log " + theDeposit},
		{"more are asked for above an amount", func(l *events) {
			ours(l)
			l.publish("small", plan.ConfirmationRule{Above: 4_999, Confirmations: 12})
		}, listed(deposit), ""},
		{"and not below it", func(l *events) {
			ours(l)
			l.publish("small", plan.ConfirmationRule{Above: 5_000, Confirmations: 12})
		}, listed(deposit), "not_in_log " + theDeposit},
		{"what is paid in parts is one sum", func(l *events) {
			ours(l)
			l.publish("small", plan.ConfirmationRule{Above: 5_000, Confirmations: 12})
		}, func(w *reconcile.Wallet) { w.Outputs = []chain.Output{deposit, output(2, addr, 1, 499)} }, ""},
		{"not ours", ours, listed(output(1, "bcrt1qchange", 5_000, 490)), ""},
		{"it pays another address", func(l *events) { both(l); l.issue("bcrt1qtwo", "two", node) },
			func(w *reconcile.Wallet) { paid(w); w.Outputs[0].Address = "bcrt1qtwo" }, "other_address " + theDeposit},
		{"the address was never issued", func(l *events) {
			l.adopt(node, 5)
			l.booked(ln, settled(1_000))
			l.deposited(&deposit)
		}, paid, "not_issued " + theDeposit},
		{"it pays an order whose id another one opened", func(l *events) {
			l.adopt(node, 5)
			l.booked(ln, settled(1_000))
			l.pay(btc, ordered("small"), seen(addr, 5_000), confirmed(490), deep(5_000), unallocated())
		}, paid, ""},
		{"more pays such an order", func(l *events) {
			l.adopt(node, 5)
			l.pay(btc, ordered("small"), seen(addr, 5_000), confirmed(490), deep(5_000), unallocated())
		}, func(w *reconcile.Wallet) { w.Outputs = []chain.Output{deposit, second} },
			"not_in_log " + string(second.Key()) + " web"},
		{"what pays an order waits for what its plan asks for", func(l *events) {
			l.adopt(node, 5)
			l.publish("deep", plan.ConfirmationRule{Above: 1, Confirmations: 30})
			l.pay(btc, ordered("deep"), seen(addr, 5_000), confirmed(490))
		}, listed(deposit), ""},
		{"a height can't be read", both, func(w *reconcile.Wallet) {
			paid(w)
			w.Outputs = nil
			w.Blind[490] = errors.New("missing")
		}, "unreadable height 490"},

		// What becomes of it.
		{"settled, and no more", func(l *events) { both(l); l.pay("ln-bb", settled(9)) },
			func(w *reconcile.Wallet) { paid(w); w.Arrivals = append(w.Arrivals, arrival("ln-bb", 9, 8)) }, "unfinished ln-bb"},
		{"unallocated", func(l *events) { both(l); l.pay("ln-bb", settled(9), unallocated()) },
			func(w *reconcile.Wallet) { paid(w); w.Arrivals = append(w.Arrivals, arrival("ln-bb", 9, 8)) }, ""},
		{"unallocated and credited", func(l *events) {
			both(l)
			l.pay("ln-bb", settled(9), unallocated())
			l.resource("web", gets("ln-bb", 9))
		}, func(w *reconcile.Wallet) { paid(w); w.Arrivals = append(w.Arrivals, arrival("ln-bb", 9, 8)) }, "credit_extra ln-bb web"},
		{"the resource does not have it", func(l *events) {
			ours(l)
			l.pay(ln, settled(1_000), credited())
			l.deposited(&deposit)
		}, paid, "credit_missing ln-aa web"},
		{"it never settled", func(l *events) {
			ours(l)
			l.resource("web", gets(ln, 1_000))
			l.pay(ln, credited())
			l.deposited(&deposit)
		}, paid, "amount ln-aa web, credit_amount ln-aa web, unsettled ln-aa web"},
		{"another resource has it", func(l *events) {
			ours(l)
			l.pay(ln, settled(1_000), credited())
			l.resource("two", gets(ln, 1_000))
			l.deposited(&deposit)
		}, paid, "credit_extra ln-aa two, credit_missing ln-aa web"},
		{"it is credited twice", func(l *events) { both(l); l.resource("two", gets(ln, 1_000)) }, paid, "credit_extra ln-aa two"},
		{"more is credited", func(l *events) {
			ours(l)
			l.pay(ln, settled(1_000), credited())
			l.resource("web", gets(ln, 1_001))
			l.deposited(&deposit)
		}, paid, "credit_amount ln-aa web"},
		{"credited without a payment", func(l *events) {
			both(l)
			l.resource("web", gets("ln-none", 5))
		}, paid, "credit_extra ln-none web"},
		{"a reorg, and the credit stands", func(l *events) {
			both(l)
			l.pay(btc, &payment.Reorged{Height: 490, Block: block(490)})
		}, func(w *reconcile.Wallet) { paid(w); w.Outputs = nil }, "credit_extra " + theDeposit},

		{"AMP under the key of an earlier build", func(l *events) { ours(l); l.booked(ln, byAMP(9)) },
			arrived(amp("aa", 9)), ""},
		{"AMP, and an invoice that has its set id", func(l *events) {
			ours(l)
			l.booked(ln, settled(1_000))
			l.pay(payment.AMPKey("aa"), byAMP(9), unallocated())
		}, func(w *reconcile.Wallet) { w.Arrivals = []lightning.Arrival{amp("aa", 9), arrival(ln, 1_000, 7)} }, ""},
		{"AMP, and an open invoice that has its set id", func(l *events) { ours(l); l.pay(ln, requested()) },
			arrived(amp("aa", 9)), "not_in_log amp-aa"},
		{"AMP that took the key of an invoice", func(l *events) { ours(l); l.pay(ln, requested()); l.booked(ln, byAMP(9)) },
			func(w *reconcile.Wallet) { w.Arrivals = []lightning.Arrival{arrival(ln, 9, 7), amp("aa", 9)} }, "not_in_log ln-aa web"},
		{"AMP under both keys", func(l *events) { ours(l); l.booked(ln, byAMP(9)); l.booked(payment.AMPKey("aa"), byAMP(9)) },
			arrived(amp("aa", 9)), "not_in_wallet ln-aa web"},
		{"AMP of an earlier build, of which more arrived", func(l *events) { ours(l); l.booked(ln, byAMP(9)) },
			arrived(amp("aa", 10)), "amount ln-aa web"},
		{"AMP that the wallet does not have, beside one that can't be read", func(l *events) {
			ours(l)
			l.booked(payment.AMPKey("aa"), byAMP(9))
		}, func(w *reconcile.Wallet) { w.Faults = []reconcile.Fault{{AddIndex: 4, Text: "no index"}} },
			"unreadable add_index 4, not_in_wallet amp-aa web"},

		{"a wallet that was never watched", func(l *events) { l.adopt(other, 0) }, paid, "other_wallet 02aa"},
		{"another network", both, func(w *reconcile.Wallet) { paid(w); w.Network = "mainnet" }, "other_wallet 02aa"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var l events
			test.log(&l)
			w := wallets()
			test.has(w)
			r := compare(t, l, w)
			if got := list(r); got != test.want {
				t.Errorf("got %q, want %q\n%+v", got, test.want, r.Differences)
			}
			for _, d := range r.Differences {
				if d.Advice == "" || d.Wallet == "" && d.Log == "" {
					t.Errorf("%+v explains nothing", d)
				}
			}
			if a, b := r.Lightning, r.Chain; r.Clean() && (a.Wallet != a.Log || b.Wallet != b.Log || a.Differences+b.Differences > 0) {
				t.Errorf("clean, and yet %+v\n%+v", a, b)
			}
		})
	}
}

// history is money that settled at an index and a time.
func history(index int64, at instant.Time) lightning.Arrival {
	a := arrival("ln-old", 1_000, index)
	a.Settle.At = at
	return a
}

func list(r *reconcile.Report) string {
	var all []string
	for _, d := range r.Differences {
		all = append(all, strings.TrimSpace(string(d.Kind)+" "+d.Key+" "+string(d.Resource)))
	}
	return strings.Join(all, ", ")
}

// TestHeight leaves out what came above the height that is asked for, and counts no
// deeper.
func TestHeight(t *testing.T) {
	low, high := output(1, addr, 5_000, 450), output(2, addr, 7_000, 490)
	var l events
	l.adopt(node, 0)
	l.issue(addr, "web", node)
	l.deposited(&low)
	l.deposited(&high)
	at := func(h int64, outputs ...chain.Output) string {
		w := wallets()
		w.Tip, w.Past, w.Outputs = chain.Tip{Height: h, Hash: block(h)}, true, outputs
		return list(compare(t, l, w))
	}
	for _, test := range []struct{ got, want string }{
		{at(480, low), ""},
		{at(450, low), ""}, // the log is from later
		{at(440), ""},
		{at(480), "not_in_wallet " + string(low.Key()) + " web"},
		{at(490, low), "not_in_wallet " + string(high.Key()) + " web"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}

// TestUnderWay holds nothing against the wallet that came after it was read, and drops
// what a second look does not find.
func TestUnderWay(t *testing.T) {
	var l events
	l.adopt(node, 0)
	before := l.log(t).Position
	l.booked(ln, settled(1_000))
	log := l.log(t)
	o := reconcile.Options{Known: before, Required: log.Required(depth)}
	if r := reconcile.Compare(log, wallets(), o); !r.Clean() || r.Lightning.Log.Payments != 0 {
		t.Errorf("%+v", r)
	}
	o.Known = log.Position
	first := reconcile.Compare(log, wallets(), o)
	w := wallets()
	w.Arrivals = []lightning.Arrival{arrival(ln, 1_000, 1), arrival("ln-bb", 2_000, 2)}
	second := reconcile.Compare(log, w, o)
	if list(first) != "not_in_wallet ln-aa web" || list(second) != "not_in_log ln-bb" {
		t.Fatalf("%s; %s", list(first), list(second))
	}
	if second.Confirm(first); !second.Clean() || second.Lightning.Differences != 0 {
		t.Errorf("%s", list(second))
	}
	third := reconcile.Compare(log, wallets(), o)
	if third.Confirm(first); list(third) != list(first) || third.Lightning.Differences != 1 {
		t.Errorf("%s", list(third))
	}
}

// TestLate says that money came after the log's end.
func TestLate(t *testing.T) {
	var l events
	l.adopt(node, 0)
	w := wallets()
	w.Arrivals = []lightning.Arrival{arrival(ln, 1, 1), arrival("ln-bb", 1, 2)}
	w.Arrivals[0].Settle.At = later + 1
	r := compare(t, l, w)
	isLate := func(d reconcile.Difference) bool { return strings.Contains(d.Advice, "after the last event") }
	if list(r) != "not_in_log ln-aa, not_in_log ln-bb" || !isLate(r.Differences[0]) || isLate(r.Differences[1]) {
		t.Errorf("%+v", r.Differences)
	}
}

func TestLogRefuses(t *testing.T) {
	var l events
	l.adopt(node, 0)
	log := l.log(t)
	again := l[0]
	if err := log.Add(&again); err == nil {
		t.Error("a record twice")
	}
	again.Position, again.Type = 2, "wallet.lost.v9"
	if err := log.Add(&again); err == nil || !strings.Contains(err.Error(), "position 2, wallet-02aa: ") {
		t.Errorf("an event that is not known: %v", err)
	}
	if !slices.Equal(log.Nodes(), []string{node}) {
		t.Errorf("%q", log.Nodes())
	}
}
