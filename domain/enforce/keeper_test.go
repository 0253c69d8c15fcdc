package enforce_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/domain/enforce"
)

func (h *host) didExactly(id string, want ...enforce.Verb) {
	h.t.Helper()
	if got := h.verbs(id); !slices.Equal(got, want) {
		h.t.Errorf("%s was told %v, want %v", id, got, want)
	}
}

func TestWhatIsPaidRuns(t *testing.T) {
	on(t, func(h *host) {
		h.up("vm", hour)
		h.pass(0)
		h.didExactly("vm", enforce.Start)
		is := h.isNow("vm", enforce.Up)
		if is.Generation != 1 || is.Since != h.clock() || is.Boot != "b1" || is.Invocation != "run 1" || is.Tries != 0 {
			t.Errorf("%+v", is)
		}
		h.pass(59 * time.Minute)
		h.up("vm", hour) // a top-up
		h.pass(time.Hour - time.Millisecond)
		h.didExactly("vm")
		if again := h.isNow("vm", enforce.Up); again.Since != is.Since || again.Generation != 2 {
			t.Errorf("%+v", again)
		}
		h.pass(time.Millisecond) // nobody writes a want any more, and its time runs out
		h.didExactly("vm", enforce.Stop)
		if is = h.isNow("vm", enforce.Down); is.Why != "its time has run out" || is.Generation != 2 {
			t.Errorf("%+v", is)
		}
		h.up("vm", hour)
		h.pass(0)
		h.didExactly("vm", enforce.Start)
		h.down("vm")
		h.pass(0)
		h.didExactly("vm", enforce.Stop)
		h.isNow("vm", enforce.Down)
		h.want("vm", func(w *enforce.Want) { w.State = enforce.Gone })
		h.pass(0)
		h.didExactly("vm", enforce.Remove)
		h.isNow("vm", enforce.Gone)
		h.set("vm", nil)
		h.pass(0)
		if is, err := h.Is("vm"); err == nil {
			t.Errorf("left behind: %+v", is)
		}
		h.pass(2 * time.Second)
		if s := h.summary(); !s.Ready || s.Wants != 0 || s.Differ != 0 || s.UnderWay != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestWhatLastsFromWhenItIsUp is stopped so long after it was up, and not started again before another
// want, whoever looks: nobody needs to have heard when that was.
func TestWhatLastsFromWhenItIsUp(t *testing.T) {
	on(t, func(h *host) {
		h.with("vm", func(r *thing) { r.fails = errBroken })
		lasts := func(l enforce.Boottime) {
			now := h.clock()
			h.want("vm", func(w *enforce.Want) { w.State, w.Until, w.Lasts, w.From = enforce.Up, now+hour, l, now })
		}
		lasts(min1)
		h.pass(20 * time.Minute)
		h.with("vm", func(r *thing) { r.fails = nil })
		h.verbs("vm")
		for !h.runs("vm") {
			h.pass(time.Second)
		}
		h.pass(0)
		up := h.isNow("vm", enforce.Up).Since
		h.stop() // the next one goes by what is written
		h.start()
		h.pass(time.Duration(up+min1-h.clock())*time.Millisecond - time.Millisecond)
		h.isNow("vm", enforce.Up)
		h.pass(time.Millisecond)
		if is := h.isNow("vm", enforce.Down); is.Why != "its time has run out" {
			t.Errorf("%+v", is)
		}
		h.pass(5 * time.Minute)
		h.stop()
		h.start()
		h.pass(5 * time.Minute)
		h.didExactly("vm", enforce.Start, enforce.Stop)
		lasts(min1)
		h.pass(0)
		h.didExactly("vm", enforce.Start)
		h.up("vm", hour) // now it is known when it ends
		h.pass(time.Hour - time.Millisecond)
		h.isNow("vm", enforce.Up)
		h.pass(time.Millisecond)
		h.didExactly("vm", enforce.Stop)

		h.up("vm", hour) // it is paused and goes on, of which nobody heard: it was up all the time
		h.pass(10 * time.Minute)
		lasts(min1)
		h.pass(time.Minute - time.Millisecond)
		h.isNow("vm", enforce.Up)
		h.pass(time.Millisecond)
		h.didExactly("vm", enforce.Start, enforce.Stop)
	})
}

// TestACrashThatNobodyTells: it is seen at the next look, and the fewer there are the sooner that is.
func TestACrashThatNobodyTells(t *testing.T) {
	for resources, most := range map[int]time.Duration{1: 2 * time.Second, 20: 20 * time.Second, 200: time.Minute} {
		on(t, func(h *host) {
			h.silent = true
			for i := range resources {
				h.up(fmt.Sprint("vm-", i), 10*hour)
			}
			h.pass(time.Hour)
			h.with("vm-0", func(r *thing) { r.become(enforce.Down) })
			h.pass(most + 10*time.Millisecond)
			if !h.runs("vm-0") {
				t.Errorf("one of %d is still down after %s", resources, most)
			}
			calls := h.asked()
			h.pass(time.Hour)
			if each := (h.asked() - calls) / resources; each < 60 || each > 2*int(time.Hour/most)+2 {
				t.Errorf("one of %d was looked at %d times in an hour", resources, each)
			}
		})
	}
}

// TestWhatIsAsWantedIsLeftAlone: a keeper that comes after another one does nothing where there
// is nothing to do, and tells since when it is so.
func TestWhatIsAsWantedIsLeftAlone(t *testing.T) {
	on(t, func(h *host) {
		h.up("a", hour)
		h.down("b")
		h.becomes("b", enforce.Down)
		h.want("c", func(w *enforce.Want) { w.State = enforce.Gone })
		h.pass(time.Minute)
		before := h.isNow("a", enforce.Up)
		h.didExactly("a", enforce.Start)
		h.stop()
		h.told()
		h.pass(time.Minute)
		h.start()
		h.pass(10 * time.Minute)
		for _, id := range []string{"a", "b", "c"} {
			h.didExactly(id)
		}
		if after := h.isNow("a", enforce.Up); !reflect.DeepEqual(after, before) {
			t.Errorf("%+v became %+v", before, after)
		}
		if told := h.told(); len(told) != 0 {
			t.Errorf("it was told again: %+v", told)
		}
	})
}

func TestAHangingEnforcerHoldsUpItsOwnResourceAlone(t *testing.T) {
	on(t, func(h *host) {
		for i := range 100 {
			id := fmt.Sprint("bad-", i)
			h.with(id, func(r *thing) { r.hangs, r.statusHangs = i%2 == 0, i%2 == 1 })
			h.up(id, hour)
		}
		h.pass(20 * time.Second)
		h.up("good", min1)
		h.pass(2 * time.Second)
		h.isNow("good", enforce.Up)
		h.pass(time.Minute - 2*time.Second + time.Second)
		h.isNow("good", enforce.Down)
		for i := range 500 { // and those that hang again and again
			id := fmt.Sprint("worse-", i)
			h.with(id, func(r *thing) { r.hangs = true })
			h.up(id, 10*hour)
		}
		h.pass(20 * time.Minute)
		late := 0
		for i := range 100 {
			id := fmt.Sprint("late-", i)
			h.up(id, hour)
			h.pass(5 * time.Second)
			if !h.runs(id) {
				late++
			}
		}
		if late > 0 {
			t.Errorf("%d of 100 did not start within 5 s", late)
		}
		if h.most > 256 {
			t.Errorf("%d calls at once", h.most)
		}
	})
}

func TestSixteenBeginAtOnce(t *testing.T) {
	on(t, func(h *host) {
		for i := range 200 {
			id := fmt.Sprint("vm-", i)
			h.with(id, func(r *thing) { r.slow = time.Second })
			h.up(id, hour)
		}
		h.pass(20 * time.Second)
		for i := range 200 {
			h.isNow(fmt.Sprint("vm-", i), enforce.Up)
		}
		if h.most != 16 {
			t.Errorf("%d were under way at once", h.most)
		}
	})
}

// TestWhatFailsIsTriedAgain: 1 s to 1 minute later.
func TestWhatFailsIsTriedAgain(t *testing.T) {
	for name, broken := range map[string]func(r *thing){
		"it fails":         func(r *thing) { r.fails = errBroken },
		"it lies":          func(r *thing) { r.lies = true },
		"it crashes":       func(r *thing) { r.crashes = 100 * time.Millisecond },
		"it crashes later": func(r *thing) { r.crashes = 50 * time.Second },
	} {
		t.Run(name, func(t *testing.T) {
			on(t, func(h *host) {
				h.with("vm", broken)
				h.up("vm", 100*hour)
				h.pass(2 * time.Hour)
				all := h.did("vm")
				if len(all) < 60 || len(all) > 250 {
					t.Errorf("it was tried %d times", len(all))
				}
				for i := 1; i < len(all); i++ {
					if d := all[i].at - all[i-1].at; d < sec-1 || d > 2*min1 {
						t.Fatalf("%d ms between two", d)
					}
				}
				if first := all[3].at - all[0].at; first > 3*min1 {
					t.Errorf("three tries took %d ms", first)
				}
				h.with("vm", func(r *thing) { r.fails, r.lies, r.crashes = nil, false, 0 })
				h.pass(3 * time.Minute)
				if is := h.isNow("vm", enforce.Up); is.Tries != 0 || is.Why != "" {
					t.Errorf("%+v", is)
				}
				h.becomes("vm", enforce.Down) // what was well for a while is started at once
				h.pass(0)
				h.isNow("vm", enforce.Up)
			})
		})
	}
}

func TestWhyItIsNotAsWanted(t *testing.T) {
	on(t, func(h *host) {
		h.with("fails", func(r *thing) { r.fails = errBroken })
		h.with("lies", func(r *thing) { r.lies = true })
		h.up("fails", hour)
		h.up("lies", hour)
		h.pass(0)
		since := h.clock()
		h.pass(5 * time.Minute)
		is := h.isNow("fails", enforce.Gone)
		if is.Why != "up: broken" || is.Tries < 3 || is.Since != since || is.Generation != 1 {
			t.Errorf("%+v", is)
		}
		if is = h.isNow("lies", enforce.Gone); !strings.Contains(is.Why, "said to be done") || is.Tries < 3 {
			t.Errorf("%+v", is)
		}
		if told := h.told(); len(told) != 2 { // once each, and not at each try
			t.Errorf("%+v", told)
		}
		if s := h.summary(); s.Differ != 2 || s.Wants != 2 {
			t.Errorf("%+v", s)
		}
	})
}

// TestAnotherGoalIsTriedAtOnce: what failed to start is stopped without waiting.
func TestAnotherGoalIsTriedAtOnce(t *testing.T) {
	on(t, func(h *host) {
		h.with("vm", func(r *thing) { r.fails, r.state = errBroken, enforce.Up })
		h.down("vm")
		h.pass(30 * time.Minute)
		h.with("vm", func(r *thing) { r.fails = nil; r.state = enforce.Down })
		h.verbs("vm")
		h.up("vm", hour)
		h.pass(0)
		h.didExactly("vm", enforce.Start)
	})
}

func TestWhatIsRefusedIsTriedSlowly(t *testing.T) {
	on(t, func(h *host) {
		h.with("a", func(r *thing) { r.fails = fmt.Errorf("%w: not allowed", enforce.ErrRefused) })
		h.up("a", 10*hour)
		h.want("b", func(w *enforce.Want) { w.Enforcer = "nobody" })
		h.pass(time.Hour)
		if n := len(h.did("a")); n < 30 || n > 125 {
			t.Errorf("%d tries in an hour", n)
		}
		if is := h.isNow("b", enforce.Unknown); !strings.Contains(is.Why, "there is no nobody") {
			t.Errorf("%+v", is)
		}
		if told := h.told(); len(told) != 2 {
			t.Errorf("%+v", told)
		}
	})
}

// TestCannotTellIsNotDown: what can't be told is neither started anew nor given up.
func TestCannotTellIsNotDown(t *testing.T) {
	for name, blind := range map[string]func(r *thing, on bool){
		"it fails": func(r *thing, on bool) {
			if r.statusFails = nil; on {
				r.statusFails = errBroken
			}
		},
		"it hangs": func(r *thing, on bool) { r.statusHangs = on },
		"it says nonsense": func(r *thing, on bool) {
			if r.state = enforce.Up; on {
				r.state = "perhaps"
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			on(t, func(h *host) {
				h.up("vm", hour)
				h.pass(time.Second)
				since := h.isNow("vm", enforce.Up).Since
				h.didExactly("vm", enforce.Start)
				h.with("vm", func(r *thing) { blind(r, true) })
				h.pass(10 * time.Minute)
				h.didExactly("vm")
				if is := h.isNow("vm", enforce.Unknown); !strings.Contains(is.Why, "can't be told") {
					t.Errorf("%+v", is)
				}
				h.with("vm", func(r *thing) { blind(r, false) })
				h.pass(2 * time.Minute)
				if is := h.isNow("vm", enforce.Up); is.Since != since {
					t.Errorf("%+v, want since %d", is, since)
				}
				h.didExactly("vm")
				h.with("vm", func(r *thing) { blind(r, true) })
				h.down("vm") // but it is stopped, and at once
				h.pass(time.Second)
				if got := h.did("vm"); len(got) == 0 || got[0].verb != enforce.Stop || got[0].at < h.clock()-sec {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

// TestTheMachineSleeps: timers stand still meanwhile, and time does not.
func TestTheMachineSleeps(t *testing.T) {
	on(t, func(h *host) {
		h.up("vm", hour)
		h.up("other", 3*hour)
		h.pass(time.Minute)
		h.slept.Store(2 * int64(hour))
		h.pass(time.Second)
		h.isNow("vm", enforce.Down)
		h.isNow("other", enforce.Up)
	})
}

func TestAReboot(t *testing.T) {
	on(t, func(h *host) {
		h.up("vm", hour)
		h.down("idle")
		h.down("rest")
		h.pass(time.Minute)
		h.stop()
		h.verbs("vm")
		h.boot = "b2"
		h.with("vm", func(r *thing) { r.state = enforce.Down })
		h.with("idle", func(r *thing) { r.state = enforce.Up })
		booted := h.clock()
		h.down("rest") // what was written before is of no use, if it is still there
		h.start()
		h.pass(2 * time.Hour)
		if is := h.isNow("rest", enforce.Gone); is.Since < booted || is.Boot != "b2" {
			t.Errorf("%+v", is)
		}
		for _, id := range []string{"vm", "idle"} { // nothing is started or stopped by what was wanted before
			h.didExactly(id)
			if is := h.isNow(id, enforce.Unknown); !strings.Contains(is.Why, "another boot") || is.Boot != "b2" {
				t.Errorf("%+v", is)
			}
		}
		h.up("vm", hour)
		h.down("idle")
		h.pass(0)
		h.didExactly("vm", enforce.Start)
		h.didExactly("idle", enforce.Stop)
	})
}

// TestAWantThatIsNotToBeFollowed stops nobody and starts nobody.
func TestAWantThatIsNotToBeFollowed(t *testing.T) {
	for name, spoil := range map[string]func(h *host, id string){
		"damaged":        func(h *host, id string) { h.set(id, []byte(`{"state":"down"}`)) },
		"empty":          func(h *host, id string) { h.set(id, []byte{}) },
		"vanished":       func(h *host, id string) { h.set(id, nil) },
		"of somebody":    func(h *host, id string) { h.foreign[id] = errBroken; h.set(id, []byte("x")) },
		"of another one": func(h *host, id string) { h.set(id, h.wants["other"]) },
	} {
		t.Run(name, func(t *testing.T) {
			on(t, func(h *host) {
				h.down("other")
				h.up("runs", hour)
				h.down("rests")
				h.pass(time.Second)
				h.verbs("runs")
				h.told()
				for _, id := range []string{"runs", "rests", "new"} {
					spoil(h, id)
				}
				h.pass(2 * time.Hour) // and what ran has no time by now
				h.didExactly("runs")
				h.didExactly("rests")
				h.didExactly("new")
				is := h.isNow("runs", enforce.Unknown)
				if !strings.Contains(is.Why, "its want") || !strings.Contains(is.Why, "nothing is started or stopped") {
					t.Errorf("%+v", is)
				}
				told := h.told()
				if n := len(told); n < 2 || n > 3 || told[0].Want != "" || told[0].As {
					t.Errorf("%+v", told)
				}
				if s := h.summary(); name != "vanished" && (s.Differ != 3 || s.Wants != 4) {
					t.Errorf("%+v", s)
				}
				h.change(func() { clear(h.foreign) })
				h.up("runs", hour)
				h.up("rests", hour)
				h.pass(0)
				if h.verbs("rests"); !h.runs("rests") || !h.runs("runs") {
					t.Error("what is wanted validly is not there")
				}
				h.isNow("runs", enforce.Up)
			})
		})
	}
}

func TestStrangeNamesAreToldOnce(t *testing.T) {
	on(t, func(h *host) {
		h.set("-rf", []byte("x"))
		h.set("../x", []byte("x"))
		h.pass(time.Hour)
		if told := h.told(); len(told) != 1 && len(told) != 2 || !strings.Contains(told[0].Err.Error(), "no wants") {
			t.Errorf("%+v", told)
		}
		if len(h.is) != 0 {
			t.Errorf("%v", h.is)
		}
	})
}

// TestWhatIsUnderWayIsCalledOff once another thing is wanted.
func TestWhatIsUnderWayIsCalledOff(t *testing.T) {
	on(t, func(h *host) {
		h.with("vm", func(r *thing) { r.hangs = true })
		h.up("vm", 10*sec)
		h.pass(5 * time.Second)
		h.isNow("vm", enforce.Starting)
		h.didExactly("vm", enforce.Start)
		h.with("vm", func(r *thing) { r.hangs = false })
		h.pass(5 * time.Second) // its time runs out while it starts
		h.didExactly("vm", enforce.Stop)
		h.isNow("vm", enforce.Down)

		h.with("vm", func(r *thing) { r.slow, r.state = time.Minute, enforce.Up })
		h.signal("vm")
		h.pass(5 * time.Second)
		h.isNow("vm", enforce.Stopping)
		h.with("vm", func(r *thing) { r.slow = 0 })
		h.up("vm", hour) // a payment while it stops
		h.pass(0)
		h.isNow("vm", enforce.Up)

		h.down("vm")
		h.with("vm", func(r *thing) { r.slow = 10 * time.Second })
		h.up("vm", hour)
		h.pass(time.Second)
		h.becomes("vm", enforce.Down)
		h.pass(time.Second)
		h.isNow("vm", enforce.Starting)
		h.set("vm", []byte("damaged")) // what a valid want began goes on
		h.pass(20 * time.Second)
		if !h.runs("vm") {
			t.Error("it was called off by a damaged want")
		}
	})
}

// TestAWantThatComesMeanwhile is looked at once what is under way is done.
func TestAWantThatComesMeanwhile(t *testing.T) {
	on(t, func(h *host) {
		h.with("vm", func(r *thing) { r.slow = 10 * time.Second })
		h.up("vm", hour)
		h.pass(5 * time.Second)
		h.up("vm", 2*hour)
		h.pass(6 * time.Second)
		if is := h.isNow("vm", enforce.Up); is.Generation != 2 {
			t.Errorf("%+v", is)
		}
		h.didExactly("vm", enforce.Start)
	})
}

// TestATopUpOfTheLastMoment is seen, even if nobody tells of it.
func TestATopUpOfTheLastMoment(t *testing.T) {
	on(t, func(h *host) {
		h.up("vm", hour)
		h.pass(time.Hour - time.Millisecond)
		h.change(func() { h.deaf = true })
		h.up("vm", hour)
		h.pass(59 * time.Minute)
		h.didExactly("vm", enforce.Start)
		h.isNow("vm", enforce.Up)
		h.pass(2 * time.Minute)
		h.isNow("vm", enforce.Down)
	})
}

// TestATopUpWhileItIsAsked: what was wanted before the resource was asked is not done after it.
func TestATopUpWhileItIsAsked(t *testing.T) {
	on(t, func(h *host) {
		h.change(func() { h.deaf = true })
		h.with("vm", func(r *thing) { r.state, r.statusHangs = enforce.Up, true })
		h.down("vm")
		h.pass(time.Minute)
		h.with("vm", func(r *thing) { r.fails = errBroken }) // it was told to, and is still up
		h.stop()
		h.change(func() { clear(h.is) })
		h.start()
		h.pass(time.Second)
		h.verbs("vm")
		h.up("vm", hour)
		h.with("vm", func(r *thing) { r.statusHangs, r.state = false, enforce.Up })
		h.pass(2 * time.Minute)
		h.didExactly("vm")
		h.isNow("vm", enforce.Up)
	})
}

// TestNothingIsTold: what nobody tells of is seen within a minute.
func TestNothingIsTold(t *testing.T) {
	on(t, func(h *host) {
		h.change(func() { h.deaf = true })
		h.silent = true
		h.up("vm", hour)
		h.pass(time.Minute + time.Second)
		h.isNow("vm", enforce.Up)
		h.becomes("vm", enforce.Down)
		h.pass(time.Minute + time.Second)
		h.didExactly("vm", enforce.Start, enforce.Start)
		h.down("vm")
		h.pass(time.Minute + time.Second)
		h.isNow("vm", enforce.Down)
	})
}

// TestWhatIsCannotBeWritten: it is done all the same, told once, and written once that goes.
func TestWhatIsCannotBeWritten(t *testing.T) {
	for _, kept := range []bool{false, true} {
		on(t, func(h *host) {
			h.change(func() { h.loses, h.keeps = !kept, kept })
			h.up("vm", hour)
			h.pass(10 * time.Minute)
			h.didExactly("vm", enforce.Start)
			failed := 0
			for _, n := range h.told() {
				if n.Err != nil {
					failed++
				}
			}
			if failed != 1 {
				t.Errorf("it was told %d times", failed)
			}
			h.change(func() { h.loses, h.keeps = false, false })
			h.pass(3 * time.Second)
			h.isNow("vm", enforce.Up)
			saved := h.saved
			h.pass(10 * time.Minute)
			if h.saved != saved {
				t.Errorf("%d writes of what has not changed", h.saved-saved)
			}
			h.change(func() { h.loses, h.keeps = !kept, kept })
			h.want("vm", func(w *enforce.Want) { w.State = enforce.Gone })
			h.pass(time.Second)
			h.set("vm", nil)
			h.pass(5 * time.Minute)
			h.change(func() { h.loses, h.keeps = false, false })
			h.pass(5 * time.Minute)
			if _, err := h.Is("vm"); err == nil || h.summary().Wants != 0 {
				t.Errorf("left behind: %+v", h.summary())
			}
		})
	}
}

func TestTheFolderCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.lists = errBroken
		h.start()
		h.pass(10 * time.Second)
		if h.summary().Ready {
			t.Error("it is ready and has seen nothing")
		}
		if told := h.told(); len(told) == 0 || told[0].Err == nil {
			t.Errorf("%+v", told)
		}
		h.change(func() { h.lists = nil; h.deaf = true })
		h.up("vm", hour)
		h.pass(2 * time.Minute)
		h.isNow("vm", enforce.Up)
		if !h.summary().Ready {
			t.Errorf("%+v", h.summary())
		}
		h.stop()
	})
}

// TestSinceWhen: what starts is not up since it went down.
func TestSinceWhen(t *testing.T) {
	on(t, func(h *host) {
		h.up("vm", hour)
		h.pass(10 * time.Second)
		h.with("vm", func(r *thing) { r.slow = 5 * time.Second })
		h.becomes("vm", enforce.Down)
		down := h.clock()
		h.pass(time.Second)
		if is := h.isNow("vm", enforce.Starting); is.Since != down {
			t.Errorf("%+v, want since %d", is, down)
		}
		h.pass(4 * time.Second)
		if is := h.isNow("vm", enforce.Up); is.Since != down+5*sec || is.Invocation != "run 2" {
			t.Errorf("%+v", is)
		}
		h.pass(10 * time.Second)
		h.with("vm", func(r *thing) { r.slow, r.fails = 5*time.Second, errBroken })
		h.becomes("vm", enforce.Down)
		down = h.clock()
		h.pass(13500 * time.Millisecond) // and the second try is under way
		if is := h.isNow("vm", enforce.Starting); is.Since != down {
			t.Errorf("%+v, want since %d", is, down)
		}
		h.with("vm", func(r *thing) { r.slow, r.fails = 0, nil })
		h.pass(time.Minute)
		h.becomes("vm", enforce.Down)
		h.becomes("vm", enforce.Up) // between two looks
		h.pass(0)
		if is := h.isNow("vm", enforce.Up); is.Since != h.clock() || is.Invocation != "run 4" {
			t.Errorf("%+v", is)
		}
	})
}
