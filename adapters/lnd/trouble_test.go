package lnd_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandglass/adapters/lnd"
	"sandglass/domain/billing"
	"sandglass/domain/instant"
	"sandglass/domain/lightning"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/wallet"
	"sandglass/domain/watch"
	"sandglass/testutil/devnet"
	"sandglass/testutil/fakelnd"

	"github.com/lightningnetwork/lnd/lnrpc"
)

// quick makes a client that notices what takes a minute by default, and still tells what hangs from what is slow on a
// loaded machine.
func quick(c lnd.Config) lnd.Config {
	c.Timeout = 2 * time.Second
	return c
}

func TestStatement20_HalfOpenWithinAMinute(t *testing.T) {
	c := lnd.Config{}.Defaults()
	if by := c.KeepaliveTime + c.KeepaliveTimeout; by >= time.Minute {
		t.Errorf("a ping tells after %s", by)
	}
	w := must(lightning.New(lightning.Config{
		Wallet: &lnd.Client{}, Wallets: &wallet.Handler{}, Booker: &payment.Booker{}, Now: now,
		Requests: request.New(request.Options{Now: now}), Opening: sells(nil, nil),
		Waiting: func(context.Context) ([]lightning.Waiting, error) { return nil, nil },
	}))(t)
	if by := w.CheckEvery + 2*c.Timeout; by >= time.Minute { // GetState, then GetInfo
		t.Errorf("a question tells after %s", by)
	}
}

func TestStatement20_HalfOpen(t *testing.T) {
	f := newFake(t)
	d := newDaemon(t, quick(configOf(f)))
	d.config.CheckEvery = 50 * time.Millisecond
	d.ready()
	d.open("vm-1")
	f.Stall(true)
	h := d.awaitHealth(watch.Connecting)
	if !strings.Contains(h.Advice, "does not answer") {
		t.Errorf("it says %q", h.Advice)
	}
	f.Stall(false)
	d.awaitHealth(watch.Ready)
	d.pays(f, 1_000)
	d.expect(1, 1_000, 0)
}

// A ping finds it too, with nobody asking.
func TestStatement20_HalfOpenByKeepalive(t *testing.T) {
	// gRPC pings no sooner than after 10 s of silence.
	f := newFake(t)
	c := configOf(f)
	c.KeepaliveTime, c.KeepaliveTimeout = 10*time.Second, 100*time.Millisecond
	c.Timeout = time.Second
	d := newDaemon(t, c).ready()
	f.Stall(true)
	d.awaitSign(watch.SignReconnect)
	f.Stall(false)
	d.awaitHealth(watch.Ready)
}

func TestStatement20_RealFrozen(t *testing.T) {
	net := devnet.Shared(t)
	n := realNode{net}
	d := newDaemon(t, quick(n.config()))
	d.config.CheckEvery = 50 * time.Millisecond
	d.ready()
	d.open("vm-1")
	check(t, net.Alice.Freeze())
	d.awaitHealth(watch.Connecting)
	check(t, net.Alice.Thaw())
	d.awaitHealth(watch.Ready)
	n.pay(t, d.order("vm-1", 1_000), 1_000)
	d.awaitBooked(1)
	d.expect(1, 1_000, 0)
}

func TestStatement20_States(t *testing.T) {
	f := newFake(t)
	f.SetState(lnrpc.WalletState_NON_EXISTING)
	d := newDaemon(t, configOf(f)).start()
	advices := map[string]bool{}
	for _, step := range []struct {
		state lnrpc.WalletState
		want  watch.Condition
	}{
		{lnrpc.WalletState_NON_EXISTING, watch.Locked},
		{lnrpc.WalletState_WAITING_TO_START, watch.Starting},
		{lnrpc.WalletState_LOCKED, watch.Locked},
		{lnrpc.WalletState_UNLOCKED, watch.Starting},
		{lnrpc.WalletState_LOCKED, watch.Locked},
		{lnrpc.WalletState_RPC_ACTIVE, watch.Starting},
		{lnrpc.WalletState_SERVER_ACTIVE, watch.Ready},
	} {
		f.SetState(step.state)
		h := d.awaitHealth(step.want)
		advices[h.Advice] = true
		if (h.Advice == "") != (step.want == watch.Ready) {
			t.Errorf("in %s it says %q", step.state, h.Advice)
		}
	}
	f.SetSynced(false)
	f.Kill()
	check(t, f.Start())
	advices[d.awaitHealth(watch.Syncing).Advice] = true
	f.Revoke("101")
	f.Kill()
	check(t, f.Start())
	advices[d.awaitHealth(watch.Denied).Advice] = true
	if len(advices) != 6 { // not created, locked, starting, ready, syncing, denied
		t.Errorf("it said %v", advices)
	}
	// A new macaroon in the same place mends it.
	f.SetSynced(true)
	check(t, f.Bake(f.WatchMacaroon, "103", fakelnd.Watching...))
	d.awaitHealth(watch.Ready)
}

