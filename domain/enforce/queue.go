package enforce

import "container/heap"

// kept is a resource in the care of a keeper. Its fields are those of the loop, but for what a
// job has a copy of.
type kept struct {
	id       string
	due      Boottime // when it is looked at
	index    int      // in the heap of what is due; -1 if it is not there
	level    level    // in which it is queued
	isQueued bool

	verb       Verb     // what was wanted at the last look; empty if that was not to be followed
	generation int64    // of that want
	enforcer   string   // of that want
	until      Boottime // of that want; 0 if it wants nothing up
	tries      int      // actions since it last was as wanted for a while
	acted      Boottime // when the last one ended
	rests      Boottime // until when there is no other one for the same goal

	known  Status   // the last that could be told, and that was not on the way to another
	is     Is       // as it was last written
	stale  bool     // what is written may be another
	fails  bool     // it could not be written, which was told
	told   Is       // as it was last told
	differ Boottime // since when it counts as not being as wanted; 0 if it is
	seen   bool     // it was looked at
	again  bool     // look again once the job is done
	job    *job     // under way, or nil
}

// level is how soon what is queued has its turn: all of one level come before the next.
type level int

const (
	ranOut  level = iota // it runs, and is paid no more
	changed              // it or its want may have changed
	routine
	levels
)

// enqueue queues a resource, or moves it up to a level.
func (k *Keeper) enqueue(e *kept, l level) {
	if e.index >= 0 {
		heap.Remove(&k.due, e.index)
	}
	if e.isQueued && e.level <= l {
		return
	}
	e.isQueued, e.level = true, l
	k.ready[l] = append(k.ready[l], e)
}

// next takes the resource whose turn it is, or nil. A place that was left for a higher level is
// passed over.
func (k *Keeper) next() *kept {
	for l := range levels {
		for len(k.ready[l]) > 0 {
			e := k.ready[l][0]
			k.ready[l][0] = nil
			k.ready[l] = k.ready[l][1:]
			if e.isQueued && e.level == l {
				e.isQueued = false
				return e
			}
		}
		k.ready[l] = nil
	}
	return nil
}

// schedule looks at a resource at an instant, or earlier if its time runs out before.
func (k *Keeper) schedule(e *kept, at Boottime) {
	if e.until > k.Now() {
		at = min(at, e.until)
	}
	e.due = at
	if e.index >= 0 {
		heap.Fix(&k.due, e.index)
		return
	}
	heap.Push(&k.due, e)
}

// see notes that a resource was looked at.
func (k *Keeper) see(e *kept) {
	if !e.seen {
		e.seen = true
		k.unseen--
	}
}

// drop lets go of a resource.
func (k *Keeper) drop(e *kept) {
	k.see(e)
	k.differs(e, false)
	delete(k.kept, e.id)
}

// differs counts a resource as not being as wanted, or as being so.
func (k *Keeper) differs(e *kept, differ bool) {
	if (e.differ != 0) == differ {
		return
	}
	if e.differ = 0; differ {
		e.differ = k.Now()
		k.summary.Differ++
	} else {
		k.summary.Differ--
	}
}

// oldest returns since when what has differed longest does.
func (k *Keeper) oldest() (since Boottime) {
	if k.summary.Differ == 0 {
		return 0
	}
	for _, e := range k.kept {
		if e.differ != 0 && (since == 0 || e.differ < since) {
			since = e.differ
		}
	}
	return since
}

// dueHeap has first what is due first.
type dueHeap []*kept

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].due < h[j].due }
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push is of [heap.Interface].
func (h *dueHeap) Push(x any) {
	e := x.(*kept)
	e.index = len(*h)
	*h = append(*h, e)
}

// Pop is of [heap.Interface].
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	e.index = -1
	return e
}
