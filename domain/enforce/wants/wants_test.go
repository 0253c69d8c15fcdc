package wants_test

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/domain/enforce"
	"sandglass/domain/enforce/wants"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/plan/param"
	"sandglass/domain/resource"
	"sandglass/domain/resource/config"
)

const (
	start = 1_700_000_000_000 // when resources are opened, by our own time
	up    = 5_000_000         // by the time of the boot then
)

var here = wants.Host{Name: "rack-1", Boot: "b1"}

// at is an instant after the start, by both clocks.
func at(d instant.Millis) wants.Reading {
	return wants.Reading{Own: instant.Time(start).Add(d), Up: up + enforce.Boottime(d)}
}

// given folds a resource from commands, each some time after the start.
func given(t *testing.T, id resource.ID, commands ...resource.Command) resource.State {
	t.Helper()
	s := resource.New(id)
	order := resource.Order{
		Plan: "small", Enforcer: "systemd:app@.service", Host: "rack-1",
		Terms: resource.Terms{Price: money.Price{Msat: 1000, Per: instant.Second}, Grace: instant.Hour},
	}
	commands = append([]resource.Command{resource.Open{When: when(0), Order: order}}, commands...)
	for _, c := range commands {
		events, err := resource.Decide(s, c)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			s = resource.Evolve(s, e)
		}
	}
	return s
}

func when(d instant.Millis) resource.When { return resource.When{At: instant.Time(start).Add(d)} }

// pay buys a minute.
func pay(key string, d instant.Millis) resource.Command {
	return resource.Credit{When: when(d), Payment: key, Amount: 60_000, Paid: instant.Time(start).Add(d)}
}

func settle(d instant.Millis) resource.Command { return resource.Settle{When: when(d)} }

