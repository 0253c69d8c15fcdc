package daemon_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/testutil/devnet"
)

// shore is a rig whose resources are paid on the chain.
type shore struct {
	*rig
	from  int64             // height of the chain at the begin
	addrs map[string]string // by resource
}

func newShore(t *testing.T, env ...string) *shore {
	t.Helper()
	r := newRig(t, env...)
	height, _, err := r.net.BestBlock(r.ctx)
	r.must(err)
	s := &shore{r, height, map[string]string{}}
	s.mine(1) // so that no reorg of this test takes what another one did
	return s
}

// address orders a resource, and returns the address that it is given.
func (s *shore) address(id string) string {
	s.t.Helper()
	if s.addrs[id] == "" {
		s.asks(s.order(id, instant.Hour))
	}
	return s.addrs[id]
}

// asks asks for the address of an order.
func (s *shore) asks(o wire.Order) {
	s.t.Helper()
	id := o.Resource.ID
	r, err := s.Client().Address(s.ctx, id)
	s.must(err)
	link := "bitcoin:" + strings.ToUpper(r.Address)
	if o.Payment != nil && o.Payment.Asked < 546*money.Sat { // an address takes no payment so small
		link = "lightning:"
	}
	if r.Address == "" || !strings.HasPrefix(r.URI, link) {
		s.t.Errorf("%s has the address %s and the link %s", id, r.Address, r.URI)
	}
	s.addrs[id] = r.Address
}

// sends pays each of sats to a resource, in one transaction.
func (s *shore) sends(id string, sats ...int64) *devnet.Tx {
	s.t.Helper()
	var outputs []devnet.Output
	for _, sat := range sats {
		outputs = append(outputs, devnet.To(s.address(id), sat))
	}
	tx, err := s.net.Pay(s.ctx, outputs...)
	s.must(err)
	return tx
}

func (s *shore) mine(blocks int) {
	s.t.Helper()
	s.must(s.net.Mine(s.ctx, blocks))
}

func (s *shore) reorg(depth int, opts ...devnet.ReorgOption) {
	s.t.Helper()
	_, err := s.net.Reorg(s.ctx, depth, opts...)
	s.must(err)
}

func key(tx *devnet.Tx, vout int) string { return fmt.Sprintf("btc-%s-%d", tx.Txid, vout) }

// becomes waits until an output of a transaction has a status.
func (s *shore) becomes(tx *devnet.Tx, vout int, want string) (p wire.Payment) {
	s.t.Helper()
	s.Until(s.ctx, fmt.Sprintf("output %d is %s", vout, want), func() (err error) {
		if p, err = s.Client().Payment(s.ctx, key(tx, vout)); err == nil && p.Status != want {
			err = fmt.Errorf("it is %s %s", p.Status, p.Reason)
		}
		return err
	})
	return p
}

// has waits until the credits of a resource by payments on the chain, less what was
// reversed, are so many satoshi.
func (s *shore) has(id string, sat int64) {
	s.t.Helper()
	s.Until(s.ctx, fmt.Sprintf("%s has %d sat", id, sat), func() error {
		if got := s.sums()[id]; got != money.Msat(sat)*money.Sat {
			return fmt.Errorf("it has %s", got)
		}
		return nil
	})
}

// sums returns Σ credits − Σ reversals by payments on the chain, of each resource, as the
// log tells them.
func (s *shore) sums() map[string]money.Msat {
	s.t.Helper()
	sums := map[string]money.Msat{}
	for e := range s.Events(s.ctx) {
		id, ok := strings.CutPrefix(e.Stream, "resource-")
		if !ok || e.Type != "resource.credited.v2" && e.Type != "resource.reversed.v1" {
			continue
		}
		var c struct {
			Payment string     `json:"payment"`
			Amount  money.Msat `json:"amount_msat"`
		}
		s.must(json.Unmarshal(e.Data, &c))
		if !strings.HasPrefix(c.Payment, "btc-") {
			continue
		}
		if e.Type == "resource.reversed.v1" {
			c.Amount = -c.Amount
		}
		sums[id] += c.Amount
	}
	return sums
}

// countOf returns how many events of a type a stream has.
func (s *shore) countOf(stream, kind string) (n int) {
	s.t.Helper()
	for e := range s.Events(s.ctx) {
		if e.Stream == stream && e.Type == kind {
			n++
		}
	}
	return n
}

// proves waits until each resource has what the chain says, in blocks that count, and
// audits the daemon.
func (s *shore) proves() {
	s.t.Helper()
	s.Until(s.ctx, "the log has what the chain says", func() error {
		height, _, err := s.net.BestBlock(s.ctx)
		if err != nil {
			return err
		}
		sums := s.sums()
		for id, addr := range s.addrs {
			outputs, err := s.net.ActiveOutputs(s.ctx, s.from, addr)
			if err != nil {
				return err
			}
			var want money.Msat
			for _, o := range outputs {
				if height-o.Height+1 >= 3 {
					want += money.Msat(o.Sat) * money.Sat
				}
			}
			if sums[id] != want {
				return fmt.Errorf("%s has %s, the chain says %s", id, sums[id], want)
			}
		}
		return nil
	})
	s.must(unexplained(s.Events(s.ctx)))
	s.audit()
	if out, err := s.Command(s.ctx, "audit", "reconcile"); err != nil {
		s.t.Errorf("audit reconcile: %v\n%s", err, out)
	}
}

// forgets waits until an output of a transaction is shown to nobody: what no block holds of an
// order that nobody has paid is in no log.
func (s *shore) forgets(tx *devnet.Tx, vout int) {
	s.t.Helper()
	s.Until(s.ctx, fmt.Sprintf("output %d is forgotten", vout), func() error {
		p, err := s.Client().Payment(s.ctx, key(tx, vout))
		if client.Code(err) != "unknown_payment" {
			return fmt.Errorf("it is %s: %w", p.Status, err)
		}
		return nil
	})
	if n := s.countOf("payment-"+key(tx, vout), "payment.seen.v2"); n != 0 {
		s.t.Errorf("the log has %s", key(tx, vout))
	}
}
