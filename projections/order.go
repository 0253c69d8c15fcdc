package projections

import (
	"cmp"
	"slices"
	"sort"
	"sync"

	"sandglass/domain/resource"
)

// order is the resources by id. It is brought up to date when somebody asks, outside the
// lock of the views: an id never changes, and rows stay where they are.
type order struct {
	mu     sync.Mutex
	sorted []int32
}

// extend takes in the rows that were added, and leaves o.sorted in the order of ids, in
// new memory: readers of the old order go on with that. id tells the id of a row; n is
// how many there are.
func (o *order) extend(n int32, id func(int32) resource.ID) {
	have := len(o.sorted)
	if have == int(n) {
		return
	}
	added := make([]int32, n-int32(have))
	for i := range added {
		added[i] = int32(have + i)
	}
	slices.SortFunc(added, func(i, j int32) int { return cmp.Compare(id(i), id(j)) })
	merged := make([]int32, 0, n)
	rest := o.sorted
	for _, row := range added {
		at := sort.Search(len(rest), func(i int) bool { return id(rest[i]) > id(row) })
		merged = append(append(merged, rest[:at]...), row)
		rest = rest[at:]
	}
	o.sorted = append(merged, rest...)
}

// sortedRows is an order of rows with the means to tell their ids.
type sortedRows struct {
	order []int32
	pages []*page
}

// id returns the id of the i-th row of the order.
func (s *sortedRows) id(i int) resource.ID { return rowID(s.pages, s.order[i]) }

func rowID(pages []*page, i int32) resource.ID { return pages[i/pageRows].rows[i%pageRows].id }

// byID returns all resources that there are now in the order of their ids.
func (v *Views) byID() sortedRows {
	v.order.mu.Lock()
	defer v.order.mu.Unlock()
	v.mu.RLock()
	n, pages := v.resources.n, slices.Clone(v.resources.pages)
	v.mu.RUnlock()
	v.order.extend(n, func(i int32) resource.ID { return rowID(pages, i) })
	return sortedRows{v.order.sorted, pages}
}
