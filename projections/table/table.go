// Package table holds the resources in memory: a million of them, each in a few hundred
// bytes, found by its id or its row.
//
// A row is a [resource.State], packed: what many have in common, such as their terms, is
// kept once, and small strings lie together. Rows stand in the order of opening and are
// never moved or removed. They lie in pages, so that an [Image] of the table as it stands
// costs little: while one is held, a fold copies the pages that it writes to.
//
// A table has no lock: the caller keeps folds apart from all else, unless it is said that
// something may go beside them. What follows from a resource's figures is left to others.
package table

import (
	"errors"
	"iter"
	"slices"

	"sandglass/domain/instant"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

var (
	errRevision = errors.New("the revision is not the next of its stream")
	errOpening  = errors.New("the stream does not begin with its opening")
)

// Counts is how many resources there are of each status.
type Counts [resource.StatusReleased + 1]int

// Table holds all resources.
type Table struct {
	rows
	byID    map[resource.ID]int32
	byTerms map[terms]int32
	byHost  map[string]int32
	counts  Counts
	placed  []int // by host: resources that are not released
	taken   map[place]int
	text    arena
	epoch   uint32
	images  int // how many are held
	ids     *order
	scratch resource.State // of the row that is being folded
}

// New returns a table without resources.
func New() *Table {
	t := &Table{
		byID:    map[resource.ID]int32{},
		byTerms: map[terms]int32{},
		byHost:  map[string]int32{},
		taken:   map[place]int{},
		ids:     new(order),
	}
	t.host("")
	return t
}

// Fold takes in an event of a resource, and returns its row and the state after it, which
// is valid until the next Fold and not the caller's to change.
func (t *Table) Fold(rec *stream.Record, e resource.Event) (row int32, s *resource.State, err error) {
	id := resource.ID(rec.Stream[len(resource.Prefix):])
	row, ok := t.byID[id]
	if _, opens := e.(*resource.Opened); opens == ok {
		return 0, nil, errOpening
	} else if opens {
		row = t.add(id)
	}
	r := t.own(row)
	if rec.Revision != r.revision+1 {
		return 0, nil, errRevision
	}
	s = &t.scratch
	r.unpack(&t.shared, s)
	was, from := r.status, r.host
	*s = resource.Evolve(*s, e)
	switch e := e.(type) {
	case *resource.Opened, *resource.Repriced:
		r.terms = t.intern(s)
	case *resource.Placed:
		r.host = t.host(e.Host)
	case *resource.Credited, *resource.Granted:
		l := &s.Lots[len(s.Lots)-1]
		l.Key = t.text.keep(l.Key)
	}
	r.pack(s)
	r.revision = rec.Revision
	if r.status != was || r.host != from {
		t.tally(was, place{s.Plan, from}, -1)
		t.tally(r.status, place{s.Plan, r.host}, 1)
	}
	return row, s, nil
}

// State returns the state of a resource and the revision that it stands at. It shares the
// lots of the table, which the next Fold may change.
func (t *Table) State(id resource.ID) (s resource.State, at stream.Revision, ok bool) {
	row, ok := t.byID[id]
	if !ok {
		return s, stream.NoStream, false
	}
	at = t.Unpack(row, &s)
	return s, at, true
}

// Remaining returns what [resource.State.Remaining] does.
func (t *Table) Remaining(id resource.ID, now instant.Time) (instant.Millis, bool) {
	row, ok := t.byID[id]
	if !ok {
		return 0, false
	}
	var s resource.State
	t.Unpack(row, &s)
	return s.Remaining(now), true
}

// Host returns the host that a resource belongs to, "" for none.
func (t *Table) Host(id resource.ID) (host string, ok bool) {
	row, ok := t.byID[id]
	if !ok {
		return "", false
	}
	return t.shared.hosts[t.row(row).host], true
}

// Counts returns how many resources there are of each status.
func (t *Table) Counts() Counts { return t.counts }

// Hosts yields each host that was ever named, and "" for none, with how many resources
// that are not released belong to it.
func (t *Table) Hosts() iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		for i, n := range t.placed {
			if !yield(t.shared.hosts[i], n) {
				return
			}
		}
	}
}

// Taken returns how many resources of a plan on a host are not released, with those of the given ones
// that there are not, each once.
func (t *Table) Taken(plan, host string, others []resource.ID) int {
	n := 0
	if i, ok := t.byHost[host]; ok {
		n = t.taken[place{plan, i}]
	}
	slices.Sort(others)
	for _, id := range slices.Compact(others) {
		if _, ok := t.byID[id]; !ok {
			n++
		}
	}
	return n
}

// Unplaced returns how many resources that are not released belong to no host.
func (t *Table) Unplaced() int { return t.placed[0] }
