package enforce

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"sandglass/domain/resource"
	"sandglass/domain/watch"
)

// MaxWants is how many resources a keeper takes care of. It passes over the others, and says so.
const MaxWants = 20_000

// Folder is where the wants are, and what is. Its writes are all or nothing.
type Folder interface {
	// Wants returns the names of all wants.
	Wants() ([]string, error)
	// Want returns the want of a resource: [fs.ErrNotExist] if there is none, and another error if
	// it is damaged, not to be trusted, or can't be read.
	Want(id string) (*Want, error)
	// Is returns what [Folder.SaveIs] wrote last of a resource.
	Is(id string) (*Is, error)
	SaveIs(*Is) error
	RemoveIs(id string) error
	// Changes yields "" once it listens, and then each name of a want that comes, changes or
	// goes, and "" again if it may have missed some. It ends with the first error, or when ctx
	// does.
	Changes(ctx context.Context) iter.Seq2[string, error]
}

// Options say what a keeper is made of. What is zero from AtOnce on has a default.
type Options struct {
	Folder Folder
	// Enforcer returns the one that a want names, or an error that is [ErrRefused].
	Enforcer func(w *Want) (Enforcer, error)
	Changers []Changer       // the enforcers that hear of changes by themselves
	Boot     string          // the id of this boot
	Now      func() Boottime // never 0
	Told     func(Notice)    // it is called by one goroutine
	Beat     func(Summary)   // about once a second for as long as the keeper is well

	AtOnce   int           // actions and looks that begin: 16
	Patience time.Duration // after which one is slow, and lets another begin: 2 s
	Slow     int           // actions and looks of one enforcer, with the slow ones: 256
	Deadline time.Duration // of an action: 2 minutes
	Glance   time.Duration // the deadline of asking for a status: 10 s
	Every    time.Duration // how often each resource is looked at, if there are many: 1 minute
}

func (o Options) orDefaults() Options {
	o.AtOnce = cmp.Or(o.AtOnce, 16)
	o.Patience = cmp.Or(o.Patience, 2*time.Second)
	o.Slow = cmp.Or(o.Slow, 256)
	o.Deadline = cmp.Or(o.Deadline, 2*time.Minute)
	o.Glance = cmp.Or(o.Glance, 10*time.Second)
	o.Every = cmp.Or(o.Every, time.Minute)
	return o
}

// Notice is told of a resource that is another than before, or for another reason, and of what
// can't be read, written or heard.
type Notice struct {
	Is   Is    // what it is now; without an ID it is about no single resource
	Was  State // what it was; empty if that is not known
	As   bool  // whether that is as wanted
	Want Verb  // what is wanted; empty if the want is not to be followed
	Err  error // what can't be read, written or heard, or nil
}

// Summary is how a keeper is.
type Summary struct {
	Ready    bool // it has seen all wants once
	Looked   bool // and has looked at each: what was written before is not only what an earlier keeper knew
	Wants    int
	Differ   int // that are not as wanted, or whose want is not to be followed
	UnderWay int // actions and looks

	Oldest                Boottime // since when what has differed longest does; 0 if all is as wanted
	Done, Failed, Refused int64    // actions since the keeper began
}

// Keeper makes what is like what is wanted. It remembers little, and nothing that matters if it
// is killed: each look begins with the want as it stands then.
type Keeper struct {
	Options
	kept     map[string]*kept
	due      dueHeap
	ready    [levels][]*kept
	inFlight map[string]int // by enforcer
	summary  Summary
	unseen   int    // of kept
	odd      string // what the last scan passed over

	scanAt   Boottime
	scanFail int
	fresh    atomic.Int64 // what began and is not slow yet
	wake     chan struct{}
	events   chan event
	done     chan *job
}

// event says that something may have changed: of all, if id is empty.
type event struct {
	id   string
	want bool // its want, and not what it is
	err  error
}

// NewKeeper returns a keeper, which [Keeper.Run] runs.
func NewKeeper(o Options) *Keeper {
	return &Keeper{
		Options: o.orDefaults(), kept: map[string]*kept{}, inFlight: map[string]int{},
		wake: make(chan struct{}, 1), events: make(chan event), done: make(chan *job),
	}
}

// tick is the longest time for which the keeper relies on a timer: timers stand still while the
// machine sleeps.
const tick = time.Second

// Run keeps until ctx ends, and then returns nil, once what is under way was called off.
func (k *Keeper) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() { k.follow(ctx, true, k.Folder.Changes) })
	for _, c := range k.Changers {
		wg.Go(func() { k.follow(ctx, false, c.Changes) })
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	var beaten time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-k.events:
			k.hear(e)
		case j := <-k.done:
			k.finish(j)
		case <-k.wake:
		case <-timer.C:
		}
		if now := k.Now(); now >= k.scanAt {
			k.scan(now)
		}
		k.begin(ctx, &wg)
		if time.Since(beaten) >= tick {
			beaten = time.Now()
			k.summary.Wants, k.summary.Oldest = len(k.kept), k.oldest()
			k.summary.Looked = k.summary.Looked || k.summary.Ready && k.unseen == 0
			k.Beat(k.summary)
		}
		timer.Reset(k.untilDue())
	}
}

