package keeper_test

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"sandglass/domain/enforce"
)

var (
	seed  = flag.Uint64("seed", 0, "of the moments; 0 takes one from the clock")
	lasts = flag.Duration("kills", 10*time.Second, "for how long TestKills kills keepers")
)

// slack is how long after its end, or after a want, a resource may be found running, and reaction
// how long after a change of its want an executable may still be doing what was wanted before. Both
// leave room for a loaded machine: a keeper that is left alone takes milliseconds.
const (
	slack    = 10 * time.Second
	reaction = 5 * time.Second
)

// wish is what was wanted of a resource from an instant on, until there was another one.
type wish struct {
	from  time.Time
	state enforce.State // up, down, or unknown for a want that is damaged
	until time.Time     // of up
}

// allows reports whether a wish allows what was done by it at an instant. Whoever has time is not cut off by a
// moment; what was begun in time may be done when that is over.
func (w wish) allows(verb string, at time.Time) bool {
	switch {
	case w.state == enforce.Unknown:
		return false
	case verb == "up":
		return w.state == enforce.Up && at.Before(w.until.Add(reaction))
	}
	const clocks = 5 * time.Millisecond // of which one is read after the other, and in whole milliseconds
	return w.state == enforce.Down || !at.Before(w.until.Add(-clocks))
}

// renter changes what is wanted of one resource, and remembers what it was.
type renter struct {
	h      *host
	id     string
	random *rand.Rand
	n      int64

	mu     sync.Mutex
	wishes []wish
}

// wants leaves a want, and remembers it. Like the daemon it renews what has time before that ends.
func (r *renter) wants(w wish, leave func() error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	w.from = time.Now()
	r.wishes = append(r.wishes, w)
	if err := leave(); err != nil {
		r.h.t.Error(err)
	}
}

func (r *renter) change() {
	switch n := r.random.IntN(10); {
	case n < 6:
		lasts := time.Second + time.Duration(r.random.Int64N(int64(3*time.Second)))
		r.wants(wish{state: enforce.Up, until: time.Now().Add(lasts)}, func() error {
			return r.h.Write(r.h.up(r.id, r.n, lasts))
		})
	case n < 9:
		r.down()
	default:
		r.wants(wish{state: enforce.Unknown}, func() error {
			return os.WriteFile(filepath.Join(r.h.runDir, "want", r.id), []byte("damaged"), 0o600)
		})
	}
}

func (r *renter) down() {
	r.wants(wish{state: enforce.Down}, func() error {
		w := r.h.up(r.id, r.n, 0)
		w.State, w.Until = enforce.Down, 0
		return r.h.Write(w)
	})
}

// allowed reports whether what was done was wanted, shortly before at least.
func (r *renter) allowed(d did) bool {
	if d.generation < 1 || d.generation > r.n || !r.wishes[d.generation-1].allows(d.verb, d.at) {
		return false
	}
	return d.generation == r.n || d.at.Before(r.wishes[d.generation].from.Add(reaction))
}

// overdue returns for how long the resource should not have been running at an instant: 0 if it may,
// or if nobody can know.
func (r *renter) overdue(at time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	over := time.Time{}
	for i := len(r.wishes) - 1; i >= 0; i-- {
		w := r.wishes[i]
		switch {
		case w.state == enforce.Down:
			over = w.from
		case w.state == enforce.Up && w.until.Before(at) && (i+1 == len(r.wishes) || w.until.Before(r.wishes[i+1].from)):
			over = w.until
			if w.from.After(over) {
				over = w.from
			}
			return at.Sub(over)
		case over.IsZero():
			return 0
		default:
			return at.Sub(over)
		}
	}
	return 0
}

