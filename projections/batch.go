package projections

import (
	"strings"

	"sandglass/domain/address"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// runSize is how many records are folded under one lock, at most.
const runSize = 512

// entry is a decoded record: one of its fields is set, or none for a stream of a
// category that the views do not show.
type entry struct {
	resource resource.Event
	payment  payment.Event
	plan     plan.Event
	address  address.Event
}

// batch is a run of records on its way through the pipeline, used again and again.
type batch struct {
	records []stream.Record
	entries []entry // of the records that could be decoded
	err     error   // what came after the entries
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
		}
		if err != nil {
			b.err = locate(&b.records[i], err)
			return
		}
		b.entries = append(b.entries, e)
	}
}

// forget lets go of what the records refer to.
func (b *batch) forget() {
	clear(b.records)
	clear(b.entries)
}