func TestStatement20_RealStates(t *testing.T) {
	net := devnet.Shared(t)
	ctx := t.Context()
	carol := must(net.StartLocked(ctx, "--gc-canceled-invoices-on-the-fly"))(t)
	c := lnd.Config{Addr: carol.GRPC, TLSCert: carol.TLSCert, WatchMacaroon: filepath.Join(carol.Dir, "watch.macaroon")}
	d := newDaemon(t, c).start()
	locked := d.awaitHealth(watch.Locked)
	check(t, carol.Unlock(ctx))
	denied := d.awaitHealth(watch.Connecting) // there is no macaroon yet
	if !strings.Contains(denied.Advice, "can't be read") || locked.Advice == denied.Advice {
		t.Errorf("it says %q, then %q", locked.Advice, denied.Advice)
	}
	bake := func(permissions ...string) {
		path := must(carol.BakeMacaroon(ctx, 77, permissions...))(t)
		check(t, os.Rename(path, c.WatchMacaroon))
	}
	bake("info:read")
	d.awaitHealth(watch.Denied) // it may not list
	bake("info:read", "invoices:read")
	d.awaitHealth(watch.Ready)
	forgets(t, carol, c)
	check(t, carol.DeleteMacaroonID(ctx, 77))
	d.watcher.Nudge()
	revoked := d.awaitHealth(watch.Denied)
	if !strings.Contains(revoked.Advice, "revoked") {
		t.Errorf("it says %q", revoked.Advice)
	}
	check(t, carol.Kill())
}

// forgets holds that an invoice that lnd has canceled and forgotten, as the manual has it set, is
// none that can be paid, and is canceled again without an error.
func forgets(t *testing.T, carol *devnet.Node, c lnd.Config) {
	t.Helper()
	ctx := within(t)
	c.IssueMacaroon = must(carol.BakeMacaroon(ctx, 78, "/lnrpc.Lightning/AddInvoice",
		"/lnrpc.Lightning/CheckMacaroonPermissions", "/invoicesrpc.Invoices/CancelInvoice"))(t)
	client := must(lnd.Dial(c))(t)
	defer client.Close()
	inv := must(client.Invoice(ctx, anHour(1_000, "web-1")))(t)
	if open, err := client.IsOpen(ctx, inv.Key); !open || err != nil {
		t.Errorf("it is open: %t, %v", open, err)
	}
	check(t, client.Cancel(ctx, inv.Key))
	if e, err := client.Lookup(ctx, inv.Hash); !errors.Is(err, lightning.ErrNoInvoice) {
		t.Errorf("lnd has kept it: %+v, %v", e, err)
	}
	if open, err := client.IsOpen(ctx, inv.Key); open || err != nil {
		t.Errorf("forgotten it is open: %t, %v", open, err)
	}
	check(t, client.Cancel(ctx, inv.Key))
}

// While bitcoind is down lnd settles, and GetInfo hangs.
func TestChainIsDown(t *testing.T) {
	f := newFake(t)
	d := newDaemon(t, quick(configOf(f)))
	d.config.CheckEvery = 50 * time.Millisecond
	d.ready()
	d.open("vm-1")
	f.Hang("GetInfo", true)
	d.awaitHealth(watch.Syncing)
	d.pays(f, 1_000)
	f.Hang("GetInfo", false)
	d.awaitHealth(watch.Ready)
	if d.signs(watch.SignReconnect) != 0 {
		t.Errorf("it went away: %v", d.notices)
	}
	d.expect(1, 1_000, 0)
}

