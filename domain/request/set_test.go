package request_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// What a store does not follow now is followed once it does, and nothing is lost meanwhile.
func TestSetOutlivesItsStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, ctx := newShelf(true), t.Context()
		var failures int
		now := epoch
		a := request.New(request.Options{Store: store, Now: func() instant.Time { return now }})
		b := request.New(request.Options{
			Store: store, Now: func() instant.Time { return now }, Failed: func(error) { failures++ },
		})
		run, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		wg.Go(func() { _ = a.Run(run) })
		store.fail(unanswered, true)
		wg.Go(func() { _ = b.Run(run) })
		synctest.Wait()
		r := invoice("01", "vm-1")
		if err := a.Keep(ctx, r); err == nil {
			t.Error("the answer was lost, and it is kept")
		}
		select {
		case <-b.CaughtUp():
			t.Error("a store that fails is caught up with")
		default:
		}
		store.fail(nil, false)
		<-b.CaughtUp() // after a pause
		if _, ok := b.Find(r.Key); !ok || failures == 0 {
			t.Errorf("it is found: %t, after %d failures", ok, failures)
		}
		b.Done(ctx, r.Name(), 0)
		if _, ok := b.Find(r.Key); ok || len(store.holds()) != 0 {
			t.Errorf("it is done, and found: %t, and %d are in the store", ok, len(store.holds()))
		}
	})
}

// A store that forgets by itself yields all again when it is followed anew: what is done is not
// taken for new until that is long over.
func TestWhatIsDoneStaysDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, now := newShelf(false), epoch
		s := request.New(request.Options{Store: store, Now: func() instant.Time { return now }})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		wg.Go(func() { _ = s.Run(ctx) })
		invoiced, addressed := invoice("01", "vm-1"), invoice("", "vm-2")
		addressed.Address, addressed.Key, addressed.Expiry = "bcrt1q", "", 0
		for _, r := range []*request.Record{invoiced, addressed} {
			if err := s.Keep(ctx, r); err != nil {
				t.Fatal(err)
			}
			s.Done(ctx, r.Name(), 0)
		}
		again := func() (n int) {
			store.fail(nil, true)
			synctest.Wait()
			store.fail(nil, false)
			time.Sleep(time.Second) // after which it is followed again; the bubble's clock
			return len(s.Of("vm-1")) + len(s.Of("vm-2"))
		}
		if n := again(); n != 0 {
			t.Errorf("%d that are done came again", n)
		}
		now = now.Add(instant.Hour + request.Settling + 1)
		s.Lapse(ctx)
		if n := again(); n != 2 {
			t.Errorf("%d came again, want both: else what is done would be remembered for good", n)
		}
	})
}

// What is done is there until the read models show it, and what nobody waits for to the end stays.
func TestWhatIsDoneIsThereUntilTheLogShowsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shown := make(chan struct{})
		s := request.New(request.Options{
			Store: newShelf(true), Now: func() instant.Time { return epoch },
			Shown: func(ctx context.Context, written stream.Position) error {
				if written != 7 {
					t.Errorf("it waits for %d, want 7", written)
				}
				select {
				case <-shown:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			},
		})
		r := invoice("01", "vm-1")
		if err := s.Keep(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		is := func(when string, want bool) {
			t.Helper()
			synctest.Wait()
			if _, ok := s.Find(r.Key); ok != want {
				t.Errorf("%s it is found: %t", when, ok)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { s.Done(ctx, r.Name(), 7) })
		is("before it is shown", true)
		cancel()
		wg.Wait()
		is("given up", true)
		wg.Go(func() { s.Done(t.Context(), r.Name(), 7) })
		is("done again", true)
		close(shown)
		wg.Wait()
		is("shown", false)
	})
}

