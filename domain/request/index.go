package request

import (
	"cmp"
	"hash/maphash"
	"slices"
	"sort"

	"sandglass/domain/instant"
)

// parts is a map in so many parts. A map keeps the room of the most that it held: each part is
// made anew once three quarters of that are left, which takes no longer than a part is large.
type parts[K ~string, V any] struct {
	maps [256]map[K]V
	peak [256]int // of what a part held since it was made
	n    int
}

var seed = maphash.MakeSeed()

func part[K ~string](k K) uint64 { return maphash.String(seed, string(k)) % 256 }

func (p *parts[K, V]) get(k K) (V, bool) {
	v, ok := p.maps[part(k)][k]
	return v, ok
}

func (p *parts[K, V]) put(k K, v V) {
	i := part(k)
	if p.maps[i] == nil {
		p.maps[i] = map[K]V{}
	}
	m := p.maps[i]
	p.n -= len(m)
	m[k] = v
	p.n += len(m)
	p.peak[i] = max(p.peak[i], len(m))
}

func (p *parts[K, V]) remove(k K) {
	i := part(k)
	m := p.maps[i]
	p.n -= len(m)
	delete(m, k)
	p.n += len(m)
	if p.peak[i] < 16 || len(m) > p.peak[i]/4*3 {
		return
	}
	less := make(map[K]V, len(m))
	for k, v := range m {
		less[k] = v
	}
	p.maps[i], p.peak[i] = less, len(less)
}

// addresses are the entries of addresses, which stay for good.
type addresses struct {
	byAge   []*entry
	heights []int64 // of all of them, the lowest first
}

// older orders entries by when they were asked for.
func older(a, b *entry) int {
	return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Name(), b.Name()))
}

func (a *addresses) put(e *entry) {
	i, _ := slices.BinarySearchFunc(a.byAge, e, older)
	a.byAge = slices.Insert(a.byAge, i, e)
	i, _ = slices.BinarySearch(a.heights, e.Height)
	a.heights = slices.Insert(a.heights, i, e.Height)
}

func (a *addresses) remove(e *entry) {
	i, _ := slices.BinarySearchFunc(a.byAge, e, older)
	a.byAge = slices.Delete(a.byAge, i, i+1)
	i, _ = slices.BinarySearch(a.heights, e.Height)
	a.heights = slices.Delete(a.heights, i, i+1)
}

// since returns how many were made after an instant.
func (a *addresses) since(t instant.Time) int {
	return len(a.byAge) - sort.Search(len(a.byAge), func(i int) bool { return a.byAge[i].At > t })
}
