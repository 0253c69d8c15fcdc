package payment_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/domain/wallet"
)

func TestNobodyWhoPaidInTimeIsSuspended(t *testing.T) {
	inBubble(t, func(t *testing.T, w *watch) {
		w.ready()
		w.open("vm-1")
		first, third, second := w.order("vm-1"), w.order("vm-1"), w.order("vm-1")
		w.till.pay(first, 10, 0, true) // 10 s
		w.pass(5 * time.Second)
		w.stop()
		w.till.pay(second, 20, 0, false)
		w.pass(10 * time.Second)
		w.till.pay(third, 1_000, 0, false) // the wallet lists it first
		w.pass(time.Minute)
		w.start()
		s := load(t, w.booker, "vm-1")
		var keys []string
		for _, l := range s.Lots {
			keys = append(keys, l.Key)
		}
		if want := []string{"ln-" + first, "ln-" + second, "ln-" + third}; !slices.Equal(keys, want) {
			t.Errorf("credited in the order %v, want %v", keys, want)
		}
		if s.Status != resource.StatusRunning || slices.Contains(wrote(t, w.store), "resource-vm-1 resource.exhausted.v1") {
			t.Error("it was suspended in between")
		}
	})
}

func TestTheTimerFindsWhatNobodyTold(t *testing.T) {
	inBubble(t, func(t *testing.T, w *watch) {
		w.ready()
		w.open("vm-1")
		hash := w.order("vm-1")
		w.till.pay(hash, 500, 0, false)
		w.pass(2 * time.Minute)
		if got, n := w.status(hash), w.foundSoFar(); got != payment.StatusCredited || n != 1 {
			t.Errorf("after 2 minutes it is %s, and a sweep found %d", got, n)
		}
	})
}

func TestAGapBringsASweep(t *testing.T) {
	inBubble(t, func(t *testing.T, w *watch) {
		w.ready()
		w.open("vm-1")
		lost, told := w.order("vm-1"), w.order("vm-1")
		w.till.pay(lost, 500, 0, false)
		w.till.pay(told, 600, 0, true)
		w.pass(1100 * time.Millisecond)
		if got := w.status(lost); got != payment.StatusCredited {
			t.Errorf("1 s after the gap it is %s", got)
		}
		if got := w.wallet().Settle; got != 2 {
			t.Errorf("the cursor is at %d, want 2", got)
		}
	})
}

// Indices that no invoice bears stop the cursor only until all was listed, and bring no
// storm of sweeps.
func TestAGapWithNothingInIt(t *testing.T) {
	inBubble(t, func(t *testing.T, w *watch) {
		w.ready()
		w.open("vm-1")
		for range 10 {
			w.till.pay(w.order("vm-1"), 500, 3, true)
			w.pass(10 * time.Second)
		}
		w.pass(10 * time.Minute)
		if got := w.wallet().Settle; got != 40 {
			t.Errorf("the cursor is at %d, want 40", got)
		}
		busy := w.sweepsSoFar()
		if busy > 60 {
			t.Errorf("%d sweeps in 12 minutes", busy)
		}
		w.pass(20 * time.Minute)
		if got := w.sweepsSoFar() - busy; got > 11 {
			t.Errorf("%d sweeps in 20 quiet minutes", got)
		}
	})
}

// While nothing happens, nothing is written.
func TestQuietDaysWriteNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, w *watch) {
		w.ready()
		before := wrote(t, w.store)
		w.pass(49 * time.Hour)
		if got := wrote(t, w.store); len(got) != len(before) {
			t.Errorf("the log grew by %v", got[len(before):])
		}
	})
}

// What stands below the floor and was told to nobody is found when all is listed.
func TestOnceADayEverythingIsListed(t *testing.T) {
	inBubble(t, func(t *testing.T, w *watch) {
		w.ready()
		w.open("vm-1")
		old := w.order("vm-1")
		w.till.pay(old, 500, 0, true)
		w.pass(25 * time.Hour)
		w.till.change(func() { // a second HTLC: no index moves, as in lnd's SQL store
			e := &w.till.entries[0]
			a := e.Arrivals[0]
			a.Key, a.Settled.At.At, a.Settled.Resource = a.Key+"-1-2", now(), "vm-1"
			e.Arrivals = append(e.Arrivals, a)
		})
		w.pass(25 * time.Hour)
		if got := load(t, w.booker, "vm-1").Credited; got != 1_000 {
			t.Errorf("credited %s, want both", got)
		}
		if got := w.wallet().Epoch; got != 1 {
			t.Errorf("it is in epoch %d", got)
		}
	})
}

