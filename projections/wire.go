package projections

import (
	"encoding/binary"

	"sandglass/domain/address"
	"sandglass/domain/codec"
	"sandglass/domain/money"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
)

// wire is one pass over a frame of a snapshot, writing or reading: each struct names its
// fields once, for both. What is read into an arena is kept there.
type wire struct {
	buf     []byte
	reading bool
	bad     bool // what was read ended too soon, or makes no sense
	arena   *arena
}

// num passes an integer: a zigzag varint.
func num[T ~int64 | ~int32 | ~uint64 | ~uint8](w *wire, v *T) {
	if !w.reading {
		w.buf = binary.AppendVarint(w.buf, int64(*v))
		return
	}
	x, n := binary.Varint(w.buf)
	if n <= 0 {
		w.bad, w.buf, x, n = true, nil, 0, 0
	}
	*v, w.buf = T(x), w.buf[n:]
}

// count passes a length, of things of at least one byte each.
func (w *wire) count(n int) int {
	x := int64(n)
	num(w, &x)
	if w.reading && (x < 0 || x > int64(len(w.buf))) {
		w.bad, x = true, 0
	}
	return int(x)
}

func (w *wire) bytes(b []byte) {
	switch {
	case !w.reading:
		w.buf = append(w.buf, b...)
	case len(w.buf) < len(b):
		w.bad = true
	default:
		w.buf = w.buf[copy(b, w.buf):]
	}
}

func text[T ~string](w *wire, s *T) {
	n := w.count(len(*s))
	switch {
	case !w.reading:
		w.buf = append(w.buf, *s...)
		return
	case w.arena != nil:
		*s = T(w.arena.keepBytes(w.buf[:n]))
	default:
		*s = T(w.buf[:n])
	}
	w.buf = w.buf[n:]
}

func (w *wire) bool(v *bool) {
	var x uint8
	if *v {
		x = 1
	}
	if num(w, &x); w.reading { // what is written is shared with readers
		*v = x == 1
	}
}

func (w *wire) price(p *money.Price) {
	num(w, &p.Msat)
	num(w, &p.Per)
}

func (w *wire) terms(t *resource.Terms) {
	w.price(&t.Price)
	num(w, &t.Warn.Time)
	num(w, &t.Warn.Amount)
	num(w, &t.Warn.Share)
	num(w, &t.Grace)
}

func (w *wire) position(p *position) {
	num(w, &p.pos)
	text(w, &p.stream)
	num(w, &p.revision)
	w.bytes(p.id[:])
}

func (w *wire) ledger(l *Ledger) {
	num(w, &l.Wallet)
	num(w, &l.Receivable)
	num(w, &l.Prepaid)
	num(w, &l.Income)
	num(w, &l.Unallocated)
}

func (w *wire) shared(t *terms) {
	text(w, &t.Plan)
	text(w, &t.Enforcer)
	w.terms(&t.Terms)
}

func (w *wire) plan(p *planRow) {
	text(w, &p.state.Name)
	num(w, &p.state.Last)
	num(w, &p.revision)
	w.bool(&p.state.OnOffer)
	published := plan.Published{Offer: p.state.Offer}
	w.payload(&published)
	p.state.Offer = published.Offer
}

// payload passes what a payload of an event holds, by its own names.
func (w *wire) payload(f codec.Fielder) {
	var body string
	if !w.reading {
		body = string(codec.Encode(f))
	}
	if text(w, &body); w.reading && codec.Decode([]byte(body), f) != nil {
		w.bad = true
	}
}

func (w *wire) payment(p *openPayment) {
	s := &p.state
	num(w, &p.revision)
	num(w, &p.since)
	text(w, &s.Key)
	num(w, &s.Status)
	text(w, &s.Resource)
	num(w, &s.Asked)
	w.price(&s.Price)
	num(w, &s.Expiry)
	text(w, &s.Invoice)
	num(w, &s.Requested)
	num(w, &s.Amount)
	text(w, &s.Via)
	text(w, &s.Node)
	num(w, &s.Index)
	num(w, &s.SettledAt)
	text(w, &s.Reason)
	num(w, &s.Last)
	text(w, &s.Address)
	num(w, &s.Height)
	text(w, &s.Block)
	w.bool(&s.Final)
}

func (w *wire) address(s *address.State) {
	text(w, &s.Address)
	text(w, &s.Resource)
	text(w, &s.Node)
	num(w, &s.Height)
	num(w, &s.At.At)
}

func (w *wire) row(r *row) {
	text(w, &r.id)
	num(w, &r.revision)
	num(w, &r.terms)
	num(w, &r.host)
	num(w, &r.status)
	w.bool(&r.warned)
	w.bytes(r.holder[:])
	w.bytes(r.request[:])
	num(w, &r.last)
	num(w, &r.mark)
	w.bool(&r.held)
	num(w, &r.since)
	num(w, &r.full)
	num(w, &r.debt)
	num(w, &r.credited)
	num(w, &r.debited)
	num(w, &r.undone)
	num(w, &r.first)
	n := w.count(len(r.lots))
	if w.reading && n > 0 {
		r.lots = make([]resource.Lot, n)
	}
	for i := range r.lots {
		w.lot(&r.lots[i])
	}
}

func (w *wire) lot(l *resource.Lot) {
	text(w, &l.Key)
	num(w, &l.Amount)
	num(w, &l.Time)
	num(w, &l.Used)
	num(w, &l.DebtPaid)
}
