package entry_test

import (
	"encoding/hex"
	"math"
	"slices"
	"testing"

	"sandglass/adapters/lnd/entry"
	"sandglass/domain/lightning"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/plan"

	"github.com/lightningnetwork/lnd/lnrpc"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

const (
	settled  = lnrpc.InvoiceHTLCState_SETTLED
	canceled = lnrpc.InvoiceHTLCState_CANCELED
)

var hash = make([]byte, 32)

func htlc(msat uint64, state lnrpc.InvoiceHTLCState) *lnrpc.InvoiceHTLC {
	return &lnrpc.InvoiceHTLC{AmtMsat: msat, State: state, ChanId: 7, HtlcIndex: msat}
}

// drawHTLCs draws HTLCs in every state, of one of the sets or of none.
func drawHTLCs(t *rapid.T, sets [][]byte) []*lnrpc.InvoiceHTLC {
	var all []*lnrpc.InvoiceHTLC
	for i := range rapid.IntRange(0, 8).Draw(t, "htlcs") {
		h := &lnrpc.InvoiceHTLC{
			ChanId: rapid.Uint64().Draw(t, "chan_id"), HtlcIndex: uint64(i),
			AmtMsat: rapid.OneOf(rapid.Uint64Range(0, 1e9), rapid.Uint64()).Draw(t, "amt_msat"),
			State:   lnrpc.InvoiceHTLCState(rapid.Int32Range(0, 2).Draw(t, "state")),
			CustomRecords: map[uint64][]byte{lightning.ResourceRecord: rapid.OneOf(
				rapid.Just([]byte("vm-1")), rapid.SliceOfN(rapid.Byte(), 0, 80)).Draw(t, "record")},
			ResolveTime: rapid.Int64().Draw(t, "resolve_time"),
		}
		if len(sets) > 0 {
			h.Amp = &lnrpc.AMP{SetId: rapid.SampledFrom(sets).Draw(t, "set_id")}
		}
		all = append(all, h)
	}
	return all
}

func drawInvoice(t *rapid.T) *lnrpc.Invoice {
	inv := &lnrpc.Invoice{
		RHash: hash, State: lnrpc.Invoice_InvoiceState(rapid.Int32Range(0, 4).Draw(t, "invoice")),
		AddIndex: rapid.Uint64().Draw(t, "add_index"), SettleIndex: rapid.Uint64().Draw(t, "settle_index"),
		SettleDate: rapid.Int64().Draw(t, "settle_date"), ValueMsat: rapid.Int64().Draw(t, "value_msat"),
		AmtPaidMsat: rapid.Int64().Draw(t, "amt_paid_msat"),
	}
	var sets [][]byte
	switch rapid.IntRange(0, 2).Draw(t, "via") {
	case 0:
		inv.IsKeysend = true
	case 1:
		inv.IsAmp, inv.AmpInvoiceState = true, map[string]*lnrpc.AMPInvoiceState{}
		for i := range rapid.IntRange(1, 3).Draw(t, "sets") {
			sets = append(sets, slices.Repeat([]byte{byte(i)}, 32))
			inv.AmpInvoiceState[hex.EncodeToString(sets[i])] = &lnrpc.AMPInvoiceState{
				State: lnrpc.InvoiceHTLCState(rapid.Int32Range(0, 2).Draw(t, "set")), SettleIndex: uint64(i),
				SettleTime: rapid.Int64().Draw(t, "settle_time"),
			}
		}
	}
	inv.Htlcs = drawHTLCs(t, sets)
	return inv
}

// What arrived is what settled: no more, and nothing of another set or state.
func TestEntryAddsUpWhatSettled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		inv := drawInvoice(t)
		e := entry.Of(inv)
		sound(t, e)
		if e.Fault != "" {
			return
		}
		var want uint64
		for _, h := range inv.Htlcs {
			counts := inv.State == lnrpc.Invoice_SETTLED
			if inv.IsAmp {
				counts = inv.AmpInvoiceState[hex.EncodeToString(h.Amp.GetSetId())].State == settled
			}
			if counts && h.State == settled {
				want += h.AmtMsat
			}
		}
		var got money.Msat
		for _, a := range e.Arrivals {
			got += a.Settle.Amount
		}
		if uint64(got) != want {
			t.Fatalf("%d msat arrived, want %d", got, want)
		}
	})
}

type tester interface{ Fatalf(string, ...any) }

// sound is what holds for every entry, however odd the invoice.
func sound(t tester, e lightning.Entry) {
	if e.Fault != "" && len(e.Arrivals) > 0 || e.AddIndex < 0 {
		t.Fatalf("it is %+v", e)
	}
	keys := map[payment.Key]bool{}
	for _, a := range e.Arrivals {
		c := a.Settle
		if c.Amount.Check() != nil || c.Index < 0 || c.At < 0 || keys[a.Key] || len(a.Key) < len("ln-")+64 {
			t.Fatalf("an arrival is %+v", a)
		}
		if c.Resource != "" && plan.CheckName(string(c.Resource)) != nil {
			t.Fatalf("the resource is %q", c.Resource)
		}
		keys[a.Key] = true
	}
}

