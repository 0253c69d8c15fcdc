package lightning_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/domain/lightning"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/wallet"
	"sandglass/testutil/storetest"
	"sandglass/testutil/wholelog"
)

// daemon is what of one brings orders to their credit, with stores that fail as they are told.
type daemon struct {
	requests *request.Set
	stop     func()
}

// run starts a daemon on the log and the requests that all daemons share.
func (f *fixture) run(kept request.Store, onAppend, onForget func() storetest.Fault) *daemon {
	f.t.Helper()
	store := &storetest.Faulty{EventStore: f.store, OnAppend: onAppend}
	faulty := &storetest.FaultyRequests{Store: kept, OnForget: onForget}
	d := &daemon{requests: request.New(request.Options{Store: faulty, Now: now, Most: 1000})}
	cfg := f.config()
	cfg.Booker, cfg.Requests = booker(store), d.requests
	cfg.Wallets = &wallet.Handler{Aggregate: wallet.Aggregate(), Store: store}
	w, err := lightning.New(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(f.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = d.requests.Run(ctx) })
	wg.Go(func() {
		<-d.requests.CaughtUp()
		if err := w.Run(ctx); err != nil {
			f.t.Error(err)
		}
	})
	d.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	f.t.Cleanup(d.stop)
	synctest.Wait()
	return d
}

func works() storetest.Fault { return storetest.None }

// death is a daemon's: it comes with a fault, after so many writes, and nothing is written after.
type death struct {
	after atomic.Int64 // writes that are left; below 0 it is dead
	fault storetest.Fault
}

func (d *death) write() storetest.Fault {
	switch left := d.after.Add(-1); {
	case left > 0:
		return storetest.None
	case left == 0:
		return d.fault
	}
	return storetest.Lost
}

// sell makes an invoice of an order by a daemon and gives it to its payer, who asks again if he
// gets no answer.
func (f *fixture) sell(d *daemon, id resource.ID) (hash string) {
	f.t.Helper()
	for {
		hash = f.fakeWallet.add()
		r := f.asks(hash, id, 1)
		f.fakeWallet.describe(hash, f.signer.Describe(id, 1000, [8]byte{7}))
		err := d.requests.Keep(f.t.Context(), r)
		if err == nil {
			f.mu.Lock()
			f.asked = append(f.asked, lightning.Waiting{Key: payment.LightningKey(hash), Expiry: r.Expiry})
			f.mu.Unlock()
			return hash
		}
		if !errors.Is(err, storetest.ErrFault) {
			f.t.Fatal(err)
		}
	}
}

// TestDeathsFromInvoiceToCredit kills a daemon at each write from the invoice of an order to its
// credit, and before it forgets the request; with the last write lost, and kept. Another daemon,
// or it itself again, finds all: one credit. The one that gave the invoice may be another.
func TestDeathsFromInvoiceToCredit(t *testing.T) {
	const writes = 5 // two more than book a payment: a cursor's, and the one that is forgotten
	for after := range writes + 1 {
		for _, fault := range []storetest.Fault{storetest.Lost, storetest.AnswerLost} {
			for _, live := range []bool{true, false} {
				for _, others := range []bool{true, false} {
					t.Run(fmt.Sprint(after, fault, live, others), func(t *testing.T) {
						inBubble(t, func(t *testing.T, f *fixture) { f.dies(int64(after), fault, live, others) })
					})
				}
			}
		}
	}
}

func (f *fixture) dies(after int64, fault storetest.Fault, live, others bool) {
	kept := new(storetest.Memory)
	fate := &death{fault: fault}
	fate.after.Store(1 << 40)
	first := f.run(kept, fate.write, fate.write)
	giver := first
	if others { // it serves, and does not watch
		giver = &daemon{requests: request.New(request.Options{Store: kept, Now: now, Most: 1000})}
	}
	f.pass(5 * time.Second)
	hash := f.sell(giver, "vm-9")
	synctest.Wait()
	before := len(wholelog.Types(f.t, f.store))
	fate.after.Store(after + 1)
	f.fakeWallet.pay(hash, 500, 0, live)
	f.pass(3 * time.Minute)
	first.stop()
	if n := len(wholelog.Types(f.t, f.store)); after == 0 && fault == storetest.Lost && n != before {
		f.t.Errorf("it wrote %d events after its death", n-before)
	}
	second := f.run(kept, works, works)
	f.pass(3 * time.Minute)
	wholelog.CheckCredits(f.t, f.store, 500, 500)
	if r := f.resource("vm-9"); r.Status != resource.StatusRunning || r.Holder[0] != 1 {
		f.t.Errorf("it is %s, of %d", r.Status, r.Holder[0])
	}
	if _, ok := second.requests.Find(payment.LightningKey(hash)); ok || len(kept.Names()) != 0 {
		f.t.Errorf("its request is kept on: %v", kept.Names())
	}
	before = len(wholelog.Types(f.t, f.store))
	f.run(kept, works, works)
	f.pass(25 * time.Hour) // all is listed again
	for _, kind := range wholelog.Types(f.t, f.store)[before:] {
		if kind != "wallet-02aa wallet.swept.v2" {
			f.t.Errorf("%s, after all was done", kind)
		}
	}
}

// TestRandomDeathsOfTwoDaemons has orders paid at two daemons on one log, which both see the
// money, while a quarter of all writes fail, of requests too, and either dies now and then.
func TestRandomDeathsOfTwoDaemons(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inBubble(t, func(t *testing.T, f *fixture) {
				const orders, payments = 8, 40
				random := rand.New(rand.NewPCG(seed, 1))
				kept := new(storetest.Memory)
				refuses := storetest.RandomFaults(seed, 25)
				kept.Fail = func(context.Context, *request.Record) (bool, error) {
					fault := refuses()
					if fault == storetest.None {
						return true, nil
					}
					return fault == storetest.AnswerLost, storetest.ErrFault
				}
				runs := func() *daemon {
					return f.run(kept, storetest.RandomFaults(random.Uint64(), 25), storetest.RandomFaults(random.Uint64(), 25))
				}
				daemons := [2]*daemon{runs(), runs()}
				for i := range payments {
					hash := f.sell(daemons[random.IntN(2)], resource.ID(fmt.Sprintf("vm-%d", i%orders)))
					f.pass(time.Duration(random.IntN(2000)) * time.Millisecond)
					f.fakeWallet.pay(hash, 500, 0, random.IntN(3) > 0)
					f.pass(time.Duration(random.IntN(100)) * time.Millisecond)
					if n := random.IntN(8); n < 2 {
						daemons[n].stop()
						daemons[n] = runs()
					}
				}
				for i := range daemons {
					daemons[i].stop()
				}
				f.run(kept, works, works)
				f.pass(5 * time.Minute)
				wholelog.CheckCredits(t, f.store, 500, payments*500)
				for i := range orders {
					if r := f.resource(resource.ID(fmt.Sprintf("vm-%d", i))); r.Credited != payments/orders*500 {
						t.Errorf("vm-%d has %s", i, r.Credited)
					}
				}
			})
		})
	}
}
