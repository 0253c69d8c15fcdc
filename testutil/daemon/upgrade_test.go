package daemon_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"strings"
	"testing"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/testutil/daemon"
	"sandglass/testutil/esdbserver"
	"sandglass/testutil/fakelnd"
)

var former = flag.String("former", "", "the sandglass of an earlier build, which this one follows in a rolling upgrade")

// builds returns a build and the one that follows it, with the type of event that the first does
// not know: this one and one of tomorrow, or an earlier one and this.
func builds(t *testing.T) (from, to, kind string) {
	if *former != "" {
		return *former, daemon.Binary(t), "payment.settled.v2"
	}
	to, kind = daemon.Newer(t)
	return daemon.Binary(t), to, kind
}

// upgrade is two hosts on one log, whose daemons watch one wallet.
type upgrade struct {
	*rig
	lnd    *fakelnd.Lnd
	opened wire.Order       // which nobody has paid before the upgrade
	paid   map[string]int64 // msat, by the resource
}

func (u *upgrade) pays(o wire.Order) {
	u.t.Helper()
	u.must(u.lnd.Pay(strings.TrimPrefix(o.Payment.Key, "ln-"), int64(o.Payment.Asked)))
	u.paid[o.Resource.ID] += int64(o.Payment.Asked)
}

// Two hosts share a log. One is upgraded while the other goes on: that one stops at the first
// event that it does not know, says which build wrote it, and stays stopped until it is upgraded
// as well. What is paid meanwhile is credited once.
func TestRollingUpgrade(t *testing.T) {
	from, to, kind := builds(t)
	u, first := hosts(t, from)
	ctx := u.ctx
	second := u.joined(to)
	first.WaitReady(ctx) // the two get on, until the newer one writes
	u.pays(u.opened)
	for n := 0; ; n++ { // until the newer build is the first to book one
		u.pays(u.order(fmt.Sprint("vm-", n), instant.Hour))
		u.status(fmt.Sprint("vm-", n), "running")
		if countOf(u, kind) > 0 {
			break
		}
	}
	u.stopsAt(first, "position ", kind)
	u.pays(u.order("meanwhile", instant.Hour))
	u.status("meanwhile", "running")

	written := countOf(u, "")
	first.Start() // as systemd does
	u.stopsAt(first, "position ", kind)
	if n := countOf(u, ""); n != written {
		t.Errorf("the log went from %d to %d events while the older build was started", written, n)
	}
	first.Use(to)
	first.Start()
	u.same(first, second)
}

// The same for what nobody has paid: the older build stops at the first order that it can't read,
// and what was ordered and paid meanwhile is credited once.
func TestRollingUpgradeOverRequests(t *testing.T) {
	to, kind := daemon.NewerRequests(t)
	u, first := hosts(t, daemon.Binary(t))
	second := u.joined(to)
	unpaid := u.order("unpaid", instant.Hour) // the newer build keeps it
	u.stopsAt(first, "-requests.invoices", kind)
	u.pays(u.opened)
	u.status("open", "running")
	u.pays(u.order("meanwhile", instant.Hour))
	u.status("meanwhile", "running")

	first.Start()
	u.stopsAt(first, "-requests.invoices", kind)
	first.Use(to)
	first.Start()
	first.WaitReady(u.ctx)
	u.Daemon = first
	u.pays(unpaid) // which the other one gave
	u.status("unpaid", "running")
	u.same(first, second)
}

// hosts starts the first of two hosts, on which one resource was paid, and one was ordered.
func hosts(t *testing.T, from string) (u *upgrade, first *daemon.Daemon) {
	t.Helper()
	lnd, err := fakelnd.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lnd.Stop)
	env := append(daemon.Clustered(esdbserver.New(t, esdbserver.Options{})),
		"SANDGLASS_LND_ADDR="+lnd.Addr, "SANDGLASS_LND_TLS_CERT="+lnd.TLSCert,
		"SANDGLASS_LND_WATCH_MACAROON="+lnd.WatchMacaroon, "SANDGLASS_LND_ISSUE_MACAROON="+lnd.IssueMacaroon)
	first = daemon.NewOf(t, from, env...)
	first.Start()
	first.WaitReady(t.Context())
	u = &upgrade{rig: &rig{Daemon: first, t: t, ctx: t.Context()}, lnd: lnd, paid: map[string]int64{}}
	_, err = first.Client().Publish(u.ctx, small)
	u.must(err)
	u.pays(u.order("before", instant.Hour))
	u.status("before", "running")
	u.opened = u.order("open", instant.Hour)
	return u, first
}

// joined starts the second host, which is asked from now on.
func (u *upgrade) joined(bin string) (second *daemon.Daemon) {
	u.t.Helper()
	second = u.Beside("SANDGLASS_HOST=host-2")
	second.Use(bin)
	second.Start()
	second.WaitReady(u.ctx)
	u.Daemon = second
	return second
}

// same compares what both hosts have, once the first followed the second.
func (u *upgrade) same(first, second *daemon.Daemon) {
	u.t.Helper()
	first.WaitReady(u.ctx)
	for _, d := range []*daemon.Daemon{first, second} {
		u.Daemon = d
		u.creditedOnce()
		for _, audit := range []string{"replay", "reconcile"} {
			if out, err := d.Command(u.ctx, "audit", audit); err != nil {
				u.t.Errorf("audit %s: %v\n%s", audit, err, out)
			}
		}
	}
}

// stopsAt waits until a daemon has stopped, and said so.
func (u *upgrade) stopsAt(d *daemon.Daemon, want ...string) {
	u.t.Helper()
	ctx, cancel := daemon.Step(u.ctx)
	defer cancel()
	select {
	case <-d.Ended():
	case <-ctx.Done():
		u.t.Fatalf("the older build goes on\n%s", d.Log())
	}
	u.t.Logf("the older build ends with %d and\n%s", d.ExitCode(), d.Log()[max(0, len(d.Log())-500):])
	if *former == "" {
		want = append(want, "sandglass v9.9.9")
	}
	for _, text := range want {
		if !strings.Contains(d.Log(), text) || d.ExitCode() != 1 {
			u.t.Errorf("it ends with %d, and does not say %q\n%s", d.ExitCode(), text, d.Log())
		}
	}
}

// countOf counts the events of a type; of all, for an empty one.
func countOf(u *upgrade, kind string) (n int) {
	for e := range u.Events(u.ctx) {
		if kind == "" || e.Type == kind {
			n++
		}
	}
	return n
}

// creditedOnce holds that each resource was credited what was paid for it, once.
func (u *upgrade) creditedOnce() {
	u.t.Helper()
	credits := map[string]int64{}
	for e := range u.Events(u.ctx) {
		if !strings.HasPrefix(e.Type, "resource.credited.") {
			continue
		}
		var c struct {
			Amount int64 `json:"amount_msat"`
		}
		u.must(json.Unmarshal(e.Data, &c))
		credits[strings.TrimPrefix(e.Stream, "resource-")] += c.Amount
	}
	if fmt.Sprint(credits) != fmt.Sprint(u.paid) {
		u.t.Errorf("credited %v, paid %v", credits, u.paid)
	}
}