// What a set holds is bounded however many ask, and what lapsed gives its memory back.
func TestSetIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many, most = 50_000, 100
		now := epoch
		store := &counting{}
		s := request.New(request.Options{Store: store, Now: func() instant.Time { return now }, Most: most})
		for i := range many {
			r := invoice(fmt.Sprintf("%064x", i), resource.ID(fmt.Sprintf("vm-%d", i)))
			r.Node = fmt.Sprint(i % 3)
			if err := s.Keep(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.Open(); got.Orders != many {
			t.Errorf("%d orders are open, want %d", got.Orders, many)
		}
		now = now.Add(instant.Hour + request.Settling + 2)
		s.Lapse(t.Context())
		if got := s.Open(); got.Orders != 0 || len(s.Payable()) != many || store.forgotten != 0 {
			t.Errorf("%d are open, %d payable, %d forgotten: no sweep has seen their end", got.Orders, len(s.Payable()), store.forgotten)
		}
		for i := range 3 {
			s.Swept(fmt.Sprint(i), now)
		}
		s.Lapse(t.Context())
		if n := len(s.Payable()); n != 0 || store.forgotten != many-most {
			t.Errorf("%d are payable, %d forgotten, want %d", n, store.forgotten, many-most)
		}
		if n := len(s.Orders("", many)); n != most {
			t.Errorf("%d orders are left, want %d", n, most)
		}
		now = now.Add(request.Keep)
		s.Lapse(t.Context())
		if n := len(s.Orders("", many)); n != 0 || store.forgotten != many {
			t.Errorf("%d orders are left, %d forgotten", n, store.forgotten)
		}
	})
}

// counting is a store that keeps nothing, and counts.
type counting struct {
	*shelf
	forgotten int
}

func (c *counting) Keep(context.Context, *request.Record) error { return nil }

func (c *counting) Forget(_ context.Context, names []string) error {
	c.forgotten += len(names)
	return nil
}

// Who keeps a record while many lapse waits for a few of them, and finds the store free for half
// of the time.
func TestThoseThatLapseLeaveRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 1000
		now := epoch
		store := &slow{takes: time.Second}
		s := request.New(request.Options{Store: store, Now: func() instant.Time { return now }})
		for i := range many {
			if err := s.Keep(t.Context(), invoice(fmt.Sprintf("%064x", i), resource.ID(fmt.Sprintf("vm-%d", i)))); err != nil {
				t.Fatal(err)
			}
		}
		now = now.Add(instant.Day)
		s.Swept("02aa", now)
		start := time.Now()
		s.Lapse(t.Context())
		if store.forgotten != many || store.most > 32 {
			t.Errorf("%d were forgotten, at most %d at once, want %d, 32", store.forgotten, store.most, many)
		}
		if took := time.Since(start); took < 2*store.busy-store.takes || took > 2*store.busy {
			t.Errorf("the store was busy for %s of %s, want half", store.busy, took)
		}
	})
}

// slow is a store that takes its time to forget.
type slow struct {
	counting
	takes, busy time.Duration
	most        int
}

func (s *slow) Forget(ctx context.Context, names []string) error {
	time.Sleep(s.takes) // the bubble's clock
	s.busy += s.takes
	s.most = max(s.most, len(names))
	return s.counting.Forget(ctx, names)
}

// What others sweep is let go of once the log tells that they have, and held by nobody once its
// wallet is retired.
func TestWhatOthersSweepIsHeardOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := epoch
		store := &counting{}
		s := request.New(request.Options{Store: store, Now: func() instant.Time { return now }})
		for i, node := range []string{"swept", "silent", "retired"} {
			r := invoice(fmt.Sprintf("%064x", i), resource.ID(node))
			r.Node = node
			if err := s.Keep(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		payable := func(want ...resource.ID) {
			t.Helper()
			for _, id := range []resource.ID{"swept", "silent", "retired"} {
				if got := s.CanBePaid(id); got != slices.Contains(want, id) {
					t.Errorf("%s can be paid: %v", id, got)
				}
			}
			if got := s.PayableAt("swept") + s.PayableAt("silent") + s.PayableAt("retired"); got != len(want) || len(s.Payable()) != got {
				t.Errorf("%d can be paid, want %d", got, len(want))
			}
		}
		payable("swept", "silent", "retired")
		s.Swept("own", now)
		for _, node := range []string{"swept", "silent", "retired"} {
			s.Heard(node, 0, node == "retired")
		}
		payable("swept", "silent")
		now = now.Add(2 * instant.Hour)
		s.Heard("swept", now, false)
		s.Heard("silent", epoch, false)
		payable("silent")
		s.Heard("retired", 0, false) // it is back
		payable("silent", "retired")
		s.Heard("retired", 0, true)
		s.Lapse(t.Context())
		if store.forgotten != 2 {
			t.Errorf("%d are forgotten: there is room for none that can bring nothing", store.forgotten)
		}
		now = now.Add(request.Keep + instant.Hour)
		payable()
		s.Swept("silent", epoch) // by ourselves
		payable("silent")
	})
}
