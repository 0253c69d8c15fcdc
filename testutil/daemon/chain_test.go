package daemon_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/testutil/devnet"
)

// Statement 13: a transaction without a block grants nothing; one that is replaced is
// pending no more, and what replaces it is credited once. That of an order which nobody has
// paid leaves nothing.
func TestStatement13ReplacedByFee(t *testing.T) {
	s := newShore(t)
	for name, sats := range map[string][]int64{"less": {3000}, "more": {9000}, "nothing": nil, "twice": {2000, 2500}} {
		s.replacedByFee("rbf-"+name, sats, "awaiting")
		o := s.order("paid-"+name, instant.Hour)
		s.pay(o.Payment.Request)
		s.status("paid-"+name, "running")
		s.asks(o)
		s.replacedByFee("paid-"+name, sats, "running")
	}
	s.proves()
}

func (s *shore) replacedByFee(id string, sats []int64, status string) {
	s.t.Helper()
	tx := s.sends(id, 5000)
	p := s.becomes(tx, 0, "seen")
	if p.Amount != 5_000_000 || p.Confirmations == nil || *p.Confirmations != 0 || p.Required != 3 || p.ExpectedTime != 5_000_000 {
		s.t.Errorf("it is shown as %+v", p)
	}
	r := s.shows(id, "it is pending", func(r *wire.Resource) bool {
		return slices.ContainsFunc(r.Pending, func(p wire.Payment) bool { return p.Key == key(tx, 0) })
	})
	if r.Status != status || status == "awaiting" && r.Remaining != 0 {
		s.t.Errorf("%s is %s, with %d ms", id, r.Status, r.Remaining)
	}
	var sum int64
	var outputs []devnet.Output
	for _, sat := range sats {
		outputs = append(outputs, devnet.To(s.address(id), sat))
		sum += sat
	}
	bumped, err := s.net.Bump(s.ctx, tx, outputs...)
	s.must(err)
	if len(sats) > 0 {
		s.becomes(bumped, 0, "seen")
	}
	s.mine(1)
	if status == "awaiting" {
		s.forgets(tx, 0)
	} else {
		s.becomes(tx, 0, "replaced")
	}
	s.mine(2)
	for i := range sats {
		s.becomes(bumped, i, "credited")
	}
	s.has(id, sum)
}

// Statement 14: what counts are blocks, told by the chain notifier.
func TestStatement14CreditedAtThreeConfirmations(t *testing.T) {
	s := newShore(t)
	tx := s.sends("vm", 7200)
	s.becomes(tx, 0, "seen")
	for n := range int64(2) {
		s.mine(1)
		s.Until(s.ctx, fmt.Sprintf("%d confirmations are shown", n+1), func() error {
			p, err := s.Client().Payment(s.ctx, key(tx, 0))
			if err == nil && (p.Status != "confirmed" || p.Confirmations == nil || *p.Confirmations != n+1) {
				err = fmt.Errorf("it is %+v", p)
			}
			return err
		})
		s.status("vm", "awaiting")
	}
	s.mine(1)
	s.becomes(tx, 0, "credited")
	if r := s.status("vm", "running"); r.Credited != 7_200_000 || len(r.Lots) != 1 || r.Lots[0].Payment != key(tx, 0) {
		t.Errorf("it is %+v", r)
	}
	s.shows("vm", "the invoice of its order alone is pending", func(r *wire.Resource) bool { return len(r.Pending) <= 1 })
	s.proves()
}

// A plan asks for more confirmations above an amount that a resource has on the chain.
func TestAPlanAsksForMoreConfirmations(t *testing.T) {
	s := newShore(t)
	deep := small
	deep.Name, deep.Deep = "deep", &wire.Deep{Above: 10_000_000, Confirmations: 5}
	_, err := s.Client().Publish(s.ctx, deep)
	s.must(err)
	o, err := s.Client().Order(s.ctx, wire.OrderRequest{Plan: "deep", Time: instant.Hour, ID: "vm"}, "")
	s.must(err)
	s.asks(o)
	first := s.sends("vm", 10_000)
	s.mine(3)
	s.becomes(first, 0, "credited")
	second := s.sends("vm", 1_000)
	s.mine(4)
	if p := s.becomes(second, 0, "confirmed"); p.Required != 5 {
		t.Errorf("%d are asked for", p.Required)
	}
	s.mine(1)
	s.becomes(second, 0, "credited")
	s.proves()
}

