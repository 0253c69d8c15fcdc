package enforce

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"sync"
	"time"

	"sandglass/domain/watch"
)

// goal is what a want comes to at an instant.
type goal struct {
	verb Verb   // empty: nothing is started and nothing is stopped
	want *Want  // not nil with a verb
	why  string // for people: why there is no verb, or another one than the want's state
	gone bool   // there is no want
}

// goalOf reads the want of a resource as it stands, and goes by what it was found to be.
func (k *Keeper) goalOf(id string, is *Is) goal {
	w, err := k.Folder.Want(id)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return goal{gone: true, why: "its want has vanished" + untilThen}
	case err != nil:
		return goal{why: fmt.Sprintf("its want: %v%s", err, untilThen)}
	}
	verb, why := w.Verb(is, k.Boot, k.Now())
	return goal{verb: verb, want: w, why: why}
}

// reconsider calls off what is under way if another thing is wanted by now.
func (k *Keeper) reconsider(e *kept) {
	switch g := k.goalOf(e.id, &e.is); {
	case g.verb == "":
		e.again = true // what was begun by a want that was valid goes on
	case g.verb != e.job.begun:
		e.again = true
		e.job.cancel()
	case g.want.State == Up:
		e.until = g.want.End(&e.is)
	}
	k.schedule(e, math.MaxInt64)
}

// look begins a look at a resource, which becomes an action if it is not as wanted.
func (k *Keeper) look(ctx context.Context, wg *sync.WaitGroup, e *kept) {
	if e.level == routine && k.isFull(e) {
		k.schedule(e, k.after(tick))
		return
	}
	g := k.goalOf(e.id, &e.is)
	if g.verb == "" {
		k.leave(e, g)
		return
	}
	k.heed(e, g)
	if e.enforcer = g.want.Enforcer; k.isFull(e) {
		k.schedule(e, k.after(tick))
		return
	}
	j := &job{k: k, e: e, begun: g.verb, goal: g, known: e.known, is: e.is, rests: e.rests}
	j.is.ID, j.is.Boot = e.id, k.Boot
	e.job, e.again = j, false
	k.inFlight[e.enforcer]++
	k.summary.UnderWay++
	k.schedule(e, math.MaxInt64)
	k.start(ctx, wg, j)
}

// heed takes what a want comes to now. Another goal is tried at once, whatever became of the last one.
func (k *Keeper) heed(e *kept, g goal) {
	if g.verb != e.verb || g.want.Generation != e.generation {
		e.verb, e.generation, e.tries, e.rests = g.verb, g.want.Generation, 0, 0
	}
	e.until = g.want.End(&e.is)
}

// isFull reports whether so much is slow at the enforcer of a resource that it has to wait. What
// fails again and again leaves room for the others.
func (k *Keeper) isFull(e *kept) bool {
	n := k.inFlight[e.enforcer]
	return n >= k.Slow || e.tries > 0 && n >= k.Slow/2
}

// start runs a job. It counts as one of those that begin until it is done, or slow.
func (k *Keeper) start(ctx context.Context, wg *sync.WaitGroup, j *job) {
	own, cancel := context.WithCancel(ctx)
	j.cancel = cancel
	k.fresh.Add(1)
	free := sync.OnceFunc(func() {
		k.fresh.Add(-1)
		watch.Signal(k.wake)
	})
	slow := time.AfterFunc(k.Patience, free)
	wg.Go(func() {
		j.run(own)
		cancel()
		slow.Stop()
		free()
		select {
		case k.done <- j:
		case <-ctx.Done():
		}
	})
}

// finish takes what a job found, and says when the resource is looked at again.
func (k *Keeper) finish(j *job) {
	e := j.e
	e.job = nil
	if k.inFlight[e.enforcer]--; k.inFlight[e.enforcer] == 0 {
		delete(k.inFlight, e.enforcer)
	}
	k.summary.UnderWay--
	now := k.Now()
	e.known = j.known
	e.stale = e.stale || j.wrote
	if j.wasCanceled {
		e.is = j.is
		k.enqueue(e, changed)
		return
	}
	k.heed(e, j.goal)
	k.count(j)
	as := j.verb.IsDone(j.is.State)
	if j.tried {
		e.tries++
		e.acted = now
		e.rests = k.after(k.pause(e.tries, j.err))
	}
	next := max(e.rests, now+1)
	j.is.Generation, j.is.Tries = e.generation, e.tries
	if as {
		if j.is.Tries = 0; now-e.acted >= Boottime(time.Minute.Milliseconds()) {
			e.tries = 0
		}
		next = now + Boottime(k.jitter().Milliseconds())
	}
	k.put(e, j.is, j.verb, as)
	e.until = j.want.End(&e.is)
	if e.stale {
		next = min(next, k.after(backoff(1)))
	}
	k.schedule(e, next)
	if e.again {
		k.enqueue(e, changed)
	}
}

// count counts what was tried by what came of it.
func (k *Keeper) count(j *job) {
	switch {
	case errors.Is(j.err, ErrRefused):
		k.summary.Refused++
	case j.err != nil:
		k.summary.Failed++
	case j.acted:
		k.summary.Done++
	}
}

// pause returns how long there is no other action for the same goal.
func (k *Keeper) pause(tries int, err error) time.Duration {
	if errors.Is(err, ErrRefused) {
		return watch.Backoff(math.MaxInt, 0, k.Every)
	}
	return backoff(tries)
}

// jitter returns how long it is to the next look, so that the looks don't come all at once.
func (k *Keeper) jitter() time.Duration { return watch.Backoff(math.MaxInt, 0, k.every()) }

// The bounds of looks where resources are few: one a second in all, and none twice in two seconds.
const (
	lookEach  = time.Second
	lookLeast = 2 * time.Second
)

// every returns how often each resource is looked at: who hears of no changes sees a crash by then.
func (k *Keeper) every() time.Duration {
	return min(k.Every, max(lookLeast, time.Duration(len(k.kept))*lookEach))
}

// leave leaves a resource alone whose want is not to be followed, and says so.
func (k *Keeper) leave(e *kept, g goal) {
	e.verb, e.generation, e.until = "", 0, 0
	if g.gone && e.is.State == Gone {
		if err := k.Folder.RemoveIs(e.id); err != nil {
			k.Told(Notice{Err: err})
			k.schedule(e, k.after(k.jitter()))
			return
		}
		k.drop(e)
		return
	}
	is := e.is
	if is.State != Unknown {
		is.Since = k.Now()
	}
	is.ID, is.Boot, is.State, is.Why, is.Tries, is.Invocation = e.id, k.Boot, Unknown, g.why, 0, ""
	k.put(e, is, "", false)
	if g.gone && !e.stale {
		k.drop(e)
		return
	}
	k.schedule(e, k.after(k.jitter()))
}

// put writes what a resource is, and tells of it if it is another thing than before.
func (k *Keeper) put(e *kept, is Is, verb Verb, as bool) {
	is.Version = Version
	is.Why = line(is.Why)
	if !is.same(&e.is) || e.stale {
		err := k.save(&is)
		if e.stale = err != nil; e.stale && !e.fails {
			k.Told(Notice{Err: err})
		}
		e.fails = e.stale
	}
	e.is = is
	k.see(e)
	k.differs(e, !as)
	if is.State != e.told.State || is.Why != e.told.Why {
		k.Told(Notice{Is: is, Was: e.told.State, Want: verb, As: as})
		e.told = is
	}
}

func (k *Keeper) save(is *Is) error {
	if err := k.Folder.SaveIs(is); err != nil {
		return fmt.Errorf("what %s is can't be written: %w", is.ID, err)
	}
	return nil
}
