package eventstoredb_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sandglass/adapters/eventstoredb"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/testutil/esdbserver"
	"sandglass/testutil/wholelog"
)

// Money is booked once, and nothing is taken back, by who begins at a follower and has the
// leader move, and whose handlers keep nothing of what they saw: reads at the leader are
// enough for that.
func TestMoneyIsBookedWhileTheLeaderMoves(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{Nodes: 3})
	conn := c.ConnectionString() + "&nodePreference=follower"
	s := open(t, conn, eventstoredb.Options{Namespace: newLog(t, conn)})
	var appends atomic.Int64
	c.OnAppend(func(string) esdbserver.Fault {
		if appends.Add(1)%7 == 0 {
			c.MoveLeader()
		}
		return esdbserver.None
	})
	const now = instant.Time(1_767_355_200_000)
	b := &payment.Booker{
		Payments:  &payment.Handler{Aggregate: payment.Aggregate(), Store: s},
		Resources: &resource.Handler{Aggregate: resource.Aggregate(), Store: s},
		Now:       func() instant.Time { return now },
	}
	b.Payments.Copy = func(s payment.State) (payment.State, int) { return s, 1 << 30 }
	b.Resources.Copy = func(s resource.State) (resource.State, int) { return s.Clone(), 1 << 30 }
	terms := resource.Terms{Price: money.Price{Msat: 1, Per: 1000}, Grace: instant.Day}
	const payers, each, amount = 8, 12, 500
	var paying sync.WaitGroup
	for i := range payers {
		paying.Go(func() {
			id := resource.ID(fmt.Sprintf("vm-%d", i))
			_, err := b.Resources.Execute(t.Context(), id, stream.Meta{}, resource.Open{
				When: resource.When{At: now}, Order: resource.Order{Plan: "small", Terms: terms, Request: [16]byte{1}},
			})
			for n := range each {
				if err != nil {
					break
				}
				key := payment.LightningKey(fmt.Sprintf("%032x%032x", i, n))
				_, err = b.Book(t.Context(), stream.Meta{}, key, payment.Settle{
					At: now, Amount: amount, Via: payment.ViaKeysend, Resource: id,
				})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	paying.Wait()
	wholelog.CheckCredits(t, s, amount, payers*each*amount)
	for _, line := range wholelog.Types(t, s) {
		if strings.Contains(line, "resource.reversed") || strings.Contains(line, "payment.unallocated") {
			t.Error(line)
		}
	}
}
