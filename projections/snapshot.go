package projections

import (
	"sandglass/domain/address"
	"sandglass/domain/resource"
	"sandglass/projections/snapshot"
)

// Save writes a snapshot of the present to path, durably and all or nothing. The views
// are folded on meanwhile. logID names the log; [Views.Load] asks for the same.
func (v *Views) Save(path, logID string) error {
	im, release := v.image()
	defer release()
	return snapshot.Save(path, logID, im.save)
}

// Load reads a snapshot into v, before [Run] is called. If the file is missing, or not
// usable here ([snapshot.ErrUnusable]), it returns an error and v is empty: the log is then
// folded from its start. Whether the log has the snapshot's last event, Run finds.
func (v *Views) Load(path, logID string) error {
	v.reset()
	err := snapshot.Load(path, logID, v.load)
	if err != nil {
		v.reset()
	}
	return err
}

func (p *position) fields(f *snapshot.Fields) {
	snapshot.Int(f, &p.pos)
	snapshot.String(f, &p.stream)
	snapshot.Int(f, &p.revision)
	snapshot.Bytes(f, p.id[:])
}

// save passes the image; load, what it passed.
func (im *image) save(f *snapshot.Fields) {
	im.sort() // one state, one file
	im.at.fields(f)
	im.ledger.Fields(f)
	f.Each(f.Count(len(im.plans)), func(i int) { im.plans[i].fields(f) })
	f.Each(f.Count(len(im.issued)), func(i int) { addressFields(f, &im.issued[i]) })
	f.Each(f.Count(len(im.payments)), func(i int) { im.payments[i].fields(f) })
	f.Each(f.Count(len(im.shared.terms)), func(i int) { im.shared.terms[i].fields(f) })
	f.Each(f.Count(len(im.shared.hosts)), func(i int) { snapshot.String(f, &im.shared.hosts[i]) })
	f.Each(f.Count(int(im.n)), func(i int) { im.row(int32(i)).fields(f) })
}

func (v *Views) load(f *snapshot.Fields) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.at.fields(f)
	v.ledger.Fields(f)
	f.Each(f.Count(0), func(int) {
		var p planRow
		p.fields(f)
		v.plans[p.state.Name] = p
	})
	f.Each(f.Count(0), func(int) {
		var s address.State
		addressFields(f, &s)
		v.addresses.add(s)
	})
	f.Each(f.Count(0), func(int) {
		p := new(openPayment)
		p.fields(f)
		v.payments.put(nil, p)
	})
	v.resources.load(f)
}

// load reads the rows of a new table, and what they point into.
func (t *table) load(f *snapshot.Fields) {
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
	f.Each(n, func(int) { t.loadRow(f) })
	f.Keep = nil
}

// loadRow adds a row.
func (t *table) loadRow(f *snapshot.Fields) {
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
	t.tally(r.status, r.host, 1)
	t.n++
}

// fits reports whether a row points to what there is.
func (t *table) fits(r *row) bool {
	return r.status <= resource.StatusReleased &&
		r.terms >= 0 && int(r.terms) < len(t.shared.terms) &&
		r.host >= 0 && int(r.host) < len(t.shared.hosts) &&
		r.first >= 0 && int(r.first) <= len(r.lots)
}