func FuzzEntry(f *testing.F) {
	for _, inv := range []*lnrpc.Invoice{
		{},
		{
			RHash: hash, State: lnrpc.Invoice_SETTLED, SettleIndex: 3, SettleDate: 1_700_000_000,
			Htlcs: []*lnrpc.InvoiceHTLC{htlc(5, settled)},
		},
		{
			RHash: hash, State: lnrpc.Invoice_SETTLED, IsKeysend: true,
			Htlcs: []*lnrpc.InvoiceHTLC{htlc(5, settled), htlc(6, settled)},
		},
		{
			IsAmp: true, State: lnrpc.Invoice_SETTLED,
			AmpInvoiceState: map[string]*lnrpc.AMPInvoiceState{
				hex.EncodeToString(hash): {State: settled, AmtPaidMsat: 9},
			},
		},
	} {
		raw, err := proto.Marshal(inv)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var inv lnrpc.Invoice
		if proto.Unmarshal(raw, &inv) == nil {
			sound(t, entry.Of(&inv))
		}
	})
}

func TestEntryCases(t *testing.T) {
	set := hex.EncodeToString(slices.Repeat([]byte{1}, 32))
	none := hex.EncodeToString(hash)
	type htlcs = []*lnrpc.InvoiceHTLC
	type sets = map[string]*lnrpc.AMPInvoiceState
	const done = lnrpc.Invoice_SETTLED
	for _, c := range []struct {
		name    string
		inv     *lnrpc.Invoice
		keys    []string
		amounts []money.Msat
		fault   bool
	}{
		{"bolt11", &lnrpc.Invoice{RHash: hash, State: done, ValueMsat: 1, Htlcs: htlcs{htlc(4, canceled), htlc(9, settled)}},
			[]string{"ln-" + none}, []money.Msat{9}, false},
		{"open", &lnrpc.Invoice{RHash: hash, ValueMsat: 1}, nil, nil, false},
		{"held", &lnrpc.Invoice{RHash: hash, State: lnrpc.Invoice_ACCEPTED, AmtPaidMsat: 5}, nil, nil, false},
		{"cancelled with amt_paid", &lnrpc.Invoice{RHash: hash, State: lnrpc.Invoice_CANCELED, AmtPaidMsat: 5,
			Htlcs: htlcs{htlc(5, canceled)}}, nil, nil, false},
		{"keysend twice", &lnrpc.Invoice{RHash: hash, State: done, IsKeysend: true, AmtPaidMsat: 11,
			Htlcs: htlcs{htlc(5, settled), htlc(6, settled)}},
			[]string{"ln-" + none + "-7-5", "ln-" + none + "-7-6"}, []money.Msat{5, 6}, false},
		{"one HTLC told twice", &lnrpc.Invoice{RHash: hash, State: done, IsKeysend: true,
			Htlcs: htlcs{htlc(5, settled), htlc(5, settled)}}, nil, nil, true},
		{"AMP without its HTLCs", &lnrpc.Invoice{IsAmp: true, State: done, AmtPaidMsat: 99,
			AmpInvoiceState: sets{set: {State: settled, AmtPaidMsat: 9}, none: {State: canceled, AmtPaidMsat: 8}}},
			[]string{"amp-" + set}, []money.Msat{9}, false},
		{"AMP by the hash of an invoice", &lnrpc.Invoice{RHash: hash, IsAmp: true, State: done,
			AmpInvoiceState: sets{none: {State: settled, AmtPaidMsat: 9}}}, []string{"amp-" + none}, []money.Msat{9}, false},
		{"AMP with an odd set", &lnrpc.Invoice{IsAmp: true, AmpInvoiceState: sets{"zz": {State: settled}}}, nil, nil, true},
		{"a hash that is none", &lnrpc.Invoice{RHash: hash[:5]}, nil, nil, true},
		{"no hash", &lnrpc.Invoice{}, nil, nil, true},
		{"more than there is", &lnrpc.Invoice{RHash: hash, State: done,
			Htlcs: htlcs{htlc(math.MaxUint64, settled), htlc(5, settled)}}, nil, nil, true},
		{"an index beyond 63 bits", &lnrpc.Invoice{RHash: hash, State: done, SettleIndex: math.MaxUint64}, nil, nil, true},
		{"a state that is none", &lnrpc.Invoice{RHash: hash, State: 9}, nil, nil, true},
	} {
		e := entry.Of(c.inv)
		var keys []string
		var amounts []money.Msat
		for _, a := range e.Arrivals {
			keys, amounts = append(keys, string(a.Key)), append(amounts, a.Settle.Amount)
		}
		if !slices.Equal(keys, c.keys) || !slices.Equal(amounts, c.amounts) || (e.Fault != "") != c.fault {
			t.Errorf("%s: %+v", c.name, e)
		}
	}
}
