package payment

import (
	"slices"
	"sync"
)

// row is the unbroken row of settle_indices: which were told of, and which are durably
// handled. A number that was never told of, below one that was, is a gap.
type row struct {
	mu   sync.Mutex // guards what follows
	told spans
	done spans
}

func newRow(cursor int64) *row {
	return &row{told: spans{upto: cursor}, done: spans{upto: cursor}}
}

// tell notes that the wallet told of i; 0 is no index.
func (r *row) tell(i int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told.add(span{i, i})
}

// finish notes that i is durably handled.
func (r *row) finish(i int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told.add(span{i, i})
	r.done.add(span{i, i})
}

// cursor returns the index up to which everything is durably handled.
func (r *row) cursor() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.done.upto
}

// last returns the highest index that was told of.
func (r *row) last() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.told.last()
}

// gap says whether an index up to i was never told of.
func (r *row) gap(i int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.told.holes(i)) > 0
}

// pass closes the gaps up to i: the wallet's records hold nothing there.
func (r *row) pass(i int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, hole := range r.told.holes(i) {
		r.told.add(hole)
		r.done.add(hole)
	}
}

// span is the numbers from the first to the last, both included.
type span struct{ first, last int64 }

// spans is a set of numbers: all up to upto, and some above, in order, apart.
type spans struct {
	upto  int64
	above []span
}

func (s *spans) add(n span) {
	if n.last <= s.upto {
		return
	}
	i, _ := slices.BinarySearchFunc(s.above, n.first-1, func(a span, v int64) int { return int(min(max(a.last-v, -1), 1)) })
	j := i
	for ; j < len(s.above) && s.above[j].first <= n.last+1; j++ {
		n.first, n.last = min(n.first, s.above[j].first), max(n.last, s.above[j].last)
	}
	s.above = slices.Replace(s.above, i, j, n)
	if s.above[0].first <= s.upto+1 {
		s.upto = s.above[0].last
		s.above = slices.Delete(s.above, 0, 1)
	}
}

func (s *spans) last() int64 {
	if n := len(s.above); n > 0 {
		return s.above[n-1].last
	}
	return s.upto
}

// holes returns what is missing up to the last number of the set, and up to i.
func (s *spans) holes(i int64) (holes []span) {
	from := s.upto + 1
	for _, a := range s.above {
		if from > i {
			break
		}
		holes = append(holes, span{from, min(a.first-1, i)})
		from = a.last + 1
	}
	return holes
}
