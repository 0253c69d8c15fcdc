package request_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"

	"pgregory.net/rapid"
)

var errFault = errors.New("a fault that the test made")

// shelf is a store of requests in memory, of several daemons.
type shelf struct {
	forgets bool // else it does by itself, as a cluster

	mu      sync.Mutex // guards what follows
	kept    []*request.Record
	write   func() (lost, unanswered bool) // of each write, if not nil
	deaf    bool                           // nobody can follow
	news    chan struct{}
	readers int        // who follow
	waiting int        // of them, those who have all
	moved   *sync.Cond // when one of the two has changed
}

func newShelf(forgets bool) *shelf {
	s := &shelf{forgets: forgets, news: make(chan struct{})}
	s.moved = sync.NewCond(&s.mu)
	return s
}

// fail says what becomes of writes, and whether nobody can follow.
func (s *shelf) fail(write func() (lost, unanswered bool), deaf bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write, s.deaf = write, deaf
	s.tell()
}

func lost() (lost, unanswered bool)       { return true, false }
func unanswered() (lost, unanswered bool) { return false, true }

// tell wakes those who wait for more.
func (s *shelf) tell() {
	close(s.news)
	s.news, s.waiting = make(chan struct{}), 0
}

// settle waits until all who follow have all.
func (s *shelf) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.waiting < s.readers {
		s.moved.Wait()
	}
}

func (s *shelf) do(write func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	lost, unanswered := false, false
	if s.write != nil {
		lost, unanswered = s.write()
	}
	if lost {
		return errFault
	}
	if write(); unanswered {
		return errFault
	}
	return nil
}

func (s *shelf) Keep(_ context.Context, r *request.Record) error {
	return s.do(func() {
		if !slices.ContainsFunc(s.kept, func(other *request.Record) bool { return other != nil && other.Name() == r.Name() }) {
			s.kept = append(s.kept, r)
			s.tell()
		}
	})
}

func (s *shelf) Forget(_ context.Context, names []string) error {
	return s.do(func() {
		for i, r := range s.kept {
			if s.forgets && r != nil && slices.Contains(names, r.Name()) {
				s.kept[i] = nil
			}
		}
	})
}

func (s *shelf) Follow(ctx context.Context) iter.Seq2[[]*request.Record, error] {
	return func(yield func([]*request.Record, error) bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.readers++
		defer func() { s.readers--; s.moved.Broadcast() }()
		out := func(run []*request.Record, err error) bool {
			s.mu.Unlock()
			defer s.mu.Lock()
			return yield(run, err)
		}
		for next, told := 0, false; ctx.Err() == nil; {
			if s.deaf {
				out(nil, errFault)
				return
			}
			if next < len(s.kept) {
				run := slices.Clone(s.kept[next:min(next+3, len(s.kept))])
				next += len(run)
				run = slices.DeleteFunc(run, func(r *request.Record) bool { return r == nil })
				if len(run) > 0 && !out(run, nil) {
					return
				}
				continue
			}
			if !told {
				told = true
				if !out(nil, nil) {
					return
				}
				continue
			}
			s.wait(ctx)
		}
	}
}

// wait waits for news or the end of ctx. The caller holds mu.
func (s *shelf) wait(ctx context.Context) {
	news := s.news
	s.waiting++
	s.moved.Broadcast()
	s.mu.Unlock()
	defer s.mu.Lock()
	select {
	case <-news:
	case <-ctx.Done():
		s.mu.Lock()
		if s.news == news {
			s.waiting--
		}
		s.mu.Unlock()
	}
}

// holds returns the names that the shelf holds.
func (s *shelf) holds() map[string]*request.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]*request.Record{}
	for _, r := range s.kept {
		if r != nil {
			all[r.Name()] = r
		}
	}
	return all
}

// daemon is a Set that runs, and what the test knows of it.
type daemon struct {
	*request.Set
	stop  func()
	done  map[string]bool // since it started
	swept instant.Time
}

// world is two daemons with one store, and what a model knows of them.
type world struct {
	store   *shelf
	now     instant.Time
	swept   instant.Time // by any daemon, ever
	most    int
	daemons [2]*daemon
	made    int
	known   map[string]*request.Record // that were kept durably, as far as a caller was told
	done    map[string]bool            // by any daemon, ever
}

func newWorld(t *rapid.T) *world {
	w := &world{
		store: newShelf(rapid.Bool().Draw(t, "forgets")), now: epoch, most: rapid.IntRange(0, 6).Draw(t, "most"),
		known: map[string]*request.Record{}, done: map[string]bool{},
	}
	for i := range w.daemons {
		w.start(i)
	}
	return w
}