// A stream that ends cleanly, a certificate that changes, calls that fail or lose their
// answer: all is asked again.
func TestItComesBack(t *testing.T) {
	f := newFake(t)
	d := newDaemon(t, configOf(f)).ready()
	d.open("vm-1")
	for i, harm := range []func(){
		f.EndStreams,
		func() { f.Kill(); check(t, f.Start()) },
		func() { f.Kill(); check(t, f.RenewCert()); check(t, f.Start()) },
		func() {
			f.Fail("GetInfo", errors.New("the RPC server is in the process of starting up"))
			f.EndStreams()
		},
		func() { f.Fail("ListInvoices", errors.New("unknown"), errors.New("unknown")); f.EndStreams() },
		func() { f.LoseAnswers("ListInvoices", 1); f.LoseAnswers("LookupInvoice", 3); f.EndStreams() },
	} {
		listens(t, f)
		d.mu.Lock()
		n := d.sweeps
		d.mu.Unlock()
		inv := d.order("vm-1", 1_000)
		harm()
		check(t, f.Pay(inv.Hash, 1_000))
		d.awaitBooked(i + 1)
		d.await("a sweep", func() bool { return d.sweeps > n })
		d.awaitHealth(watch.Ready)
	}
	d.expect(6, 6_000, 0)
}

// What is wrong with a certificate is told, and a new file mends it with nothing restarted.
func TestACertificateThatIsNotTrustedIsExplained(t *testing.T) {
	const ours = "lnd autogenerated cert"
	ago := func(hours int) time.Time { return time.Now().Add(-time.Duration(hours) * time.Hour) }
	for name, x := range map[string]struct {
		copied, served func(f *fakelnd.Lnd) error
		want           string
	}{
		"renewed before the copy was at its end": {
			func(f *fakelnd.Lnd) error { return f.MakeCert(ours, ago(20), ago(-20)) }, (*fakelnd.Lnd).RenewCert, "copy its tls.cert again",
		},
		"renewed, and the copy is at its end": {
			func(f *fakelnd.Lnd) error { return f.MakeCert("before", ago(20), ago(1)) },
			(*fakelnd.Lnd).RenewCert, "copy its tls.cert again",
		},
		"another's": {
			func(f *fakelnd.Lnd) error { return f.MakeCert("another", ago(20), ago(-20)) }, (*fakelnd.Lnd).RenewCert, "is not lnd's",
		},
		"lnd's own is at its end": {
			nil, func(f *fakelnd.Lnd) error { return f.MakeCert(ours, ago(20), ago(1)) }, "restart lnd",
		},
		"lnd's own is at its end, and the copy is another": {
			(*fakelnd.Lnd).RenewCert, func(f *fakelnd.Lnd) error { return f.MakeCert(ours, ago(20), ago(1)) }, "restart lnd",
		},
		"lnd's own is of the time to come": {
			nil, func(f *fakelnd.Lnd) error { return f.MakeCert(ours, ago(-1), ago(-20)) }, "is the clock right",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			c := configOf(f)
			f.Kill()
			c.TLSCert = filepath.Join(t.TempDir(), "copy.cert")
			copied := func() { check(t, os.WriteFile(c.TLSCert, must(os.ReadFile(f.TLSCert))(t), 0o600)) }
			if x.copied != nil {
				check(t, x.copied(f))
				copied()
			}
			check(t, x.served(f))
			if x.copied == nil {
				copied()
			}
			check(t, f.Start())
			d := newDaemon(t, c).start()
			check(t, devnet.Until(within(t), "it says "+x.want, func(context.Context) error {
				if h := d.watcher.Health(); !strings.Contains(h.Advice, x.want) || !strings.Contains(h.Advice, "x509") {
					return fmt.Errorf("it says %q", h.Advice)
				}
				return nil
			}))
			f.Kill()
			check(t, f.RenewCert())
			copied()
			check(t, f.Start())
			d.awaitHealth(watch.Ready)
		})
	}
}

