package open

import (
	"cmp"
	"slices"

	"sandglass/domain/instant"
	"sandglass/projections/snapshot"
)

// held is a payment that came to be held.
type held struct {
	node string // identity_pubkey
	at   instant.Time
}

// hold notes one, and forgets those of more than an hour before it: there are as many of an hour as daemons
// let be held.
func (o *Payments) hold(h held) {
	o.held = slices.DeleteFunc(append(slices.Clip(o.held), h), func(was held) bool { return was.at.Add(instant.Hour) <= h.at })
}

// HeldSince returns when payments came to be held at a node after an instant, of the last hour.
func (o *Payments) HeldSince(node string, after instant.Time) (at []instant.Time) {
	for _, h := range o.held {
		if h.node == node && h.at > after {
			at = append(at, h.at)
		}
	}
	return at
}

// Image is all that is kept, as it stood once.
type Image struct {
	List []*Payment // by key, once it is sorted
	held []held
}

// Image returns what stands now. It is not changed later.
func (o *Payments) Image() Image {
	list := make([]*Payment, 0, len(o.byKey))
	for _, p := range o.byKey {
		list = append(list, p)
	}
	return Image{list, slices.Clone(o.held)}
}

// Sort puts the list in order.
func (im *Image) Sort() {
	slices.SortFunc(im.List, func(p, q *Payment) int { return cmp.Compare(p.State.Key, q.State.Key) })
}

// Save passes an image into a snapshot.
func (im *Image) Save(f *snapshot.Fields) {
	f.Each(f.Count(len(im.List)), func(i int) { im.List[i].Fields(f) })
	f.Each(f.Count(len(im.held)), func(i int) { im.held[i].fields(f) })
}

// Load returns what [Image.Save] passed.
func Load(f *snapshot.Fields) Payments {
	o := New()
	f.Each(f.Count(0), func(int) {
		p := new(Payment)
		p.Fields(f)
		o.Put(nil, p)
	})
	o.held = nil // which is told by itself: most are at their end
	f.Each(f.Count(0), func(int) {
		var h held
		h.fields(f)
		o.held = append(o.held, h)
	})
	return o
}

func (h *held) fields(f *snapshot.Fields) {
	snapshot.String(f, &h.node)
	snapshot.Int(f, &h.at)
}
