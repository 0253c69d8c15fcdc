package lightning_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/lightning"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/domain/wallet"
	"sandglass/domain/watch"
	"sandglass/testutil/wholelog"
)

func TestNobodyWhoPaidInTimeIsSuspended(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.ready()
		f.open("vm-1")
		first, third, second := f.order("vm-1"), f.order("vm-1"), f.order("vm-1")
		f.fakeWallet.pay(first, 10, 0, true) // 10 s
		f.pass(5 * time.Second)
		f.stop()
		f.fakeWallet.pay(second, 20, 0, false)
		f.pass(10 * time.Second)
		f.fakeWallet.pay(third, 1_000, 0, false) // the wallet lists it first
		f.pass(time.Minute)
		f.start()
		s := load(t, f.booker, "vm-1")
		var keys []payment.Key
		for _, l := range s.Lots {
			keys = append(keys, payment.Key(l.Key))
		}
		want := []payment.Key{payment.LightningKey(first), payment.LightningKey(second), payment.LightningKey(third)}
		if !slices.Equal(keys, want) {
			t.Errorf("credited in the order %v, want %v", keys, want)
		}
		if s.Status != resource.StatusRunning || slices.Contains(wholelog.Types(t, f.store), "resource-vm-1 resource.exhausted.v1") {
			t.Error("it was suspended in between")
		}
	})
}

func TestTheTimerFindsWhatNobodyTold(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.ready()
		f.open("vm-1")
		hash := f.order("vm-1")
		f.fakeWallet.pay(hash, 500, 0, false)
		f.pass(2 * time.Minute)
		if got, n := f.status(hash), f.foundSoFar(); got != payment.StatusCredited || n != 1 {
			t.Errorf("after 2 minutes it is %s, and a sweep found %d", got, n)
		}
	})
}

func TestAGapBringsASweep(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.ready()
		f.open("vm-1")
		lost, told := f.order("vm-1"), f.order("vm-1")
		f.fakeWallet.pay(lost, 500, 0, false)
		f.fakeWallet.pay(told, 600, 0, true)
		f.pass(1100 * time.Millisecond)
		if got := f.status(lost); got != payment.StatusCredited {
			t.Errorf("1 s after the gap it is %s", got)
		}
		if got := f.wallet().Settle; got != 2 {
			t.Errorf("the cursor is at %d, want 2", got)
		}
	})
}

// Indices that no invoice bears stop the cursor only until all was listed, and bring no
// storm of sweeps.
func TestAGapWithNothingInIt(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.ready()
		f.open("vm-1")
		for range 10 {
			f.fakeWallet.pay(f.order("vm-1"), 500, 3, true)
			f.pass(10 * time.Second)
		}
		f.pass(10 * time.Minute)
		if got := f.wallet().Settle; got != 40 {
			t.Errorf("the cursor is at %d, want 40", got)
		}
		busy := f.sweepsSoFar()
		if busy > 60 {
			t.Errorf("%d sweeps in 12 minutes", busy)
		}
		f.pass(20 * time.Minute)
		if got := f.sweepsSoFar() - busy; got > 11 {
			t.Errorf("%d sweeps in 20 quiet minutes", got)
		}
	})
}

// While nothing happens nothing is written, but that within each hour other hosts hear of the
// wallet. Two daemons on it write no more.
func TestQuietDays(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.ready()
		stopFirst := f.stop
		defer stopFirst()
		f.ready()
		before := wholelog.Types(t, f.store)
		heard := f.wallet().Invoices
		for range 49 * 60 {
			f.pass(time.Minute)
			if s := f.wallet(); s.Invoices > heard {
				if longest := s.Invoices.Sub(heard); longest > instant.Hour || longest < wallet.Every {
					t.Errorf("it is told after %s", longest.Std())
				}
				heard = s.Invoices
			} else if silent := now().Sub(s.Last); silent > instant.Hour {
				t.Fatalf("nothing was heard for %s", silent.Std())
			}
		}
		got := wholelog.Types(t, f.store)[len(before):]
		for _, kind := range got {
			if kind != "wallet-02aa wallet.swept.v2" {
				t.Errorf("%s in a quiet day", kind)
			}
		}
		if len(got) < 49 || len(got) > 60 {
			t.Errorf("%d events in 49 quiet hours", len(got))
		}
	})
}

// What stands below the floor and was told to nobody is found when all is listed.
func TestOnceADayEverythingIsListed(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.ready()
		f.open("vm-1")
		old := f.order("vm-1")
		f.fakeWallet.pay(old, 500, 0, true)
		f.pass(25 * time.Hour)
		f.fakeWallet.change(func() { // a second HTLC: no index moves, as in lnd's SQL store
			e := &f.fakeWallet.entries[0]
			a := e.Arrivals[0]
			a.Key, a.Settle.At, a.Settle.Resource = payment.KeysendKey(old, 1, 2), now(), "vm-1"
			e.Arrivals = append(e.Arrivals, a)
		})
		f.pass(25 * time.Hour)
		if got := load(t, f.booker, "vm-1").Credited; got != 1_000 {
			t.Errorf("credited %s, want both", got)
		}
		if got := f.wallet().Epoch; got != 1 {
			t.Errorf("it is in epoch %d", got)
		}
	})
}

