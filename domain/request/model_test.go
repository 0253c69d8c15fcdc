package request_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"

	"pgregory.net/rapid"
)

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
			d.Done(t.Context(), name, 0)
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
