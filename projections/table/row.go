package table

import (
	"cmp"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/domain/resource/config"
	"sandglass/domain/resource/lots"
	"sandglass/domain/resource/uptime"
	"sandglass/domain/stream"
	"sandglass/projections/snapshot"
)

// row is a resource.State packed: what many resources share is an index into common.
type row struct {
	id                              resource.ID
	lots                            []lots.Lot // what Remaining reads lies together
	uptime                          *uptime.State
	config                          *config.State // nil if it never was configured
	mark                            instant.Time  // DebitedTo or, of a row that is held, HoldUntil
	first, terms                    int32
	status                          resource.Status
	warned, held, resumed, halted   bool
	host                            int32
	last, since                     instant.Time
	full                            instant.Millis
	debt, credited, debited, undone money.Msat
	revision                        stream.Revision
	holder, request                 [16]byte
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

// unpack returns the state of a row. It shares the row's lots.
func (r *row) unpack(shared *common, s *resource.State) {
	*s = resource.State{
		ID: r.id, Holder: r.holder, Request: r.request,
		Last: r.last, Since: r.since, Full: r.full,
		Queue: lots.Queue{Lots: r.lots, First: r.first}, Debt: r.debt, Credited: r.credited, Debited: r.debited, ReversedSum: r.undone,
		Uptime: r.uptime, Status: r.status, Warned: r.warned, Resumed: r.resumed, Halted: r.halted,
		Config: r.config, Host: shared.hosts[r.host],
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
	r.config, r.uptime, r.first, r.status = s.Config, s.Uptime, s.First, s.Status
	r.warned, r.resumed, r.halted = s.Warned, s.Resumed, s.Halted
}

// fields passes a row.
func (r *row) fields(f *snapshot.Fields) {
	snapshot.String(f, &r.id)
	snapshot.Int(f, &r.revision)
	snapshot.Int(f, &r.terms)
	snapshot.Int(f, &r.host)
	snapshot.Int(f, &r.status)
	snapshot.Bool(f, &r.warned)
	snapshot.Bool(f, &r.resumed)
	snapshot.Bool(f, &r.halted)
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
		r.lots = make([]lots.Lot, n)
	}
	for i := range r.lots {
		lot(f, &r.lots[i])
	}
	uptimeFields(f, &r.uptime)
	configFields(f, &r.config)
}

// configFields passes what a row has of one: read, it is a new one.
func configFields(f *snapshot.Fields, of **config.State) {
	there := *of != nil
	if snapshot.Bool(f, &there); !there {
		return
	}
	var c config.State
	if !f.Reading() {
		c = **of
	}
	snapshot.Bytes(f, c.Hash[:])
	snapshot.Int(f, &c.Set)
	if f.Reading() {
		*of = &c
	}
}

// uptimeFields passes what a row has of one: read, it is a new one.
func uptimeFields(f *snapshot.Fields, of **uptime.State) {
	there := *of != nil
	if snapshot.Bool(f, &there); !there {
		return
	}
	u := new(uptime.State)
	if !f.Reading() {
		*u = **of
	}
	snapshot.Int(f, &u.Opened)
	snapshot.Int(f, &u.Returned)
	snapshot.Bool(f, &u.Up)
	snapshot.Bool(f, &u.Ready)
	snapshot.String(f, &u.Why)
	for _, b := range []*uptime.Budget{&u.Outage, &u.Pause} {
		snapshot.Int(f, &b.Period)
		snapshot.Int(f, &b.Used)
		snapshot.Int(f, &b.Before)
	}
	n := f.Len(len(u.Billed))
	if f.Reading() && n > 0 {
		u.Billed = make([]uptime.Span, n)
	}
	for i := range u.Billed {
		snapshot.Int(f, &u.Billed[i].From)
		snapshot.Int(f, &u.Billed[i].To)
	}
	if f.Reading() {
		*of = u
	}
}

func lot(f *snapshot.Fields, l *lots.Lot) {
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
	snapshot.Bool(f, &t.Terms.Uptime)
	snapshot.Int(f, &t.Terms.StartWithin)
	snapshot.Int(f, &t.Terms.MaxOutage)
	snapshot.Int(f, &t.Terms.MaxPause)
	snapshot.Bool(f, &t.Terms.Hold)
}
