package projections

import (
	"cmp"
	"slices"

	"sandglass/domain/instant"
	"sandglass/domain/resource"
)

// arity of the heap: four children lie in one cache line.
const arity = 4

// due is a resource with the instant at which time alone changes it.
type due struct {
	at  instant.Time
	row int32
}

// before orders by instant, and then by the order of opening: one log, one order.
func (d due) before(e due) bool {
	return d.at < e.at || d.at == e.at && d.row < e.row
}

func (d due) compare(e due) int {
	return cmp.Or(cmp.Compare(d.at, e.at), cmp.Compare(d.row, e.row))
}

// queue is a heap of deadlines that knows where each resource stands in it.
type queue struct {
	heap []due
	slot []int32 // by row: its place in heap plus 1, 0 for none
}

// rebuild makes the queue anew for the resources that v owns.
func (q *queue) rebuild(v *Views) {
	t := &v.resources
	q.heap, q.slot = make([]due, 0, v.owned()), make([]int32, t.n)
	var s resource.State
	for i := range t.n {
		r := t.row(i)
		if !v.owns(r) {
			continue
		}
		r.unpack(&t.shared, &s)
		if at, ok := s.Deadline(v.every); ok {
			q.heap = append(q.heap, due{at, i})
			q.slot[i] = int32(len(q.heap))
		}
	}
	for i := len(q.heap)/arity + 1; i >= 0; i-- {
		q.down(i)
	}
}

// set moves a row to its deadline, or out of the queue if it has none.
func (q *queue) set(row int32, at instant.Time, ok bool) {
	for int(row) >= len(q.slot) {
		q.slot = append(q.slot, 0)
	}
	i := int(q.slot[row]) - 1
	switch {
	case !ok && i >= 0:
		q.remove(i)
	case ok && i < 0:
		q.heap = append(q.heap, due{at, row})
		q.up(len(q.heap) - 1)
	case ok && q.heap[i].at != at:
		q.heap[i].at = at
		q.down(q.up(i))
	}
}

func (q *queue) remove(i int) {
	n := len(q.heap) - 1
	q.slot[q.heap[i].row] = 0
	moved := q.heap[n]
	q.heap = q.heap[:n]
	if i < n {
		q.place(i, moved)
		q.down(q.up(i))
	}
}

func (q *queue) place(i int, d due) {
	q.heap[i] = d
	q.slot[d.row] = int32(i + 1)
}

// up lifts entry i to its place and returns that.
func (q *queue) up(i int) int {
	d := q.heap[i]
	for i > 0 && d.before(q.heap[(i-1)/arity]) {
		q.place(i, q.heap[(i-1)/arity])
		i = (i - 1) / arity
	}
	q.place(i, d)
	return i
}

// down sinks entry i to its place.
func (q *queue) down(i int) {
	if i >= len(q.heap) {
		return
	}
	d := q.heap[i]
	for {
		first := i*arity + 1
		if first >= len(q.heap) {
			break
		}
		least := first
		for c := first + 1; c < min(first+arity, len(q.heap)); c++ {
			if q.heap[c].before(q.heap[least]) {
				least = c
			}
		}
		if !q.heap[least].before(d) {
			break
		}
		q.place(i, q.heap[least])
		i = least
	}
	q.place(i, d)
}

func (q *queue) first() (due, bool) {
	if len(q.heap) == 0 {
		return due{}, false
	}
	return q.heap[0], true
}

// until returns up to limit rows that are due by now, earliest first, by a walk from the
// top that looks at no more than the children of what it takes.
func (q *queue) until(now instant.Time, limit int) (rows []int32) {
	edge := []int{0}
	for len(edge) > 0 && len(rows) < limit {
		i := edge[len(edge)-1] // the earliest is at the end
		edge = edge[:len(edge)-1]
		if i >= len(q.heap) || q.heap[i].at > now {
			continue
		}
		rows = append(rows, q.heap[i].row)
		for c := i*arity + 1; c < min(i*arity+1+arity, len(q.heap)); c++ {
			if q.heap[c].at > now {
				continue
			}
			at, _ := slices.BinarySearchFunc(edge, q.heap[c], func(e int, d due) int {
				return -q.heap[e].compare(d)
			})
			edge = slices.Insert(edge, at, c)
		}
	}
	return rows
}

// NextDeadline returns the resource of this host that time changes next, and when. It
// returns false if there is none, and before [Views.CaughtUp].
func (v *Views) NextDeadline() (id resource.ID, at instant.Time, ok bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	d, ok := v.deadlines.first()
	if !ok {
		return "", 0, false
	}
	return v.resources.row(d.row).id, d.at, true
}

// Due returns up to limit resources of this host whose deadline is now or earlier,
// earliest first. It removes none: a deadline moves when the events of its resource
// arrive, and is another host's from when the resource was moved there.
func (v *Views) Due(now instant.Time, limit int) []resource.ID {
	v.mu.RLock()
	defer v.mu.RUnlock()
	rows := v.deadlines.until(now, limit)
	ids := make([]resource.ID, len(rows))
	for i, r := range rows {
		ids[i] = v.resources.row(r).id
	}
	return ids
}

// DeadlineMoved is a channel that gets a token when the earliest deadline has changed.
// It is for one reader.
func (v *Views) DeadlineMoved() <-chan struct{} { return v.moved }
