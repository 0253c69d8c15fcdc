package request

import "container/heap"

// expiries is a heap of entries, the first to expire on top.
type expiries struct{ list []*entry }

func (h *expiries) first() *entry { return h.list[0] }

func (h *expiries) put(e *entry) {
	e.in = h
	heap.Push(h, e)
}

func (h *expiries) remove(e *entry) {
	heap.Remove(h, e.i)
	e.in = nil
	if n := len(h.list); cap(h.list) > 1024 && n < cap(h.list)/2 {
		h.list = append(make([]*entry, 0, n+n/4), h.list...)
	}
}

// Len implements [heap.Interface], as the others do.
func (h *expiries) Len() int           { return len(h.list) }
func (h *expiries) Less(i, j int) bool { return h.list[i].Expiry < h.list[j].Expiry }
func (h *expiries) Swap(i, j int) {
	h.list[i], h.list[j] = h.list[j], h.list[i]
	h.list[i].i, h.list[j].i = i, j
}

// Push implements [heap.Interface].
func (h *expiries) Push(e any) {
	e.(*entry).i = len(h.list)
	h.list = append(h.list, e.(*entry))
}

// Pop implements [heap.Interface].
func (h *expiries) Pop() any {
	last := len(h.list) - 1
	e := h.list[last]
	h.list[last], h.list = nil, h.list[:last]
	return e
}