// Statement 15: a reorg after the credit is a reversal, and mined again a new credit.
func TestStatement15ReorgAfterCredit(t *testing.T) {
	s := newShore(t)
	tx := s.sends("vm", 7200)
	s.mine(3)
	s.becomes(tx, 0, "credited")
	s.reorg(3)
	s.becomes(tx, 0, "reorged")
	s.has("vm", 0)
	s.mine(3)
	s.becomes(tx, 0, "credited")
	s.has("vm", 7200)
	if n := s.countOf("resource-vm", "resource.reversed.v1"); n != 1 {
		t.Errorf("%d reversals", n)
	}
	s.proves()
}

// Straight into another block, by a reorg that keeps the transactions.
func TestReorgIntoAnotherBlock(t *testing.T) {
	s := newShore(t)
	a, b := s.sends("vm", 7200), s.sends("vm", 800)
	s.mine(4)
	s.becomes(a, 0, "credited")
	s.reorg(4, devnet.With(b.MsgTx), devnet.KeepTxs())
	s.Until(s.ctx, "a second credit", func() error {
		if n := s.countOf("resource-vm", "resource.credited.v2"); n != 4 {
			return fmt.Errorf("%d credits", n)
		}
		return nil
	})
	s.has("vm", 8000)
	s.proves()
}

// Statement 16: a natural reorg between two nodes, after which lnd lists a transaction as
// confirmed in a block that left the chain, and then twice.
func TestStatement16TwoNodesCompete(t *testing.T) {
	s := newShore(t)
	s.address("vm")
	rival, err := s.net.StartRival(s.ctx)
	s.must(err)
	s.must(rival.PartWays(s.ctx))
	x := s.sends("vm", 5000)
	s.mine(1)
	y := s.sends("vm", 6000)
	s.mine(1)
	s.becomes(y, 0, "confirmed")
	s.must(rival.Mine(s.ctx, 3))
	s.must(rival.Meet(s.ctx))
	s.becomes(x, 0, "reorged")
	s.becomes(y, 0, "reorged")
	s.has("vm", 0)
	s.mine(3)
	s.becomes(x, 0, "credited")
	s.becomes(y, 0, "credited")
	for _, tx := range []*devnet.Tx{x, y} {
		if n := s.countOf("payment-"+key(tx, 0), "payment.credited.v1"); n != 1 {
			t.Errorf("credited %d times", n)
		}
	}
	s.must(s.net.Alice.Kill())
	s.must(s.net.Alice.Restart(s.ctx))
	s.WaitReady(s.ctx)
	s.proves()
}

// Statement 17: four blocks are made invalid; whatever height lnd then can't list, all
// deposits are credited.
func TestStatement17FourBlocksAreInvalidated(t *testing.T) {
	s := newShore(t)
	var txs []*devnet.Tx
	for range 4 {
		txs = append(txs, s.sends("vm", 1000))
		s.mine(1)
	}
	s.becomes(txs[0], 0, "credited")
	s.must(s.net.Invalidate(s.ctx, 4))
	late := s.sends("vm", 2000)
	s.mine(5)
	for _, tx := range append(txs, late) {
		s.becomes(tx, 0, "credited")
	}
	s.has("vm", 6000)
	s.proves()
}

// Statement 18: each output is a payment; what lnd pays to itself is none.
func TestStatement18EachOutputIsAPayment(t *testing.T) {
	s := newShore(t)
	many := s.sends("vm", 1000, 1000, 1000)
	var txs []*devnet.Tx
	for i := range int64(10) {
		txs = append(txs, s.sends("vm", 500+i))
	}
	addr, err := s.net.Bob.Address(s.ctx)
	s.must(err)
	mine, err := s.net.Alice.Address(s.ctx)
	s.must(err)
	_, err = s.net.Send(s.ctx, mine, 1_000_000) // alice's own money
	s.must(err)
	s.mine(1)
	_, err = s.net.Alice.SendCoins(s.ctx, addr, 100_000)
	s.must(err)
	s.mine(2)
	for i := range 3 {
		s.becomes(many, i, "credited")
	}
	for _, tx := range txs {
		s.becomes(tx, 0, "credited")
	}
	s.has("vm", 3000+5045)
	streams := map[string]bool{}
	for e := range s.Events(s.ctx) {
		if strings.HasPrefix(e.Stream, "payment-btc-") {
			streams[e.Stream] = true
		}
	}
	if len(streams) != 13 {
		t.Errorf("%d payments on the chain, want 13", len(streams))
	}
	s.proves()
}