func TestWhatIsWanted(t *testing.T) {
	const minute = instant.Minute
	release := resource.Release{When: when(30_000), Reason: resource.ReasonHolder}
	blind := wants.Blind{Since: instant.Time(start).Add(minute - 1), Grace: 15 * minute}
	for name, tc := range map[string]struct {
		s      resource.State
		now    instant.Millis
		blind  wants.Blind
		kept   bool
		wanted enforce.State
		until  enforce.Boottime
	}{
		"never paid":      {s: given(t, "a"), wanted: ""},
		"paid":            {s: given(t, "a", pay("p", 0)), wanted: enforce.Up, until: up + 62_000},
		"paid, and later": {s: given(t, "a", pay("p", 0)), now: 59_000, wanted: enforce.Up, until: up + 62_000},
		"paid twice":      {s: given(t, "a", pay("p", 0), pay("q", 1)), wanted: enforce.Up, until: up + 122_000},
		"debited":         {s: given(t, "a", pay("p", 0), settle(30_000)), wanted: enforce.Up, until: up + 62_000},
		"paused":          {s: given(t, "a", pay("p", 0), resource.Pause{When: when(10)}), wanted: enforce.Down},
		"at its end": {s: given(t, "a", pay("p", 0), settle(minute)), now: minute + 1999,
			wanted: enforce.Up, until: up + 62_000},
		"after its end":     {s: given(t, "a", pay("p", 0), settle(minute)), now: minute + 2000, wanted: enforce.Down},
		"released":          {s: given(t, "a", pay("p", 0), release), now: minute, wanted: enforce.Gone},
		"released long ago": {s: given(t, "a", pay("p", 0), release), now: 2 * instant.Day, wanted: ""},
		"released long ago, and still kept": {s: given(t, "a", pay("p", 0), release), now: 2 * instant.Day, kept: true,
			wanted: enforce.Gone},
		"moved to another host": {s: given(t, "a", pay("p", 0), resource.Place{When: when(1), Host: "b"}), wanted: ""},
		"moved, and still kept": {s: given(t, "a", pay("p", 0), resource.Place{When: when(1), Host: "b"}), kept: true,
			wanted: enforce.Down},
		"blind while it runs": {s: given(t, "a", pay("p", 0)), blind: blind,
			wanted: enforce.Up, until: up + 62_000 + 900_000},
		"blind at its end": {s: given(t, "a", pay("p", 0), settle(minute)), now: 2 * minute, blind: blind,
			wanted: enforce.Up, until: up + 62_000 + 900_000},
		"blind for longer than the grace": {s: given(t, "a", pay("p", 0), settle(minute)), now: 17 * minute, blind: blind,
			wanted: enforce.Down},
		"blind since it ended": {s: given(t, "a", pay("p", 0), settle(minute)), now: 3 * minute,
			blind: wants.Blind{Since: instant.Time(start).Add(2 * minute), Grace: 15 * minute}, wanted: enforce.Down},
	} {
		w, ok := wants.Of(&tc.s, here, at(tc.now), tc.blind, tc.kept)
		if ok != (tc.wanted != "") || ok && (w.State != tc.wanted || w.Until != tc.until) {
			t.Errorf("%s: %v, %s until %d; want %q until %d", name, ok, w.State, w.Until, tc.wanted, tc.until)
		}
		if w.Generation = 1; ok {
			if _, err := w.Marshal(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// What is starting is wanted up for as long as it has time, wherever its end would be by now;
// its want stays the same for some minutes.
func TestStartingIsWantedUp(t *testing.T) {
	const minute = instant.Minute
	open := resource.Open{When: when(0), Order: resource.Order{
		Plan: "small", Enforcer: "systemd:app@.service", Host: "rack-1",
		Terms: resource.Terms{Price: money.Price{Msat: 1000, Per: instant.Second}, Uptime: true},
	}}
	s := resource.New("a")
	for _, c := range []resource.Command{open, pay("p", 0)} {
		events, err := resource.Decide(s, c)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			s = resource.Evolve(s, e)
		}
	}
	seen := map[enforce.Boottime]bool{}
	for now := instant.Millis(0); now < 60*minute; now += minute {
		w, ok := wants.Of(&s, here, at(now), wants.Blind{}, false)
		least := up + enforce.Boottime(now+minute+wants.Slack)
		if !ok || w.State != enforce.Up || w.Until < least || w.Until >= least+enforce.Boottime(5*minute) {
			t.Errorf("after %d ms: %v, %s until %d, want %d or a little more", now, ok, w.State, w.Until, least)
		}
		if w.Lasts != enforce.Boottime(minute+wants.Slack) || w.From != up+enforce.Boottime(now) {
			t.Errorf("after %d ms: it lasts %d ms from %d on", now, w.Lasts, w.From)
		}
		seen[w.Until] = true
	}
	if len(seen) > 13 {
		t.Errorf("%d wants in an hour", len(seen))
	}
	s = resource.Evolve(s, &resource.Started{At: resource.At{At: instant.Time(start) + 7}, Reason: resource.ReasonUp})
	if w, _ := wants.Of(&s, here, at(0), wants.Blind{}, false); w.Until != up+62_007 || w.Lasts != 0 {
		t.Errorf("once it is up it is wanted until %d", w.Until)
	}
}

// What is to come up before its first payment is taken is wanted up for as long as that is held.
func TestUnpaidIsWantedUp(t *testing.T) {
	const minute = instant.Minute
	s := resource.New("a")
	events, err := resource.Decide(s, resource.Accept{When: when(0), Order: resource.Order{
		Plan: "small", Enforcer: "systemd:app@.service", Host: "rack-1",
		Terms: resource.Terms{
			Price: money.Price{Msat: 1000, Per: instant.Second}, Uptime: true, Hold: true, StartWithin: 10 * minute,
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		s = resource.Evolve(s, e)
	}
	for _, after := range []instant.Millis{0, minute, 9 * minute, instant.Hour} {
		w, ok := wants.Of(&s, here, at(after), wants.Blind{}, false)
		if !ok || w.State != enforce.Up || w.Until != up+enforce.Boottime(10*minute+wants.Slack) {
			t.Errorf("after %d ms: %v, %s until %d", after, ok, w.State, w.Until)
		}
	}
}

// Nothing is wanted of what nothing enforces.
func TestNothingEnforcesIt(t *testing.T) {
	s := given(t, "a", pay("p", 0))
	s.Enforcer = ""
	if w, ok := wants.Of(&s, here, at(0), wants.Blind{}, true); ok {
		t.Errorf("%+v", w)
	}
}

// world is a log's resources, and a folder.
type world struct {
	*testing.T
	mu      sync.Mutex // by which the writer sees what the test did before it let time pass
	passes  int
	states  map[resource.ID]resource.State
	touched []resource.ID
	asked   bool // what is touched is told, as by the read models
	blind   wants.Blind
	touch   chan struct{}

	files  map[string]string // as they were written
	is     map[string]*enforce.Is
	values map[config.Hash]param.Values
	broken error // of every write
	away   error // of the folder
	writes int
	failed []error
	began  time.Time
}

func newWorld(t *testing.T) *world {
	return &world{
		T: t, states: map[resource.ID]resource.State{}, touch: make(chan struct{}, 1),
		files: map[string]string{}, is: map[string]*enforce.Is{}, began: time.Now(),
	}
}

func (w *world) put(s resource.State) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.states[s.ID] = s
	if !w.asked {
		return
	}
	w.touched = append(w.touched, s.ID)
	select {
	case w.touch <- struct{}{}:
	default:
	}
}

func (w *world) Resource(id resource.ID) (resource.State, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, ok := w.states[id]
	return s, ok
}
func (w *world) All(after resource.ID) (page []resource.State) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(w.states)) {
		if id > after && len(page) < 2 {
			page = append(page, w.states[id])
		}
	}
	return page
}
func (w *world) Values(_ resource.ID, hash config.Hash) (param.Values, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v, ok := w.values[hash]
	return v, ok || hash == config.Hash{}
}
func (w *world) Touched() []resource.ID {
	w.mu.Lock()
	defer w.mu.Unlock()
	ids := w.touched
	w.asked, w.touched = true, nil
	return ids
}
func (w *world) Touch() <-chan struct{} { return w.touch }

func (w *world) Enforced() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.states {
		if s.Enforcer != "" {
			return true
		}
	}
	return false
}

func (w *world) Wants() ([]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.files)), w.away
}
func (w *world) Want(id string) (*enforce.Want, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return enforce.ParseWant(id, []byte(w.files[id]))
}
func (w *world) Write(want *enforce.Want) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil {
		return w.broken
	}
	b, err := want.Marshal()
	if err != nil {
		return err
	}
	w.files[want.ID] = string(b)
	w.writes++
	return nil
}
func (w *world) Remove(id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil {
		return w.broken
	}
	delete(w.files, id)
	return nil
}
func (w *world) Is(id string) (*enforce.Is, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if is := w.is[id]; is != nil {
		return is, nil
	}
	return nil, fs.ErrNotExist
}

