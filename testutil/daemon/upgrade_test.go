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
	lnd  *fakelnd.Lnd
	paid map[string]int64 // msat, by the resource
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
	lnd, err := fakelnd.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lnd.Stop)
	env := append(daemon.Clustered(esdbserver.New(t, esdbserver.Options{})),
		"SANDGLASS_LND_ADDR="+lnd.Addr, "SANDGLASS_LND_TLS_CERT="+lnd.TLSCert,
		"SANDGLASS_LND_WATCH_MACAROON="+lnd.WatchMacaroon, "SANDGLASS_LND_ISSUE_MACAROON="+lnd.IssueMacaroon)
	first := daemon.NewOf(t, from, env...)
	first.Start()
	ctx := t.Context()
	first.WaitReady(ctx)
	u := &upgrade{rig: &rig{Daemon: first, t: t, ctx: ctx}, lnd: lnd, paid: map[string]int64{}}
	_, err = first.Client().Publish(ctx, small)
	u.must(err)
	u.pays(u.order("before", instant.Hour))
	u.status("before", "running")
	open := u.order("open", instant.Hour)

	second := first.Beside("SANDGLASS_HOST=host-2")
	second.Use(to)
	second.Start()
	second.WaitReady(ctx)
	first.WaitReady(ctx) // the two get on, until the newer one writes
	u.Daemon = second
	u.pays(open)
	for n := 0; ; n++ { // until the newer build is the first to book one
		u.pays(u.order(fmt.Sprint("vm-", n), instant.Hour))
		u.status(fmt.Sprint("vm-", n), "running")
		if countOf(u, kind) > 0 {
			break
		}
	}
	u.stopsAt(first, kind)
	u.pays(u.order("meanwhile", instant.Hour))
	u.status("meanwhile", "running")

	written := countOf(u, "")
	first.Start() // as systemd does
	u.stopsAt(first, kind)
	if n := countOf(u, ""); n != written {
		t.Errorf("the log went from %d to %d events while the older build was started", written, n)
	}
	first.Use(to)
	first.Start()
	first.WaitReady(ctx)
	for _, d := range []*daemon.Daemon{first, second} {
		u.Daemon = d
		u.creditedOnce()
		for _, audit := range []string{"replay", "reconcile"} {
			if out, err := d.Command(ctx, "audit", audit); err != nil {
				t.Errorf("audit %s: %v\n%s", audit, err, out)
			}
		}
	}
}

// stopsAt waits until a daemon has stopped at an event of that type.
func (u *upgrade) stopsAt(d *daemon.Daemon, kind string) {
	u.t.Helper()
	ctx, cancel := daemon.Step(u.ctx)
	defer cancel()
	select {
	case <-d.Ended():
	case <-ctx.Done():
		u.t.Fatalf("the older build goes on\n%s", d.Log())
	}
	u.t.Logf("the older build ends with %d and\n%s", d.ExitCode(), d.Log()[max(0, len(d.Log())-500):])
	want := []string{"position ", kind}
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