// follow carries what a source tells into the loop, for as long as ctx lasts.
func (k *Keeper) follow(ctx context.Context, want bool, changes func(context.Context) iter.Seq2[string, error]) {
	for failures := 0; ctx.Err() == nil; failures++ {
		var why error
		for id, err := range changes(ctx) {
			if why = err; err != nil {
				break
			}
			failures = 0
			k.send(ctx, event{id: id, want: want})
		}
		if ctx.Err() == nil && why != nil {
			k.send(ctx, event{err: why})
		}
		watch.Pause(ctx, backoff(failures+1))
	}
}

func (k *Keeper) send(ctx context.Context, e event) {
	select {
	case k.events <- e:
	case <-ctx.Done():
	}
}

// backoff returns the pause after so many tries: 1 s to 1 minute.
func backoff(tries int) time.Duration { return watch.Backoff(tries-1, 2*time.Second, time.Minute) }

// after returns the instant that comes d after now.
func (k *Keeper) after(d time.Duration) Boottime { return k.Now() + Boottime(d.Milliseconds()) }

func (k *Keeper) hear(e event) {
	switch {
	case e.err != nil:
		k.Told(Notice{Err: e.err})
	case e.id != "":
		k.touch(e.id, e.want)
	default:
		if e.want {
			k.scanAt = 0
		}
		for id := range k.kept {
			k.touch(id, e.want)
		}
	}
}

// scan looks for wants that are not known yet. Those that are known are looked at in their turn.
func (k *Keeper) scan(now Boottime) {
	names, err := k.Folder.Wants()
	if err != nil {
		k.scanFail++
		k.scanAt = k.after(backoff(k.scanFail))
		k.Told(Notice{Err: fmt.Errorf("the wants can't be listed: %w", err)})
		return
	}
	least, strange, left := "", 0, 0
	for _, name := range names {
		switch {
		case k.kept[name] != nil:
		case !resource.IsName(name):
			if strange++; strange == 1 || name < least {
				least = name
			}
		case len(k.kept) >= MaxWants:
			left++
		default:
			k.add(name)
		}
	}
	odd := ""
	if strange > 0 {
		odd = fmt.Sprintf("%d files are no wants, since no resource can be called that: %.80q", strange, least)
	}
	if left > 0 {
		odd = fmt.Sprintf("%d wants are passed over: a host has up to %d resources", left, MaxWants)
	}
	if odd != k.odd && odd != "" {
		k.Told(Notice{Err: errors.New(odd)})
	}
	k.odd, k.scanFail, k.summary.Ready = odd, 0, true
	k.scanAt = now + Boottime(k.Every.Milliseconds())
}

// add takes a resource into care. What an earlier keeper found of it tells since when it is so.
func (k *Keeper) add(id string) {
	e := &kept{id: id, index: -1}
	if is, err := k.Folder.Is(id); err == nil && is.Boot == k.Boot {
		e.is, e.told, e.known = *is, *is, knownFrom(is)
	}
	k.kept[id] = e
	k.unseen++
	k.differs(e, true)
	k.enqueue(e, changed)
}

// knownFrom returns what can be known by what an earlier keeper wrote. What starts is down.
func knownFrom(is *Is) Status {
	switch is.State {
	case Up, Down, Gone:
		return Status{State: is.State, Since: is.Since, Invocation: is.Invocation}
	case Starting:
		return Status{State: Down, Since: is.Since}
	}
	if since, down := is.Open(); down {
		return Status{State: Down, Since: since}
	}
	return Status{}
}

// touch looks at a resource soon, because it or its want may have changed.
func (k *Keeper) touch(id string, want bool) {
	e := k.kept[id]
	switch {
	case e == nil && want && resource.IsName(id) && len(k.kept) < MaxWants:
		k.add(id)
	case e == nil:
	case e.job != nil:
		e.again = true
		k.reconsider(e)
	default:
		k.enqueue(e, changed)
	}
}

// begin begins what is due, as much as may be at once.
func (k *Keeper) begin(ctx context.Context, wg *sync.WaitGroup) {
	now := k.Now()
	for len(k.due) > 0 && k.due[0].due <= now {
		e := heap.Pop(&k.due).(*kept)
		switch {
		case e.job != nil:
			k.reconsider(e)
		case e.until != 0 && e.until <= now:
			k.enqueue(e, ranOut)
		default:
			k.enqueue(e, routine)
		}
	}
	for k.fresh.Load() < int64(k.AtOnce) {
		e := k.next()
		if e == nil {
			return
		}
		k.look(ctx, wg, e)
	}
}

// untilDue returns how long nothing is due, a tick at most.
func (k *Keeper) untilDue() time.Duration {
	next := k.scanAt
	if len(k.due) > 0 {
		next = min(next, k.due[0].due)
	}
	return min(tick, time.Duration(max(0, next-k.Now()))*time.Millisecond)
}
