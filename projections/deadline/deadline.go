// Package deadline keeps rows by the instants at which they are due, earliest first.
//
// A [Queue] is a heap that knows where each row stands in it, so that its instant can be
// moved: that of a resource moves with each of its events. What a row is, and what happens
// when it is due, is left to the caller.
package deadline

import (
	"cmp"
	"iter"
	"slices"

	"sandglass/domain/instant"
)

// arity of the heap: four children lie in one cache line.
const arity = 4

// Due is a row with its instant.
type Due struct {
	At  instant.Time
	Row int32
}

// Before orders by instant, and then by the order of opening: one log, one order.
func (d Due) Before(e Due) bool {
	return d.At < e.At || d.At == e.At && d.Row < e.Row
}

func (d Due) compare(e Due) int {
	return cmp.Or(cmp.Compare(d.At, e.At), cmp.Compare(d.Row, e.Row))
}

// Queue holds rows by their instants. The zero Queue is empty.
type Queue struct {
	heap []Due
	slot []int32 // by row: its place in heap plus 1, 0 for none
}

// New returns a queue for as many rows as given, of which about n are due: dues yields them
// with their instants.
func New(rows, n int, dues iter.Seq2[int32, instant.Time]) Queue {
	q := Queue{heap: make([]Due, 0, n), slot: make([]int32, rows)}
	for row, at := range dues {
		q.heap = append(q.heap, Due{at, row})
		q.slot[row] = int32(len(q.heap))
	}
	for i := len(q.heap)/arity + 1; i >= 0; i-- {
		q.down(i)
	}
	return q
}

// Set moves a row to its instant, or out of the queue if it has none.
func (q *Queue) Set(row int32, at instant.Time, ok bool) {
	for int(row) >= len(q.slot) {
		q.slot = append(q.slot, 0)
	}
	i := int(q.slot[row]) - 1
	switch {
	case !ok && i >= 0:
		q.remove(i)
	case ok && i < 0:
		q.heap = append(q.heap, Due{at, row})
		q.up(len(q.heap) - 1)
	case ok && q.heap[i].At != at:
		q.heap[i].At = at
		q.down(q.up(i))
	}
}

func (q *Queue) remove(i int) {
	n := len(q.heap) - 1
	q.slot[q.heap[i].Row] = 0
	moved := q.heap[n]
	q.heap = q.heap[:n]
	if i < n {
		q.place(i, moved)
		q.down(q.up(i))
	}
}

func (q *Queue) place(i int, d Due) {
	q.heap[i] = d
	q.slot[d.Row] = int32(i + 1)
}

// up lifts entry i to its place and returns that.
func (q *Queue) up(i int) int {
	d := q.heap[i]
	for i > 0 && d.Before(q.heap[(i-1)/arity]) {
		q.place(i, q.heap[(i-1)/arity])
		i = (i - 1) / arity
	}
	q.place(i, d)
	return i
}

// down sinks entry i to its place.
func (q *Queue) down(i int) {
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
			if q.heap[c].Before(q.heap[least]) {
				least = c
			}
		}
		if !q.heap[least].Before(d) {
			break
		}
		q.place(i, q.heap[least])
		i = least
	}
	q.place(i, d)
}

// First returns the earliest, and false if there is none.
func (q *Queue) First() (Due, bool) {
	if len(q.heap) == 0 {
		return Due{}, false
	}
	return q.heap[0], true
}

// Until returns up to limit rows that are due by now, but for those that skip says to leave
// out, earliest first, by a walk from the top that looks at no more than the children of what
// it takes or skips. A nil skip leaves none out.
func (q *Queue) Until(now instant.Time, limit int, skip func(row int32) bool) (due []Due) {
	edge := []int{0}
	for len(edge) > 0 && len(due) < limit {
		i := edge[len(edge)-1] // the earliest is at the end
		edge = edge[:len(edge)-1]
		if i >= len(q.heap) || q.heap[i].At > now {
			continue
		}
		if skip == nil || !skip(q.heap[i].Row) {
			due = append(due, q.heap[i])
		}
		for c := i*arity + 1; c < min(i*arity+1+arity, len(q.heap)); c++ {
			if q.heap[c].At > now {
				continue
			}
			at, _ := slices.BinarySearchFunc(edge, q.heap[c], func(e int, d Due) int {
				return -q.heap[e].compare(d)
			})
			edge = slices.Insert(edge, at, c)
		}
	}
	return due
}