func TestStatement24_MacaroonsAreJudged(t *testing.T) {
	f := newFake(t)
	bake := func(ops ...fakelnd.Permission) string {
		path := filepath.Join(t.TempDir(), "m")
		check(t, f.Bake(path, "9", ops...))
		return path
	}
	garbage := filepath.Join(t.TempDir(), "garbage")
	check(t, os.WriteFile(garbage, []byte("a macaroon?"), 0o600))
	may := func(method string) fakelnd.Permission {
		return fakelnd.Permission{Entity: "uri", Action: method}
	}
	for _, tc := range []struct {
		name                string
		watch, issue        string
		allow, refused      bool
		beyond, alsoAllowed string
	}{
		{name: "those that are baked for it", watch: f.WatchMacaroon, issue: f.IssueMacaroon},
		{name: "readonly.macaroon watches, invoice.macaroon issues",
			watch: bake(fakelnd.Readonly...), issue: bake(fakelnd.Invoicing...)},
		{name: "admin.macaroon watches", watch: f.AdminMacaroon, refused: true, beyond: "offchain:write"},
		{name: "admin.macaroon issues", watch: f.WatchMacaroon, issue: f.AdminMacaroon, refused: true, beyond: "macaroon:generate"},
		{name: "invoice.macaroon watches", watch: bake(fakelnd.Invoicing...), refused: true, beyond: "invoices:write"},
		{name: "one that may send coins", watch: bake(may("/lnrpc.Lightning/SendCoins")), refused: true, beyond: "SendCoins"},
		{name: "one that may settle", watch: f.WatchMacaroon, issue: bake(may("/routerrpc.Router/SendPaymentV2")),
			refused: true, beyond: "SendPaymentV2"},
		{name: "admin.macaroon, on request", watch: f.AdminMacaroon, issue: f.AdminMacaroon, allow: true},
		{name: "a file that is not there yet", watch: filepath.Join(t.TempDir(), "none")},
		{name: "a file that holds something else", watch: garbage},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client, err := lnd.Dial(lnd.Config{
				Addr:          f.Addr,
				TLSCert:       f.TLSCert,
				WatchMacaroon: tc.watch,
				IssueMacaroon: tc.issue,
				AllowSpending: tc.allow,
			})
			if (err != nil) != tc.refused || tc.refused && !strings.Contains(err.Error(), tc.beyond) {
				t.Fatalf("Dial says %v", err)
			}
			if err == nil {
				check(t, client.Close())
			}
		})
	}
}

// One that grows while the daemon runs is refused too.
func TestStatement24_MacaroonThatGrows(t *testing.T) {
	f := newFake(t)
	d := newDaemon(t, configOf(f)).ready()
	check(t, f.Bake(f.WatchMacaroon, "101", fakelnd.Everything...))
	d.watcher.Nudge()
	h := d.awaitHealth(watch.Denied)
	if !strings.Contains(h.Advice, "offchain:write") {
		t.Errorf("it says %q", h.Advice)
	}
}

// TestAnEmptyMacaroonIsSaidToBeEmpty: whether it is looked into or not, and lnd is not blamed.
func TestAnEmptyMacaroonIsSaidToBeEmpty(t *testing.T) {
	for _, allow := range []bool{false, true} {
		f := newFake(t)
		c := configOf(f)
		c.AllowSpending = allow
		check(t, os.Truncate(c.WatchMacaroon, 0))
		d := newDaemon(t, c).start()
		h := d.awaitHealth(watch.Denied)
		if !strings.Contains(h.Advice, "file is empty") || !strings.Contains(h.Advice, c.WatchMacaroon) {
			t.Errorf("it says %q", h.Advice)
		}
		check(t, f.Bake(c.WatchMacaroon, "101", fakelnd.Watching...))
		d.awaitHealth(watch.Ready)
	}
}

