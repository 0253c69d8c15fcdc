package table

import (
	"iter"
	"slices"

	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections/snapshot"
)

// Image is a table as it stood at one moment. It may be read beside folds, as long as it is
// held.
type Image struct {
	rows
	ids      *order
	counts   Counts
	unplaced int
}

// Hold returns an image of now. The caller ends it with [Table.Release], once.
func (t *Table) Hold() *Image {
	t.images++
	t.epoch++
	return &Image{
		rows:     rows{slices.Clone(t.pages), t.n, t.shared},
		ids:      t.ids,
		counts:   t.counts,
		unplaced: t.Unplaced(),
	}
}

// Release ends the holding of an image, which is not to be read any more.
func (t *Table) Release() { t.images-- }

// Counts returns how many resources there are of each status.
func (im *Image) Counts() Counts { return im.counts }

// Unplaced returns how many resources that are not released belong to no host.
func (im *Image) Unplaced() int { return im.unplaced }

// ByID yields the states, each valid until the next, with the revisions that they stand
// at, in the order of their ids.
func (im *Image) ByID() iter.Seq2[*resource.State, stream.Revision] {
	return func(yield func(*resource.State, stream.Revision) bool) {
		var s resource.State
		for _, row := range (IDs{im.pages, im.n, im.ids}).sorted() {
			if at := im.Unpack(row, &s); !yield(&s, at) {
				return
			}
		}
	}
}

// Save writes the image to a snapshot.
func (im *Image) Save(f *snapshot.Fields) {
	f.Each(f.Count(len(im.shared.terms)), func(i int) { im.shared.terms[i].fields(f) })
	f.Each(f.Count(len(im.shared.hosts)), func(i int) { snapshot.String(f, &im.shared.hosts[i]) })
	f.Each(f.Count(im.Len()), func(i int) { im.row(int32(i)).fields(f) })
}

// Load returns the table of which an image was saved. If f refuses it, it is of no use.
func Load(f *snapshot.Fields) *Table {
	t := New()
	f.Each(f.Count(0), func(int) {
		var c terms
		c.fields(f)
		t.byTerms[c] = int32(len(t.shared.terms))
		t.shared.terms = append(t.shared.terms, c)
	})
	f.Each(f.Count(0), func(int) { // a new table has the first already
		var name string
		snapshot.String(f, &name)
		t.host(name)
	})
	n := f.Count(0)
	t.byID = make(map[resource.ID]int32, n)
	f.Keep = t.text.keepBytes
	f.Each(n, func(int) { t.load(f) })
	f.Keep = nil
	return t
}

// load adds a row.
func (t *Table) load(f *snapshot.Fields) {
	if t.n%pageRows == 0 {
		t.pages = append(t.pages, new(page))
	}
	r := t.row(t.n)
	r.fields(f)
	if !t.fits(r) {
		f.Refuse()
		return
	}
	t.byID[r.id] = t.n
	t.tally(r.status, place{t.shared.terms[r.terms].Plan, r.host}, 1)
	t.n++
}

// fits reports whether a row points to what there is.
func (t *Table) fits(r *row) bool {
	return r.status <= resource.StatusReleased &&
		r.terms >= 0 && int(r.terms) < len(t.shared.terms) &&
		r.host >= 0 && int(r.host) < len(t.shared.hosts) &&
		r.first >= 0 && int(r.first) <= len(r.lots)
}
