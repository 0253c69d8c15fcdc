package table

import (
	"iter"
	"slices"
	"strings"

	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// pageRows is how many rows lie together: what a write copies while an image is held.
// With its epoch a page of so many just fills a size class of the allocator, 40 KiB.
const pageRows = 222

// page is a stretch of rows. A page that an image holds, which has an older epoch than
// the table, is copied before it is written to.
type page struct {
	epoch uint32
	rows  [pageRows]row
}

// clone returns a copy that shares nothing that a fold changes.
func (p *page) clone(epoch uint32) *page {
	c := *p
	c.epoch = epoch
	for i := range c.rows {
		c.rows[i].lots = slices.Clone(c.rows[i].lots)
	}
	return &c
}

// rows are those of a table or an image, with what they point into.
type rows struct {
	pages  []*page
	n      int32
	shared common
}

// Len returns how many rows there are.
func (t *rows) Len() int { return int(t.n) }

func (t *rows) row(i int32) *row { return &t.pages[i/pageRows].rows[i%pageRows] }

// ID returns the id of the resource in a row.
func (t *rows) ID(row int32) resource.ID { return t.row(row).id }

// Unpack sets s to the state of a row, whose lots it shares, and returns the revision that
// it stands at.
func (t *rows) Unpack(row int32, s *resource.State) stream.Revision {
	r := t.row(row)
	r.unpack(&t.shared, s)
	return r.revision
}

// All yields each row with its state, which is valid until the next.
func (t *rows) All() iter.Seq2[int32, *resource.State] {
	return func(yield func(int32, *resource.State) bool) {
		var s resource.State
		for i := range t.n {
			if t.Unpack(i, &s); !yield(i, &s) {
				return
			}
		}
	}
}

// own returns a row to be written to.
func (t *Table) own(i int32) *row {
	k := i / pageRows
	if p := t.pages[k]; t.images > 0 && p.epoch < t.epoch {
		t.pages[k] = p.clone(t.epoch)
	}
	return t.row(i)
}

// add returns a new row.
func (t *Table) add(id resource.ID) int32 {
	i := t.n
	if i%pageRows == 0 {
		t.pages = append(t.pages, &page{epoch: t.epoch})
	}
	id = resource.ID(t.text.keep(string(id)))
	r := t.own(i)
	r.id, r.revision = id, stream.NoStream
	t.byID[id] = i
	t.counts[resource.StatusNone]++
	t.n++
	return i
}

// intern returns the index of what s has in common with others.
func (t *Table) intern(s *resource.State) int32 {
	c := terms{s.Plan, s.Enforcer, s.Terms}
	i, ok := t.byTerms[c]
	if !ok {
		i = int32(len(t.shared.terms))
		t.shared.terms = append(t.shared.terms, c)
		t.byTerms[c] = i
	}
	return i
}

// Enforced reports whether anything ever was to be started and stopped.
func (t *rows) Enforced() bool {
	return slices.ContainsFunc(t.shared.terms, func(c terms) bool { return c.Enforcer != "" })
}

// host returns the index of a host's name.
func (t *Table) host(name string) int32 {
	i, ok := t.byHost[name]
	if !ok {
		name = strings.Clone(name)
		i = int32(len(t.shared.hosts))
		t.shared.hosts = append(t.shared.hosts, name)
		t.placed = append(t.placed, 0)
		t.byHost[name] = i
	}
	return i
}

// place is where a resource of a plan is.
type place struct {
	plan string
	host int32
}

// tally counts a resource, or with −1 one less, where it stands.
func (t *Table) tally(status resource.Status, at place, n int) {
	t.counts[status] += n
	if status == resource.StatusNone || status == resource.StatusReleased {
		return
	}
	t.placed[at.host] += n
	if t.taken[at] += n; t.taken[at] == 0 {
		delete(t.taken, at)
	}
}
