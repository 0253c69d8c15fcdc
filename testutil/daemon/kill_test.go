package daemon_test

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/testutil/daemon"
	"sandglass/testutil/devnet"
)

var (
	kills = flag.Int("kills", 60, "how often the daemon is killed under load")
	seed  = flag.Uint64("seed", 0, "of the moments; 0 takes one from the clock")
)

func TestMain(m *testing.M) {
	flag.Parse()
	devnet.Run(m)
}

// small is a plan that costs a millisatoshi a millisecond.
var small = wire.PublishRequest{
	Name: "small", Price: wire.Price{Msat: 1, Per: 1}, Min: 1, Max: 365 * instant.Day, Grace: instant.Day,
}

// The daemon is killed with -9 at random moments while bob pays as fast as he can. In
// the end the log and lnd's own list of settled invoices say the same, both ways.
func TestKillsUnderLoad(t *testing.T) {
	net := devnet.Shared(t)
	random := rand.New(rand.NewPCG(seedOf(t, "kills"), 1))
	d := daemon.New(t, append(net.Env(), "SANDGLASS_MAX_OPEN_INVOICES_PER_RESOURCE=100000", "SANDGLASS_LOG_LEVEL=warn")...)
	ctx := t.Context() // each step has a bound of its own, and their sum none
	since := settled(ctx, t, net)
	if _, err := os.Stat(filepath.Join(d.Dir, "log.key")); err != nil { // of a cluster, whose operator makes it
		(&signed{d, t}).command("log", "key", "--make")
	}
	d.Start()
	d.WaitReady(ctx)
	if _, err := d.Client().Publish(ctx, small); err != nil {
		t.Fatal(err)
	}
	load := &load{net: net, clients: []*client.Client{d.Client()}}
	end := load.begin(ctx)
	for i := range *kills {
		// The moment is what the test is about: anywhere in a start, in a sweep, or, mostly,
		// in the midst of orders and payments.
		if random.IntN(4) > 0 {
			d.WaitReady(ctx)
		}
		moment := time.NewTimer(time.Duration(random.Int64N(int64(700 * time.Millisecond))))
		select {
		case <-moment.C:
		case <-d.Ended():
			t.Fatalf("before kill %d the daemon ended by itself\n%s", i, d.Log())
		}
		d.Kill()
		d.Start()
	}
	d.WaitReady(ctx)
	paid := load.paid.Load()
	d.Until(ctx, "a payment was made after the last kill", func() error {
		if load.paid.Load() > paid {
			return nil
		}
		return fmt.Errorf("%d payments", paid)
	})
	end()
	d.Kill() // once more, so that what was paid last is found by the sweep at start
	d.Start()
	d.WaitReady(ctx)
	credits := reconcile(ctx, t, d, net, since)
	t.Logf("%d kills, %d payments succeeded, %d credits, 0 lost, 0 doubled", *kills, load.paid.Load(), credits)
	if credits < int(load.paid.Load()) || load.paid.Load() == 0 {
		t.Errorf("bob's node says that %d payments succeeded, and %d were credited", load.paid.Load(), credits)
	}
	if out, err := d.Command(ctx, "audit", "replay"); err != nil {
		t.Errorf("audit replay: %v\n%s", err, out)
	} else {
		t.Log(strings.TrimSpace(out))
	}
	signedAsItIs(t, d)
}

// signedAsItIs holds that the log of a daemon is what was signed, after whatever befell it: by itself, and by who verifies it.
func signedAsItIs(t *testing.T, d *daemon.Daemon) {
	t.Helper()
	s := &signed{d, t}
	s.until("there is no alarm, and all is signed", whole)
	s.command("log", "status")
	file := filepath.Join(t.TempDir(), "checkpoint")
	if err := os.WriteFile(file, []byte(s.get("/log/0/checkpoint")), 0o600); err != nil {
		t.Fatal(err)
	}
	s.command("audit", "verify", "--checkpoint", file)
}

// seedOf returns the seed, and tells how to run the test once more with it. howOften names
// the flag that makes a longer search of it.
func seedOf(t *testing.T, howOften string) uint64 {
	t.Helper()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	store := cmp.Or(os.Getenv(daemon.StoreVariable), "sqlite")
	t.Logf("once more: %s=%s go test ./testutil/daemon -run '^%s$' -v -timeout 0 -args -seed %d -%s %s",
		daemon.StoreVariable, store, t.Name(), *seed, howOften, flag.Lookup(howOften).Value)
	return *seed
}

// load pays for resources while daemons come and go.
type load struct {
	net     *devnet.Network
	clients []*client.Client // of the daemons, any of which may be asked
	paid    atomic.Int64
}

// begin has eight payers pay until end, which waits for them.
func (l *load) begin(ctx context.Context) (end func()) {
	ctx, stop := context.WithCancel(ctx)
	var payers sync.WaitGroup
	for i := range 8 {
		payers.Go(func() { l.pay(ctx, fmt.Sprintf("vm-%d", i), rand.New(rand.NewPCG(*seed, uint64(i)))) })
	}
	return func() { stop(); payers.Wait() }
}

