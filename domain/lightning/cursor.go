package lightning

import (
	"slices"
	"sync"
)

// cursor is the settle-index cursor: which settle_indices were told of, and which are
// durably handled. A number that was never told of, below one that was, is a gap.
type cursor struct {
	mu      sync.Mutex // guards what follows
	told    spans
	handled spans
}

func newCursor(at int64) *cursor {
	return &cursor{told: spans{upto: at}, handled: spans{upto: at}}
}

// addTold notes that the wallet told of i; 0 is no index.
func (c *cursor) addTold(i int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told.add(span{i, i})
}

// addHandled notes that i is durably handled.
func (c *cursor) addHandled(i int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told.add(span{i, i})
	c.handled.add(span{i, i})
}

// handledTo returns the index up to which everything is durably handled.
func (c *cursor) handledTo() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.handled.upto
}

// highest returns the highest index that was told of.
func (c *cursor) highest() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.told.highest()
}

// hasGap reports whether an index up to i was never told of.
func (c *cursor) hasGap(i int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.told.holes(i)) > 0
}

// passGaps closes the gaps up to i: the wallet's records hold nothing there.
func (c *cursor) passGaps(i int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, hole := range c.told.holes(i) {
		c.told.add(hole)
		c.handled.add(hole)
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

func (s *spans) highest() int64 {
	if n := len(s.above); n > 0 {
		return s.above[n-1].last
	}
	return s.upto
}

// holes returns what is missing up to the highest number of the set, and up to i.
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