// run runs a writer until the end of do, which is called when it waits.
func (w *world) run(host wants.Host, do func()) {
	w.Helper()
	ctx, cancel := context.WithCancel(w.Context())
	writer := wants.New(wants.Config{
		Views: w, Folder: w, Host: host,
		Now: func() wants.Reading { return at(instant.OfDuration(time.Since(w.began))) },
		Blind: func() wants.Blind {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.blind
		},
		Failed: func(_ resource.ID, err error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.failed = append(w.failed, err)
		},
		Values: w.Values,
		Passed: func(map[enforce.State]int) {},
	})
	done := make(chan error, 1)
	go func() { done <- writer.Run(ctx) }()
	synctest.Wait()
	do()
	synctest.Wait()
	cancel()
	if err := <-done; err != nil {
		w.Error(err)
	}
}

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	w.passes++
	w.mu.Unlock()
	time.Sleep(d)
	synctest.Wait()
}

// want returns the want that stands in the folder.
func (w *world) want(id string) *enforce.Want {
	w.Helper()
	want, err := w.Want(id)
	if err != nil {
		w.Fatal(err)
	}
	return want
}

// Wants are there at the start, at each change and, if they were lost or damaged, within a
// minute; what is there already is not written again.
func TestWantsAreLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for _, id := range []resource.ID{"a", "b", "c", "d", "e"} {
			w.put(given(t, id, pay("p", 0)))
		}
		w.run(here, func() {
			if len(w.files) != 5 || w.writes != 5 || w.want("e").Generation != 1 {
				t.Fatalf("%d files after %d writes", len(w.files), w.writes)
			}
			w.put(given(t, "a", pay("p", 0), pay("q", 1)))
			synctest.Wait()
			if a := w.want("a"); a.Generation != 2 || a.Until != up+122_000 || w.writes != 6 {
				t.Errorf("%+v after %d writes", a, w.writes)
			}
			delete(w.files, "b")
			w.files["c"] = "{}"
			w.pass(time.Minute)
			if w.want("b").State != enforce.Up || w.want("c").Generation != 2 || w.writes != 8 {
				t.Errorf("%+v and %+v after %d writes", w.want("b"), w.want("c"), w.writes)
			}
		})
		w.run(here, func() {
			if w.writes != 8 {
				t.Errorf("a restart wrote %d", w.writes-8)
			}
		})
		w.run(wants.Host{Name: "rack-1", Boot: "b2"}, func() {
			if a := w.want("a"); w.writes != 13 || a.Boot != "b2" || a.Generation != 3 {
				t.Errorf("after a boot: %+v, %d writes", a, w.writes-8)
			}
		})
		if len(w.failed) > 0 {
			t.Error(w.failed)
		}
	})
}