// TestKills kills keepers at random, for as long as wants come, run out, are renewed and are
// damaged: nobody who has time is cut off, and nobody runs for long who has none.
func TestKills(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("once more: go test ./cmd/sandglass/keeper -run '^TestKills$' -v -args -seed %d -kills %s", *seed, *lasts)
	h := newHost(t)
	h.start()
	renters := make([]*renter, 10)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for i := range renters {
		r := &renter{h: h, id: fmt.Sprint("vm-", i), random: rand.New(rand.NewPCG(*seed, uint64(i)))}
		renters[i] = r
		wg.Go(func() {
			for r.change(); pause(done, time.Duration(r.random.Int64N(int64(3*time.Second)))); r.change() {
			}
		})
	}
	overdue := func() (most time.Duration) {
		for _, r := range renters {
			if h.runs(r.id) {
				most = max(most, r.overdue(time.Now()))
			}
		}
		return most
	}
	var longest time.Duration
	wg.Go(func() {
		for pause(done, 20*time.Millisecond) {
			longest = max(longest, overdue())
		}
	})
	random := rand.New(rand.NewPCG(*seed, 1000))
	kills := 0
	for end := time.Now().Add(*lasts); time.Now().Before(end); kills++ {
		pause(done, 100*time.Millisecond+time.Duration(random.Int64N(int64(1200*time.Millisecond))))
		// On a loaded machine each keeper could be killed before it comes to anything.
		h.eventually("nothing runs on", func() bool { return overdue() < time.Second })
		h.kill(syscall.SIGKILL)
		h.start()
	}
	close(done)
	wg.Wait()
	for i, r := range renters { // the last keeper is left alone, and makes it all so
		if i%2 == 0 {
			r.down()
		} else {
			r.wants(wish{state: enforce.Up, until: time.Now().Add(time.Hour)}, func() error {
				return h.Write(h.up(r.id, r.n, time.Hour))
			})
		}
	}
	for i, r := range renters {
		h.eventually(fmt.Sprint(r.id, " runs: ", i%2 == 1), func() bool {
			is, err := h.Is(r.id)
			return err == nil && is.Generation == r.n && h.runs(r.id) == (i%2 == 1) && (is.State == enforce.Up) == (i%2 == 1)
		})
	}
	h.kill(syscall.SIGTERM)
	actions := h.did()
	for _, d := range actions {
		i := slices.IndexFunc(renters, func(r *renter) bool { return r.id == d.id })
		if !renters[i].allowed(d) {
			t.Errorf("%s, and that was not wanted: %v", d, renters[i].wishes)
		}
	}
	if longest > slack {
		t.Errorf("something ran for %s after its end", longest)
	}
	t.Logf("%d kills, %d actions, nothing ran for more than %s after its end", kills, len(actions), longest)
	if kills < 2 || len(actions) < len(renters) {
		t.Error("nothing was put to the test")
	}
}

// pause waits, and reports whether it did so to the end.
func pause(done <-chan struct{}, d time.Duration) bool {
	select {
	case <-done:
		return false
	case <-time.After(d):
		return true
	}
}

// TestAStoppedKeeperStopsNothing: neither kill, nor an orderly end, nor a second keeper.
func TestAStoppedKeeperStopsNothing(t *testing.T) {
	h := newHost(t)
	h.start()
	if err := h.Write(h.up("vm", 1, time.Hour)); err != nil {
		t.Fatal(err)
	}
	h.eventually("vm runs", func() bool { is, err := h.Is("vm"); return err == nil && is.State == enforce.Up })
	if out, err := h.sandglass(t.Context(), "keeper").CombinedOutput(); err == nil {
		t.Errorf("there are two keepers:\n%s", out)
	}
	before, err := h.Is("vm")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []os.Signal{syscall.SIGTERM, syscall.SIGKILL, syscall.SIGINT} {
		h.kill(s)
		out, err := h.sandglass(t.Context(), "keeper", "status").CombinedOutput()
		if err == nil || !bytes.Contains(out, []byte("NO KEEPER RUNS")) {
			t.Errorf("%v\n%s", err, out)
		}
		h.start()
		h.eventually("a keeper runs", func() bool { kept, err := h.IsKept(); return err == nil && kept })
	}
	if err := h.Write(h.up("other", 1, time.Hour)); err != nil { // once it runs, the keeper has looked at vm too
		t.Fatal(err)
	}
	h.eventually("other runs", func() bool { return h.runs("other") })
	after, err := h.Is("vm")
	if err != nil || !reflect.DeepEqual(after, before) || !h.runs("vm") {
		t.Errorf("%+v became %+v, %v", before, after, err)
	}
	for _, d := range h.did()[1:] {
		if d.id == "vm" {
			t.Error(d)
		}
	}
}
