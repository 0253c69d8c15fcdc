package fakelnd

import (
	"cmp"
	"encoding/hex"
	"slices"

	"github.com/lightningnetwork/lnd/lnrpc"
	"google.golang.org/protobuf/proto"
)

// db is what lnd keeps of invoices.
type db struct {
	addIndex    uint64
	settleIndex uint64
	rows        []*lnrpc.Invoice // by add_index; deleted ones are gone
	log         []logged         // the key-value store's index of settlements
	htlcs       uint64           // counts HTLCs
}

// logged is an entry of the index of settlements. It names a row, which may have been
// settled again since: then several entries name it.
type logged struct {
	index uint64
	row   *lnrpc.Invoice
	set   string // set_id for AMP, else empty
}

func newDB() db { return db{} }

func (d *db) add(row *lnrpc.Invoice) {
	d.addIndex++
	row.AddIndex = d.addIndex
	d.rows = append(d.rows, row)
}

func (d *db) find(hash []byte) *lnrpc.Invoice {
	for _, row := range d.rows {
		if len(row.RHash) > 0 && string(row.RHash) == string(hash) {
			return row
		}
	}
	return nil
}

func (d *db) settled(row *lnrpc.Invoice, set string) uint64 {
	d.settleIndex++
	d.log = append(d.log, logged{d.settleIndex, row, set})
	return d.settleIndex
}

// shown is a row as an answer shows it: a copy.
func shown(row *lnrpc.Invoice) *lnrpc.Invoice { return proto.CloneOf(row) }

// ofSet is an event of one set of an AMP invoice: its own HTLCs and state, and the
// amount of all sets.
func ofSet(row *lnrpc.Invoice, set string) *lnrpc.Invoice {
	e := shown(row)
	if set == "" {
		return e
	}
	e.AmpInvoiceState = map[string]*lnrpc.AMPInvoiceState{set: e.AmpInvoiceState[set]}
	e.Htlcs = slices.DeleteFunc(e.Htlcs, func(h *lnrpc.InvoiceHTLC) bool { return hex.EncodeToString(h.Amp.SetId) != set })
	return e
}

// addedSince is the backlog of adds: rows as they are now, settled or not.
func (d *db) addedSince(index uint64) (events []*lnrpc.Invoice) {
	for _, row := range d.rows {
		if index > 0 && row.AddIndex > index {
			events = append(events, shown(row))
		}
	}
	return events
}

// settledSince is the backlog of settlements, in the order of the index.
func (d *db) settledSince(index uint64) (events []*lnrpc.Invoice) {
	for _, l := range d.log {
		if index > 0 && l.index > index {
			events = append(events, ofSet(l.row, l.set))
		}
	}
	return events
}

// settledSinceSQL is settledSince of the native SQL store: in the order of rows, each
// with the index that stands in it, and then the sets of AMP.
func (d *db) settledSinceSQL(index uint64) (events []*lnrpc.Invoice) {
	if index == 0 {
		return nil
	}
	var sets []*lnrpc.Invoice
	for _, row := range d.rows {
		if row.SettleIndex > index {
			events = append(events, shown(row))
		}
		for set, state := range row.AmpInvoiceState {
			if state.SettleIndex > index {
				e := ofSet(row, set)
				e.SettleIndex = state.SettleIndex
				sets = append(sets, e)
			}
		}
	}
	slices.SortFunc(sets, func(a, b *lnrpc.Invoice) int { return cmp.Compare(a.SettleIndex, b.SettleIndex) })
	return append(events, sets...)
}

// page is a page of ListInvoices, upwards whichever way it was asked for.
func (d *db) page(offset, limit uint64, reversed bool) []*lnrpc.Invoice {
	var page []*lnrpc.Invoice
	if !reversed {
		for _, row := range d.rows {
			if row.AddIndex > offset && uint64(len(page)) < limit {
				page = append(page, shown(row))
			}
		}
		return page
	}
	for _, row := range slices.Backward(d.rows) {
		if (offset == 0 || row.AddIndex < offset) && uint64(len(page)) < limit {
			page = append(page, shown(row))
		}
	}
	slices.Reverse(page)
	return page
}