func TestStatement24_RealMacaroonsReachNoFurther(t *testing.T) {
	net := devnet.Shared(t)
	for path, allowed := range map[string]bool{net.WatchMacaroon: false, net.IssueMacaroon: true} {
		conn := must(net.Alice.Dial(path))(t)
		alice, ctx := lnrpc.NewLightningClient(conn), within(t)
		_, add := alice.AddInvoice(ctx, &lnrpc.Invoice{ValueMsat: 1_000})
		_, send := alice.SendCoins(ctx, &lnrpc.SendCoinsRequest{Addr: "bcrt1q", Amount: 1_000})
		_, bake := alice.BakeMacaroon(ctx, &lnrpc.BakeMacaroonRequest{})
		if (add == nil) != allowed || send == nil || bake == nil || !strings.Contains(send.Error(), "permission denied") {
			t.Errorf("with %s: AddInvoice %v, SendCoins %v, BakeMacaroon %v", filepath.Base(path), add, send, bake)
		}
		check(t, conn.Close())
	}
	for _, path := range []string{net.Alice.AdminMacaroon, net.Alice.InvoiceMacaroon} {
		c := realNode{net}.config()
		c.WatchMacaroon = path
		if _, err := lnd.Dial(c); err == nil {
			t.Errorf("%s is taken to watch", filepath.Base(path))
		}
	}
	c := realNode{net}.config()
	c.WatchMacaroon, c.IssueMacaroon = net.Alice.ReadonlyMacaroon, net.Alice.InvoiceMacaroon
	check(t, must(lnd.Dial(c))(t).Close())
}

func TestStatement24_PreimagesAreNotKept(t *testing.T) {
	onBoth(t, func(t *testing.T, n node) {
		d := newDaemon(t, n.config()).ready()
		d.open("vm-1")
		open, paid := d.order("vm-1", 1_000), d.order("vm-1", 2_000)
		n.pay(t, paid, 2_000)
		d.awaitBooked(1)
		n.keysend(t, preimageOf(t), 3_000, forVM1)
		d.awaitBooked(2)
		d.sweep()
		var said bytes.Buffer
		for _, r := range d.records() {
			said.WriteString(r.Stream)
			said.Write(r.Data)
			said.Write(r.Meta)
		}
		d.mu.Lock()
		fmt.Fprintf(&said, "%+v", d.notices)
		d.mu.Unlock()
		fmt.Fprintf(&said, "%+v %+v", d.watcher.Health(), open)
		conn := must(lndConn(n))(t)
		defer conn.Close()
		for _, inv := range []billing.Invoice{open, paid} {
			hash := must(hex.DecodeString(inv.Hash))(t)
			found := must(lnrpc.NewLightningClient(conn).LookupInvoice(within(t), &lnrpc.PaymentHash{RHash: hash}))(t)
			secret := hex.EncodeToString(found.RPreimage)
			if len(found.RPreimage) != 32 || strings.Contains(said.String(), secret) || bytes.Contains(said.Bytes(), found.RPreimage) {
				t.Errorf("a preimage of %d bytes is in the log, or in what was said", len(found.RPreimage))
			}
		}
	})
}

func TestInvoice(t *testing.T) {
	onBoth(t, func(t *testing.T, n node) {
		client := must(lnd.Dial(n.config()))(t)
		defer client.Close()
		begin := now()
		inv := must(client.Invoice(t.Context(), billing.InvoiceRequest{
			Amount: 21_000, Description: strings.Repeat("ä", 400), Expiry: 90 * instant.Second,
		}))(t)
		if inv.Key != payment.Key("ln-"+inv.Hash) || len(inv.Hash) != 64 ||
			!strings.HasPrefix(inv.Request, "lnbcrt") || inv.Amount != 21_000 {
			t.Errorf("it is %+v", inv)
		}
		if inv.Expiry < begin.Add(88*instant.Second) || inv.Expiry > now().Add(91*instant.Second) {
			t.Errorf("it expires at %s", inv.Expiry)
		}
		for _, bad := range []struct {
			amount money.Msat
			expiry instant.Millis
		}{{-1, instant.Hour}, {1_000, 0}} {
			if _, err := client.Invoice(t.Context(), billing.InvoiceRequest{Amount: bad.amount, Expiry: bad.expiry}); err == nil {
				t.Errorf("an invoice of %d for %d ms", bad.amount, bad.expiry)
			}
		}
		c := n.config()
		c.IssueMacaroon = ""
		watching := must(lnd.Dial(c))(t)
		defer watching.Close()
		if _, err := watching.Invoice(t.Context(), anHour(1_000, "")); err == nil {
			t.Error("a client that only watches made an invoice")
		}
	})
}