func TestConflictIsLoudAndBlocksNobody(t *testing.T) {
	inBubble(t, func(t *testing.T, w *watch) {
		w.ready()
		w.open("vm-1")
		odd, fine := w.order("vm-1"), w.order("vm-1")
		_, _, err := w.booker.Book(t.Context(), stream.Meta{}, "ln-"+odd, payment.Settled{At: payment.At{At: now()}, Amount: 400, Via: "bolt11"})
		if err != nil {
			t.Fatal(err)
		}
		w.till.pay(odd, 500, 0, true)
		w.till.pay(fine, 600, 0, true)
		w.pass(time.Second)
		if w.signs(payment.SignConflict) != 1 || !payment.SignConflict.Alarm() {
			t.Errorf("%d alarms", w.signs(payment.SignConflict))
		}
		w.pass(10 * time.Minute)
		if got := load(t, w.booker, "vm-1").Credited; got != 1_000 {
			t.Errorf("credited %s, want 400 and 600", got)
		}
		if got := w.wallet(); got.Settle != 2 || got.Epoch != 1 {
			t.Errorf("the conflict stops the cursor: %+v", got)
		}
		// After a restart it is told once more, and is no new epoch.
		w.stop()
		w.ready()
		if got := w.wallet(); got.Epoch != 1 {
			t.Errorf("the wallet is %+v", got)
		}
	})
}

func TestBackoffIsBounded(t *testing.T) {
	for _, c := range []struct {
		condition payment.Condition
		fewest    int // attempts in an hour
		most      int
		pause     time.Duration
	}{
		{payment.Connecting, 120, 280, 31 * time.Second},
		{payment.Denied, 60, 121, 61 * time.Second},
		{payment.Locked, 700, 1500, 6 * time.Second},
	} {
		t.Run(string(c.condition), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *watch) {
				w.till.refuse = &payment.Trouble{Condition: c.condition, Advice: "do this"}
				w.start()
				w.pass(time.Hour)
				var times []time.Time
				w.till.change(func() { times = slices.Clone(w.till.connects) })
				if n := len(times); n < c.fewest || n > c.most {
					t.Errorf("%d attempts in an hour, want %d to %d", n, c.fewest, c.most)
				}
				for i := range times[1:] {
					if d := times[i+1].Sub(times[i]); d > c.pause {
						t.Errorf("a pause of %s", d)
					}
				}
				if h := w.Health(); h.Condition != c.condition || h.Advice != "do this" {
					t.Errorf("health is %+v", h)
				}
				w.till.change(func() { w.till.refuse = nil })
				w.pass(2 * time.Minute)
				if h := w.Health(); h.Condition != payment.Ready {
					t.Errorf("health is %+v", h)
				}
			})
		})
	}
}

// A wallet that can't list its invoices still tells what settles, and is looked up; but
// nobody is suspended by what was not read.
func TestListingIsBroken(t *testing.T) {
	inBubble(t, func(t *testing.T, w *watch) {
		w.ready()
		w.open("vm-1")
		w.stop()
		w.till.change(func() { w.till.broken = errors.New("it can't be decoded") })
		late := w.order("vm-1")
		w.till.pay(late, 400, 0, false)
		w.start()
		w.pass(time.Minute)
		live := w.order("vm-1")
		w.till.pay(live, 500, 0, true)
		w.pass(time.Second)
		if a, b := w.status(late), w.status(live); a != payment.StatusCredited || b != payment.StatusCredited {
			t.Errorf("they are %s and %s", a, b)
		}
		select {
		case <-w.Swept():
			t.Error("a sweep is said to be through")
		default:
		}
		if h := w.Health(); h.Advice == "" || h.Condition == payment.Ready {
			t.Errorf("health is %+v", h)
		}
	})
}

func TestARequestThatIsLostIsGivenUp(t *testing.T) {
	inBubble(t, func(t *testing.T, w *watch) {
		w.ready()
		w.open("vm-1")
		hash := w.order("vm-1")
		var kept []payment.Entry
		w.till.change(func() { kept, w.till.entries = w.till.entries, nil })
		w.pass(119 * time.Minute)
		if got := w.status(hash); got != payment.StatusRequested {
			t.Errorf("an hour before it is given up it is %s", got)
		}
		w.pass(5 * time.Minute)
		if got := w.status(hash); got != payment.StatusExpired || w.signs(payment.SignNotFound) == 0 {
			t.Errorf("it is %s", got)
		}
		// It was another wallet by mistake: the money is ours all the same.
		w.till.change(func() { w.till.entries = kept })
		w.till.pay(hash, 500, 0, true)
		w.pass(time.Second)
		if got := w.status(hash); got != payment.StatusCredited {
			t.Errorf("paid, it is %s", got)
		}
	})
}

func TestTwoWatchersDoNoHarm(t *testing.T) {
	inBubble(t, func(t *testing.T, w *watch) {
		w.ready()
		stopFirst := w.stop
		defer stopFirst()
		w.ready() // another one, on the same log and wallet
		ids := []string{"vm-1", "vm-2", "vm-3"}
		w.open(ids...)
		for i := range 60 {
			w.till.pay(w.order(ids[i%3]), 500, 0, i%5 != 0)
		}
		w.pass(10 * time.Minute)
		audit(t, w.store, w.booker, 30_000)
		if got := w.wallet(); got.Epoch != 1 || got.Settle != 60 {
			t.Errorf("the wallet is %+v", got)
		}
	})
}

