package projections

import (
	"cmp"
	"slices"
	"strings"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections/snapshot"
)

// pageRows is how many rows lie together: what a write copies while an image is read.
// With its epoch a page of so many just fills a size class of the allocator, 40 KiB.
const pageRows = 255

// row is a resource.State packed: what many resources share is an index into common.
type row struct {
	id                              resource.ID
	lots                            []resource.Lot // what Remaining reads lies together
	mark                            instant.Time   // DebitedTo or, of a row that is held, HoldUntil
	first, terms                    int32
	status                          resource.Status
	warned, held                    bool
	host                            int32
	last, since                     instant.Time
	full                            instant.Millis
	debt, credited, debited, undone money.Msat
	revision                        stream.Revision
	holder, request                 [16]byte
}

// page is a stretch of rows. A page that an image holds, which has an older epoch than
// the table, is copied before it is written to.
type page struct {
	epoch uint32
	rows  [pageRows]row
}

// terms is what resources of one plan have in common.
type terms struct {
	Plan, Enforcer string
	Terms          resource.Terms
}

// common is what rows point into. It only grows, so that a copy stands.
type common struct {
	terms []terms
	hosts []string // by first mention; the first is "", no host
}

// table holds all resources, by the order in which they were opened.
type table struct {
	byID    map[resource.ID]int32
	pages   []*page
	n       int32
	shared  common
	byTerms map[terms]int32
	byHost  map[string]int32
	counts  [resource.StatusReleased + 1]int
	placed  []int // by host: resources that are not released
	text    arena
	epoch   uint32
	images  int            // how many are being read
	scratch resource.State // of the row that is being folded
}

func newTable() table {
	t := table{byID: map[resource.ID]int32{}, byTerms: map[terms]int32{}, byHost: map[string]int32{}}
	t.host("")
	return t
}

func (t *table) row(i int32) *row { return &t.pages[i/pageRows].rows[i%pageRows] }

// own returns row i to be written to.
func (t *table) own(i int32) *row {
	k := i / pageRows
	if p := t.pages[k]; t.images > 0 && p.epoch < t.epoch {
		t.pages[k] = p.clone(t.epoch)
	}
	return t.row(i)
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

// add returns the index of a new row.
func (t *table) add(id resource.ID) int32 {
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

// unpack returns the state of a row. It shares the row's lots.
func (r *row) unpack(shared *common, s *resource.State) {
	*s = resource.State{
		ID: r.id, Holder: r.holder, Request: r.request,
		Last: r.last, Since: r.since, Full: r.full,
		Lots: r.lots, Debt: r.debt, Credited: r.credited, Debited: r.debited, ReversedSum: r.undone,
		First: r.first, Status: r.status, Warned: r.warned, Host: shared.hosts[r.host],
	}
	if r.held {
		s.HoldUntil = r.mark
	} else {
		s.DebitedTo = r.mark
	}
	if r.status != resource.StatusNone {
		c := &shared.terms[r.terms]
		s.Plan, s.Enforcer, s.Terms = c.Plan, c.Enforcer, c.Terms
	}
}

// pack is the inverse of unpack, but for the id, the revision and what is common.
func (r *row) pack(s *resource.State) {
	r.holder, r.request = s.Holder, s.Request
	r.mark, r.held = cmp.Or(s.HoldUntil, s.DebitedTo), s.HoldUntil != 0
	r.last, r.since, r.full = s.Last, s.Since, s.Full
	r.lots, r.debt, r.credited, r.debited, r.undone = s.Lots, s.Debt, s.Credited, s.Debited, s.ReversedSum
	r.first, r.status, r.warned = s.First, s.Status, s.Warned
}

// fields passes a row.
func (r *row) fields(f *snapshot.Fields) {
	snapshot.String(f, &r.id)
	snapshot.Int(f, &r.revision)
	snapshot.Int(f, &r.terms)
	snapshot.Int(f, &r.host)
	snapshot.Int(f, &r.status)
	snapshot.Bool(f, &r.warned)
	snapshot.Bytes(f, r.holder[:])
	snapshot.Bytes(f, r.request[:])
	snapshot.Int(f, &r.last)
	snapshot.Int(f, &r.mark)
	snapshot.Bool(f, &r.held)
	snapshot.Int(f, &r.since)
	snapshot.Int(f, &r.full)
	snapshot.Int(f, &r.debt)
	snapshot.Int(f, &r.credited)
	snapshot.Int(f, &r.debited)
	snapshot.Int(f, &r.undone)
	snapshot.Int(f, &r.first)
	n := f.Len(len(r.lots))
	if f.Reading() && n > 0 {
		r.lots = make([]resource.Lot, n)
	}
	for i := range r.lots {
		lot(f, &r.lots[i])
	}
}

func lot(f *snapshot.Fields, l *resource.Lot) {
	snapshot.String(f, &l.Key)
	snapshot.Int(f, &l.Amount)
	snapshot.Int(f, &l.Time)
	snapshot.Int(f, &l.Used)
	snapshot.Int(f, &l.DebtPaid)
}

func (t *terms) fields(f *snapshot.Fields) {
	snapshot.String(f, &t.Plan)
	snapshot.String(f, &t.Enforcer)
	snapshot.Int(f, &t.Terms.Price.Msat)
	snapshot.Int(f, &t.Terms.Price.Per)
	snapshot.Int(f, &t.Terms.Warn.Time)
	snapshot.Int(f, &t.Terms.Warn.Amount)
	snapshot.Int(f, &t.Terms.Warn.Share)
	snapshot.Int(f, &t.Terms.Grace)
}

// intern returns the index of what s has in common with others.
func (t *table) intern(s *resource.State) int32 {
	c := terms{s.Plan, s.Enforcer, s.Terms}
	i, ok := t.byTerms[c]
	if !ok {
		i = int32(len(t.shared.terms))
		t.shared.terms = append(t.shared.terms, c)
		t.byTerms[c] = i
	}
	return i
}

// host returns the index of a host's name.
func (t *table) host(name string) int32 {
	i, ok := t.byHost[name]
	if !ok {
		name = strings.Clone(name)
		i = int32(len(t.shared.hosts))
		t.shared.hosts, t.placed = append(t.shared.hosts, name), append(t.placed, 0)
		t.byHost[name] = i
	}
	return i
}

// tally counts a resource, or with −1 one less, where it stands.
func (t *table) tally(status resource.Status, host int32, n int) {
	t.counts[status] += n
	if status != resource.StatusNone && status != resource.StatusReleased {
		t.placed[host] += n
	}
}

// arena keeps many small strings that live as long as the views in few blocks.
type arena struct{ block strings.Builder }

const arenaBlock = 64 << 10

// keep returns a copy of s.
func (a *arena) keep(s string) string {
	a.room(len(s))
	a.block.WriteString(s)
	return a.tail(len(s))
}

// keepBytes returns a copy of b.
func (a *arena) keepBytes(b []byte) string {
	a.room(len(b))
	a.block.Write(b)
	return a.tail(len(b))
}

func (a *arena) room(n int) {
	if a.block.Cap()-a.block.Len() < n {
		a.block.Reset()
		a.block.Grow(max(arenaBlock, n))
	}
}

func (a *arena) tail(n int) string {
	all := a.block.String()
	return all[len(all)-n:]
}
