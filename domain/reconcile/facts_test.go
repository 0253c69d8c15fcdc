package reconcile_test

import (
	"fmt"
	"testing"

	"sandglass/domain/address"
	"sandglass/domain/chain"
	"sandglass/domain/instant"
	"sandglass/domain/lightning"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/reconcile"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/domain/wallet"
	"sandglass/domain/watch"
)

const (
	node   = "02aa"
	other  = "02bb"
	since  = instant.Time(1_700_000_000_000) // the wallet is adopted
	later  = since + 1_000_000
	depth  = 3 // confirmations
	height = 500
)

// events are a log that is being written.
type events []stream.Record

func (l *events) add(name string, e stream.Event) {
	*l = append(*l, stream.Record{Event: e, Stream: name, Position: stream.Position(len(*l) + 1), RecordedAt: later})
}

func (l *events) pay(key payment.Key, all ...payment.Event) {
	for _, e := range all {
		l.add(payment.Prefix+string(key), stream.Encode(e))
	}
}

func (l *events) resource(id resource.ID, all ...resource.Event) {
	for _, e := range all {
		l.add(resource.Prefix+string(id), stream.Encode(e))
	}
}

func (l *events) adopt(node string, settle int64) {
	l.add(wallet.Prefix+node, stream.Encode(&wallet.Adopted{
		At: wallet.At{At: since}, Epoch: 1, Network: "regtest", Settle: settle, Reason: wallet.FirstStart,
	}))
}

func (l *events) issue(addr string, id resource.ID, node string) {
	l.add(address.Prefix+addr, stream.Encode(&address.Issued{At: stream.At{At: since}, Resource: id, Node: node, Height: 400}))
}

func (l *events) publish(name string, rule plan.ConfirmationRule) {
	l.add(plan.Prefix+name, stream.Encode(&plan.Published{Offer: plan.Offer{Large: rule, Max: 1}}))
}

// The events of payments and resources, in short.

func settled(m money.Msat) *payment.Settled {
	return &payment.Settled{At: payment.At{At: later}, Amount: m, Via: payment.ViaBOLT11, Node: node, Index: 7}
}
func requested() *payment.Requested {
	return &payment.Requested{Resource: "web", Amount: 1000, Invoice: "lnbcrt1"}
}
func ordered(plan string) *payment.Requested {
	price := money.Price{Msat: 1, Per: 1}
	return &payment.Requested{Resource: "web", Price: price, Order: &resource.Order{Plan: plan, Terms: resource.Terms{Price: price}}}
}
func deep(m money.Msat) *payment.Settled {
	return &payment.Settled{At: payment.At{At: later}, Amount: m, Via: payment.ViaOnChain, Node: node}
}
func credited() *payment.Credited { return &payment.Credited{Resource: "web"} }
func unallocated() *payment.Unallocated {
	return &payment.Unallocated{Reason: payment.ReasonNoResource}
}
func seen(addr string, m money.Msat) *payment.Seen {
	return &payment.Seen{Resource: "web", Address: addr, Amount: m}
}
func confirmed(h int64) *payment.Confirmed { return &payment.Confirmed{Height: h, Block: block(h)} }
func gets(key payment.Key, m money.Msat) *resource.Credited {
	return &resource.Credited{Payment: string(key), Amount: m, Time: 1, Price: money.Price{Msat: 1, Per: 1}}
}

// booked writes a payment from its settlement to its credit.
func (l *events) booked(key payment.Key, s *payment.Settled) {
	l.pay(key, s)
	l.resource("web", gets(key, s.Amount))
	l.pay(key, credited())
}

// deposited writes an output from its first sight to its credit.
func (l *events) deposited(o *chain.Output) {
	l.pay(o.Key(), seen(o.Address, o.Amount))
	l.mined(o)
}

// mined writes an output from its block to its credit.
func (l *events) mined(o *chain.Output) {
	l.pay(o.Key(), &payment.Confirmed{Height: o.Height, Block: o.Block})
	s := settled(o.Amount)
	s.Via, s.Index = payment.ViaOnChain, 0
	l.booked(o.Key(), s)
}

// log folds what was written.
func (l events) log(t interface{ Fatal(...any) }) *reconcile.Log {
	log := reconcile.NewLog()
	for i := range l {
		if err := log.Add(&l[i]); err != nil {
			t.Fatal(err)
		}
	}
	return log
}

func arrival(key payment.Key, m money.Msat, index int64) lightning.Arrival {
	return lightning.Arrival{Key: key, Settle: payment.Settle{At: later, Amount: m, Via: payment.ViaBOLT11, Index: index}}
}

// amp returns what came by AMP.
func amp(set string, m money.Msat) lightning.Arrival {
	a := arrival(payment.AMPKey(set), m, 8)
	a.Settle.Via = payment.ViaAMP
	return a
}

// byAMP is settled, of a payment by AMP.
func byAMP(m money.Msat) *payment.Settled {
	s := settled(m)
	s.Via = payment.ViaAMP
	return s
}

func block(h int64) string { return fmt.Sprintf("%064x", h) }

func output(n byte, addr string, m money.Msat, h int64) chain.Output {
	o := chain.Output{Txid: fmt.Sprintf("%064x", n), Vout: uint32(n % 3), Address: addr, Amount: m, Height: h}
	if h > 0 {
		o.Block = block(h)
	}
	return o
}

// wallets returns a wallet that has received nothing, with all blocks.
func wallets() *reconcile.Wallet {
	w := &reconcile.Wallet{
		Identity: watch.Identity{Node: node, Network: "regtest", Synced: true}, Unpaid: map[string]lightning.EntryStatus{},
		Tip: chain.Tip{Height: height, Hash: block(height)}, Blocks: map[int64]string{}, Blind: map[int64]error{},
	}
	for h := int64(380); h <= height; h++ {
		w.Blocks[h] = block(h)
	}
	return w
}

func compare(t *testing.T, l events, w *reconcile.Wallet) *reconcile.Report {
	t.Helper()
	log := l.log(t)
	return reconcile.Compare(log, w, reconcile.Options{Known: log.Position, Required: log.Required(depth)})
}
