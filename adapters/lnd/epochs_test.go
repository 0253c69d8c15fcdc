package lnd_test

import (
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/wallet"
	"sandglass/domain/watch"
	"sandglass/testutil/fakelnd"
)

// credited pays n orders and waits for them.
func (d *daemon) pays(f *fakelnd.Lnd, amounts ...money.Msat) {
	d.t.Helper()
	d.mu.Lock()
	n := len(d.orders)
	d.mu.Unlock()
	for _, amount := range amounts {
		check(d.t, f.Pay(d.order("vm-1", amount).Hash, int64(amount)))
		n++
	}
	d.awaitBooked(n)
	d.sweep()
}

func TestStatement06_SettleIndexBeginsAgain(t *testing.T) {
	for name, daemonIsDown := range map[string]bool{"while it runs": false, "while it is down": true} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			d := newDaemon(t, configOf(f)).ready()
			d.open("vm-1")
			d.pays(f, 1_000, 2_000, 3_000)
			if daemonIsDown {
				d.stop()
			}
			f.Kill()
			f.ResetSettleIndex()
			if daemonIsDown {
				check(t, f.Start())
				d.ready()
			} else {
				check(t, f.Start())
				d.awaitSign(watch.SignReconnect)
				d.awaitHealth(watch.Ready)
			}
			// lnd tells nobody whose cursor is higher.
			check(t, f.Pay(d.order("vm-1", 4_000).Hash, 4_000))
			d.sweep()
			d.awaitBooked(4)
			d.awaitHealth(watch.Ready)
			// From now on the stream tells again.
			check(t, f.Pay(d.order("vm-1", 5_000).Hash, 5_000))
			d.awaitBooked(5)
			d.expect(5, 15_000, 0)
			if got := d.wallet(f.Identity()); got.Epoch != 2 {
				t.Errorf("it is in epoch %d, want 2: %v", got.Epoch, d.notices)
			}
			if got := d.signs(watch.SignEpoch); got != 1 {
				t.Errorf("%d alarms, want 1: %v", got, d.notices)
			}
			d.stop()
			d.ready().expect(5, 15_000, 0)
		})
	}
}

func TestStatement06_WalletMadeAgain(t *testing.T) {
	f := newFake(t)
	d := newDaemon(t, configOf(f)).ready()
	d.open("vm-1")
	d.pays(f, 1_000, 2_000, 3_000)
	f.Kill()
	f.Wipe()
	check(t, f.Start())
	d.awaitSign(watch.SignReconnect)
	d.await("a new epoch", func() bool { return d.epochs() == 1 })
	d.awaitHealth(watch.Ready)
	check(t, f.Pay(d.order("vm-1", 4_000).Hash, 4_000))
	d.awaitBooked(4) // by the stream
	d.expect(4, 10_000, 0)
	if got := d.wallet(f.Identity()); got.Epoch != 2 || got.Settle != 1 {
		t.Errorf("the wallet is %+v", got)
	}
}

func (d *daemon) epochs() (n int) {
	for _, notice := range d.notices {
		if notice.Sign == watch.SignEpoch {
			n++
		}
	}
	return n
}

func TestStatement06_AnotherWallet(t *testing.T) {
	f := newFake(t)
	d := newDaemon(t, configOf(f)).ready()
	d.open("vm-1")
	d.pays(f, 1_000, 2_000, 3_000)
	first := f.Identity()
	f.Kill()
	f.Wipe()
	f.SetIdentity(2)
	check(t, f.Start())
	d.awaitSign(watch.SignWallet)
	d.awaitHealth(watch.Ready)
	check(t, f.Pay(d.order("vm-1", 4_000).Hash, 4_000))
	d.awaitBooked(4)
	d.expect(4, 10_000, 0)
	if old, this := d.wallet(first), d.wallet(f.Identity()); old.Settle != 3 || this.Epoch != 1 || this.Settle != 1 {
		t.Errorf("the wallets are %+v and %+v", old, this)
	}
	if got := d.payment(d.orders[3]).Node; got != f.Identity() {
		t.Errorf("the payment names node %s", got)
	}
}

// Another wallet while the daemon was down, and with payments that wait.
func TestStatement06_AnotherWalletAfterRestart(t *testing.T) {
	f := newFake(t)
	d := newDaemon(t, configOf(f)).ready()
	d.open("vm-1")
	d.pays(f, 1_000)
	d.order("vm-1", 2_000)
	d.stop()
	f.Wipe()
	f.SetIdentity(2)
	d.ready()
	d.awaitSign(watch.SignWallet)
	check(t, f.Pay(d.order("vm-1", 4_000).Hash, 4_000))
	d.awaitBooked(2)
	d.expect(2, 5_000, 0)
}

// A wallet with a past is adopted as it is: what came before is not ours.
func TestHistoryIsNotOurs(t *testing.T) {
	f := newFake(t)
	check(t, f.Pay(f.Add(1_000), 1_000))
	open := f.Add(2_000)
	f.Keysend(preimageOf(t), 3_000, nil)
	d := newDaemon(t, configOf(f)).ready()
	d.open("vm-1")
	d.expect(0, 0, 0)
	if got := d.wallet(f.Identity()); got.History != 2 || got.Add != 1 || got.Since == 0 {
		t.Errorf("it was adopted as %+v", got)
	}
	// An invoice that was open then is not history when it is paid.
	check(t, f.Pay(open, 2_000))
	d.awaitBooked(1)
	d.expect(1, 0, 2_000)
	if got := d.payment(payment.LightningKey(open)); got.Reason != "foreign_invoice" {
		t.Errorf("it is %+v", got)
	}
	d.stop()
	d.ready().expect(1, 0, 2_000)
}

// Of a wallet whose database is rebuilt later, history stays history.
func TestHistoryStaysHistory(t *testing.T) {
	f := newFake(t)
	old := f.Add(1_000)
	check(t, f.Pay(old, 1_000))
	check(t, f.Change(old, settledAt(now().Add(-48*instant.Hour))))
	d := newDaemon(t, configOf(f)).ready()
	d.open("vm-1")
	d.pays(f, 2_000, 3_000)
	d.stop()
	f.ResetSettleIndex()
	d.ready()
	check(t, f.Pay(d.order("vm-1", 4_000).Hash, 4_000))
	d.sweep()
	d.awaitBooked(3)
	d.await("a new epoch", func() bool { return d.epochs() == 1 })
	d.awaitHealth(watch.Ready)
	d.expect(3, 9_000, 0)
	if got := d.payment(payment.LightningKey(old)).Status; got != payment.StatusNone {
		t.Errorf("what was paid long before is %s", got)
	}
}

func TestAnotherNetworkIsFatal(t *testing.T) {
	f := newFake(t)
	d := newDaemon(t, configOf(f)).ready()
	d.stop()
	d.start()
	_, err := d.wallets.Execute(t.Context(), "02"+f.Identity()[2:], metaOfTest, wallet.Adopt{
		At: now(), Epoch: 2, Network: "mainnet", Reason: wallet.Rebuilt,
	})
	check(t, err)
	d.stop()
	d.fatal = true
	d.start()
	if err := d.wait(); err == nil {
		t.Error("it went on, on another network")
	}
}
