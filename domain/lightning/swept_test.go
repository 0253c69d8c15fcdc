package lightning_test

import (
	"sync/atomic"
	"testing"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/stream"
	"sandglass/domain/wallet"
	"sandglass/domain/watch"
	"sandglass/testutil/storetest"
	"sandglass/testutil/wholelog"
)

// What a sweep tells of others was true when it began: what comes while it goes on may be
// missing from it.
func TestASweepKnowsWhatCameBeforeIt(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		began := now()
		f.ready()
		if s := f.wallet(); s.Invoices != began || s.Chain != 0 {
			t.Errorf("it began at %s, and tells %+v", began, s)
		}
		f.stop()
		chain := began.Add(-5)
		f.sweptChain = func(of string, by instant.Time) instant.Time {
			if of != node || by != now() {
				t.Errorf("asked for %s at %s", of, by)
			}
			return chain
		}
		f.ready()
		if s := f.wallet(); s.Chain != chain {
			t.Errorf("it tells %+v", s)
		}
	})
}

// A clock that is doubted tells nobody anything.
func TestADoubtedClockIsNoEvidence(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.doubted.Store(true)
		f.ready()
		f.pass(3 * time.Hour)
		if s := f.wallet(); s.Invoices != 0 {
			t.Errorf("it tells %+v", s)
		}
		f.doubted.Store(false)
		f.pass(3 * time.Minute)
		if s := f.wallet(); now().Sub(s.Invoices) > 3*instant.Minute {
			t.Errorf("it tells %+v", s)
		}
	})
}

// What a sweep found out is told by the next one if its write was lost, and once if only its
// answer was.
func TestWhatIsToldOfAWalletIsToldOnce(t *testing.T) {
	for name, fault := range map[string]storetest.Fault{"lost": storetest.Lost, "answer lost": storetest.AnswerLost} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, f *fixture) {
				var faulty atomic.Bool
				f.wallets.Store = &storetest.Faulty{EventStore: f.store, OnAppend: func() storetest.Fault {
					if faulty.Swap(false) {
						return fault
					}
					return storetest.None
				}}
				f.ready()
				before := f.wallet()
				faulty.Store(true)
				f.pass(time.Hour + 5*time.Minute)
				s := f.wallet()
				if faulty.Load() || s.Invoices.Sub(before.Invoices) < wallet.Every {
					t.Errorf("after %+v it is %+v", before, s)
				}
				if got := count(wholelog.Types(t, f.store), "wallet-02aa wallet.swept.v2"); got != 2 {
					t.Errorf("it was told %d times", got)
				}
			})
		})
	}
}

func count(types []string, kind string) (n int) {
	for _, other := range types {
		if other == kind {
			n++
		}
	}
	return n
}

// A node that was retired counts again as soon as it is watched, whichever write fails; one
// that is watched all the time returns with its next sweep.
func TestARetiredNodeReturns(t *testing.T) {
	for name, faults := range map[string][]storetest.Fault{
		"all is well": nil, "lost": {storetest.Lost}, "answer lost": {storetest.AnswerLost},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, f *fixture) {
				f.ready()
				retire(t, f)
				f.pass(3 * time.Minute)
				if s := f.wallet(); s.Retired != 0 {
					t.Errorf("it is swept, and %+v", s)
				}
				f.stop()
				retire(t, f)
				f.fakeWallet.change(func() { f.fakeWallet.refuse = watch.ErrEnded })
				f.start()
				if s := f.wallet(); s.Retired == 0 {
					t.Errorf("nobody has seen it, and it is %+v", s)
				}
				f.wallets.Store = &storetest.Faulty{EventStore: f.store, OnAppend: storetest.Faults(faults...)}
				f.fakeWallet.change(func() { f.fakeWallet.refuse = nil; f.fakeWallet.broken = watch.ErrEnded })
				f.pass(3 * time.Minute)
				if s := f.wallet(); s.Retired != 0 {
					t.Errorf("no sweep is over, and it is %+v", s)
				}
				if got := count(wholelog.Types(t, f.store), "wallet-02aa wallet.returned.v1"); got != 2 {
					t.Errorf("it returned %d times", got)
				}
				if f.signs(watch.SignReturned) == 0 {
					t.Error("nobody is told")
				}
			})
		})
	}
}

func retire(t *testing.T, f *fixture) {
	t.Helper()
	h := wallet.Handler{Aggregate: wallet.Aggregate(), Store: f.store}
	if _, err := h.Execute(t.Context(), node, stream.Meta{}, wallet.Retire{At: now()}); err != nil {
		t.Fatal(err)
	}
}
