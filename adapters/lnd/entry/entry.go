// Package entry puts lnd's invoices into our words, without asking lnd anything.
//
// The one idea: what arrived is what settled, HTLC by HTLC, whatever lnd says of the invoice as a
// whole, which may be what was asked, or the sum of all that ever came.
package entry

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"

	"sandglass/domain/instant"
	"sandglass/domain/lightning"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/resource"

	"github.com/lightningnetwork/lnd/lnrpc"
)

// Of puts lnd's words into ours. What it can't understand it says in Fault, and then
// gives no arrivals: one bad row must not hide the others.
func Of(inv *lnrpc.Invoice) lightning.Entry {
	e, err := read(inv)
	if err != nil {
		e.Arrivals, e.Fault = nil, err.Error()
	}
	return e
}

func read(inv *lnrpc.Invoice) (lightning.Entry, error) {
	e := lightning.Entry{Many: inv.IsKeysend || inv.IsAmp && inv.PaymentRequest != "", Description: inv.Memo}
	var ok bool
	if e.AddIndex, ok = index(inv.AddIndex); !ok {
		return e, errors.New("an add_index beyond 63 bits")
	}
	switch inv.State {
	case lnrpc.Invoice_OPEN:
		e.Status = lightning.EntryOpen
	case lnrpc.Invoice_ACCEPTED:
		e.Status = lightning.EntryAccepted
	case lnrpc.Invoice_SETTLED:
		e.Status = lightning.EntrySettled
	case lnrpc.Invoice_CANCELED:
		e.Status = lightning.EntryCanceled
	default:
		return e, fmt.Errorf("an unknown state %d", inv.State)
	}
	if len(inv.RHash) == 32 {
		e.Hash = hex.EncodeToString(inv.RHash)
	} else if len(inv.RHash) != 0 || !inv.IsAmp {
		return e, fmt.Errorf("a payment_hash of %d bytes", len(inv.RHash))
	}
	var err error
	switch {
	case inv.IsAmp:
		e.Arrivals, err = sets(inv, e.Hash)
	case e.Status != lightning.EntrySettled:
	case inv.IsKeysend:
		e.Arrivals, err = keysends(inv, e.Hash)
	default:
		e.Arrivals, err = bolt11(inv, e.Hash)
	}
	return e, err
}

// bolt11 is one arrival: all HTLCs that settled. Others may have come before and gone
// back; value is only what was asked.
func bolt11(inv *lnrpc.Invoice, hash string) ([]lightning.Arrival, error) {
	var sum total
	for _, h := range inv.Htlcs {
		sum.add(h)
	}
	a, err := arrival(payment.ViaBOLT11, payment.LightningKey(hash), inv.SettleIndex, inv.SettleDate, sum)
	return []lightning.Arrival{a}, err
}

// keysends is an arrival for each HTLC: lnd takes a second one with the same hash,
// without a word, and only adds up.
func keysends(inv *lnrpc.Invoice, hash string) ([]lightning.Arrival, error) {
	var all []lightning.Arrival
	for _, h := range inv.Htlcs {
		if h.State != lnrpc.InvoiceHTLCState_SETTLED {
			continue
		}
		var sum total
		sum.add(h)
		key := payment.KeysendKey(hash, h.ChanId, h.HtlcIndex)
		a, err := arrival(payment.ViaKeysend, key, inv.SettleIndex, cmp.Or(h.ResolveTime, inv.SettleDate), sum)
		if err != nil {
			return nil, err
		}
		a.Settle.Resource = resourceOf(h)
		if slices.ContainsFunc(all, func(b lightning.Arrival) bool { return b.Key == a.Key }) {
			return nil, fmt.Errorf("HTLC %d of channel %d twice", h.HtlcIndex, h.ChanId)
		}
		all = append(all, a)
	}
	return all, nil
}

// sets is an arrival for each set of HTLCs that settled. The invoice's own amount is the
// sum of all sets, and its own index 0.
func sets(inv *lnrpc.Invoice, hash string) ([]lightning.Arrival, error) {
	var all []lightning.Arrival
	for id, set := range inv.AmpInvoiceState {
		if set.GetState() != lnrpc.InvoiceHTLCState_SETTLED {
			continue
		}
		if raw, err := hex.DecodeString(id); err != nil || len(raw) != 32 {
			return nil, fmt.Errorf("a set_id %.80q", id)
		}
		var sum total
		var named resource.ID
		for _, h := range inv.Htlcs {
			if hex.EncodeToString(h.GetAmp().GetSetId()) == id {
				sum.add(h)
				named = cmp.Or(named, resourceOf(h))
			}
		}
		if sum.msat == 0 && set.AmtPaidMsat > 0 {
			sum.msat = uint64(set.AmtPaidMsat) // the HTLCs of a set may be left out
		}
		a, err := arrival(payment.ViaAMP, payment.AMPKey(id), set.SettleIndex, set.SettleTime, sum)
		if err != nil {
			return nil, err
		}
		a.Settle.Resource = named
		if hash != "" && inv.PaymentRequest != "" {
			a.Request = payment.LightningKey(hash)
		}
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b lightning.Arrival) int {
		return cmp.Or(cmp.Compare(a.Settle.Index, b.Settle.Index), cmp.Compare(a.Key, b.Key))
	})
	return all, nil
}

// total adds up HTLCs that settled, and stops beyond every bitcoin there is.
type total struct{ msat uint64 }

func (t *total) add(h *lnrpc.InvoiceHTLC) {
	if h.State == lnrpc.InvoiceHTLCState_SETTLED {
		t.msat += min(h.AmtMsat, uint64(money.MaxMsat)+1)
		t.msat = min(t.msat, uint64(money.MaxMsat)+1)
	}
}

func arrival(via payment.Via, key payment.Key, settleIndex uint64, seconds int64, sum total) (lightning.Arrival, error) {
	i, ok := index(settleIndex)
	if !ok {
		return lightning.Arrival{}, errors.New("a settle_index beyond 63 bits")
	}
	if sum.msat > uint64(money.MaxMsat) {
		return lightning.Arrival{}, money.ErrTooMuch
	}
	c := payment.Settle{At: FirstOf(seconds), Amount: money.Msat(sum.msat), Via: via, Index: i}
	return lightning.Arrival{Key: key, Settle: c}, nil
}

// FirstOf returns the first millisecond of one of lnd's seconds: what came in time is so
// never taken for late. It bills nobody for more: a credit moves no debit, and what did
// not run starts when it is started. 0 is not known.
func FirstOf(seconds int64) instant.Time {
	if seconds <= 0 || seconds > int64(instant.Max)/1000 {
		return 0
	}
	return instant.Time(seconds * 1000)
}

// resourceOf returns the resource that the payer named, if it can be one.
func resourceOf(h *lnrpc.InvoiceHTLC) resource.ID {
	id := string(h.CustomRecords[lightning.ResourceRecord])
	if plan.CheckName(id) != nil {
		return ""
	}
	return resource.ID(id)
}

// index puts one of lnd's indices into ours.
func index(i uint64) (int64, bool) {
	if i > math.MaxInt64 {
		return 0, false
	}
	return int64(i), true
}