func (w *world) start(i int) {
	ctx, cancel := context.WithCancel(context.Background())
	set := request.New(request.Options{Store: w.store, Now: func() instant.Time { return w.now }, Most: w.most})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = set.Run(ctx)
	}()
	w.daemons[i] = &daemon{Set: set, done: map[string]bool{}, stop: func() { cancel(); <-ended }}
	<-set.CaughtUp()
}

func (w *world) stop() {
	for _, d := range w.daemons {
		d.stop()
	}
}

// draw makes a record that nobody has kept.
func (w *world) draw(t *rapid.T) *request.Record {
	w.made++
	id := resource.ID(fmt.Sprintf("vm-%d", rapid.IntRange(0, 3).Draw(t, "resource")))
	r := invoice(fmt.Sprintf("%02d", w.made), id)
	r.At = w.now.Add(-instant.Millis(rapid.IntRange(0, 2).Draw(t, "ago")))
	r.Expiry = w.now.Add(instant.Millis(rapid.Int64Range(-1, int64(2*instant.Hour)).Draw(t, "expires in")))
	switch rapid.SampledFrom([]string{"order", "top-up", "address"}).Draw(t, "kind") {
	case "top-up":
		r.Order = nil
	case "address":
		r.Key, r.Address, r.Expiry, r.Height = "", fmt.Sprintf("bcrt1q%02d", w.made), 0, int64(1+w.made%7)
	}
	return r
}

func (w *world) any(t *rapid.T) *daemon { return w.daemons[rapid.IntRange(0, 1).Draw(t, "daemon")] }

func (w *world) name(t *rapid.T) string {
	names := append(slices.Sorted(maps.Keys(w.known)), "unknown")
	return rapid.SampledFrom(names).Draw(t, "name")
}

func (w *world) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"keep": func(t *rapid.T) {
			r := w.draw(t)
			if err := w.any(t).Keep(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			w.known[r.Name()] = r
		},
		"a write fails": func(t *rapid.T) {
			r, write := w.draw(t), lost
			if rapid.Bool().Draw(t, "kept") {
				write = unanswered
			}
			w.store.fail(write, false)
			if err := w.any(t).Keep(t.Context(), r); !errors.Is(err, errFault) {
				t.Fatal(err)
			}
			w.store.fail(nil, false)
		},
		"time passes": func(t *rapid.T) {
			steps := []instant.Millis{1, request.Settling, instant.Hour, instant.Day, request.Keep}
			w.now = w.now.Add(rapid.SampledFrom(steps).Draw(t, "time"))
		},
		"done": func(t *rapid.T) {
			d, name := w.any(t), w.name(t)
			if _, ok := d.Find(payment.Key(name)); ok {
				d.done[name] = true
			}
			d.Done(t.Context(), name)
			w.done[name] = true
		},
		"swept": func(t *rapid.T) {
			d := w.any(t)
			began := w.now.Add(-instant.Millis(rapid.Int64Range(0, int64(instant.Hour)).Draw(t, "began")))
			d.Swept("02aa", began)
			d.swept, w.swept = max(d.swept, began), max(w.swept, began)
		},
		"lapse": func(t *rapid.T) {
			d := w.any(t)
			d.Lapse(t.Context())
			if n := w.dead(d); n > w.most {
				t.Fatalf("%d that can bring nothing are kept, want %d at most", n, w.most)
			}
		},
		"restart": func(t *rapid.T) {
			i := rapid.IntRange(0, 1).Draw(t, "daemon")
			w.daemons[i].stop()
			w.start(i)
		},
		"": w.check,
	}
}

// isDead reports whether a daemon may let go of an invoice.
func (w *world) isDead(d *daemon, r *request.Record) bool {
	return ended(r, d.swept)
}

// ended reports whether a sweep that began then has seen all that an invoice brings.
func ended(r *request.Record, swept instant.Time) bool {
	return r.Key != "" && swept > r.Expiry.Add(request.Settling)
}

// dead counts what a daemon has and may let go of.
func (w *world) dead(d *daemon) (n int) {
	for _, r := range w.present(d) {
		if r.Expiry <= w.now && w.isDead(d, r) {
			n++
		}
	}
	return n
}

// present returns what a daemon finds, of all that was ever made.
func (w *world) present(d *daemon) (list []*request.Record) {
	for _, id := range w.ids() {
		list = append(list, d.Of(id)...)
	}
	return list
}

func (w *world) ids() (ids []resource.ID) {
	for i := range 4 {
		ids = append(ids, resource.ID(fmt.Sprintf("vm-%d", i)))
	}
	return ids
}

