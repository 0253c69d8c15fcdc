package daemon_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/testutil/devnet"
)

// Whoever is away, the reorg is found afterwards.
func TestReorgWhileAway(t *testing.T) {
	for _, away := range []string{"daemon", "lnd", "both"} {
		t.Run(away, func(t *testing.T) {
			s := newShore(t)
			gone, moved := s.sends("gone", 5000), s.sends("moved", 6000)
			s.mine(4)
			s.becomes(gone, 0, "credited")
			s.becomes(moved, 0, "credited")
			if away != "lnd" {
				s.Kill()
			}
			if away != "daemon" {
				s.must(s.net.Alice.Kill())
			}
			thief, err := s.net.Conflict(s.ctx, gone)
			s.must(err)
			s.reorg(4, devnet.With(thief.MsgTx))
			s.mine(4)
			if away != "daemon" {
				s.must(s.net.Alice.Restart(s.ctx))
				s.must(s.net.WaitChannel(s.ctx))
			}
			if away != "lnd" {
				s.Start()
			}
			s.WaitReady(s.ctx)
			s.has("gone", 0)
			s.has("moved", 6000)
			s.mine(6)
			s.becomes(gone, 0, "replaced")
			s.proves()
		})
	}
}

// A reorg keeps a payment at its height while the daemon is away. lnd goes on listing it in
// the block that left the chain, and nowhere else, however deep it gets.
func TestReorgAtTheSameHeightWhileAway(t *testing.T) {
	s := newShore(t)
	s.address("vm")
	s.Kill()
	s.sends("vm", 5000)
	s.mine(2)
	s.reorg(2, devnet.KeepTxs())
	s.mine(20)
	s.Start()
	s.WaitReady(s.ctx)
	s.has("vm", 5000)
	s.proves()
}

// The time is used up when its payment is double spent: what was drawn is debt, and the
// next payment pays it first.
func TestReorgAfterTheTimeWasUsedUp(t *testing.T) {
	s := newShore(t)
	fast := small
	fast.Name, fast.Price = "fast", wire.Price{Msat: 1_000_000, Per: 1000} // 1000 sat a second
	_, err := s.Client().Publish(s.ctx, fast)
	s.must(err)
	o, err := s.Client().Order(s.ctx, wire.OrderRequest{Plan: "fast", Time: 2 * instant.Second, ID: "vm"}, "")
	s.must(err)
	s.asks(o)
	tx := s.sends("vm", 2000)
	s.mine(3)
	s.begins("vm")
	s.status("vm", "suspended")
	_, err = s.net.DoubleSpend(s.ctx, tx)
	s.must(err)
	s.becomes(tx, 0, "replaced")
	s.shows("vm", "it is in debt", func(r *wire.Resource) bool { return r.Debt == 2_000_000 })
	s.status("vm", "suspended")
	next := s.sends("vm", 602_000)
	s.mine(3)
	s.becomes(next, 0, "credited")
	r := s.status("vm", "running")
	if r.Debt != 0 || len(r.Lots) != 1 || r.Lots[0].Time != 600*instant.Second {
		t.Errorf("the debt is %s, the lots are %+v", r.Debt, r.Lots)
	}
	s.proves()
}

// Money for a released resource is unallocated, and the operator gives it to another one.
// The reorg of that is reversed there.
func TestADepositForAReleasedResource(t *testing.T) {
	s := newShore(t)
	o := s.order("old", instant.Hour)
	s.pay(o.Payment.Request)
	s.status("old", "running")
	s.asks(o)
	s.order("new", instant.Hour)
	if _, err := s.Client().As(o.HolderKey).Release(s.ctx, "old"); err != nil {
		t.Fatal(err)
	}
	tx := s.sends("old", 5000)
	s.mine(3)
	if p := s.becomes(tx, 0, "unallocated"); p.Reason != "released" {
		t.Errorf("it is unallocated for %q", p.Reason)
	}
	s.Until(s.ctx, "it is listed", func() error { // what is listed may lag behind what the log has of a payment
		list, err := s.Client().Unallocated(s.ctx, "", 10)
		if err == nil && (len(list.Payments) != 1 || list.Payments[0].Key != key(tx, 0)) {
			err = fmt.Errorf("unallocated are %+v", list.Payments)
		}
		return err
	})
	_, err := s.Client().Allocate(s.ctx, key(tx, 0), wire.AllocateRequest{Resource: "new"})
	if client.Code(err) != "which_order" { // it is for none of its orders
		t.Fatalf("to what is only ordered: %v", err)
	}
	order := regexp.MustCompile(`[0-9a-f]{8} \(plan`).FindString(err.Error())[:8]
	_, err = s.Client().Allocate(s.ctx, key(tx, 0), wire.AllocateRequest{Resource: "new", Order: order})
	s.must(err)
	s.has("new", 5000)
	s.reorg(3)
	s.has("new", 0)
	s.mine(3)
	s.becomes(tx, 0, "credited")
	s.has("new", 5000)
	delete(s.addrs, "old") // its money went elsewhere
	s.proves()
}

// What was shown to a payer is watched whatever the settings say now.
func TestTheChainIsOffAndWhatWasIssuedIsWatched(t *testing.T) {
	s := newShore(t)
	s.address("vm")
	s.Stop()
	s.Env = append(s.Env, "SANDGLASS_ON_CHAIN=false")
	s.Start()
	s.WaitReady(s.ctx)
	tx := s.sends("vm", 7200)
	s.mine(3)
	s.becomes(tx, 0, "credited")
	s.has("vm", 7200)
	if r := s.status("vm", "running"); r.Address != "" || strings.HasPrefix(r.URI, "bitcoin:") {
		t.Errorf("it shows %s and %s", r.Address, r.URI)
	}
	s.reorg(3)
	s.becomes(tx, 0, "reorged")
	s.has("vm", 0)
	if o := s.order("new", instant.Hour); o.Resource.Address != "" {
		t.Errorf("a new order has the address %s", o.Resource.Address)
	}
}