// What ran out is wanted down within a minute, whoever stopped it before.
func TestTheEndOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.put(given(t, "a", pay("p", 0)))
		w.run(here, func() {
			w.pass(time.Minute)
			w.put(given(t, "a", pay("p", 0), settle(instant.Minute)))
			synctest.Wait()
			if want := w.want("a"); want.State != enforce.Up || want.Until != up+62_000 || want.Generation != 1 {
				t.Errorf("at its end: %+v", want)
			}
			w.pass(time.Minute)
			if want := w.want("a"); want.State != enforce.Down {
				t.Errorf("after it: %+v", want)
			}
		})
	})
}

// What can't be left is left within a second once the folder has room, and is told no more than once a minute.
func TestAFullFolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.put(given(t, "a", pay("p", 0)))
		w.put(given(t, "b"))
		w.run(here, func() {
			w.broken = syscall.ENOSPC
			w.put(given(t, "a", pay("p", 0), resource.Pause{When: when(0)}))
			w.put(given(t, "b", pay("q", 0)))
			w.pass(30 * time.Second)
			if len(w.failed) != 2 || !errors.Is(w.failed[0], syscall.ENOSPC) {
				t.Errorf("it was told %v", w.failed)
			}
			w.broken = nil
			w.pass(time.Second)
			if w.want("a").State != enforce.Down || w.want("b").State != enforce.Up || w.writes != 3 {
				t.Errorf("%+v and %+v after %d writes", w.want("a"), w.want("b"), w.writes)
			}
		})
	})
}

// Once the wallet is read again, nobody keeps the time that was for who may have paid unseen.
func TestTheWalletIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.blind = wants.Blind{Since: start, Grace: instant.Hour}
		w.put(given(t, "a", pay("p", 0)))
		w.run(here, func() {
			if want := w.want("a"); want.Until != up+62_000+3_600_000 {
				t.Errorf("while it is not read: %+v", want)
			}
			w.blind = wants.Blind{}
			w.pass(time.Second)
			if want := w.want("a"); want.Until != up+62_000 {
				t.Errorf("a second after: %+v", want)
			}
		})
	})
}

// A folder that can't be read is told where something is wanted, and is no matter elsewhere.
func TestNoFolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.away = fs.ErrNotExist
		s := given(t, "b")
		w.put(s)
		w.run(here, func() {})
		if len(w.failed) > 0 {
			t.Error(w.failed)
		}
		w.put(given(t, "c", pay("p", 0)))
		w.run(here, func() {
			if len(w.failed) != 1 || !errors.Is(w.failed[0], fs.ErrNotExist) {
				t.Errorf("it told %v", w.failed)
			}
			w.away = nil
			w.pass(time.Minute)
			if w.want("c").State != enforce.Up {
				t.Error("it is not wanted up")
			}
		})
	})
}

// A want that could not be left is left by the next pass, and the failure told.
func TestAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.broken = errors.New("no space left on device")
		w.put(given(t, "a", pay("p", 0)))
		w.run(here, func() {
			if len(w.failed) == 0 || len(w.files) > 0 {
				t.Errorf("%v, %v", w.failed, w.files)
			}
			w.broken = nil
			w.pass(time.Minute)
			if w.want("a").State != enforce.Up {
				t.Error("it is not wanted up")
			}
		})
	})
}

// The want of what is released goes once the keeper says that nothing is left of it, and does not
// come back; what the keeper said of another want, or in another boot, ends nothing.
func TestTheEndOfAWant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.put(given(t, "a", pay("p", 0)))
		w.run(here, func() {
			w.put(given(t, "a", pay("p", 0), resource.Release{When: when(1), Reason: resource.ReasonHolder}))
			synctest.Wait()
			for _, is := range []enforce.Is{
				{State: enforce.Gone, Boot: "b1", Generation: 1},
				{State: enforce.Gone, Boot: "b0", Generation: 2},
				{State: enforce.Stopping, Boot: "b1", Generation: 2},
			} {
				w.is["a"] = &is
				w.pass(time.Minute)
				if want := w.want("a"); want.State != enforce.Gone || want.Generation != 2 {
					t.Fatalf("%+v after %+v", want, is)
				}
			}
			w.is["a"] = &enforce.Is{State: enforce.Gone, Boot: "b1", Generation: 2}
			w.pass(time.Minute)
			delete(w.is, "a")
			w.pass(3 * time.Minute)
			if len(w.files) > 0 {
				t.Error("it is wanted gone again")
			}
		})
		w.run(here, func() {
			if w.want("a").State != enforce.Gone {
				t.Error("after a restart it is not wanted gone once more")
			}
			w.pass(25 * time.Hour)
		})
		delete(w.files, "a")
		w.run(here, func() {
			if len(w.files) > 0 {
				t.Error("after a day it is wanted gone")
			}
		})
	})
}

