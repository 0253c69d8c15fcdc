package daemon_test

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/testutil/daemon"
	"sandglass/testutil/devnet"
	"sandglass/testutil/esdbserver"
)

var clusterKills = flag.Int("cluster-kills", 20, "how often one of two daemons on one log is killed under load")

// Two daemons, of two hosts, watch one wallet and write to one log in a cluster of three
// nodes. Each is killed with -9 at random moments under load, and the leader moves, also
// under daemons that go on. In the end each payment is credited exactly once, and both daemons say what the log says.
func TestTwoDaemonsOnOneLog(t *testing.T) {
	net := devnet.Shared(t)
	random := rand.New(rand.NewPCG(seedOf(t, "cluster-kills"), 2))
	store, moveLeader := sharedLog(t)
	env := append(net.Env(), "SANDGLASS_MAX_OPEN_INVOICES_PER_RESOURCE=100000", "SANDGLASS_LOG_LEVEL=warn")
	first := daemon.New(t, append(env, store...)...)
	both := []*daemon.Daemon{first, first.Beside("SANDGLASS_HOST=host-2")}
	ctx := t.Context()
	since := settled(ctx, t, net)
	load := &load{net: net}
	for _, d := range both {
		d.Start()
		d.WaitReady(ctx)
		load.clients = append(load.clients, d.Client())
	}
	if _, err := first.Client().Publish(ctx, small); err != nil {
		t.Fatal(err)
	}
	end := load.begin(ctx)
	for i := range *clusterKills {
		d := both[random.IntN(2)]
		if random.IntN(4) > 0 {
			d.WaitReady(ctx)
		}
		moment := time.NewTimer(time.Duration(random.Int64N(int64(700 * time.Millisecond))))
		select {
		case <-moment.C:
		case <-both[0].Ended():
			t.Fatalf("before kill %d the first daemon ended by itself\n%s", i, both[0].Log())
		case <-both[1].Ended():
			t.Fatalf("before kill %d the second daemon ended by itself\n%s", i, both[1].Log())
		}
		if random.IntN(4) == 0 {
			moveLeader()
		}
		d.Kill()
		d.Start()
	}
	for _, d := range both {
		d.WaitReady(ctx)
	}
	for range 1 + *clusterKills { // under daemons that are not started again
		paid := load.paid.Load()
		first.Until(ctx, "payments were made after the last kill, or move", func() error {
			if load.paid.Load() > paid+1 {
				return nil
			}
			return fmt.Errorf("%d payments", paid)
		})
		moveLeader()
	}
	end()
	for _, d := range both { // once more, so that what was paid last is found by a sweep at start
		d.Kill()
		d.Start()
		d.WaitReady(ctx)
	}
	for _, d := range both {
		credits := reconcile(ctx, t, d, net, since)
		if credits < int(load.paid.Load()) || load.paid.Load() == 0 {
			t.Errorf("bob's node says that %d payments succeeded, and %d were credited", load.paid.Load(), credits)
		}
		t.Logf("%d kills, %d payments succeeded, %d credits, 0 lost, 0 doubled", *clusterKills, load.paid.Load(), credits)
		for _, audit := range []string{"replay", "reconcile"} {
			if out, err := d.Command(ctx, "audit", audit); err != nil {
				t.Errorf("audit %s: %v\n%s", audit, err, out)
			} else {
				t.Log(strings.TrimSpace(out))
			}
		}
	}
}

// A cluster that has lost its quorum is told, by /readyz and by the figures, though nobody asks
// for anything and the node that is left answers reads; and so is that it is well again.
func TestTheClusterHasNoQuorum(t *testing.T) {
	const bound = 10 * time.Second
	c := esdbserver.New(t, esdbserver.Options{Nodes: 3})
	r := newRig(t, daemon.Clustered(c)...)
	began := time.Now()
	for _, i := range []int{(c.Leader() + 1) % 3, (c.Leader() + 2) % 3} {
		c.StopNode(i)
	}
	r.Until(r.ctx, "the store is said to be away", func() error { return r.store("unavailable", 0) })
	if took := time.Since(began); took > bound {
		t.Errorf("it was told after %s, not within %s", took, bound)
	}
	r.must(c.ComeBack())
	r.Until(r.ctx, "the store is said to be there", func() error { return r.store("writable", 1) })
}