// pay orders and tops up until ctx ends. What fails is tried again in another form, as
// people do: only what bob's node calls a success counts.
func (l *load) pay(ctx context.Context, id string, random *rand.Rand) {
	for n := 0; ctx.Err() == nil; n++ {
		amount := money.Msat(1000 + random.Int64N(9000))
		daemon := l.clients[random.IntN(len(l.clients))]
		var request string
		if random.IntN(4) == 0 {
			key := fmt.Sprintf("an-order-of-%s-number-%d-%d", id, n, random.Uint64())
			if o, err := daemon.Order(ctx, wire.OrderRequest{Plan: "small", Amount: amount}, key); err == nil && o.Payment != nil {
				request = o.Payment.Request
			}
		} else if p, err := daemon.Fund(ctx, id, wire.FundRequest{Amount: amount}); err == nil {
			request = p.Request
		} else if client.Code(err) == "unknown_resource" {
			_, _ = daemon.Order(ctx, wire.OrderRequest{Plan: "small", Amount: amount, ID: id}, "") // the next round pays
		}
		if request == "" {
			pause(ctx)
			continue
		}
		if _, err := l.net.Bob.Pay(ctx, request); err == nil {
			l.paid.Add(1)
		}
	}
}

// pause keeps a payer from asking a dead daemon all the time.
func pause(ctx context.Context) {
	t := time.NewTimer(20 * time.Millisecond)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// settled returns the settle_index of the last invoice that the wallet settled.
func settled(ctx context.Context, t *testing.T, net *devnet.Network) (last uint64) {
	t.Helper()
	list, err := net.Alice.SettledInvoices(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, inv := range list {
		last = max(last, inv.SettleIndex)
	}
	return last
}

// unexplained returns an error if the log takes a credit back more often than the block of its
// payment left the chain: over Lightning there is none.
func unexplained(log iter.Seq[wire.Event]) error {
	reorgs, reversals := map[string]int{}, map[string]int{}
	var errs []error
	for e := range log {
		switch e.Type {
		case "payment.reorged.v1":
			reorgs[strings.TrimPrefix(e.Stream, "payment-")]++
		case "resource.reversed.v1":
			var r struct {
				Payment string `json:"payment"`
			}
			if err := json.Unmarshal(e.Data, &r); err != nil {
				return err
			}
			if reversals[r.Payment]++; reversals[r.Payment] > reorgs[r.Payment] {
				errs = append(errs, fmt.Errorf("%s takes back %s, after %d reorgs for the %d. time",
					e.Stream, r.Payment, reorgs[r.Payment], reversals[r.Payment]))
			}
		}
	}
	return errors.Join(errs...)
}

// What no reorg explains is told.
func TestUnexplained(t *testing.T) {
	event := func(stream, kind, data string) wire.Event {
		return wire.Event{Stream: stream, Type: kind, Data: []byte(data)}
	}
	reorg := event("payment-btc-1-0", "payment.reorged.v1", `{}`)
	back := event("resource-vm-1", "resource.reversed.v1", `{"payment":"btc-1-0"}`)
	lightning := event("resource-vm-1", "resource.reversed.v1", `{"payment":"ln-1"}`)
	for _, test := range []struct {
		log []wire.Event
		ok  bool
	}{
		{nil, true},
		{[]wire.Event{reorg}, true},
		{[]wire.Event{reorg, back}, true},
		{[]wire.Event{reorg, back, reorg, back}, true},
		{[]wire.Event{back, reorg}, false},
		{[]wire.Event{reorg, back, back}, false},
		{[]wire.Event{reorg, lightning}, false},
	} {
		if err := unexplained(slices.Values(test.log)); (err == nil) != test.ok {
			t.Errorf("%d events: %v", len(test.log), err)
		}
	}
}

// reconcile compares the log with what the wallet settled since, both ways, and returns
// how many credits there are.
func reconcile(ctx context.Context, t *testing.T, d *daemon.Daemon, net *devnet.Network, since uint64) int {
	t.Helper()
	if err := unexplained(d.Events(ctx)); err != nil {
		t.Error(err)
	}
	credited := map[string]int64{} // by key of the payment: msat
	for e := range d.Events(ctx) {
		if e.Type != "resource.credited.v2" {
			continue
		}
		var c struct {
			Payment string `json:"payment"`
			Amount  int64  `json:"amount_msat"`
		}
		if err := json.Unmarshal(e.Data, &c); err != nil {
			t.Fatal(err)
		}
		if _, twice := credited[c.Payment]; twice {
			t.Errorf("payment %s is credited twice", c.Payment)
		}
		credited[c.Payment] = c.Amount
	}
	list, err := net.Alice.SettledInvoices(ctx)
	if err != nil {
		t.Fatal(err)
	}
	inWallet := map[string]bool{}
	for _, inv := range list {
		key := "ln-" + hex.EncodeToString(inv.RHash)
		inWallet[key] = true
		if inv.SettleIndex <= since {
			continue // of an earlier test on this network
		}
		if credited[key] != inv.AmtPaidMsat {
			t.Errorf("lnd has %d msat by %s, the log credits %d", inv.AmtPaidMsat, key, credited[key])
		}
	}
	for key := range credited {
		if !inWallet[key] {
			t.Errorf("the log credits %s, which lnd does not know as settled", key)
		}
	}
	return len(credited)
}