func TestConflictIsLoudAndBlocksNobody(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.ready()
		f.open("vm-1")
		odd, fine := f.order("vm-1"), f.order("vm-1")
		c := payment.Settle{At: now(), Amount: 400, Via: "bolt11"}
		_, err := f.booker.Book(t.Context(), stream.Meta{}, payment.LightningKey(odd), c)
		if err != nil {
			t.Fatal(err)
		}
		f.fakeWallet.pay(odd, 500, 0, true)
		f.fakeWallet.pay(fine, 600, 0, true)
		f.pass(time.Second)
		if f.signs(watch.SignConflict) != 1 || !watch.SignConflict.Alarm() {
			t.Errorf("%d alarms", f.signs(watch.SignConflict))
		}
		f.pass(10 * time.Minute)
		if got := load(t, f.booker, "vm-1").Credited; got != 1_000 {
			t.Errorf("credited %s, want 400 and 600", got)
		}
		if got := f.wallet(); got.Settle != 2 || got.Epoch != 1 {
			t.Errorf("the conflict stops the cursor: %+v", got)
		}
		// After a restart it is told once more, and is no new epoch.
		f.stop()
		f.ready()
		if got := f.wallet(); got.Epoch != 1 {
			t.Errorf("the wallet is %+v", got)
		}
	})
}

func TestBackoffIsBounded(t *testing.T) {
	for _, c := range []struct {
		condition watch.Condition
		fewest    int // attempts in an hour
		most      int
		pause     time.Duration
	}{
		{watch.Connecting, 120, 280, 31 * time.Second},
		{watch.Denied, 60, 121, 61 * time.Second},
		{watch.Locked, 700, 1500, 6 * time.Second},
	} {
		t.Run(string(c.condition), func(t *testing.T) {
			inBubble(t, func(t *testing.T, f *fixture) {
				f.fakeWallet.refuse = &watch.Trouble{Condition: c.condition, Advice: "do this"}
				f.start()
				f.pass(time.Hour)
				var times []time.Time
				f.fakeWallet.change(func() { times = slices.Clone(f.fakeWallet.connects) })
				if n := len(times); n < c.fewest || n > c.most {
					t.Errorf("%d attempts in an hour, want %d to %d", n, c.fewest, c.most)
				}
				for i := range times[1:] {
					if d := times[i+1].Sub(times[i]); d > c.pause {
						t.Errorf("a pause of %s", d)
					}
				}
				if h := f.Health(); h.Condition != c.condition || h.Advice != "do this" {
					t.Errorf("health is %+v", h)
				}
				f.fakeWallet.change(func() { f.fakeWallet.refuse = nil })
				f.pass(2 * time.Minute)
				if h := f.Health(); h.Condition != watch.Ready {
					t.Errorf("health is %+v", h)
				}
			})
		})
	}
}

// A wallet that can't list its invoices still tells what settles, and is looked up; but
// nobody is suspended by what was not read.
func TestListingIsBroken(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.ready()
		f.open("vm-1")
		f.stop()
		f.fakeWallet.change(func() { f.fakeWallet.broken = errors.New("it can't be decoded") })
		late := f.order("vm-1")
		f.fakeWallet.pay(late, 400, 0, false)
		f.start()
		f.pass(time.Minute)
		live := f.order("vm-1")
		f.fakeWallet.pay(live, 500, 0, true)
		f.pass(time.Second)
		if a, b := f.status(late), f.status(live); a != payment.StatusCredited || b != payment.StatusCredited {
			t.Errorf("they are %s and %s", a, b)
		}
		select {
		case <-f.Swept():
			t.Error("a sweep is said to be through")
		default:
		}
		if h := f.Health(); h.Advice == "" || h.Condition == watch.Ready {
			t.Errorf("health is %+v", h)
		}
	})
}

func TestARequestThatIsLostIsGivenUp(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.ready()
		f.open("vm-1")
		hash := f.order("vm-1")
		var kept []lightning.Entry
		f.fakeWallet.change(func() { kept, f.fakeWallet.entries = f.fakeWallet.entries, nil })
		f.pass(119 * time.Minute)
		if got := f.status(hash); got != payment.StatusRequested {
			t.Errorf("an hour before it is given up it is %s", got)
		}
		f.pass(5 * time.Minute)
		if got := f.status(hash); got != payment.StatusExpired || f.signs(watch.SignNotFound) == 0 {
			t.Errorf("it is %s", got)
		}
		// It was another wallet by mistake: the money is ours all the same.
		f.fakeWallet.change(func() { f.fakeWallet.entries = kept })
		f.fakeWallet.pay(hash, 500, 0, true)
		f.pass(time.Second)
		if got := f.status(hash); got != payment.StatusCredited {
			t.Errorf("paid, it is %s", got)
		}
	})
}

