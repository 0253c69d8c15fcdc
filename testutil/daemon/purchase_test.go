package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/payment"
	"sandglass/testutil/daemon"
	"sandglass/testutil/esdbserver"
)

// TestAPurchaseIsKilled kills the daemon at every step of a purchase: once it has asked for money, while that is paid,
// and before and after each write that the money causes, while the payer waits for what he paid for. Each gets what
// he paid for, once, and by the same request the same, and is never asked to pay again.
func TestAPurchaseIsKilled(t *testing.T) {
	cluster := esdbserver.New(t, esdbserver.Options{SystemEvery: 20})
	r := newRig(t, daemon.Clustered(cluster)...)
	type death struct {
		name string
		at   int // which write of the purchase, from 1
		as   esdbserver.Fault
	}
	deaths := []death{{name: "after it asked"}, {name: "while it is paid"}}
	for at := range 3 { // payment.settled; resource.opened and credited; payment.credited
		deaths = append(deaths, death{fmt.Sprintf("before write %d", at+1), at + 1, esdbserver.Hangs},
			death{fmt.Sprintf("after write %d", at+1), at + 1, esdbserver.AnswerHangs})
	}
	for i, d := range deaths {
		p := r.begin()
		switch {
		case i == 0:
			r.Kill()
			r.Start()
			r.WaitReady(r.ctx)
			p.pay()
		case i == 1:
			r.Kill()
			p.pay()
			r.Start()
		default:
			stuck := p.writes(cluster, d.at, d.as)
			p.pay()
			waits := p.waits()
			step, end := daemon.Step(r.ctx)
			select {
			case <-stuck:
			case <-r.Ended():
				t.Fatalf("%s: the daemon ended by itself\n%s", d.name, r.Log())
			case <-step.Done():
				t.Fatalf("%s: that write was not begun: %v\n%s", d.name, context.Cause(step), r.Log())
			}
			end()
			r.Kill()
			cluster.OnAppend(nil)
			if o, err := waits(); err == nil {
				p.same(d.name, &o)
			} else {
				p.notAskedToPay(d.name, err)
			}
			r.Start()
		}
		for range 2 {
			p.gets(d.name)
		}
	}
	r.audit()
	if out, err := r.Command(r.ctx, "audit", "reconcile"); err != nil {
		t.Errorf("audit reconcile: %v\n%s", err, out)
	}
}

// purchase is one by a program, of a minute of small.
type purchase struct {
	*rig
	client     *client.Client
	due        *client.Due
	credential string
	first      wire.Order // what it got
}

var buysMinute = wire.BuyRequest{Plan: "small", Time: instant.Minute}

// begin asks for something, and is asked for money.
func (r *rig) begin() *purchase {
	r.t.Helper()
	p := &purchase{rig: r, client: r.Client().As("")}
	r.WaitReady(r.ctx)
	_, err := p.client.Buy(r.ctx, buysMinute, "")
	var ok bool
	if p.due, ok = errors.AsType[*client.Due](err); !ok {
		r.t.Fatalf("it is not asked for money: %v\n%s", err, r.Log())
	}
	return p
}

func (p *purchase) pay() {
	p.t.Helper()
	paid, err := p.net.Bob.Pay(p.ctx, p.due.Payment.Request)
	p.must(err)
	p.credential = "L402 " + p.due.Token + ":" + paid.PaymentPreimage
}

// writes has one of the writes of the purchase get stuck, and tells when.
func (p *purchase) writes(cluster *esdbserver.Cluster, at int, as esdbserver.Fault) <-chan struct{} {
	stuck, count := make(chan struct{}), atomic.Int32{}
	cluster.OnAppend(func(stream string) esdbserver.Fault {
		mine := strings.HasSuffix(stream, payment.Prefix+p.due.Payment.Key) ||
			strings.HasSuffix(stream, "resource-"+p.due.Payment.Resource)
		if !mine {
			return esdbserver.None
		}
		switch n := int(count.Add(1)); {
		case n < at:
			return esdbserver.None
		case n == at:
			close(stuck)
		}
		return as
	})
	return stuck
}

