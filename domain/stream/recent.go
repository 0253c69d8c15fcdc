package stream

import (
	"container/list"
	"sync"
)

const (
	recentBytes = 8 << 20 // of the states that one handler keeps, with what keeps them
	plainBytes  = 1 << 10 // that a state without an [Aggregate.Copy] counts as
	entryBytes  = 256     // that keeping one takes
)

// recent keeps the states of the streams that were read or written last, bounded by what they
// take. The zero value is empty.
type recent[ID comparable, S any] struct {
	mu    sync.Mutex
	order list.List // of *known, the latest used first
	at    map[ID]*list.Element
	bytes int
}

// known is a stream as it was last seen. Its state shares nothing with anybody's.
type known[ID comparable, S any] struct {
	id       ID
	state    S
	revision Revision
	last     EventID
	bytes    int
}

// get returns what is known of a stream. Its state is for copying only.
func (r *recent[ID, S]) get(id ID) (known[ID, S], bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.at[id]
	if e == nil {
		return known[ID, S]{}, false
	}
	r.order.MoveToFront(e)
	return *e.Value.(*known[ID, S]), true
}

// put notes what a stream is, unless more is known of it.
func (r *recent[ID, S]) put(k known[ID, S]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k.bytes += entryBytes
	if e := r.at[k.id]; e != nil {
		was := e.Value.(*known[ID, S])
		if was.revision > k.revision {
			return
		}
		r.bytes += k.bytes - was.bytes
		*was = k
		r.order.MoveToFront(e)
	} else {
		if r.at == nil {
			r.at = map[ID]*list.Element{}
		}
		r.at[k.id] = r.order.PushFront(&k)
		r.bytes += k.bytes
	}
	for r.bytes > recentBytes {
		e := r.order.Back()
		oldest := r.order.Remove(e).(*known[ID, S])
		delete(r.at, oldest.id)
		r.bytes -= oldest.bytes
	}
}