// Another watcher saw that the wallet was rebuilt.
func TestAnotherWatcherBeganAnEpoch(t *testing.T) {
	inBubble(t, func(t *testing.T, w *watch) {
		w.ready()
		w.open("vm-1")
		_, err := w.wallets.Execute(t.Context(), node, stream.Meta{}, wallet.Adopt{Adopted: wallet.Adopted{
			At: wallet.At{At: now()}, Epoch: 2, Network: "regtest", Reason: wallet.Rebuilt,
		}})
		if err != nil {
			t.Fatal(err)
		}
		w.till.pay(w.order("vm-1"), 500, 0, true)
		w.pass(5 * time.Minute)
		if h, s := w.Health(), w.wallet(); h.Epoch != 2 || s.Epoch != 2 || s.Settle != 1 || h.Condition != payment.Ready {
			t.Errorf("health is %+v, the wallet %+v", h, s)
		}
	})
}

// A crash came between settled and credited: the sweep finishes it.
func TestSettledIsFinished(t *testing.T) {
	inBubble(t, func(t *testing.T, w *watch) {
		w.open("vm-1")
		hash := w.order("vm-1")
		_, err := w.booker.Payments.Execute(t.Context(), "ln-"+hash, stream.Meta{}, payment.Settle{Settled: payment.Settled{
			At: payment.At{At: now()}, Amount: 500, Via: "bolt11", Node: "02bb", Index: 7,
		}})
		if err != nil {
			t.Fatal(err)
		}
		w.ready()
		if got := load(t, w.booker, "vm-1").Credited; got != 500 {
			t.Errorf("credited %s", got)
		}
	})
}

func TestHealthTells(t *testing.T) {
	inBubble(t, func(t *testing.T, w *watch) {
		begin := now()
		w.ready()
		w.open("vm-1")
		w.till.pay(w.order("vm-1"), 500, 0, true)
		w.pass(time.Second)
		h := w.Health()
		if h.Condition != payment.Ready || h.Advice != "" || h.Since != begin || h.Node != node || h.Network != "regtest" ||
			h.Epoch != 1 || h.Cursor != 1 || h.LastEvent != begin.Add(5*instant.Second) || h.LastSweep != begin.Add(instant.Second) {
			t.Errorf("health is %+v", h)
		}
		w.Nudge()
		w.pass(0)
		if got := w.Health().LastSweep; got != now() {
			t.Errorf("the last sweep was at %s, a nudge at %s", got, now())
		}
	})
}

func TestWatcherWantsAll(t *testing.T) {
	if _, err := payment.NewWatcher(payment.WatcherConfig{}); err == nil {
		t.Error("a watcher of nothing")
	}
}

// Many payments at once to many resources: each keeps its order.
func TestManyAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, w *watch) {
		w.ready()
		want := map[string][]string{}
		var sum money.Msat
		for i := range 20 {
			w.open(fmt.Sprintf("vm-%d", i))
		}
		for i := range 200 {
			id := fmt.Sprintf("vm-%d", i%20)
			hash := w.order(id)
			want[id] = append(want[id], "ln-"+hash)
			w.till.pay(hash, 500, 0, i%3 > 0)
			sum += 500
			if i%50 == 49 {
				w.pass(100 * time.Millisecond)
			}
		}
		w.pass(3 * time.Minute)
		audit(t, w.store, w.booker, sum)
		if got := w.wallet().Settle; got != 200 {
			t.Errorf("the cursor is at %d", got)
		}
	})
}

// A watcher whose log does not answer is patient too.
func TestTheLogDoesNotAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, w *watch) {
		broken := errors.New("the disk is away")
		fails := true
		waiting := w.waiting
		cfg := payment.WatcherConfig{Wallet: w.till, Wallets: w.wallets, Booker: w.booker, Observer: observer{w}, Now: now,
			Waiting: func(ctx context.Context) ([]payment.Waiting, error) {
				w.mu.Lock()
				bad := fails
				w.mu.Unlock()
				if bad {
					return nil, broken
				}
				return waiting(ctx)
			}}
		watcher, err := payment.NewWatcher(cfg)
		if err != nil {
			t.Fatal(err)
		}
		w.Watcher = watcher
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- watcher.Run(ctx) }()
		w.stop = func() { cancel(); <-done }
		w.pass(time.Minute)
		if h := w.Health(); h.Condition == payment.Ready {
			t.Errorf("health is %+v", h)
		}
		w.mu.Lock()
		fails = false
		w.mu.Unlock()
		w.pass(3 * time.Minute)
		if h := w.Health(); h.Condition != payment.Ready {
			t.Errorf("health is %+v", h)
		}
	})
}