// waits asks for what is paid, and returns what gives what became of that, once the request has left.
func (p *purchase) waits() func() (wire.Order, error) {
	type answer struct {
		wire.Order
		error
	}
	left, answered := make(chan struct{}), make(chan answer, 1)
	leaves := sync.OnceFunc(func() { close(left) }) // a connection that has ended may have it leave again
	ctx := httptrace.WithClientTrace(p.ctx, &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { leaves() },
	})
	go func() {
		o, err := p.client.Buy(ctx, buysMinute, p.credential)
		answered <- answer{o, err}
	}()
	select {
	case <-left:
	case a := <-answered:
		answered <- a
	}
	return func() (wire.Order, error) {
		a := <-answered
		return a.Order, a.error
	}
}

// gets gets what is paid for.
func (p *purchase) gets(when string) {
	p.t.Helper()
	var o wire.Order
	p.Until(p.ctx, when+": it gets what is paid for", func() (err error) {
		if o, err = p.client.Buy(p.ctx, buysMinute, p.credential); err != nil {
			p.notAskedToPay(when, err)
		}
		return err
	})
	p.same(when, &o)
}

func (p *purchase) notAskedToPay(when string, err error) {
	p.t.Helper()
	if refused, ok := errors.AsType[*client.Problem](err); ok && refused.Status != 503 {
		p.t.Fatalf("%s: what is paid is answered with %d: %v\n%s", when, refused.Status, err, p.Log())
	}
}

// same holds what is got against what was got first.
func (p *purchase) same(when string, o *wire.Order) {
	p.t.Helper()
	r, paid := o.Resource, o.Payment
	if r.ID != p.due.Payment.Resource || r.Credited != 60_000 || o.HolderKey == "" || paid == nil || paid.Amount != 60_000 {
		p.t.Fatalf("%s: it gets %+v", when, o)
	}
	if p.first.HolderKey == "" {
		p.first = *o
	}
	if o.HolderKey != p.first.HolderKey || paid.SettledAt != p.first.Payment.SettledAt || r.PaidUntil != p.first.Resource.PaidUntil {
		p.t.Errorf("%s: it gets %+v, after %+v", when, o, p.first)
	}
}

// TestTheBuyerIsKilled has sandglass buy die before its wallet pays, and after it did, and its daemon while it pays: by
// lncli, as the manual has it. The same command goes on, and pays once.
func TestTheBuyerIsKilled(t *testing.T) {
	r := newRig(t)
	info, dir := r.net.Info(), t.TempDir()
	lncli := fmt.Sprintf("%s --network=regtest --rpcserver=%s --lnddir=%s ", info.Lncli, info.Bob.GRPC, info.Bob.Dir)
	pays := lncli + "payinvoice --json --force {} || " + lncli + "trackpayment --json {hash}"
	file, at := filepath.Join(dir, "vm.credential"), filepath.Join(dir, "at")
	buy := func(pay string) (string, error) {
		return r.Command(r.ctx, "buy", r.URL, "small", "--time", "1m", "--most", "60sat", "--credential", file, "--pay-with", pay)
	}
	for _, pay := range []string{": {}; kill -9 $PPID", lncli + "payinvoice --json --force {} > /dev/null; kill -9 $PPID"} {
		if out, err := buy(pay); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("it is not killed: %v\n%s", err, out)
		}
	}
	type result struct {
		out string
		err error
	}
	done := make(chan result, 1)
	go func() {
		out, err := buy("touch " + at + "; until [ -e " + at + ".dead ]; do sleep 0.05; done; " + pays)
		done <- result{out, err}
	}()
	r.Until(r.ctx, "the wallet is asked to pay", func() error { _, err := os.Stat(at); return err })
	r.Kill()
	r.must(os.WriteFile(at+".dead", nil, 0o600))
	r.Start()
	got := <-done
	if got.err != nil || !strings.Contains(got.out, "holder key") {
		t.Fatalf("%v\n%s\n%s", got.err, got.out, r.Log())
	}
	r.WaitReady(r.ctx) // who buys more of what runs does not wait for a daemon that has just started
	out, err := r.Command(r.ctx, "buy", "--credential", file, "--time", "2m", "--most", "120sat", "--pay-with", pays)
	if err != nil || !strings.Contains(out, "running") {
		t.Fatalf("extending it: %v\n%s", err, out)
	}
	r.audit()
	list, err := r.Client().Resources(r.ctx, "", 0, client.Filter{})
	r.must(err)
	if len(list.Resources) != 1 || list.Resources[0].Credited != 180_000 {
		t.Errorf("it bought %+v", list)
	}
}