// store returns an error unless /readyz and the figures say that of the store.
func (r *rig) store(state string, writable int) error {
	ready, err := r.Client().Ready(r.ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(ready.Components, func(c wire.Component) bool { return c.Name == "store" })
	figure := fmt.Sprintf("\nsandglass_store_writable %d\n", writable)
	if s := ready.Components[i]; s.State != state || s.Ready != (writable == 1) {
		return fmt.Errorf("the store is %s: %s", s.State, s.Advice)
	}
	req, err := http.NewRequestWithContext(r.ctx, http.MethodGet, r.URL+"/metrics", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+daemon.Token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err == nil && !strings.Contains(string(text), figure) {
		err = fmt.Errorf("the figures do not say%s", figure)
	}
	return err
}

// sharedLog is where two daemons share a log, of which each begins at a follower, and what has
// the leader move there: of a real server nobody but its operator does.
func sharedLog(t *testing.T) (store []string, moveLeader func()) {
	if server := os.Getenv(daemon.ServerVariable); server != "" {
		return daemon.Served(server), func() {}
	}
	c := esdbserver.New(t, esdbserver.Options{Nodes: 3, SystemEvery: 20})
	store = append(daemon.Clustered(c), "SANDGLASS_STORE="+c.ConnectionString()+"&nodePreference=follower")
	return store, func() { c.MoveLeader() }
}

// The tests of the daemon run on the server that the environment names, each in a namespace
// of its own, and never on one beside what a test names itself.
func TestTheLogIsWhereTheEnvironmentSays(t *testing.T) {
	c := esdbserver.New(t, esdbserver.Options{})
	var logs sync.Map
	c.OnAppend(func(stream string) esdbserver.Fault {
		if !strings.ContainsAny(stream, ".-") { // else what is of a log, or beside it
			logs.Store(stream, true)
		}
		return esdbserver.None
	})
	t.Setenv(daemon.ServerVariable, c.ConnectionString())
	for _, env := range [][]string{nil, nil, {"SANDGLASS_STORE=sqlite:sandglass.db"}} {
		daemon.New(t, env...)
	}
	var names []any
	logs.Range(func(name, _ any) bool {
		names = append(names, name)
		return true
	})
	if len(names) != 2 {
		t.Errorf("the logs on the server are %v, want two", names)
	}
}

// The cluster goes away under a running daemon: it goes on telling what it knows, issues no
// invoice that it could not record, and says so. What was paid meanwhile is credited when
// the cluster is back, and time has gone on by the rules.
func TestTheClusterIsAway(t *testing.T) {
	c := esdbserver.New(t, esdbserver.Options{})
	r := newRig(t, daemon.Clustered(c)...)
	r.pay(r.order("short", 5*instant.Second).Payment.Request)
	long := r.order("long", instant.Hour)
	r.begins("short")
	before, err := r.net.Alice.AllInvoices(r.ctx)
	r.must(err)
	c.GoAway()
	r.Until(r.ctx, "the store is said to be away", func() error {
		ready, err := r.Client().Ready(r.ctx)
		if err != nil {
			return err
		}
		for _, c := range ready.Components {
			if c.Name == "store" && !c.Ready && c.Advice != "" && !ready.Ready {
				return nil
			}
		}
		return fmt.Errorf("%+v", ready.Components)
	})
	for range 3 {
		_, err := r.Client().Order(r.ctx, wire.OrderRequest{Plan: "small", Time: instant.Hour}, "")
		if client.Code(err) != "store_unavailable" {
			t.Errorf("an order: %v", err)
		}
		_, err = r.Client().Fund(r.ctx, "short", wire.FundRequest{Time: instant.Hour})
		if client.Code(err) != "store_unavailable" {
			t.Errorf("a top-up: %v", err)
		}
	}
	after, err := r.net.Alice.AllInvoices(r.ctx)
	r.must(err)
	if len(after) != len(before) {
		t.Errorf("%d invoices were issued that could not be recorded", len(after)-len(before))
	}
	r.pay(long.Payment.Request) // the wallet has it, the log can't
	r.Until(r.ctx, "the time of short is used up, as the daemon knows", func() error {
		got, err := r.Client().Resource(r.ctx, "short")
		if err == nil && got.Remaining > 0 {
			err = fmt.Errorf("%d ms are left", got.Remaining)
		}
		return err
	})
	r.must(c.ComeBack())
	r.status("long", "running")
	r.status("short", "suspended")
	r.WaitReady(r.ctx)
	r.audit()
}
