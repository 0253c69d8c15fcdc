package serve

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"testing"

	"sandglass/adapters/lnd"
	"sandglass/cmd/sandglass/config"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections"
	"sandglass/testutil/fakelnd"
	"sandglass/testutil/storetest"

	"github.com/rs/zerolog"
)

// TestAScrapeCostsTheSameWhateverIsOpen counts what a scrape of all metrics allocates, with few
// resources, orders and open invoices, and with many of each.
func TestAScrapeCostsTheSameWhateverIsOpen(t *testing.T) {
	const few, many, slack = 10, 1000, 2000 // bytes; the numbers in the page are longer
	one, other := scrape(t, few), scrape(t, many)
	if other > one+slack {
		t.Errorf("a scrape allocates %d bytes with %d of each, and %d with %d", one, few, other, many)
	}
}

// scrape returns how many bytes a scrape allocates in a daemon with n of each, at least.
func scrape(t *testing.T, n int) (allocated uint64) {
	t.Helper()
	d, store := built(t)
	resources := resource.Handler{Aggregate: resource.Aggregate(), Store: store}
	price := money.Price{Msat: 3_600_000, Per: instant.Hour}
	var last stream.Position
	for i := range n {
		now := d.clock.Now()
		order := resource.Order{Plan: "small", Terms: resource.Terms{Price: price, Grace: instant.Day}}
		id := resource.ID(fmt.Sprintf("r-%d", i))
		_, err := resources.Execute(t.Context(), id, stream.Meta{}, resource.Open{When: resource.When{At: now}, Order: order})
		check(t, err)
		out, err := resources.Execute(t.Context(), id, stream.Meta{}, resource.Grant{
			When: resource.When{At: now}, Key: "k", Time: instant.Hour, Reason: "test",
		})
		check(t, err)
		last = out.Position
		for of, o := range map[string]*resource.Order{"a": &order, "b": nil} {
			check(t, d.requests.Keep(t.Context(), &request.Record{
				Key: payment.LightningKey(fmt.Sprintf("%s%063x", of, i)),
				Request: payment.Request{
					At: now, Resource: resource.ID(fmt.Sprintf("%s-%d", of, i)), Amount: 1000, Price: price,
					Expiry: now.Add(instant.Hour), Order: o,
				},
			}))
		}
	}
	check(t, projections.Replay(t.Context(), store, d.views, last))
	if open := d.requests.Open(); open.Orders+open.Invoices < 2*n || d.views.Counts()[resource.StatusRunning] != n {
		t.Fatalf("open are %+v, and resources %v", open, d.views.Counts())
	}
	least := uint64(math.MaxUint64) // of what else runs, and of what a collection of garbage has made anew, there is none
	for range 50 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := d.api.Registry.Gather()
		runtime.ReadMemStats(&after)
		check(t, err)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

// built returns the components of a daemon, none of which runs, and its log.
func built(t *testing.T) (*components, stream.EventStore) {
	t.Helper()
	t.Setenv("SANDGLASS_STATE_DIR", t.TempDir())
	c, err := config.Load()
	check(t, err)
	node, err := fakelnd.New(t.TempDir())
	check(t, err)
	t.Cleanup(node.Kill)
	client, err := lnd.Dial(lnd.Config{
		Addr: node.Addr, TLSCert: node.TLSCert, WatchMacaroon: node.WatchMacaroon, IssueMacaroon: node.IssueMacaroon,
	})
	check(t, err)
	t.Cleanup(func() { check(t, client.Close()) })
	store, _ := storetest.SQLite(t)
	counts := newCounts(zerolog.Nop())
	own, err := openClock(c, counts, func(context.Context) (instant.Time, error) { return 0, nil })
	check(t, err)
	d, err := build(t.Context(), c, zerolog.Nop(), counts, own, store, new(memory), client)
	check(t, err)
	return d, store
}

// memory is a store of requests that can be lost.
type memory struct {
	storetest.Memory
	lost   error
	advice string
}

func (m *memory) Advice() string { return m.advice }

func (m *memory) Writable() error { return m.lost }

func (*memory) Close() error { return nil }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
