package groupcommit

import (
	"runtime"

	"sandglass/adapters/sqlite/logfile"
	"sandglass/domain/instant"
	"sandglass/domain/stream"
)

// gather takes first and what waits behind it. Those who were answered a moment ago get
// their turn to append again, so that they are in this group and not all in the next.
func (w *Writer) gather(first *request) []*request {
	var group []*request
	bytes := 0
	take := func(r *request) {
		if r.state.CompareAndSwap(waiting, taken) {
			group = append(group, r)
			bytes += r.bytes
		}
	}
	take(first)
	for idle := 0; idle < 2 && len(group) < groupMax && bytes < groupSize; {
		select {
		case r := <-w.queue:
			take(r)
			idle = 0
		default:
			runtime.Gosched()
			idle++
		}
	}
	return group
}

// commit writes a group in one transaction and answers it.
func (w *Writer) commit(requests []*request) {
	if len(requests) == 0 {
		return
	}
	w.using.Lock()
	defer w.using.Unlock()
	g := group{w: w, next: w.next, recorded: max(w.recorded, min(w.now(), instant.Max))}
	err := w.space.Check()
	if err == nil {
		err = g.write(requests)
		w.setFailure(err)
	}
	if err == nil {
		w.publish(&g)
	}
	for _, r := range requests {
		if err != nil {
			r.res, r.err = stream.Appended{}, err
		}
		close(r.done)
	}
	w.maintain()
}

// publish makes a committed group visible.
func (w *Writer) publish(g *group) {
	if g.next == w.next {
		return
	}
	for name, id := range g.types {
		w.types.Add(id, name) // within bounds: see typeID
	}
	w.tail.Add(g.runs)
	w.next, w.recorded, w.ownIDs = g.next, g.recorded, g.ownIDs || w.ownIDs
	w.wal.Grew(g.bytes)
	w.head.Store(uint64(w.next - 1))
	w.news.Fire()
}

// maintain does what can wait until the group is answered. Its errors can wait too: the
// next group meets them, or tries again.
func (w *Writer) maintain() {
	if w.hold.Lost() {
		return
	}
	if n := w.tail.Len(); n >= w.tailMax {
		if err := w.tail.Flush(w.conn); err != nil {
			w.setFailure(writeError(err))
		}
		w.wal.Grew(n * logfile.WALPage)
	}
	if w.wal.Due() && w.hold.Check() == nil {
		w.wal.Checkpoint(w.conn)
	}
}

// writeError says what went wrong. A refusal is nothing that went wrong.
func writeError(err error) error {
	if _, ok := err.(refusal); ok {
		return err
	}
	return logfile.WriteError(err)
}
