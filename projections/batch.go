package projections

import (
	"strings"

	"sandglass/domain/address"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/proof/fork"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/domain/wallet"
	"sandglass/projections/open"
)

// runSize is how many records are folded under one lock, at most.
const runSize = 512

// entry is a decoded record: one of its fields at most is set. An unknown category is of a newer build, as a type is.
type entry struct {
	resource resource.Event
	payment  payment.Event
	plan     plan.Event
	address  address.Event
	wallet   wallet.Event
}

// batch is a run of records on its way through the pipeline, used again and again.
type batch struct {
	records []stream.Record
	entries []entry // of the records that could be decoded
	err     error   // what came after the entries

	// ended are the payments of the entries that had come to their end before, or did so in an
	// entry: they are not kept, and may go on.
	ended map[payment.Key]*open.Payment
}

// fill copies a run, whose slice the store may use again.
func (b *batch) fill(run []stream.Record) {
	b.records = append(b.records[:0], run...)
	b.err = nil
}

// decode decodes the records up to the first that can't be.
func (b *batch) decode() {
	b.entries = b.entries[:0]
	for i := range b.records {
		var e entry
		var err error
		switch r := &b.records[i]; {
		case strings.HasPrefix(r.Stream, resource.Prefix):
			e.resource, err = resource.Decode(r)
		case strings.HasPrefix(r.Stream, payment.Prefix):
			e.payment, err = payment.Decode(r)
		case strings.HasPrefix(r.Stream, plan.Prefix):
			e.plan, err = plan.Decode(r)
		case strings.HasPrefix(r.Stream, address.Prefix):
			e.address, err = address.Decode(r)
		case strings.HasPrefix(r.Stream, wallet.Prefix):
			e.wallet, err = wallet.Decode(r)
		case strings.HasPrefix(r.Stream, fork.Prefix):
			_, err = fork.Decode(r) // which changes no figure
		default:
			err = stream.Unknown(r)
		}
		if err != nil {
			b.err = locate(&b.records[i], err)
			return
		}
		b.entries = append(b.entries, e)
	}
}

// end keeps a payment that came to its end, for as long as the batch is folded.
func (b *batch) end(p *open.Payment) {
	if b.ended == nil {
		b.ended = map[payment.Key]*open.Payment{}
	}
	b.ended[p.State.Key] = p
}

// forget lets go of what the records refer to.
func (b *batch) forget() {
	clear(b.records)
	clear(b.entries)
	clear(b.ended)
}