func TestTwoWatchersDoNoHarm(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.ready()
		stopFirst := f.stop
		defer stopFirst()
		f.ready() // another one, on the same log and wallet
		ids := []resource.ID{"vm-1", "vm-2", "vm-3"}
		f.open(ids...)
		for i := range 60 {
			f.fakeWallet.pay(f.order(ids[i%3]), 500, 0, i%5 != 0)
		}
		f.pass(10 * time.Minute)
		wholelog.CheckCredits(t, f.store, 500, 30_000)
		if got := f.wallet(); got.Epoch != 1 || got.Settle != 60 {
			t.Errorf("the wallet is %+v", got)
		}
	})
}

// Another watcher saw that the wallet was rebuilt.
func TestAnotherWatcherBeganAnEpoch(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.ready()
		f.open("vm-1")
		_, err := f.wallets.Execute(t.Context(), node, stream.Meta{}, wallet.Adopt{
			At: now(), Epoch: 2, Network: "regtest", Reason: wallet.Rebuilt,
		})
		if err != nil {
			t.Fatal(err)
		}
		f.fakeWallet.pay(f.order("vm-1"), 500, 0, true)
		f.pass(5 * time.Minute)
		if h, s := f.Health(), f.wallet(); h.Epoch != 2 || s.Epoch != 2 || s.Settle != 1 || h.Condition != watch.Ready {
			t.Errorf("health is %+v, the wallet %+v", h, s)
		}
	})
}

// A crash came between settled and credited: the sweep finishes it.
func TestSettledIsFinished(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.open("vm-1")
		hash := f.order("vm-1")
		_, err := f.booker.Payments.Execute(t.Context(), payment.LightningKey(hash), stream.Meta{}, payment.Settle{
			At: now(), Amount: 500, Via: "bolt11", Node: "02bb", Index: 7,
		})
		if err != nil {
			t.Fatal(err)
		}
		f.ready()
		if got := load(t, f.booker, "vm-1").Credited; got != 500 {
			t.Errorf("credited %s", got)
		}
	})
}

func TestHealthTells(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		begin := now()
		f.ready()
		f.open("vm-1")
		f.fakeWallet.pay(f.order("vm-1"), 500, 0, true)
		f.pass(time.Second)
		h := f.Health()
		if h.Condition != watch.Ready || h.Advice != "" || h.Since != begin || h.Node != node || h.Network != "regtest" ||
			h.Epoch != 1 || h.Cursor != 1 || h.LastEvent != begin.Add(5*instant.Second) || h.LastSweep != begin.Add(instant.Second) {
			t.Errorf("health is %+v", h)
		}
		f.Nudge()
		f.pass(0)
		if got := f.Health().LastSweep; got != now() {
			t.Errorf("the last sweep was at %s, a nudge at %s", got, now())
		}
	})
}

func TestWatcherWantsAll(t *testing.T) {
	if _, err := lightning.New(lightning.Config{}); err == nil {
		t.Error("a watcher of nothing")
	}
}

// Many payments at once to many resources: each is credited once.
func TestManyAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.ready()
		vm := func(i int) resource.ID { return resource.ID(fmt.Sprintf("vm-%d", i)) }
		var sum money.Msat
		for i := range 20 {
			f.open(vm(i))
		}
		for i := range 200 {
			f.fakeWallet.pay(f.order(vm(i%20)), 500, 0, i%3 > 0)
			sum += 500
			if i%50 == 49 {
				f.pass(100 * time.Millisecond)
			}
		}
		f.pass(3 * time.Minute)
		wholelog.CheckCredits(t, f.store, 500, sum)
		if got := f.wallet().Settle; got != 200 {
			t.Errorf("the cursor is at %d", got)
		}
	})
}

// A watcher whose log does not answer is patient too.
func TestTheLogDoesNotAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		broken := errors.New("the disk is away")
		fails := true
		waiting := f.waiting
		cfg := f.config()
		cfg.Waiting = func(ctx context.Context) ([]lightning.Waiting, error) {
			f.mu.Lock()
			bad := fails
			f.mu.Unlock()
			if bad {
				return nil, broken
			}
			return waiting(ctx)
		}
		watcher, err := lightning.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		f.Watcher = watcher
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- watcher.Run(ctx) }()
		f.stop = func() { cancel(); <-done }
		f.pass(time.Minute)
		if h := f.Health(); h.Condition == watch.Ready {
			t.Errorf("health is %+v", h)
		}
		f.mu.Lock()
		fails = false
		f.mu.Unlock()
		f.pass(3 * time.Minute)
		if h := f.Health(); h.Condition != watch.Ready {
			t.Errorf("health is %+v", h)
		}
	})
}
