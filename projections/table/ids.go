package table

import (
	"cmp"
	"slices"
	"sort"
	"sync"

	"sandglass/domain/resource"
)

// order is the rows by id. It is brought up to date when somebody asks, beside folds: an
// id never changes, and rows stay where they are.
type order struct {
	mu     sync.Mutex
	sorted []int32 // never changed, only replaced
}

// IDs are the ids that a table had at a moment. They may be used beside folds.
type IDs struct {
	pages []*page
	n     int32
	order *order
}

// IDs returns those that the table has now.
func (t *Table) IDs() IDs { return IDs{slices.Clone(t.pages), t.n, t.ids} }

// After returns the rows whose ids come after the given one, in the order of their ids.
// They are not the caller's to change.
func (s IDs) After(id resource.ID) []int32 {
	all := s.sorted()
	return all[sort.Search(len(all), func(i int) bool { return s.id(all[i]) > id }):]
}

func (s IDs) id(row int32) resource.ID { return s.pages[row/pageRows].rows[row%pageRows].id }

// sorted returns all rows in the order of their ids.
func (s IDs) sorted() []int32 {
	s.order.mu.Lock()
	defer s.order.mu.Unlock()
	have := int32(len(s.order.sorted))
	switch {
	case have < s.n:
		s.order.sorted = s.merge(s.order.sorted)
	case have > s.n: // somebody asked for later ones meanwhile
		return slices.DeleteFunc(slices.Clone(s.order.sorted), func(row int32) bool { return row >= s.n })
	}
	return s.order.sorted
}

// merge returns a new order with the rows that old does not have yet.
func (s IDs) merge(old []int32) []int32 {
	added := make([]int32, 0, int(s.n)-len(old))
	for row := int32(len(old)); row < s.n; row++ {
		added = append(added, row)
	}
	slices.SortFunc(added, func(i, j int32) int { return cmp.Compare(s.id(i), s.id(j)) })
	merged := make([]int32, 0, s.n)
	for _, row := range added {
		at := sort.Search(len(old), func(i int) bool { return s.id(old[i]) > s.id(row) })
		merged = append(append(merged, old[:at]...), row)
		old = old[at:]
	}
	return append(merged, old...)
}