// What the log does not know any more keeps its time, and then what it holds, until its operator
// wants it gone; and is as ever once it is ordered again.
func TestWhatTheLogLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.put(given(t, "a", pay("p", 0)))
		w.put(given(t, "b", pay("p", 0), resource.Pause{When: when(1)}))
		w.run(here, func() { w.pass(time.Second) })
		clear(w.states) // an older backup was restored
		wants := func(id string, state enforce.State, lost bool, generation int64) {
			t.Helper()
			if got := w.want(id); got == nil || got.State != state || got.Lost != lost || got.Generation != generation {
				t.Fatalf("%s is wanted %+v", id, got)
			}
		}
		w.run(here, func() {
			wants("a", enforce.Up, false, 1)
			wants("b", enforce.Down, true, 2)
			w.pass(3 * time.Minute)
			wants("a", enforce.Down, true, 2)
			writes := w.writes
			w.pass(time.Hour)
			if w.writes != writes {
				t.Errorf("written %d times more", w.writes-writes)
			}
			w.put(given(t, "a", pay("p", 0), settle(instant.Minute)))
			synctest.Wait()
			wants("a", enforce.Down, false, 3)
			gone := *w.want("b")
			gone.State, gone.Generation = enforce.Gone, 3
			if err := w.Write(&gone); err != nil {
				t.Fatal(err)
			}
			w.is["b"] = &enforce.Is{State: enforce.Stopping, Boot: "b1", Generation: 3}
			w.pass(2 * time.Minute)
			wants("b", enforce.Gone, true, 3)
			w.is["b"] = &enforce.Is{State: enforce.Gone, Boot: "b1", Generation: 3}
			w.pass(2 * time.Minute)
			if w.files["b"] != "" {
				t.Error("it is gone, and wanted still")
			}
		})
	})
}

// What moves to another host is wanted down here until it is.
func TestAMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.put(given(t, "a", pay("p", 0)))
		w.run(here, func() {
			w.put(given(t, "a", pay("p", 0), resource.Place{When: when(1), Host: "b"}))
			synctest.Wait()
			if want := w.want("a"); want.State != enforce.Down {
				t.Fatalf("%+v", want)
			}
			w.is["a"] = &enforce.Is{State: enforce.Down, Boot: "b1", Generation: 2}
			w.pass(time.Minute)
			if len(w.files) > 0 {
				t.Error("it is still wanted down")
			}
		})
	})
}

// What a resource is told is in its want: what is set anew at once. What was deleted, or is not kept, it
// was told before, and what stops and removes it still is.
func TestParameters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		one, two := config.Hash{1}, config.Hash{2}
		w.values = map[config.Hash]param.Values{one: {"image": "debian"}, two: {"image": "alpine", "note": "a\nb"}}
		set := func(d instant.Millis, hash config.Hash) resource.Command {
			return resource.Configure{When: when(d), Params: hash}
		}
		told := func(want map[string]string, generation int64) {
			t.Helper()
			synctest.Wait()
			if got := w.want("a"); !maps.Equal(got.Params, want) || got.Generation != generation {
				t.Errorf("it is told %q in generation %d, want %q in %d", got.Params, got.Generation, want, generation)
			}
		}
		w.put(given(t, "a", pay("p", 0), set(1, one)))
		w.run(here, func() {
			told(w.values[one], 1)
			w.pass(time.Minute)
			told(w.values[one], 1)
			w.put(given(t, "a", pay("p", 0), pay("q", 0), set(1, one), set(80_000, two)))
			told(w.values[two], 2)
			w.put(given(t, "a", pay("p", 0), pay("q", 0), set(1, one), set(80_000, two), set(81_000, config.Hash{})))
			told(w.values[two], 2)
			delete(w.values, two)
		})
		w.run(here, func() {
			told(map[string]string{"image": "alpine", "note": "a\nb"}, 2)
			w.put(given(t, "a", pay("p", 0), set(1, two), resource.Release{When: when(2), Reason: resource.ReasonHolder}))
			told(map[string]string{"image": "alpine", "note": "a\nb"}, 3)
		})
	})
}
