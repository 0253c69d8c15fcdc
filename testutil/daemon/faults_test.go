package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/testutil/daemon"
	"sandglass/testutil/devnet"
)

// rig is a daemon on alice, with a plan on offer. Each of its steps has a bound of its own,
// and so has each of the network's.
type rig struct {
	*daemon.Daemon
	t   *testing.T
	ctx context.Context
	net *devnet.Network
}

func newRig(t *testing.T, env ...string) *rig {
	t.Helper()
	net := devnet.Shared(t)
	ctx := t.Context()
	r := &rig{daemon.New(t, append(net.Env(), env...)...), t, ctx, net}
	r.Start()
	r.WaitReady(ctx)
	_, err := r.Client().Publish(ctx, small)
	r.must(err)
	return r
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("%v\n%s", err, r.Log())
	}
}

// order orders a resource for a time, without paying.
func (r *rig) order(id string, time instant.Millis) wire.Order {
	r.t.Helper()
	o, err := r.Client().Order(r.ctx, wire.OrderRequest{Plan: "small", Time: time, ID: id}, "")
	r.must(err)
	return o
}

func (r *rig) pay(request string) {
	r.t.Helper()
	_, err := r.net.Bob.Pay(r.ctx, request)
	r.must(err)
}

// state waits until the wallet is in a condition, and that this is told with advice.
func (r *rig) state(want string) {
	r.t.Helper()
	r.Until(r.ctx, "the wallet is "+want, func() error {
		ready, err := r.Client().Ready(r.ctx)
		if err != nil {
			return err
		}
		for _, c := range ready.Components {
			if c.Name == "wallet" && c.State == want && (c.Advice != "" || want == "ready") && ready.Ready == (want == "ready") {
				return nil
			}
		}
		return fmt.Errorf("%+v", ready.Components)
	})
}

// status waits until a resource has a status.
func (r *rig) status(id, want string) (got wire.Resource) {
	r.t.Helper()
	r.Until(r.ctx, id+" is "+want, func() (err error) {
		if got, err = r.Client().Resource(r.ctx, id); err == nil && got.Status != want {
			err = fmt.Errorf("it is %s", got.Status)
		}
		return err
	})
	return got
}

// begins waits until the time of a resource has begun, which may be over by then.
func (r *rig) begins(id string) {
	r.t.Helper()
	r.shows(id, "its time has begun", func(got *wire.Resource) bool { return got.Credited > 0 })
}

// shows waits until what is shown of a resource is so. It may lag behind what is shown of a payment, which is read
// from the log.
func (r *rig) shows(id, what string, so func(*wire.Resource) bool) (got wire.Resource) {
	r.t.Helper()
	r.Until(r.ctx, id+": "+what, func() (err error) {
		if got, err = r.Client().Resource(r.ctx, id); err == nil && !so(&got) {
			err = fmt.Errorf("it is %+v", got)
		}
		return err
	})
	return got
}

// audit replays the log, and compares it with the running daemon.
func (r *rig) audit() {
	r.t.Helper()
	if out, err := r.Command(r.ctx, "audit", "replay"); err != nil {
		r.t.Errorf("audit replay: %v\n%s", err, out)
	}
}

func TestLndIsKilledAndComesBack(t *testing.T) {
	r := newRig(t)
	r.pay(r.order("short", 3*instant.Second).Payment.Request)
	long := r.order("long", instant.Hour)
	r.begins("short")
	r.must(r.net.Alice.Kill())
	r.state("connecting")
	r.status("short", "suspended") // time goes on by the rules
	_, err := r.Client().Fund(r.ctx, "short", wire.FundRequest{Time: instant.Hour})
	if client.Code(err) != "no_wallet" {
		t.Errorf("an invoice without lnd: %v", err)
	}
	r.must(r.net.Alice.Restart(r.ctx))
	r.must(r.net.WaitChannel(r.ctx))
	r.state("ready")
	r.pay(long.Payment.Request)
	r.status("long", "running")
	r.audit()
}

// Money that comes while the daemon is dead counts as of when it came.
func TestMoneyThatComesWhileTheDaemonIsDead(t *testing.T) {
	r := newRig(t)
	o := r.order("vm", instant.Hour)
	r.Stop()
	r.pay(o.Payment.Request)
	r.Start()
	r.status("vm", "running")
	r.audit()
}

func TestLndHangs(t *testing.T) {
	r := newRig(t)
	since := time.Now()
	r.must(r.net.Alice.Freeze())
	t.Cleanup(func() { _ = r.net.Alice.Thaw() })
	r.state("connecting")
	took := time.Since(since)
	t.Logf("a hung lnd was noticed after %.1f s", took.Seconds())
	if took > time.Minute {
		t.Errorf("want 60 s at most")
	}
	r.must(r.net.Alice.Thaw())
	r.state("ready")
}

func TestLndIsLocked(t *testing.T) {
	net := devnet.Shared(t)
	ctx := t.Context()
	carol, err := net.StartLocked(ctx)
	if err != nil {
		t.Fatal(err)
	}
	env := append(net.Env(), "SANDGLASS_LND_ADDR="+carol.GRPC, "SANDGLASS_LND_TLS_CERT="+carol.TLSCert)
	r := &rig{daemon.New(t, env...), t, ctx, net}
	r.Start()
	r.state("locked")
	_, err = r.Client().Publish(ctx, small)
	r.must(err)
	if _, err := r.Client().Order(ctx, wire.OrderRequest{Plan: "small", Time: instant.Hour}, ""); client.Code(err) != "starting" {
		t.Errorf("an order before the wallet was read: %v", err)
	}
	r.must(carol.Unlock(ctx))
	r.state("denied") // the macaroons are alice's
}