// check holds what both daemons answer against the model.
func (w *world) check(t *rapid.T) {
	w.store.settle() // each has heard of all
	stored := w.store.holds()
	for i, d := range w.daemons {
		for name, r := range w.known {
			found, ok := d.Find(payment.Key(name))
			switch {
			case ok && found != r:
				t.Fatalf("daemon %d finds %+v as %s", i, found, name)
			case ok && d.done[name] && w.store.forgets:
				t.Fatalf("daemon %d has %s, which is done", i, name)
			case !ok && !w.done[name] && !w.isDead(d, r) && stored[name] != nil:
				t.Fatalf("daemon %d lost %s, which can be paid", i, name)
			case !w.done[name] && stored[name] == nil && !ended(r, w.swept):
				t.Fatalf("the store lost %s, which can be paid", name)
			}
		}
		w.checkViews(t, d)
	}
}

// checkViews holds what a daemon answers against the records that it has.
func (w *world) checkViews(t *rapid.T, d *daemon) {
	var open request.Counts
	payable, orders := map[string]bool{}, map[resource.ID]bool{}
	height, hasAddress, addresses, since := int64(0), false, 0, 0
	dayAgo := w.now.Add(-instant.Day)
	for _, r := range w.present(d) {
		if found, ok := d.Find(payment.Key(r.Name())); !ok || found != r {
			t.Fatalf("%s is of its resource and not found", r.Name())
		}
		if r.Order != nil {
			orders[r.Resource] = true
		}
		switch {
		case r.Key == "":
			if !hasAddress || r.Height < height {
				height, hasAddress = r.Height, true
			}
			addresses++
			if r.At > dayAgo {
				since++
			}
			continue
		case r.Expiry > w.now && r.Order != nil:
			open.Orders++
		case r.Expiry > w.now:
			open.Invoices++
		}
		payable[r.Name()] = !w.isDead(d, r)
	}
	if got := d.Open(); got != open {
		t.Fatalf("open are %+v, want %+v", got, open)
	}
	for _, r := range d.Payable() {
		if !payable[r.Name()] {
			t.Fatalf("%s is payable", r.Name())
		}
		delete(payable, r.Name())
	}
	for name, is := range payable {
		if is {
			t.Fatalf("%s is not payable", name)
		}
	}
	if got, ok := d.LowestAddress(); got != height || ok != hasAddress {
		t.Fatalf("the lowest address is of %d, %t, want %d, %t", got, ok, height, hasAddress)
	}
	if got, all := d.AddressesSince(dayAgo), d.Addresses(); got != since || len(all) != addresses {
		t.Fatalf("%d addresses, %d of them within a day, want %d and %d", len(all), got, addresses, since)
	}
	w.checkOrders(t, d, orders)
}

func (w *world) checkOrders(t *rapid.T, d *daemon, orders map[resource.ID]bool) {
	want := slices.Sorted(maps.Keys(orders))
	if got := d.Orders("", 10); !slices.Equal(got, want) {
		t.Fatalf("orders of %q, want %q", got, want)
	}
	if got := d.Orders("vm-0", 1); len(got) > 1 || len(got) == 1 && got[0] <= "vm-0" {
		t.Fatalf("orders after vm-0, one of them: %q", got)
	}
	reserved := map[resource.ID]bool{}
	for _, r := range w.present(d) {
		if r.Key != "" && r.Order != nil && r.Expiry.Add(request.Settling) > w.now {
			reserved[r.Resource] = true
		}
	}
	if got := slices.Sorted(slices.Values(d.Reserved("small", "a"))); !slices.Equal(got, slices.Sorted(maps.Keys(reserved))) {
		t.Fatalf("reserved are %q, want %v", got, reserved)
	}
	if got := d.Reserved("small", "b"); len(got) > 0 {
		t.Fatalf("on another host %q are reserved", got)
	}
	for _, id := range w.ids() {
		list := d.Of(id)
		if !slices.IsSortedFunc(list, func(a, b *request.Record) int { return cmp.Compare(a.At, b.At) }) {
			t.Fatalf("the records of %s are not by age", id)
		}
		r, opens, ok := d.Order(id)
		if ok != orders[id] {
			t.Fatalf("%s has an order: %t, want %t", id, ok, orders[id])
		}
		if !ok {
			continue
		}
		after := slices.IndexFunc(list, func(other *request.Record) bool { return other == r }) + 1
		if slices.ContainsFunc(list[after:], func(r *request.Record) bool { return r.Order != nil }) {
			t.Fatalf("the order of %s is not its latest", id)
		}
		if opens.ID != id || opens.Status != resource.StatusAwaiting {
			t.Fatalf("the order of %s opens %+v", id, opens)
		}
	}
}

func TestSetAgreesWithAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		defer w.stop()
		t.Repeat(w.actions())
	})
}

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
		b.Done(ctx, r.Name())
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
			s.Done(ctx, r.Name())
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