// Statement 19: no two resources have the same address, and each keeps its own.
func TestStatement19EachResourceHasItsAddress(t *testing.T) {
	s := newShore(t)
	seen := map[string]string{}
	for i := range 20 {
		id := fmt.Sprintf("vm-%d", i)
		addr := s.address(id)
		if other := seen[addr]; other != "" {
			t.Errorf("%s and %s have the address %s", id, other, addr)
		}
		seen[addr] = id
		p, err := s.Client().Fund(s.ctx, id, wire.FundRequest{Time: instant.Hour})
		s.must(err)
		if p.Address != addr || !strings.Contains(p.URI, strings.ToUpper(p.Request)) {
			t.Errorf("%s: address %s, then %s with %s", id, addr, p.Address, p.URI)
		}
	}
	s.Kill()
	s.Start()
	s.WaitReady(s.ctx)
	for addr, id := range seen {
		if o := s.order(id, instant.Hour); o.Resource.Address != addr {
			t.Errorf("after a restart %s has %s, not %s", id, o.Resource.Address, addr)
		}
	}
}

// Statement 20, of the chain: each condition is told by its own word, with advice.
func TestStatement20ConditionsOfTheChain(t *testing.T) {
	s := newShore(t)
	s.address("vm")
	component := func(name, want string) {
		t.Helper()
		s.Until(s.ctx, name+" is "+want, func() error {
			ready, err := s.Client().Ready(s.ctx)
			if err != nil {
				return err
			}
			for _, c := range ready.Components {
				if c.Name == name && c.State == want && (c.Advice != "" || c.Ready) {
					return nil
				}
			}
			return fmt.Errorf("%+v", ready.Components)
		})
	}
	chain := func(want string) { t.Helper(); component("chain", want) }
	s.must(s.net.Alice.Kill())
	chain("connecting")
	s.must(s.net.Alice.Restart(s.ctx))
	s.must(s.net.WaitChannel(s.ctx))
	chain("ready")
	s.Kill()
	narrow, err := s.net.Alice.BakeMacaroon(s.ctx, 777, "/lnrpc.Lightning/GetInfo", "/lnrpc.Lightning/SubscribeInvoices",
		"/lnrpc.Lightning/ListInvoices", "/lnrpc.Lightning/LookupInvoice")
	s.must(err)
	s.Env = append(s.Env, "SANDGLASS_LND_WATCH_MACAROON="+narrow)
	s.Start()
	chain("denied")
	component("sweep", "done")
	o := s.order("other", instant.Hour) // Lightning goes on
	s.pay(o.Payment.Request)
	s.status("other", "running")
	s.Kill()
	s.Env = s.Env[:len(s.Env)-1]
	s.Start()
	s.WaitReady(s.ctx)
	s.proves()
}

// Statement 21: nothing is suspended or released between a start and the first sweep, nor
// released while a deposit is on its way; but it is once that came to nothing.
func TestStatement21NothingEndsTooEarly(t *testing.T) {
	s := newShore(t, "SANDGLASS_SWEEP_EVERY=2s") // a release waits for a sweep of the wallet
	brief := small
	brief.Name, brief.Grace = "brief", 1
	_, err := s.Client().Publish(s.ctx, brief)
	s.must(err)
	for _, id := range []string{"kept", "lost"} {
		// It has to last until the daemon is killed, on a loaded machine too.
		o, err := s.Client().Order(s.ctx, wire.OrderRequest{Plan: "brief", Time: 15 * instant.Second, ID: id}, "")
		s.must(err)
		s.asks(o)
		s.pay(o.Payment.Request)
		s.status(id, "running")
	}
	kept, lost := s.sends("kept", 5000), s.sends("lost", 6000)
	s.becomes(lost, 0, "seen")
	s.Kill()
	s.must(s.net.Alice.Kill())
	s.Start()
	s.Until(s.ctx, "the daemon answers", func() error { _, err := s.Client().Ready(s.ctx); return err })
	due := s.status("kept", "running").PaidUntil
	s.Until(s.ctx, "their time is over", func() error {
		if instant.Of(time.Now()) < due.Add(instant.Second) {
			return fmt.Errorf("it lasts until %s", due)
		}
		return nil
	})
	s.status("kept", "running") // nobody knows yet whether it was paid
	s.must(s.net.Alice.Restart(s.ctx))
	s.must(s.net.WaitChannel(s.ctx))
	for _, id := range []string{"kept", "lost"} {
		s.status(id, "suspended")
		s.shows(id, "it is held", func(r *wire.Resource) bool { return r.HeldUntil > instant.Of(time.Now()) })
	}
	_, err = s.net.DoubleSpend(s.ctx, lost)
	s.must(err)
	s.status("lost", "released")
	s.mine(3)
	s.becomes(kept, 0, "credited")
	s.status("kept", "running")
	s.proves()
}