func TestTheMacaroonIsRevoked(t *testing.T) {
	const rootKey = 4711
	r := newRig(t)
	r.Stop()
	watch := filepath.Join(t.TempDir(), "watch.macaroon")
	bake := func() {
		t.Helper()
		path, err := r.net.Alice.BakeMacaroon(r.ctx, rootKey, "invoices:read", "info:read", "onchain:read")
		r.must(err)
		macaroon, err := os.ReadFile(path)
		r.must(err)
		r.must(os.WriteFile(watch, macaroon, 0o600))
	}
	bake()
	r.Env = append(r.Env, "SANDGLASS_LND_WATCH_MACAROON="+watch)
	r.Start()
	r.WaitReady(r.ctx)
	o := r.order("vm", instant.Hour)
	r.must(r.net.Alice.DeleteMacaroonID(r.ctx, rootKey))
	r.must(r.net.Alice.Kill()) // so that the open stream is asked for its right again
	r.must(r.net.Alice.Restart(r.ctx))
	r.must(r.net.WaitChannel(r.ctx))
	r.state("denied")
	r.pay(o.Payment.Request) // nothing is lost
	bake()
	r.state("ready")
	r.status("vm", "running")
	r.audit()
}

func TestTheDiskIsFull(t *testing.T) {
	dir := t.TempDir()
	free := freeSpace(t, dir)
	room := min(free/8, 4<<30) // more than what others on this disk write meanwhile
	r := newRig(t, "SANDGLASS_STORE=sqlite:sandglass.db", fmt.Sprintf("SANDGLASS_FREE_SPACE_FLOOR=%d", free-room))
	o := r.order("vm", instant.Hour)
	ballast := filepath.Join(dir, "ballast")
	r.must(fill(ballast, 2*room))
	r.Until(r.ctx, "writes stop", func() error {
		_, err := r.Client().Order(r.ctx, wire.OrderRequest{Plan: "small", Time: instant.Hour}, "")
		if client.Code(err) != "read_only" {
			return fmt.Errorf("an order: %w", err)
		}
		return nil
	})
	r.pay(o.Payment.Request) // the wallet has it, the log can't
	if got, err := r.Client().Resource(r.ctx, "vm"); err != nil || got.Status != "awaiting" {
		t.Errorf("reads go on: %+v, %v", got, err)
	}
	r.must(os.Remove(ballast))
	r.status("vm", "running")
	r.audit()
}

// fill makes a file that really takes up so many bytes.
func fill(path string, n int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(syscall.Fallocate(int(f.Fd()), 0, 0, n), f.Close())
}

func freeSpace(t *testing.T, dir string) int64 {
	t.Helper()
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		t.Fatal(err)
	}
	return int64(s.Bavail) * s.Bsize
}

func TestAHugeBodyIsRefused(t *testing.T) {
	r := newRig(t)
	body := io.LimitReader(neverEnding('x'), 100<<20)
	res, err := http.Post(r.URL+"/v1/orders", "application/json", body)
	if err == nil {
		defer func() { _ = res.Body.Close() }()
		if res.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("100 MB: %s", res.Status)
		}
	} else if !strings.Contains(err.Error(), "reset") && !strings.Contains(err.Error(), "broken pipe") {
		t.Errorf("100 MB: %v", err)
	}
	r.order("vm", instant.Hour)
}

type neverEnding byte

// Read implements [io.Reader].
func (b neverEnding) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

// A keysend that names its resource buys it time; one that names none waits for the
// operator, who gives it to a resource.
func TestKeysend(t *testing.T) {
	r := newRig(t)
	r.pay(r.order("vm", instant.Hour).Payment.Request)
	before := r.status("vm", "running")
	_, err := r.net.Bob.Keysend(r.ctx, r.net.Alice.Pubkey, 60_000, map[uint64][]byte{0x676c6173: []byte("vm")})
	r.must(err)
	r.Until(r.ctx, "the keysend is credited", func() error {
		got, err := r.Client().Resource(r.ctx, "vm")
		if err == nil && len(got.Lots) != len(before.Lots)+1 {
			err = fmt.Errorf("%d lots", len(got.Lots))
		}
		return err
	})
	_, err = r.net.Bob.Keysend(r.ctx, r.net.Alice.Pubkey, 70_000, nil)
	r.must(err)
	var homeless wire.Payment
	r.Until(r.ctx, "the other one is unallocated", func() error {
		list, err := r.Client().Unallocated(r.ctx, "", 100)
		for _, p := range list.Payments {
			if p.Amount == 70_000 && p.Reason == "no_resource" {
				homeless = p
				return nil
			}
		}
		return errors.Join(err, fmt.Errorf("%+v", list))
	})
	p, err := r.Client().Allocate(r.ctx, homeless.Key, wire.AllocateRequest{Resource: "vm"})
	r.must(err)
	got, err := r.Client().Resource(r.ctx, "vm")
	r.must(err)
	if p.Status != "credited" || got.Lots[len(got.Lots)-1].Amount != money.Msat(70_000) {
		t.Errorf("%+v\n%+v", p, got)
	}
	r.audit()
}
